"""Breakpoints and watchpoints: what they are, where they may stand, and how they are written.

There is one type of each, one parser and one check, whether a point comes from the prompt, a key, a
scenario, a session file or a program in Python; `str` gives the command that sets it.
"""

import math
import re
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.language.nodes import ConditionError
from nnstep.engine.language.typed import (
    MOST_DIGITS,
    TextError,
    Typed,
    on_one_line,
    typed,
    with_braced,
)
from nnstep.engine.program.program import Instruction, Phase, Program
from nnstep.engine.text import did_you_mean, listed, printable, quoted

if TYPE_CHECKING:
    from nnstep.engine.scenario.schema import Breakpoint as Table


UNTIL = -1
"""The number of the breakpoint that is set for the condition of `run until`, for as long as that
runs. It stops where the condition is first seen to hold."""


class Breakpoint(Struct, frozen=True, omit_defaults=True):
    """Stop, or print `log` and go on, at a location when a condition holds.

    `at` is a tensor (the line that first writes it), a phase, a layer or a line: `dW1`, `backward`,
    `backward 2`, `layer 2`, `line 7`; with None, the run stops wherever `when` becomes true. `when`
    is a condition in the grammar of conditions. Of the hits, the first `after` are passed; the next
    one stops, and from there each `every`-th: `every=1000` at the loss stops in iteration 0, 1000,
    2000. `log` has expressions in braces: `"dW1 = {dW1}"`. A session gives the `number`.
    """

    at: str | None = None
    when: str | None = None
    after: int = 0
    every: int = 1
    log: str | None = None
    enabled: bool = True
    number: int = 0

    def __str__(self) -> str:
        parts = [f"break {self.at}" if self.at else "break"]
        if self.when is not None:
            parts.append(f"if {self.when}")
        if self.after:
            parts.append(f"after {self.after}")
        if self.every > 1:
            parts.append(f"every {self.every}")
        if self.log is not None:
            doubled = self.log.replace('"', '""')
            parts.append(f'log "{doubled}"')
        return " ".join(parts)


class Watchpoint(Struct, frozen=True, omit_defaults=True):
    """Stop when an expression changes, or when it goes from one side of a value to the other.

    A session gives the `number`.
    """

    expression: str
    mode: Literal["changes", "crosses"] = "changes"
    value: float = 0.0
    enabled: bool = True
    number: int = 0

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
    """What a logpoint printed when the run came to a place.

    `step` is the one that it speaks of: the next, or the one just executed, whose result it reads.
    """

    place: int
    step: int
    text: str


Span = tuple[int, int]


def spans_of(at: str, program: Program) -> tuple[Span, ...]:
    """Return the stretches of lines that a location names, as (first, one past the last).

    Raises `ConditionError` for a location that the program does not have.
    """
    lines = program.instructions
    if at in program.tensors:
        if at not in program.writers:
            raise ConditionError(f"no line writes {at}; a watchpoint stops when it is edited")
        first, *_ = program.writers[at]
        return ((first, first + 1),)
    words = at.split()
    match words:
        case ["line", word] if 1 <= _number(word) <= len(lines):
            return ((_number(word) - 1, _number(word)),)
        case ["line", word]:
            raise ConditionError(
                f"the lines are numbered from 1 to {len(lines)}, and {quoted(word)} is none of them"
            )
        case ["line" | "layer" as what]:
            raise ConditionError(f"the number of the {what} is missing, as in {what} 2")
        case ["layer", word]:
            layer = _number(word)
            found = _stretches([line.layer == layer for line in lines], lines)
        case [phase] if phase in list(Phase):
            found = _stretches([line.phase == phase for line in lines])
        case [phase, word] if phase in list(Phase):
            layer = _number(word)
            found = _stretches([line.phase == phase and line.layer == layer for line in lines])
        case _:
            found = ()
    if not found:
        known = [*program.tensors, *Phase, *location_names(program)]
        layers = {line.layer for line in lines if line.layer is not None}
        if words[:1] == ["layer"] and layers:
            hint = f"; the layers are numbered from {min(layers)} to {max(layers)}"
        else:
            phases = dict.fromkeys(line.phase.value for line in lines)
            hint = did_you_mean(at, known) or f"; the phases are {listed(phases)}"
        raise ConditionError(f"the program has no tensor, phase or layer {quoted(at)}{hint}")
    return found


def _number(word: str) -> int:
    """Return the number of a line or a layer, -1 if it is none."""
    is_number = word.isascii() and word.isdigit() and len(word) <= MOST_DIGITS
    return int(word) if is_number else -1


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


class PointError(ConditionError):
    """A breakpoint or a watchpoint that a program cannot have.

    `part` is the field that is wrong; `start` counts the characters before the mistake in it, and
    is None where the whole of it is wrong.
    """

    def __init__(self, part: str, message: str, start: int | None = None) -> None:
        self.part = part
        self.message = message
        self.start = start
        where = "" if start is None else f"{part}, column {start + 1}: "
        super().__init__(f"{where}{message}")


def mistakes_of(point: Point, program: Program) -> Iterator[PointError]:
    """Yield everything for which a program cannot have a point, as it was written."""
    if isinstance(point, Breakpoint):
        return _breakpoint_mistakes(point, program)
    return _watchpoint_mistakes(point, program)


def _breakpoint_mistakes(point: Breakpoint, program: Program) -> Iterator[PointError]:
    from nnstep.engine.language.parsed import mistakes, mistakes_in_braces

    texts = {"at": point.at, "when": point.when, "log": point.log}
    wrong = [part for part, text in texts.items() if not isinstance(text, str | None)]
    for part in wrong:
        yield PointError(part, f"'{part}' is a text, not {quoted(repr(texts[part]))}")
    if wrong:
        return
    yield from _count_mistakes(point)
    if point.at is None and point.when is None:
        yield PointError("at", "a breakpoint needs a location, a condition or both")
    if point.at is not None:
        try:
            spans_of(_location(point.at), program)
        except ConditionError as error:
            yield PointError("at", str(error))
    if point.when is not None:
        for start, message in mistakes(point.when, program.tensors, "a condition"):
            yield PointError("when", message, start)
    for start, message in mistakes_in_braces(point.log or "", program.tensors):
        yield PointError("log", message, start)


def _count_mistakes(point: Breakpoint) -> Iterator[PointError]:
    if not _is_count(point.after, 0):
        found = quoted(repr(point.after))
        yield PointError("after", f"'after' is a whole number from 0, not {found}")
    if not _is_count(point.every, 1):
        found = quoted(repr(point.every))
        yield PointError("every", f"'every' counts from 1, which is each time, not {found}")


def _is_count(value: object, least: int) -> bool:
    return type(value) is int and least <= value < 10**MOST_DIGITS


def _watchpoint_mistakes(point: Watchpoint, program: Program) -> Iterator[PointError]:
    from nnstep.engine.language.parsed import mistakes

    if not isinstance(point.expression, str):
        found = quoted(repr(point.expression))
        yield PointError("expression", f"an expression is a text, not {found}")
        return
    for start, message in mistakes(point.expression, program.tensors):
        yield PointError("expression", message, start)
    if point.mode not in ("changes", "crosses"):
        found = quoted(repr(point.mode))
        yield PointError("mode", f"an expression 'changes' or 'crosses' a value, not {found}")
    if not _is_number(point.value):
        yield PointError("value", f"the value is a number, not {quoted(repr(point.value))}")


def _is_number(value: object) -> bool:
    try:
        return isinstance(value, Real) and not math.isnan(value)
    except OverflowError:  # a whole number beyond all floating-point numbers
        return False


def checked(point: Point, program: Program) -> Point:
    """Return a point as a session keeps it; raise `PointError` if the program cannot have it.

    What is kept fits on a line and is fit to show, and is the same when its text is typed again.
    """
    if mistake := next(mistakes_of(point, program), None):
        raise mistake
    point = _tidied(point)
    if _read_again(point) != replace(point, number=0, enabled=True):
        raise PointError(
            "expression" if isinstance(point, Watchpoint) else "at" if point.at else "when",
            f"{quoted(str(point))} would mean something else when it is typed; "
            "name a line by its number, and put a name such as 'after' in parentheses",
        )
    return point


def _tidied(point: Point) -> Point:
    if isinstance(point, Watchpoint):
        value = float(point.value) if point.mode == "crosses" else 0.0
        return replace(point, expression=on_one_line(point.expression), value=value)
    return replace(
        point,
        at=None if point.at is None else _location(point.at),
        when=None if point.when is None else on_one_line(point.when),
        log=None if point.log is None else printable(with_braced(point.log, on_one_line)),
    )


def _location(at: str) -> str:
    """Return a location with single blanks; a number is that of a line."""
    at = " ".join(at.split())
    return f"line {at}" if at.isascii() and at.isdigit() else at


def _read_again(point: Point) -> Point | None:
    """Return the point that is set if the text of a point is typed, None if that is none."""
    text = typed(str(point)).rest
    try:
        parsed = parse_breakpoint(text) if isinstance(point, Breakpoint) else parse_watchpoint(text)
    except TextError:
        return None
    return parsed.point if parsed else None


def breakpoint_of(table: "Table") -> Breakpoint:
    """Return the breakpoint of a scenario's `[[breakpoint]]`, with its texts as they are written.

    `hits = 3` stops from the third hit on, and `every = 10` then at each tenth.
    """
    return Breakpoint(
        at=table.at,
        when=table.when,
        after=table.hits - 1,
        every=table.every,
        log=table.log,
    )


class Written(Struct, frozen=True):
    """A point that somebody typed; `parts` are the pieces of text that its fields stand in."""

    point: Point
    parts: Mapping[str, Typed]

    def error(self, mistake: PointError) -> TextError:
        """Return a mistake of the point with the column at which it was typed."""
        text, offset = self.parts[mistake.part], 0
        for _ in range(mistake.start or 0):
            offset += 2 if mistake.part == "log" and text.text.startswith('""', offset) else 1
        return TextError(mistake.message, text.start + offset)


_IF = r"(?<!\S)if(?!\S)"
_LOG = r"(?<!\S)log(?!\w)(?=\s*[\"{\w]|\s*$)"
_COUNT = r"(?<!\S)(after|every)(?=(\s+\S+)?$)"
_CHANGES = r"(?<!\S)changes$"
_CROSSES = r"(?<!\S)crosses(?!\S)"


def parse_breakpoint(text: Typed, here: str | None = None) -> Written:
    """Read `dW1 if norm(dW1) > 1 after 2 every 3 log "{dW1}"`, each part of which may be left out.

    `here` is the location if neither a location nor a condition is given. Raises `TextError`; what
    a program has is not looked at.
    """
    parts: dict[str, Typed] = {}
    counts = {"after": 0, "every": 1}
    if found := text.cut(_LOG):
        text, parts["log"] = found[0], _in_quotes(found[1])
    while match := re.search(_COUNT, text.text):
        name, number = match[0], text.part(match.end())
        counts[name] = number.number(f"the number behind '{name}'")
        text, parts[name] = text.part(0, match.start()), number
    if found := text.cut(_IF):
        text, parts["when"] = found
    parts["at"] = text
    point = Breakpoint(
        at=_location(text.text) or (None if "when" in parts else here),
        when=parts["when"].text if "when" in parts else None,
        after=counts["after"],
        every=counts["every"],
        log=parts["log"].text.replace('""', '"') if "log" in parts else None,
    )
    return Written(point, parts)


def _in_quotes(text: Typed) -> Typed:
    """Return what stands between the first and the last quotation mark."""
    if len(text.text) < 2 or text.text[0] != '"' or text.text[-1] != '"':
        raise text.error('log comes last, with a text in quotation marks: log "dW1 = {dW1}"')
    return Typed(text.text[1:-1], text.start + 1)


def parse_watchpoint(text: Typed) -> Written | None:
    """Read `W1[0, 1] changes` or `L crosses 0.5`; return None if neither is said.

    Raises `TextError`; what a program has is not looked at.
    """
    from nnstep.engine.language.parsed import constant

    if (found := text.cut(_CHANGES)) and found[0]:
        return Written(Watchpoint(found[0].text), {"expression": found[0]})
    if (found := text.cut(_CROSSES)) and found[0]:
        point = Watchpoint(found[0].text, "crosses", constant(found[1]))
        return Written(point, {"expression": found[0], "value": found[1]})
    return None
