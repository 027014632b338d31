"""The loss of every iteration of a course of the run."""

import numpy as np

from nnstep.engine.arrays import Array


class LossHistory:
    """An array that grows by one number an iteration; what was handed out never changes.

    A pass that is run again puts the same number in the same place.
    """

    def __init__(self, losses: Array | None = None) -> None:
        self._values = np.empty(1024)
        self._count = 0
        if losses is not None:
            self._values = np.concatenate([losses, self._values])
            self._count = len(losses)

    def put(self, iteration: int, loss: float) -> None:
        """Note the loss of an iteration, the next one or one that is known."""
        if iteration < self._count:
            return
        if iteration == len(self._values):
            self._values = np.concatenate([self._values, np.empty_like(self._values)])
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
            self._values, self._count = self._values.copy(), count
