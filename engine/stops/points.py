"""What someone asked to stop at: breakpoints and watchpoints, as they are listed and saved."""

from typing import Literal

from msgspec import Struct


class Breakpoint(Struct, frozen=True, omit_defaults=True):
    """Stop, or print `log` and go on, at a location when a condition holds.

    `at` is a tensor (the line that first writes it), a phase, a layer or a line: `dW1`, `backward`,
    `backward 2`, `layer 2`, `line 7`; with None, the run stops wherever `when` becomes true. `when`
    is a condition in the grammar of conditions. Of the hits, the first `after` are passed, and from
    then on only each `every`-th stops. `log` has expressions in braces: `"dW1 = {dW1}"`.
    """

    number: int
    at: str | None = None
    when: str | None = None
    after: int = 0
    every: int = 1
    log: str | None = None
    enabled: bool = True

    def __str__(self) -> str:
        parts = [f"break {self.at}" if self.at else "break"]
        if self.when is not None:
            parts.append(f"if {self.when}")
        if self.after:
            parts.append(f"after {self.after}")
        if self.every > 1:
            parts.append(f"every {self.every}")
        if self.log is not None:
            parts.append(f'log "{self.log}"')
        return " ".join(parts)


class Watchpoint(Struct, frozen=True, omit_defaults=True):
    """Stop when an expression changes, or when it goes from one side of a value to the other."""

    number: int
    expression: str
    mode: Literal["changes", "crosses"] = "changes"
    value: float = 0.0
    enabled: bool = True

    def __str__(self) -> str:
        crossed = f" {self.value!r}" if self.mode == "crosses" else ""
        return f"watch {self.expression} {self.mode}{crossed}"


Point = Breakpoint | Watchpoint


class Stop(Struct, frozen=True):
    """Why a run has stopped where it is, in a sentence.

    `kind` is "unit" where what was asked for is done, and "end" at the end of the run.
    """

    place: int
    kind: Literal["unit", "end", "start", "point", "fault"]
    reason: str = ""


class Logged(Struct, frozen=True):
    """What a logpoint printed when the run came to a place."""

    place: int
    text: str
