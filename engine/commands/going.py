"""The command that goes to a place of the run, back or on."""

from typing import TYPE_CHECKING

from .command import Answer, Command
from .journey import Journey
from .typed import Typed

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session


def _goto(session: "Session", text: Typed) -> Answer:
    if not text:
        raise text.error("say where to, as in goto 412 or goto iteration 3")
    return go(session, _place(session, text))


def _place(session: "Session", text: Typed) -> int:
    """Return the place that someone means."""
    match [word.text for word in text.words]:
        case ["start"]:
            return 0
        case ["newest"]:
            return session.newest
        case ["iteration", _]:
            return _beginning(session, text.words[1], "iteration", 1)
        case ["epoch", _]:
            return _beginning(session, text.words[1], "epoch", session.clock.iterations_per_epoch)
        case ["fault", *_]:
            return _fault(session, text.rest)
        case ["next", "fault"]:
            return _next_fault(session, text)
        case [_] if text.is_number:
            return text.number("a step")
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


def _fault(session: "Session", word: Typed) -> int:
    faults = session.faults
    if not faults:
        raise word.error("no fault has been found")
    number = word.number("a fault's number") if word else 1
    if not 1 <= number <= len(faults):
        raise word.error(f"the faults are numbered from 1 to {len(faults)}")
    return faults[number - 1].place


def _next_fault(session: "Session", text: Typed) -> int:
    places = [fault.place for fault in session.faults if fault.place > session.place]
    if not places:
        raise text.error("no fault has been found after this place")
    return min(places)


def go(session: "Session", place: int, *first: str) -> Answer:
    """Go to a place; one that has not been reached yet is run to, past whatever would stop."""
    journey = Journey(session)
    within = session.total is None or place <= session.total
    if place <= session.newest or not within:
        session.seek(place)
        return journey.answer(*first, quiet=True)
    session.seek(session.newest)
    stop = session.advance(place)
    while stop and stop.place < place:
        stop = session.advance(place)
    return journey.answer(*first, interrupted=stop is None)


COMMANDS = (
    Command(
        "goto",
        "N | start | newest | iteration N | epoch N | fault [N] | next fault",
        "go to a place, back or on; breakpoints do not stop it",
        "goto 412",
        _goto,
        (),
        "N alone is a step: how many operations have been executed there.",
    ),
)
