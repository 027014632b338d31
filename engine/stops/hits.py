"""How often a breakpoint was hit, counted from the first step of the run."""

from bisect import bisect_right
from collections.abc import Callable

from .points import Breakpoint
from .trigger import Trigger

Count = Callable[[Trigger, int], int]


class Hits:
    """Tells which hits of a breakpoint stop: those after the first few, or each so-manieth.

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
        number = self.count(trigger, place) - point.after
        return number > 0 and number % point.every == 0

    def count(self, trigger: Trigger, place: int) -> int:
        """Return how often a breakpoint has been hit up to a place, that place included."""
        until, places = self._known.get(trigger, (-1, []))
        if until < place:
            places = places + self._places(trigger, until, place)
            self._known[trigger] = place, places
        return bisect_right(places, place)
