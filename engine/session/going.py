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
from nnstep.engine.machine.step import Step
from nnstep.engine.stops.points import Logged, Stop
from nnstep.engine.stops.stops import Stops

if TYPE_CHECKING:
    from nnstep.engine.stops.scan import Scan
    from nnstep.engine.stops.until import Until

Condition = str | Callable[[Step], bool]
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

    def run(self, until: Condition | None) -> Step | None:
        """Execute until a condition holds after a step, or to the end of the run."""
        if callable(until):
            step = None
            for step in self.steps():
                if until(step):
                    break
            return step
        look = self._until(until) if until is not None else None
        machine = self._timeline.machine
        start = machine.place
        machine.go(self._end, look)
        if look and look.error:
            raise look.error
        return machine.last if machine.place > start else None

    def _until(self, condition: str) -> "Until":
        from nnstep.engine.stops.until import Until

        return Until(condition, self._timeline.program, self._timeline.machine)

    def end_of(self, unit: Unit) -> int:
        """Return the place at which a unit that goes on here ends."""
        return end_of(
            unit, self._timeline.program, self._timeline.machine.clock, self._timeline.place
        )

    def advance(self, target: Target, budget: float | None) -> Stop | None:
        """Execute towards a target until something stops, as `Session.advance` says."""
        self._interrupted.clear()
        deadline = math.inf if budget is None else time.monotonic() + budget
        end, timeline = self._place_of(target), self._timeline
        scan = self._stops.scan(self._end)
        start, newest = timeline.place, timeline.newest
        stop = None
        while stop is None and timeline.place < end:
            done = self._execute(min(end, self._next_alarm), scan, deadline)
            if scan and scan.stopping:
                stop = scan.stop
            if stop or not done or timeline.place == end:
                self._examination.examine()
            if alarm := self._alarm(start, timeline.place):
                timeline.seek_back(alarm.place, newest)
                stop = Stop(alarm.place, "fault", f"{alarm}.")
            elif not done:
                break
        if scan:
            self._log.extend(line for line in scan.logged if line.place <= timeline.place)
        if stop:
            self._stops.note(stop)
            return stop
        return Stop(timeline.place, "unit") if timeline.place >= end else None

    def _execute(self, goal: float, scan: "Scan | None", deadline: float) -> bool:
        """Execute until a place, a stop or a new alarm; tell whether one of them was reached."""
        interrupted, alarms = self._interrupted.is_set, len(self._examination.alarms)
        alarmed = False

        def goes_on() -> bool:
            nonlocal alarmed
            alarmed = len(self._examination.alarms) > alarms
            return not (alarmed or interrupted() or time.monotonic() >= deadline)

        machine = self._timeline.machine
        # Where there is no time at all, one instruction is executed.
        first = machine.place + 1 if time.monotonic() >= deadline else goal
        return machine.go(min(goal, first), scan, goes_on) or alarmed or machine.place >= goal

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
