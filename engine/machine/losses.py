"""The loss of every iteration of a course of the run."""

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

    def put(self, iteration: int, loss: float) -> None:
        """Note the loss of an iteration, the next one or one that is known."""
        if iteration < self._count:
            return
        if self._is_seen or iteration == len(self._values):
            room = np.empty(max(1024, iteration))
            self._values = np.concatenate([self._values[:iteration], room])
            self._is_seen = False
        self._values[iteration] = loss
        self._count = iteration + 1

    def view(self, count: int | None = None) -> Array:
        """Return the first `count` losses, or all, shape `(iterations,)`, read-only."""
        losses = self._values[: self._count if count is None else min(count, self._count)]
        losses.setflags(write=False)
        return losses

    def forget(self, count: int) -> None:
        """Keep only the first `count` losses."""
        if count < self._count:
            self._count, self._is_seen = count, True
