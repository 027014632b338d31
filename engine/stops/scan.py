"""Where a run stops is a set of places; the next and the previous one are found by one search."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from nnstep.engine.history.timeline import Timeline
from nnstep.engine.language.evaluate import filled
from nnstep.engine.machine.edit import Change
from nnstep.engine.machine.machine import Machine

from .points import Breakpoint, Logged, Stop
from .trigger import Trigger, lines_looked_at, values_at


class Hits:
    """Tells which hits of a breakpoint stop: the first after those that pass, and each n-th after.

    `places` finds the hits of a trigger, whatever their number, after one place up to another. What
    has been found is kept as long as the course of the run up to there stays.
    """

    def __init__(self, places: Callable[[Trigger, int, int], list[int]]) -> None:
        self._places = places
        self._known: dict[Trigger, tuple[int, list[int]]] = {}

    def stops(self, trigger: Trigger, place: int) -> bool:
        """Tell whether a hit at a place is one of those that stop."""
        point = trigger.point
        if not isinstance(point, Breakpoint) or (point.after == 0 and point.every == 1):
            return True
        number = self.count(trigger, place) - point.after - 1
        return number >= 0 and number % point.every == 0

    def count(self, trigger: Trigger, place: int) -> int:
        """Return how often a breakpoint has been hit up to a place, that place included."""
        until, places = self._known.get(trigger, (-1, []))
        if until < place:
            places = places + self._places(trigger, until, place)
            self._known[trigger] = place, places
        return bisect_right(places, place)


# Going back, the passes are searched in stretches, each so many times as long as the one before.
_LONGER = 4


class Scan:
    """Looks at the places of a machine's way where a trigger could fire.

    `end` is the place at which the run ends: what would come after it is never about to run.
    `hits` tells which hits of a breakpoint count; with None all do.
    """

    def __init__(
        self,
        machine: Machine,
        triggers: Sequence[Trigger],
        edits: Sequence[Change],
        hits: Hits | None,
        end: float = math.inf,
    ) -> None:
        self._end = end
        self._machine = machine
        self._triggers = triggers
        self._hits = hits
        self._length = len(machine.program)
        self._lines = lines_looked_at(triggers, self._length)
        reads = frozenset[str]().union(*(trigger.reads for trigger in triggers))
        self._edits = sorted({edit.place for edit in edits if edit.name in reads})
        self._seen: list[Any] = [None] * len(triggers)
        for i, trigger in enumerate(triggers):
            if trigger.is_watching:
                self._seen[i] = trigger.look(self._values(trigger))

    def next_place(self, place: int) -> float:
        """Return the next place after `place` at which there is something to look at."""
        edited = bisect_right(self._edits, place)
        found: list[float] = [*self._edits[edited : edited + 1]]
        if self._lines:
            pass_, position = divmod(place, self._length)
            at = bisect_right(self._lines, position)
            pass_, at = (pass_, at) if at < len(self._lines) else (pass_ + 1, 0)
            found.append(pass_ * self._length + self._lines[at])
        return min(found, default=math.inf)

    def look(self) -> Iterator[Trigger]:
        """Yield the triggers that fire at the place of the machine, which has just come there."""
        place, position = self._machine.place, self._machine.position
        edited = place in self._edits
        for i, trigger in enumerate(self._triggers):
            before = position in trigger.before and place < self._end
            due = before or (position - 1) % self._length in trigger.after
            if not due and not (edited and trigger.is_watching):
                continue
            now = trigger.look(self._values(trigger))
            fired = trigger.fires(self._seen[i], now)
            self._seen[i] = now
            if fired and (self._hits is None or self._hits.stops(trigger, place)):
                yield trigger

    def _values(self, trigger: Trigger) -> Any:
        machine = self._machine
        step = trigger.step_looked_at(machine.place)
        return values_at(machine.program, machine.clock, step, machine.tensors)

    def logged(self, trigger: Trigger) -> Logged:
        """Return what a logpoint prints here."""
        point = trigger.point
        assert isinstance(point, Breakpoint), "a watchpoint prints nothing"
        step = trigger.step_looked_at(self.place)
        return Logged(self.place, step, filled(point.log or "", self._values(trigger)))

    @property
    def place(self) -> int:
        """The place of the machine."""
        return self._machine.place


def stop_places(
    timeline: Timeline,
    triggers: Sequence[Trigger],
    start: int,
    end: int,
    hits: Hits | None,
    cancelled: Callable[[], bool],
) -> list[tuple[int, tuple[Trigger, ...]]]:
    """Return the places from after `start` up to `end` at which triggers fire, and which."""
    machine = timeline.ghost(start)
    scan = Scan(machine, triggers, timeline.current.edits, hits)
    found = []
    while (place := scan.next_place(machine.place)) <= end and not cancelled():
        for _ in machine.steps(place):
            pass
        if fired := tuple(scan.look()):
            found.append((machine.place, fired))
    return found


def previous_stop(
    timeline: Timeline,
    triggers: Sequence[Trigger],
    place: int,
    hits: Hits | None,
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[int, tuple[Trigger, ...]] | None:
    """Return the last place before `place` at which a trigger that stops fires, and which do."""
    stopping = [trigger for trigger in triggers if not trigger.is_logging]
    length, passes, end = len(timeline.program), 1, place - 1
    while end > 0 and stopping and not cancelled():
        start = max(0, end // length - passes + 1) * length
        start = start if start < end else max(0, start - length)
        found = stop_places(timeline, stopping, start, end, hits, cancelled)
        if cancelled():
            return None
        if found:
            return found[-1]
        end, passes = start, passes * _LONGER
    return None


def stop_at(place: int, triggers: Sequence[Trigger]) -> Stop:
    """Return the stop that triggers make at a place."""
    return Stop(place, "point", f"Stopped by {'; '.join(map(_reason, triggers))}.")


def _reason(trigger: Trigger) -> str:
    reason = f"{trigger.point.number}: {trigger.point}"
    return f"{reason}, which cannot be evaluated: {trigger.problem}" if trigger.problem else reason


Count = Callable[[Trigger, int], int]
