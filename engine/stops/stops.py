"""The breakpoints and watchpoints of a session."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from msgspec.structs import replace

from nnstep.engine.history.branch import Branch
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.machine.edit import Change

from .points import Breakpoint, Point, Stop, checked

if TYPE_CHECKING:
    from .scan import Hits, Scan
    from .trigger import Trigger


class Stops:
    """What a session stops at, numbered in the order in which it was set."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._triggers: dict[int, Trigger] = {}
        self._lines: dict[int, bool] | None = None
        self._next_number = 1
        self._hits: tuple[Branch, tuple[Change, ...], Hits] | None = None
        self._stopped: WeakKeyDictionary[Branch, tuple[int, ...]] = WeakKeyDictionary()
        timeline.forgetting.append(self._forget)

    @property
    def points(self) -> tuple[Point, ...]:
        """All breakpoints and watchpoints."""
        return tuple(trigger.point for trigger in self._triggers.values())

    def add(self, point: Point) -> Point:
        """Set a breakpoint or a watchpoint under the next number, and return it.

        Its texts are kept as they can be typed. Raises `PointError` if it does not fit the program.
        """
        from .trigger import Trigger

        point = checked(point, self._timeline.program)
        point = replace(point, number=point.number or self._next_number)
        self._triggers[point.number] = Trigger(point, self._timeline.program)
        self._lines = None
        self._next_number = max(self._next_number, point.number + 1)
        return point

    def waits(self, number: int) -> bool:
        """Tell whether what a breakpoint reads is written only after the line that it is set at."""
        return self._triggers[number].waits

    def remove(self, number: int) -> Point:
        """Take a breakpoint or watchpoint away; raise `KeyError` if there is none."""
        self._lines = None
        return self._triggers.pop(number).point

    def enable(self, number: int, enabled: bool) -> Point:
        """Have a breakpoint or watchpoint hold, or not; raise `KeyError` if there is none."""
        trigger = self._triggers[number]
        trigger.point = replace(trigger.point, enabled=enabled)
        self._lines = None
        return trigger.point

    def toggle(self, line: int) -> tuple[Breakpoint, bool]:
        """Set a breakpoint on the line at a position, or remove those that are there.

        Returns one of them, and whether it is set.
        """
        there = [n for n, trigger in self._triggers.items() if line in trigger.lines]
        if there:
            removed = [self.remove(number) for number in there]
            assert isinstance(removed[0], Breakpoint), "no other point is on a line"
            return removed[0], False
        point = Breakpoint(at=self._name_of(line))
        return replace(point, number=self.add(point).number), True

    def _name_of(self, line: int) -> str:
        """Name a line by the tensor that it is the first to write, else by its number."""
        lines = self._timeline.program.instructions
        name = lines[line].writes[0]
        first = next(i for i, instruction in enumerate(lines) if name in instruction.writes)
        return name if first == line else f"line {line + 1}"

    def clear(self) -> None:
        """Take all away."""
        self._triggers.clear()
        self._lines = None

    @property
    def lines(self) -> Mapping[int, bool]:
        """The positions of the lines that have a breakpoint, and whether the first is enabled."""
        if self._lines is None:
            self._lines = {}
            for trigger in self._triggers.values():
                for line in sorted(trigger.lines):
                    self._lines.setdefault(line, trigger.point.enabled)
        return MappingProxyType(self._lines)

    def note(self, stop: Stop) -> None:
        """Note where the run has been stopped."""
        branch = self._timeline.current
        places = self.places_on(branch)
        at = bisect_left(places, stop.place)
        if stop.kind == "point" and places[at : at + 1] != (stop.place,):
            self._stopped[branch] = (*places[:at], stop.place, *places[at:])

    def places_on(self, branch: Branch) -> tuple[int, ...]:
        """Return the places of a branch where a point has stopped the run, the first one first."""
        if branch not in self._stopped:
            inherited = self.places_on(branch.parent) if branch.parent else ()
            self._stopped[branch] = inherited[: bisect_right(inherited, branch.fork)]
        return self._stopped[branch]

    def _forget(self, branch: Branch, place: int) -> None:
        places = self.places_on(branch)
        self._stopped[branch] = places[: bisect_right(places, place)]

    @property
    def _enabled(self) -> "list[Trigger]":
        return [trigger for trigger in self._triggers.values() if trigger.point.enabled]

    def scan(self, end: float) -> "Scan | None":
        """Return a look-out for the timeline's machine, None if there is nothing to look for.

        `end` is where the run ends.
        """
        if not self._enabled:
            return None
        from .scan import Scan

        timeline = self._timeline
        hits = self._hits_here()
        machine, at = timeline.machine, timeline.tensors_at
        edits = timeline.current.edits_until(math.inf, after=machine.place - machine.position - 1)
        return Scan(machine, self._enabled, edits, hits, at, end)

    def previous(self, cancelled: Callable[[], bool]) -> Stop:
        """Return the last stop before this place; the first step is one."""
        from .scan import previous_stop, stop_at

        timeline = self._timeline
        hits = self._hits_here()
        found = previous_stop(timeline, self._enabled, timeline.place, hits, cancelled)
        return stop_at(*found) if found else Stop(0, "start", "No earlier stop: the first step.")

    def _hits_here(self) -> "Hits":
        """Return the hits counted on the present branch; another course of the run has others."""
        from .scan import Hits

        branch = self._timeline.current
        known = self._hits
        if known is None or known[0] is not branch or known[1] != branch.edits:
            self._hits = known = (branch, branch.edits, Hits(self._hit_places))
        return known[2]

    def _hit_places(self, trigger: "Trigger", start: int, end: int) -> list[int]:
        from .scan import stop_places

        found = stop_places(self._timeline, [trigger], max(0, start), end, None, lambda: False)
        return [place for place, _ in found]
