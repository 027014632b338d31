"""Breakpoints and watchpoints: what they are, where they may stand, and how they are written."""

import re
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.language.evaluate import ConditionError
from nnstep.engine.language.typed import Typed, blaming, check_braced, constant, expression
from nnstep.engine.program.program import Instruction, Phase, Program
from nnstep.engine.text import did_you_mean, quoted

if TYPE_CHECKING:
    from nnstep.engine.program.program import Program


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


Span = tuple[int, int]


def spans_of(at: str, program: Program) -> tuple[Span, ...]:
    """Return the stretches of lines that a location names, as (first, one past the last).

    Raises `ConditionError` for a location that the program does not have.
    """
    lines = program.instructions
    words = at.split()
    if at in program.tensors:
        writers = [i for i, line in enumerate(lines) if at in line.writes]
        if not writers:
            raise ConditionError(f"no line writes {at}; a watchpoint stops when it is edited")
        return ((writers[0], writers[0] + 1),)
    match words:
        case ["line", number] if number.isdecimal() and 1 <= int(number) <= len(lines):
            return ((int(number) - 1, int(number)),)
        case ["line", number]:
            raise ConditionError(f"the lines are numbered from 1 to {len(lines)}, not {number}")
        case ["layer", number] if number.isdecimal():
            found = _stretches([line.layer == int(number) for line in lines], lines)
        case [phase] if phase in list(Phase):
            found = _stretches([line.phase == phase for line in lines])
        case [phase, number] if phase in list(Phase) and number.isdecimal():
            found = _stretches(
                [line.phase == phase and line.layer == int(number) for line in lines]
            )
        case _:
            found = ()
    if not found:
        known = [*program.tensors, *Phase, *location_names(program)]
        hint = did_you_mean(at, known)
        raise ConditionError(f"the program has no tensor, phase or layer {quoted(at)}{hint}")
    return found


def location_names(program: Program) -> tuple[str, ...]:
    """Return the names of the phases and layers of a program."""
    names = {line.phase.value: None for line in program.instructions}
    for line in program.instructions:
        if line.layer is not None:
            names[f"{line.phase} {line.layer}"] = None
    return tuple(names)


def _stretches(
    inside: list[bool], parts: tuple[Instruction, ...] | None = None
) -> tuple[Span, ...]:
    """Return where a list is true, from (and with) to (and without); a new phase begins anew."""
    spans: list[Span] = []
    for i, here in enumerate(inside):
        joins = i > 0 and inside[i - 1] and (not parts or parts[i - 1].phase == parts[i].phase)
        if here and joins:
            spans[-1] = (spans[-1][0], i + 1)
        elif here:
            spans.append((i, i + 1))
    return tuple(spans)


_IF = re.compile(r"(?<!\S)if(?!\S)")
_LOG = re.compile(r"(?<!\S)log(?!\w)(?=\s*[\"{\w]|\s*$)")
_COUNT = re.compile(r"(?<!\S)(after|every)(?=(\s+\S+)?$)")
_CHANGES = re.compile(r"(?<!\S)changes$")
_CROSSES = re.compile(r"(?<!\S)crosses(?!\S)")


class Clauses(Struct, frozen=True):
    """What a breakpoint is made of, as it was typed."""

    at: Typed
    when: Typed | None = None
    after: int = 0
    every: int = 1
    log: Typed | None = None

    @property
    def point(self) -> Breakpoint:
        """The breakpoint, without a number and a check."""
        at = " ".join(word.text for word in self.at.words)
        return Breakpoint(
            number=0,
            at=(f"line {at}" if self.at.is_number else at) or None,
            when=None if self.when is None else self.when.text,
            after=self.after,
            every=self.every,
            log=None if self.log is None else self.log.text,
        )


def parse_breakpoint(text: Typed) -> Clauses:
    """Read `dW1 if norm(dW1) > 1 after 2 every 3 log "{dW1}"`, each part of which may be left out.

    What a program has is not looked at.
    """
    log = None
    if found := text.cut(_LOG):
        text, log = found[0], _in_quotes(found[1])
    clauses = Clauses(text, log=log)
    while match := _COUNT.search(clauses.at.text):
        clauses = _counted(clauses, match)
    if found := clauses.at.cut(_IF):
        clauses = replace(clauses, at=found[0], when=found[1])
    return clauses


def _counted(clauses: Clauses, match: re.Match[str]) -> Clauses:
    """Return the clauses with an `after N` or `every N` taken off the end of the location."""
    at, number = clauses.at.part(0, match.start()), clauses.at.part(match.end())
    count = number.number(f"the number behind '{match[0]}'")
    if match[0] == "after":
        return replace(clauses, at=at, after=count)
    if count == 0:
        raise number.error("'every' counts from 1, which is each time")
    return replace(clauses, at=at, every=count)


def _in_quotes(text: Typed) -> Typed:
    """Return what stands between the first and the last quotation mark."""
    if len(text.text) < 2 or text.text[0] != '"' or text.text[-1] != '"':
        raise text.error('log comes last, with a text in quotation marks: log "dW1 = {dW1}"')
    return Typed(text.text[1:-1], text.start + 1)


def checked_breakpoint(clauses: Clauses, program: "Program") -> Breakpoint:
    """Return the breakpoint; raise `CommandError` for what a program does not have."""
    point = clauses.point
    if point.at is not None:
        with blaming(clauses.at):
            spans_of(point.at, program)
    if clauses.when is not None:
        expression(clauses.when, program.tensors, "a condition")
    if clauses.log is not None:
        check_braced(clauses.log, program.tensors)
    return point


def parse_watchpoint(text: Typed) -> tuple[Typed, Watchpoint | None]:
    """Read `W1[0, 1]`, `W1[0, 1] changes` or `L crosses 0.5`.

    Returns the expression, and the watchpoint unless it is only to be shown.
    """
    if (found := text.cut(_CHANGES)) and found[0]:
        return found[0], Watchpoint(0, found[0].text)
    if (found := text.cut(_CROSSES)) and found[0]:
        return found[0], Watchpoint(0, found[0].text, "crosses", constant(found[1]))
    return text, None
