"""Commands that move: step, back, run, continue, goto, restart."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from nnstep.engine.faults.fault import Fault
from nnstep.engine.language.nodes import ConditionError
from nnstep.engine.language.typed import Typed
from nnstep.engine.machine.clock import UNITS, Clock, Unit, end_of, start_of
from nnstep.engine.stops.points import Stop
from nnstep.engine.text import listed

from .command import Answer, Command, Goal, Journey, says, takes_long
from .reading import check_fit, unit

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session


def _goto(session: "Session", text: Typed) -> Answer:
    if not text:
        raise text.error("say where to, as in goto 412 or goto iteration 3")
    place, *first = _place(session, text)
    session.trail.leave(session.place)
    return go(session, text, place, *first)


def _jump(session: "Session", text: Typed) -> Answer:
    if text.text not in ("back", "on"):
        raise text.error("say jump back or jump on")
    here, trail = session.place, session.trail
    place = trail.back(here) if text.text == "back" else trail.on(here)
    if place is None:
        return says(f"There is no jump to go {text.text} from.")
    return go(session, text, min(place, session.newest))


def _place(session: "Session", text: Typed) -> "tuple[int] | tuple[int, str]":
    """Return the place that someone means, and what there is to say of it."""
    match [word.text for word in text.words]:
        case ["start"]:
            return (0,)
        case ["newest"]:
            return (session.newest,)
        case ["iteration", _]:
            return (_beginning(session, text.words[1], "iteration", 1),)
        case ["epoch", _]:
            iterations = session.clock.iterations_per_epoch
            return (_beginning(session, text.words[1], "epoch", iterations),)
        case ["fault", *_]:
            return _told_of(_fault(session, text.rest))
        case ["next", "fault"]:
            return _told_of(_next_fault(session, text))
        case [_] if text.is_number:
            return (text.number("a step"),)
    forms = "a step as in goto 412, start, newest, iteration N, epoch N, fault N or next fault"
    raise text.error(f"that is no place to go to; there is {forms}")


def _beginning(session: "Session", word: Typed, what: str, iterations: int) -> int:
    """Return where an iteration or an epoch begins."""
    steps = iterations * len(session.program)
    number = word.number(f"an {what}")
    if session.total is not None and number * steps > session.total:
        last = -(-session.total // steps) - 1
        raise word.error(f"the run has {what}s 0 to {last}")
    return number * steps


def _fault(session: "Session", word: Typed) -> Fault:
    faults = session.faults
    if not faults:
        raise word.error("no fault has been found")
    number = word.number("a fault's number") if word else 1
    if not 1 <= number <= len(faults):
        raise word.error(f"the faults are numbered from 1 to {len(faults)}")
    return faults[number - 1]


def _next_fault(session: "Session", text: Typed) -> Fault:
    later = [fault for fault in session.faults if fault.place > session.place]
    if not later:
        raise text.error("no fault has been found after this place")
    return min(later, key=lambda fault: fault.place)


def _told_of(fault: Fault) -> tuple[int, str]:
    return fault.place, f"! {fault}. {fault.advice}"


def go(session: "Session", text: Typed, place: int, *first: str) -> Answer:
    """Go to a place; one that has not been reached yet is run to, past whatever would stop."""
    journey = Journey(session)
    within = session.total is None or place <= session.total
    if place > session.newest and within:
        return Answer(
            goal=Goal(
                place,
                lambda stop: journey.answer(*first, interrupted=stop is None),
                passing=True,
            )
        )

    def seek(_: object = None) -> Answer:
        session.seek(place)
        return journey.answer(*first, quiet=True)

    return seek() if not within or session.is_near(place) else takes_long(text, seek)


def _step(session: "Session", text: Typed) -> Answer:
    count, unit_ = _distance(text, "back goes back")
    clock = session.clock
    place = repeated(
        lambda place: end_of(unit_, session.program, clock, place), session.place, count, clock
    )
    return _advance(session, place)


def _back(session: "Session", text: Typed) -> Answer:
    count, unit_ = _distance(text, "step goes on")
    if session.place == 0:
        first = "This is the first step; there is nothing before it."
        return Journey(session).answer(first, quiet=True)
    clock = session.clock
    place = repeated(
        lambda place: start_of(unit_, session.program, clock, place), session.place, count, clock
    )
    return go(session, text, place)


_NUMBER_LIKE = re.compile(r"[-+.]?\d")


def _distance(text: Typed, otherwise: str) -> tuple[int, Unit]:
    """Read `3 layers`, `3`, `layer` or nothing; `otherwise` is the way that -1 asks for."""
    count, rest = 1, text
    if rest.first.text[:1] == "-":
        raise rest.first.error(f"a number of steps is a whole number from 0; {otherwise}")
    if _NUMBER_LIKE.match(rest.first.text):
        count, rest = rest.first.number("a number of steps"), rest.rest
    found: Unit = "op"
    if rest:
        found, rest = unit(rest.first), rest.rest
    if rest.is_number:
        raise rest.error(f"the number stands before the unit: {rest.text} {found}")
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


_AT_END = "This is the end of the run: go back, or start again."
_TO_END = "No stop on the way: this is the end of the run."


def _advance(session: "Session", target: int | Literal["run"]) -> Answer:
    """Go on towards a place, or to the end of the run, until something stops."""
    journey = Journey(session)
    if session.finished:
        return journey.answer(told=_AT_END, stop=session.advance(target))

    def conclude(stop: Stop | None) -> Answer:
        told = _TO_END if target == "run" and session.finished else ""
        return journey.answer(told=told, stop=stop, interrupted=stop is None)

    return Answer(goal=Goal(target, conclude, "running to a stop" if target == "run" else ""))


def _run(session: "Session", text: Typed) -> Answer:
    if not text:
        return _advance(session, "run")
    if text.first.text != "until":
        further = "to go on by so much, type as in: step 10 iterations"
        raise text.error(f"run stands alone, or as in: run until L < 0.1; {further}")
    if not text.rest:
        raise text.end.error("a condition is missing, as in: run until L < 0.1")
    return _run_until(session, text.rest)


def _run_until(session: "Session", condition: Typed) -> Answer:
    """Run until a condition becomes true, or something else stops."""
    check_fit(condition, session)
    journey = Journey(session)
    if _holds(session, condition.text):
        return journey.answer(f"{condition.text} holds here already.")

    def conclude(stop: Stop | None) -> Answer:
        ended = stop is not None and stop.kind in ("unit", "end")
        first = (f"{condition.text} has not come to hold.",) if ended else ()
        return journey.answer(*first, stop=stop, interrupted=stop is None)

    return Answer(goal=Goal("run", conclude, "running to a stop", until=condition.text))


def _holds(session: "Session", condition: str) -> bool:
    """Tell whether a condition holds here, of what this pass has written."""
    from nnstep.engine.language.parser import parse_condition
    from nnstep.engine.stops.trigger import tensors_in

    node = parse_condition(condition)
    if not session.old.isdisjoint(tensors_in([node], session.program)):
        return False
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

    def look_back(_: object) -> Answer:
        stop = session.back_to_stop()
        return journey.answer(stop=stop, interrupted=stop is None, quiet=True)

    return takes_long(text, look_back, "looking back")


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
        kept=True,
    ),
    Command(
        "goto",
        "N | start | newest | iteration N | epoch N | fault [N] | next fault",
        "go to a place, back or on; breakpoints do not stop it",
        "goto 412",
        _goto,
        (),
        "N alone is a step: how many operations have been executed there.",
    ),
    Command(
        "jump",
        "back | on",
        "go back to where one was before goto or who, and on again",
        "jump back",
        _jump,
    ),
)
