"""Going on until something stops: a breakpoint, a watchpoint, a fault, the end."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from nnstep.engine.faults.fault import Fault
from nnstep.engine.history.branch import Branch
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.stops.points import Logged, Stop

from .examination import Examination
from .stopping import Stops

if TYPE_CHECKING:
    from nnstep.engine.stops.scan import Scan


def advance(
    timeline: Timeline,
    examination: Examination,
    stops: Stops,
    end: float,
    total: float,
    interrupted: Callable[[], bool],
) -> tuple[Stop | None, list[Logged]]:
    """Execute until place `end`, or until something stops; None if that was an interruption.

    `total` is where the run ends. Also returns what logpoints printed. Faults are found in arrears:
    if one that stops was found behind the place reached, the timeline is taken back to it.
    """
    scan = stops.scan(total)
    start, newest = timeline.place, timeline.newest
    logged: list[Logged] = []
    stop, done = None, True
    while stop is None and done and timeline.place < end:
        due = scan.next_place(timeline.place) if scan else math.inf
        goal = min(end, due, _end_of_pass(timeline), _next_alarm(timeline))
        done = _execute(timeline, goal, interrupted)
        if scan and timeline.place == due:
            stop = _looked(scan, logged)
        if stop or not done or timeline.place == end:
            examination.examine()
        if alarm := _alarm(timeline.current, start, timeline.place):
            timeline.seek_back(alarm.place, newest)
            logged = [line for line in logged if line.place <= alarm.place]
            stop = Stop(alarm.place, "fault", f"{alarm}.")
    if stop is None and done:
        stop = Stop(timeline.place, "unit")
    return stop, logged


def _execute(timeline: Timeline, goal: float, interrupted: Callable[[], bool]) -> bool:
    """Execute until a place; tell whether it was reached before an interruption."""
    steps = timeline.machine.steps(goal)
    return not any(interrupted() for _ in steps) or timeline.place >= goal


def _looked(scan: "Scan", logged: list[Logged]) -> Stop | None:
    """Note what logpoints print here; return the stop, if anything stops here."""
    from nnstep.engine.stops.scan import stop_at

    stopping = []
    for trigger in scan.look():
        if trigger.is_logging:
            logged.append(scan.logged(trigger))
        else:
            stopping.append(trigger)
    return stop_at(scan.place, stopping) if stopping else None


def _end_of_pass(timeline: Timeline) -> int:
    steps = len(timeline.program)
    return (timeline.place // steps + 1) * steps


def _next_alarm(timeline: Timeline) -> float:
    """Return the next place at which a fault that stops is known to show."""
    places = [fault.place for fault in alarms(timeline.current)]
    return min((place for place in places if place > timeline.place), default=math.inf)


def _alarm(branch: Branch, start: int, place: int) -> Fault | None:
    """Return the first fault that stops after a start and up to a place."""
    found = [fault for fault in alarms(branch) if start < fault.place <= place]
    return min(found, key=lambda fault: fault.place, default=None)


def alarms(branch: Branch) -> list[Fault]:
    """Return the faults of a branch that stop a run."""
    return [fault for fault in branch.faults if fault.level == "stop"]
