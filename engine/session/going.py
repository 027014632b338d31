"""How a run goes on: to a place, to the end of a unit, or until something stops it."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from nnstep.engine.faults.examination import Examination
from nnstep.engine.faults.fault import Fault
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.machine.clock import Unit, end_of
from nnstep.engine.machine.machine import Step
from nnstep.engine.stops.points import Logged, Stop
from nnstep.engine.stops.stops import Stops

if TYPE_CHECKING:
    from nnstep.engine.stops.scan import Scan

Until = str | Callable[[Step], bool]
Target = Unit | Literal["run"] | int


class Going:
    """Takes a timeline on, up to the `total` of its run, and says what has stopped it.

    What logpoints print is added to the `log`. Another thread ends what goes on by `interrupted`.
    """

    def __init__(
        self,
        timeline: Timeline,
        examination: Examination,
        stops: Stops,
        total: int | None,
        interrupted: threading.Event,
        log: list[Logged],
    ) -> None:
        self._timeline = timeline
        self._examination = examination
        self._stops = stops
        self._end = math.inf if total is None else total
        self._interrupted = interrupted
        self._log = log

    def steps(self) -> Iterator[Step]:
        """Execute to the end of the run, one step each time the next is asked for."""
        return self._timeline.machine.steps(self._end)

    def run(self, until: Until | None) -> Step | None:
        """Execute until a condition holds after a step, or to the end of the run."""
        reached = self._reached(until)
        step = None
        for step in self.steps():
            if reached(step):
                break
        return step

    def end_of(self, unit: Unit) -> int:
        """Return the place at which a unit that goes on here ends."""
        return end_of(
            unit, self._timeline.program, self._timeline.machine.clock, self._timeline.place
        )

    def _reached(self, until: Until | None) -> Callable[[Step], bool]:
        if until is None:
            return lambda step: False
        if callable(until):
            return until
        from nnstep.engine.language.evaluate import holds
        from nnstep.engine.stops.trigger import parsed, values_at

        condition, machine = parsed(until, self._timeline.program), self._timeline.machine
        return lambda step: holds(
            condition, values_at(self._timeline.program, machine.clock, step.index, machine.tensors)
        )

    def advance(self, target: Target, budget: float | None) -> Stop | None:
        """Execute towards a target until something stops, as `Session.advance` says."""
        self._interrupted.clear()
        deadline = math.inf if budget is None else time.monotonic() + budget
        end, timeline = self._place_of(target), self._timeline
        scan = self._stops.scan(self._end)
        start, newest = timeline.place, timeline.newest
        logged: list[Logged] = []
        stop, done = None, True
        while stop is None and done and timeline.place < end:
            due = scan.next_place(timeline.place) if scan else math.inf
            done = self._execute(
                min(end, due, self.end_of("iteration"), self._next_alarm), deadline
            )
            if scan and timeline.place == due:
                stop = _looked(scan, logged)
            if stop or not done or timeline.place == end:
                self._examination.examine()
            if alarm := self._alarm(start, timeline.place):
                timeline.seek_back(alarm.place, newest)
                logged = [line for line in logged if line.place <= alarm.place]
                stop = Stop(alarm.place, "fault", f"{alarm}.")
        self._log.extend(logged)
        if stop is None and done:
            return Stop(timeline.place, "unit")
        if stop:
            self._stops.note(stop)
        return stop

    def _execute(self, goal: float, deadline: float) -> bool:
        """Execute until a place; tell whether it was reached before an interruption."""
        interrupted = self._interrupted.is_set
        steps = self._timeline.machine.steps(goal)
        cut_short = any(interrupted() or time.monotonic() >= deadline for _ in steps)
        return not cut_short or self._timeline.place >= goal

    @property
    def _next_alarm(self) -> float:
        """The next place at which a fault that stops is known to show."""
        places = [fault.place for fault in self._examination.alarms]
        return min((place for place in places if place > self._timeline.place), default=math.inf)

    def _alarm(self, start: int, place: int) -> Fault | None:
        """Return the first fault that stops after a start and up to a place."""
        found = [fault for fault in self._examination.alarms if start < fault.place <= place]
        return min(found, key=lambda fault: fault.place, default=None)

    def _place_of(self, target: Target) -> float:
        if target == "run":
            return self._end
        return min(self._end, target if isinstance(target, int) else self.end_of(target))


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
