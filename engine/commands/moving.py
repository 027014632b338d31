"""Commands that go on or back from here: step and back, run and continue, restart."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from nnstep.engine.clock import Clock
from nnstep.engine.conditions import ConditionError
from nnstep.engine.session.units import UNITS, Unit, end_of, start_of
from nnstep.engine.stops.points import Breakpoint, Stop
from nnstep.engine.text import listed

from .command import Answer, Command
from .journey import Journey
from .reading import expression, unit
from .typed import Typed

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session

# The condition of `run until` is a breakpoint for as long as the run takes, outside the numbering.
_UNTIL = -1


def _step(session: "Session", text: Typed) -> Answer:
    count, unit_ = _distance(text)
    clock = session.clock
    place = repeated(
        lambda place: end_of(unit_, session.program, clock, place), session.place, count, clock
    )
    return _advance(session, place)


def _back(session: "Session", text: Typed) -> Answer:
    count, unit_ = _distance(text)
    if session.place == 0:
        return Journey(session).answer("This is the first step; there is nothing before it.")
    clock, journey = session.clock, Journey(session)
    place = repeated(
        lambda place: start_of(unit_, session.program, clock, place), session.place, count, clock
    )
    session.seek(place)
    return journey.answer(quiet=True)


def _distance(text: Typed) -> tuple[int, Unit]:
    """Read `3 layers`, `3`, `layer` or nothing."""
    count, rest = 1, text
    if rest.first.text[:1].isdigit():
        count, rest = rest.first.number("a number of steps"), rest.rest
    found: Unit = "op"
    if rest:
        found, rest = unit(rest.first), rest.rest
    rest.nothing()
    return count, found


def repeated(move: Callable[[int], int], place: int, count: int, clock: Clock) -> int:
    """Return where `count` moves lead from a place; a whole epoch of them is all alike."""
    if count == 0:
        return place
    period = clock.steps_per_iteration * clock.iterations_per_epoch
    places = [move(place)]
    while len(places) < count and places[-1] > 0 and abs(places[-1] - places[0]) < period:
        places.append(move(places[-1]))
    if len(places) == count or places[-1] == 0:
        return places[-1]
    turns, rest = divmod(count - 1, len(places) - 1)
    return max(0, places[rest] + turns * (places[-1] - places[0]))


def _advance(session: "Session", target: int | Literal["run"]) -> Answer:
    """Go on towards a place, or to the end of the run, until something stops."""
    journey = Journey(session)
    stop = session.advance(target)
    return journey.answer(stop=stop, interrupted=stop is None)


def _run(session: "Session", text: Typed) -> Answer:
    if not text:
        return _advance(session, "run")
    if text.first.text != "until" or not text.rest:
        raise text.error("a run ends by itself, or as in: run until L < 0.1")
    return _run_until(session, text.rest)


def _run_until(session: "Session", condition: Typed) -> Answer:
    """Run until a condition becomes true, or something else stops."""
    expression(condition, session.program)
    journey = Journey(session)
    if _holds(session, condition.text):
        return journey.answer(f"{condition.text} holds here already.")
    point = session.stops.add(Breakpoint(_UNTIL, when=condition.text))
    try:
        stop = session.advance("run")
    finally:
        session.stops.remove(_UNTIL)
    if stop and stop.kind == "point":
        reason = stop.reason.replace(f"{_UNTIL}: {point}", f"the condition {condition.text}")
        stop = Stop(stop.place, stop.kind, reason)
    ended = stop is not None and stop.kind in ("unit", "end")
    first = (f"{condition.text} has not come to hold.",) if ended else ()
    return journey.answer(*first, stop=stop, interrupted=stop is None)


def _holds(session: "Session", condition: str) -> bool:
    try:
        return bool(np.all(session.evaluate(condition)))
    except ConditionError:
        return False


def _continue(session: "Session", text: Typed) -> Answer:
    if text.text == "back":
        return _reverse(session, text.end)
    text.nothing()
    return _advance(session, "run")


def _reverse(session: "Session", text: Typed) -> Answer:
    text.nothing()
    journey = Journey(session)
    stop = session.back_to_stop()
    return journey.answer(stop=stop, interrupted=stop is None, quiet=True)


def _restart(session: "Session", text: Typed) -> Answer:
    seed = None
    if text:
        if text.first.text != "seed" or len(text.words) > 2:
            raise text.error("restart takes a seed at most, as in restart seed 3")
        seed = text.rest.number("a seed")
    session.restart(seed)
    return Journey(session).answer(
        f"A run with seed {session.seed}, from the first step.", quiet=True
    )


COMMANDS = (
    Command(
        "step",
        "[N] [UNIT]",
        "go on by an operation, or by so many of a unit",
        "step 3 layer",
        _step,
        ("s",),
        f"UNIT is {listed(UNITS, 'or')}.",
    ),
    Command(
        "back",
        "[N] [UNIT]",
        "go back to where the last operation, or unit, began",
        "back iteration",
        _back,
    ),
    Command(
        "run",
        "[until CONDITION]",
        "run to the end, or until a condition holds",
        "run until L < 0.1",
        _run,
        (),
        "Breakpoints, and values that are not finite, stop it on the way; run again to go on.",
    ),
    Command(
        "continue",
        "[back]",
        "go on to the next stop, or back to the previous one",
        "continue",
        _continue,
        ("c",),
    ),
    Command("reverse", "", "go back to the previous stop", "reverse", _reverse),
    Command(
        "restart",
        "[seed N]",
        "start again, with the same seed or another one",
        "restart seed 3",
        _restart,
    ),
)
