"""The loss of every iteration, kept whole."""

import numpy as np

from nnstep.engine.arrays import Array


class LossHistory:
    """An array that grows by one number an iteration; what was handed out never changes."""

    def __init__(self) -> None:
        self._values = np.empty(1024)
        self._count = 0

    def append(self, loss: float) -> None:
        """Add the loss of the next iteration."""
        if self._count == len(self._values):
            self._values = np.concatenate([self._values, np.empty_like(self._values)])
        self._values[self._count] = loss
        self._count += 1

    def view(self) -> Array:
        """Return the losses so far, shape `(iterations,)`, read-only."""
        losses = self._values[: self._count]
        losses.setflags(write=False)
        return losses
