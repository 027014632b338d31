"""Commands about stops: breakpoints, watchpoints, and the expressions that are watched."""

import re
from typing import TYPE_CHECKING

from nnstep.engine.language.typed import Typed, braced
from nnstep.engine.stops.points import (
    Breakpoint,
    Point,
    PointError,
    Written,
    checked,
    parse_breakpoint,
    parse_watchpoint,
)
from nnstep.engine.text import did_you_mean, listed, quoted, several

from .command import Answer, Command, says, watch_lines
from .reading import check_fit

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session


def _break(session: "Session", text: Typed) -> Answer:
    position = session.clock.position(session.place)
    written = parse_breakpoint(text, here=f"line {position + 1}")
    if _OPERATOR.search(written.parts["at"].text):
        raise written.parts["at"].error(_NO_LOCATION)
    return _add(session, written)


_OPERATOR = re.compile(r"[][()<>=+*/@]")
_NO_LOCATION = (
    "a location is a tensor, a phase, a layer or a line; a condition stands behind if, as in: "
    "break if norm(W1) > 3"
)


def _add(session: "Session", written: Written) -> Answer:
    """Set a breakpoint or a watchpoint that was typed."""
    try:
        checked(written.point, session.program)
    except PointError as mistake:
        raise written.error(mistake) from None
    for part in {"when", "expression"} & written.parts.keys():
        check_fit(written.parts[part], session)
    if log := written.parts.get("log"):
        for at, expression in braced(log.text):
            check_fit(log.part(at, at + len(expression)), session)
    point = session.stops.add(written.point)
    said = f"{_kind(point)} {point.number}: {point}"
    if session.stops.waits(point.number):
        said += ", looked at once the pass has written what it reads"
    return says(said)


def _breakpoints(session: "Session", text: Typed) -> Answer:
    text.nothing()
    lines = [
        f"{point.number}: {point}{'' if point.enabled else ' (disabled)'}"
        for point in session.stops.points
    ]
    return Answer(tuple(lines) or ("There are no breakpoints.",))


def delete_point(session: "Session", text: Typed) -> Answer:
    """Take a breakpoint or a watchpoint away."""
    point = session.stops.remove(_number(session, text))
    return says(f"{_kind(point)} {point.number} is deleted: {point}")


def _enable(session: "Session", text: Typed) -> Answer:
    point = session.stops.enable(_number(session, text), True)
    return says(f"{_kind(point)} {point.number} is enabled: {point}")


def _disable(session: "Session", text: Typed) -> Answer:
    point = session.stops.enable(_number(session, text), False)
    return says(f"{_kind(point)} {point.number} is disabled: {point}")


def _number(session: "Session", text: Typed) -> int:
    """Read the number of a breakpoint or watchpoint that there is."""
    number = text.number("a breakpoint's number")
    known = [point.number for point in session.stops.points]
    if number not in known:
        there_is = f"there is {listed(map(str, known))}" if known else "none is set"
        raise text.error(f"there is no breakpoint {number}; {there_is}")
    return number


def _kind(point: Point) -> str:
    return "Breakpoint" if isinstance(point, Breakpoint) else "Watchpoint"


# Watching


def _watch(session: "Session", text: Typed) -> Answer:
    if written := parse_watchpoint(text):
        return _add(session, written)
    return _shown(session, text)


def _shown(session: "Session", text: Typed) -> Answer:
    check_fit(text, session)
    watched = session.watch(text.text)
    shown = session.snapshot().watches[session.watches.index(watched)]
    (line,) = watch_lines([shown], session.digits)
    return says(line)


def _unwatch(session: "Session", text: Typed) -> Answer:
    watched = session.watched(text.text)
    if watched is None:
        if not session.watches:
            raise text.error("nothing is watched")
        if not text:
            raise text.error(f"say which is to go: {several(session.watches)}")
        hint = did_you_mean(text.text, session.watches)
        watching = hint or f"; what is: {several(session.watches)}"
        raise text.error(f"{quoted(text.text)} is not watched{watching}")
    session.unwatch(watched)
    return says(f"{watched} is no longer watched.")


def _watches(session: "Session", text: Typed) -> Answer:
    text.nothing()
    lines = tuple(watch_lines(session.snapshot().watches, session.digits))
    return Answer(lines or ("Nothing is watched.",))


# Either


def _toggle(session: "Session", text: Typed) -> Answer:
    what, which = text.first.text, text.rest
    if what == "line" and which:
        return _toggle_line(session, which)
    if what == "watch" and which:
        is_watched = session.watched(which.text) is not None
        return _unwatch(session, which) if is_watched else _shown(session, which)
    raise text.error("that is done as in: toggle line 3, or: toggle watch W1[0, 1]")


def _toggle_line(session: "Session", text: Typed) -> Answer:
    line, last = text.number("a line"), len(session.program)
    if not 1 <= line <= last:
        raise text.error(f"the lines are numbered from 1 to {last}, not {line}")
    point, is_set = session.stops.toggle(line - 1)
    return says(f"{_kind(point)} {point.number}{'' if is_set else ' is deleted'}: {point}")


COMMANDS = (
    Command(
        "break",
        '[LOCATION] [if CONDITION] [after N] [every N] [log "TEXT"]',
        "stop at a line, or where a condition becomes true",
        "break dW1 if norm(dW1) > 1",
        _break,
        ("b",),
        "LOCATION is a tensor, which stands for the line that writes it, a phase as in backward or "
        "backward 2, layer 2, or line 7; without one and without a condition it is the line next "
        "to run. after N lets it pass N times. every N stops the first time and each Nth time from "
        "there: break L every 1000 stops in iteration 0, 1000, 2000. log prints the text and goes "
        'on: break L every 10 log "L = {L}". A quotation mark in the text is written twice.',
        kept=True,
    ),
    Command(
        "toggle",
        "line N | watch EXPRESSION",
        "set a breakpoint on a line, or watch; or no longer",
        "toggle line 3",
        _toggle,
        (),
        "What is there is taken away: all breakpoints on the line, or the expression watched.",
        kept=True,
    ),
    Command("breakpoints", "", "list breakpoints and watchpoints", "breakpoints", _breakpoints),
    Command("enable", "N", "have a disabled breakpoint stop again", "enable 1", _enable, kept=True),
    Command("disable", "N", "have a breakpoint stop no more", "disable 1", _disable, kept=True),
    Command(
        "watch",
        "EXPRESSION [changes | crosses VALUE]",
        "show an expression at every stop, or stop when it changes",
        "watch W1[0, 1]",
        _watch,
        ("w",),
        "With changes or crosses it is a watchpoint: it stops, and is listed with the breakpoints.",
        kept=True,
    ),
    Command(
        "unwatch",
        "WATCHED",
        "show an expression no longer",
        "unwatch W1[0, 1]",
        _unwatch,
        kept=True,
    ),
    Command("watches", "", "show what is watched", "watches", _watches),
)
