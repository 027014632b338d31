"""The loss of every iteration of a course of the run."""

from collections.abc import Sequence

import numpy as np

from nnstep.engine.arrays import Array


class LossHistory:
    """An array that grows by one number an iteration; what was handed out never changes.

    A pass that is run again puts the same number in the same place.
    """

    def __init__(self) -> None:
        self._values = np.empty(1024)
        self._count = 0
        # Whether somebody else may still see what is to be written over.
        self._is_seen = False

    def forked(self, count: int) -> "LossHistory":
        """Return another course with the first `count` losses of this one."""
        other = LossHistory()
        other._values, other._count, other._is_seen = self._values, count, True
        return other

    def put(self, first: int, losses: Sequence[float]) -> None:
        """Note the losses of iterations from one on, the next or one that is known."""
        end = first + len(losses)
        if end <= self._count:
            return
        if self._is_seen or end > len(self._values):
            room = np.empty(max(1024, end))
            self._values = np.concatenate([self._values[: self._count], room])
            self._is_seen = False
        for iteration in range(self._count, end):
            self._values[iteration] = losses[iteration - first]
        self._count = end

    def view(self, count: int | None = None) -> Array:
        """Return the first `count` losses, or all, shape `(iterations,)`, read-only."""
        losses = self._values[: self._count if count is None else min(count, self._count)]
        losses.setflags(write=False)
        return losses

    def forget(self, count: int) -> None:
        """Keep only the first `count` losses."""
        if count < self._count:
            self._count, self._is_seen = count, True
