"""Reading breakpoints and watchpoints: what `str` writes of them, and what people type."""

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.stops.locations import spans_of
from nnstep.engine.stops.points import Breakpoint, Watchpoint

from .reading import blaming, check_braced, constant, expression
from .typed import Typed

if TYPE_CHECKING:
    from nnstep.engine.program.instruction import Program

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
        expression(clauses.when, program, "a condition")
    if clauses.log is not None:
        check_braced(clauses.log, program)
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
