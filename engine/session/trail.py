"""Where one has been: the places that were left by a jump, to go back to and on again."""

from collections import deque

_MOST = 100


class Trail:
    """The places before and after this one, in the order in which they were jumped from."""

    def __init__(self) -> None:
        self._before: deque[int] = deque(maxlen=_MOST)
        self._after: deque[int] = deque(maxlen=_MOST)

    def leave(self, place: int) -> None:
        """Take note of a place that is left by a jump."""
        if not self._before or self._before[-1] != place:
            self._before.append(place)
        self._after.clear()

    def back(self, here: int) -> int | None:
        """Return the place that was left last, None if there is none."""
        return _moved(here, self._before, self._after)

    def on(self, here: int) -> int | None:
        """Return the place that `back` was called at last, None if there is none."""
        return _moved(here, self._after, self._before)


def _moved(here: int, source: deque[int], other: deque[int]) -> int | None:
    if not source:
        return None
    other.append(here)
    return source.pop()
