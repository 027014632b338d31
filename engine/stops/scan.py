"""Where a run stops is a set of places; the next and the previous one are found by one search."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.language.evaluate import filled
from nnstep.engine.machine.clock import Clock
from nnstep.engine.machine.edit import Change
from nnstep.engine.machine.machine import Machine
from nnstep.engine.machine.step import Record

from .points import Breakpoint, Logged, Stop
from .records import Read, reads_at, values_of
from .trigger import Trigger, Values, counts_at, lines_looked_at, values_at, written_at


class Hits:
    """Tells which hits of a breakpoint stop: the first after those that pass, and each n-th after.

    `places` finds the hits of a trigger, whatever their number, after one place up to another. What
    has been found is kept as long as the course of the run up to there stays.
    """

    def __init__(self, places: Callable[[Trigger, int, int], list[int]]) -> None:
        self._places = places
        self._known: dict[Trigger, tuple[int, list[int]]] = {}

    def stops(self, trigger: Trigger, place: int, since: int) -> bool:
        """Tell whether a hit at a place is one of those that stop.

        Each hit since another place has been asked for.
        """
        point = trigger.point
        if not isinstance(point, Breakpoint) or (point.after == 0 and point.every == 1):
            return True
        number = self._count(trigger, place, since) - point.after - 1
        return number >= 0 and number % point.every == 0

    def _count(self, trigger: Trigger, place: int, since: int) -> int:
        """Return how often a breakpoint has been hit up to a hit, that one included."""
        until, places = self._known.get(trigger, (-1, []))
        if until < since:
            places += self._places(trigger, until, since)
        if until < place:
            places.append(place)
            self._known[trigger] = place, places
        return bisect_right(places, place)


# Going back, the passes are searched in stretches, each so many times as long as the one before.
_LONGER = 4


class _Glance(Struct, frozen=True, eq=False):
    """A trigger that looks at a position of a pass, its number, and what it reads there.

    One that looks `before` the next line does not where the run ends.
    """

    number: int
    trigger: Trigger
    reads: tuple[Read, ...]
    before: bool


class Scan:
    """Looks at the places of a machine's way where a trigger could fire.

    `end` is the place at which the run ends: what would come after it is never about to run.
    `hits` tells which hits of a breakpoint count; with None all do. Logpoints stop nothing if they
    are `logging`: what they print is in `logged`. `stopping` are the triggers that have stopped the
    machine where it is. `tensors_at` gives the tensors at an earlier place. With a list `found`,
    the machine is not stopped: what would have is added to the list, with its place.
    """

    def __init__(
        self,
        machine: Machine,
        triggers: Sequence[Trigger],
        edits: Sequence[Change],
        hits: Hits | None,
        tensors_at: Callable[[int], Mapping[str, Array]],
        end: float = math.inf,
        *,
        logging: bool = True,
        found: "list[tuple[int, tuple[Trigger, ...]]] | None" = None,
    ) -> None:
        self.stopping: tuple[Trigger, ...] = ()
        self.logged: list[Logged] = []
        self._logging = logging
        self._found = found
        self._since = machine.place
        self._end = end
        self._machine = machine
        self._triggers = triggers
        self._hits = hits
        self._length = len(machine.program)
        self._lines = lines_looked_at(triggers, self._length)
        reads = frozenset[str]().union(*(trigger.reads for trigger in triggers))
        self._edits = {edit.place for edit in edits if edit.name in reads}
        self._seen: list[Any] = [None] * len(triggers)
        for i, trigger in enumerate(triggers):
            if trigger.is_watching:
                self._seen[i] = self._seen_last(trigger, tensors_at)

    def _seen_last(self, trigger: Trigger, tensors_at: Callable[[int], Mapping[str, Array]]) -> Any:
        """Return what a trigger saw when it looked last, at this place or before it.

        That is what it sees here unless this pass has written a part of what it reads, and not yet
        all: then it is what it saw when the pass began, or something was edited.
        """
        machine = self._machine
        lines, position = machine.program.instructions, machine.position
        some = any(not trigger.reads.isdisjoint(line.writes) for line in lines[:position])
        place = machine.place
        if some and position <= written_at(trigger.reads, machine.program):
            begin = place - position
            place = max((at for at in self._edits if begin <= at <= place), default=begin)
        tensors = machine.tensors if place == machine.place else tensors_at(place)
        step = trigger.step_looked_at(place)
        with np.errstate(all="ignore"):
            return trigger.look(values_at(machine.program, machine.clock, step, tensors))

    @property
    def last_place(self) -> float:
        """The last place at which there is something to look at."""
        return math.inf if self._lines else max(self._edits, default=0)

    @property
    def stop(self) -> Stop:
        """The stop that has been made here."""
        return stop_at(self._machine.place, self.stopping)

    def here(self) -> bool:
        """Look at the place that the machine has just come to; tell whether to stop there."""
        place, position = self._machine.place, self._machine.position
        edited = place in self._edits
        if not edited and position not in self._lines:
            return False
        looks = [
            (i, trigger, self._values(trigger))
            for i, trigger in enumerate(self._triggers)
            if self._is_due(trigger, place) or (edited and trigger.is_watching)
        ]
        with np.errstate(all="ignore"):
            return self._stops(place, looks)

    def passes(self, first: int, records: Sequence[Record]) -> int | None:
        """Look at passes that are computed ahead; return the first place at which to stop."""
        clock, before = self._machine.clock, None
        with np.errstate(all="ignore"):
            for iteration, record in enumerate(records, first):
                for position, glances in self._glances:
                    place = iteration * self._length + position
                    looks = [
                        (each.number, each.trigger, self._read(each, clock, place, record, before))
                        for each in glances
                        if not each.before or place < self._end
                    ]
                    if self._stops(place, looks):
                        return place
                before = record
        return None

    def _is_due(self, trigger: Trigger, place: int) -> bool:
        """Tell whether a trigger looks at a place that is not the place of an edit."""
        position = place % self._length
        if position in trigger.before and place < self._end:
            return True
        return (position - 1) % self._length in trigger.after

    def _stops(self, place: int, looks: Iterable[tuple[int, Trigger, Values]]) -> bool:
        """Look at a place; tell whether a trigger stops there."""
        stopping, hits, since = [], self._hits, self._since
        for number, trigger, values in looks:
            now = trigger.look(values)
            fired = trigger.fires(self._seen[number], now)
            self._seen[number] = now
            problem = trigger.problem
            if not fired or (hits is not None and not hits.stops(trigger, place, since)):
                continue
            trigger.problem = problem  # hits are counted by having it look elsewhere
            if self._logging and trigger.is_logging:
                assert isinstance(trigger.point, Breakpoint), "a watchpoint prints nothing"
                text = filled(trigger.point.log or "", values)
                self.logged.append(Logged(place, trigger.step_looked_at(place), text))
            else:
                stopping.append(trigger)
        self.stopping = tuple(stopping)
        if stopping and self._found is not None:
            self._found.append((place, self.stopping))
            return False
        return bool(stopping)

    def _values(self, trigger: Trigger) -> Values:
        machine = self._machine
        step = trigger.step_looked_at(machine.place)
        return values_at(machine.program, machine.clock, step, machine.tensors)

    @cached_property
    def _glances(self) -> list[tuple[int, list[_Glance]]]:
        """What is looked at in a pass: by the positions that its lines lead to, 1 and on."""
        return [
            (
                position,
                [
                    _Glance(
                        i,
                        trigger,
                        reads_at(trigger.names, self._machine.program, position),
                        before=position - 1 not in trigger.after,
                    )
                    for i, trigger in enumerate(self._triggers)
                    if position % self._length in trigger.before or position - 1 in trigger.after
                ],
            )
            for position in sorted(at or self._length for at in self._lines)
        ]

    def _read(
        self, glance: _Glance, clock: Clock, place: int, record: Record, before: Record | None
    ) -> Values:
        """Return what a trigger names, at a place of a pass: as `values_at`, from records."""
        values = values_of(glance.reads, record, before, self._machine.tensors)
        if glance.trigger.counts:
            values |= counts_at(clock, glance.trigger.step_looked_at(place))
        return values


def stop_places(
    timeline: Timeline,
    triggers: Sequence[Trigger],
    start: int,
    end: float,
    hits: Hits | None,
    cancelled: Callable[[], bool],
) -> list[tuple[int, tuple[Trigger, ...]]]:
    """Return the places from after `start` up to `end` at which triggers fire, and which."""
    machine = timeline.ghost(start)
    edits, at = timeline.current.edits, timeline.tensors_at
    found: list[tuple[int, tuple[Trigger, ...]]] = []
    scan = Scan(machine, triggers, edits, hits, at, logging=False, found=found)
    machine.go(min(end, scan.last_place), scan, lambda: not cancelled())
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
