"""Faults of the loss: it grows, or it does not fall any more.

The loss of an epoch is the mean over its iterations, and is judged at the last of them: from one
batch to the next a loss may double without anything being wrong.
"""

import numpy as np

from nnstep.engine.arrays import Array

from .block import Block, Pass
from .recent import Yardstick
from .rule import Finding, Rule

MOST_GROWTH = 2.0
STALLED_DROP = 0.05
STALLED_EPOCHS = 100


class _EpochLoss(Rule):
    """The loss of an epoch."""

    gated = False

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, measured_by: Yardstick
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._iterations = measured_by.epoch
        self._low = measured_by.low

    def _epochs(self, losses: Array, first: int, last: int) -> Array:
        """Return the losses of the epochs from the `first` up to, and without, the `last`."""
        part = losses[first * self._iterations : last * self._iterations]
        return part if self._iterations == 1 else part.reshape(-1, self._iterations).mean(axis=1)

    def _ended(self, block: Block) -> tuple[int, int]:
        """Return the epochs, first and last, whose ends are in a block."""
        return block.first // self._iterations, (block.first + block.count) // self._iterations

    def _at_ends(self, block: Block, holds: Array) -> Array:
        """Return for every pass what holds for the epoch that ends with it."""
        result = np.zeros(block.count, dtype=bool)
        result[-(block.first + 1) % self._iterations :: self._iterations] = holds
        return result

    @property
    def _of_epoch(self) -> str:
        return self.tensor if self._iterations == 1 else f"{self.tensor} of the epoch"


class Diverging(_EpochLoss):
    """The loss is more than twice the lowest that it has been.

    It has to be more than twice a low loss, too: a run that has been there has converged.
    """

    name = "diverging"
    advice = (
        "Lower the learning rate; go back to where the loss was lowest and look at the updates."
    )

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, measured_by: Yardstick
    ) -> None:
        super().__init__(position, index, tensor, layer, measured_by)
        # The array of losses known best, how many epochs of it were seen, and their lowest loss.
        self._seen: tuple[Array | None, int, float] = (None, 0, np.inf)

    def suspects(self, block: Block) -> Array | None:
        """Compare with the lowest loss before each; at first the highest with the lowest."""
        first, last = self._ended(block)
        if first == last:
            return None
        losses = self._epochs(block.losses, first, last)
        lowest = self._lowest_before(block.losses, first)
        lowest_after = min(lowest, float(np.fmin.reduce(losses)))
        self._seen = _whole(block.losses), last, lowest_after
        if not np.fmax.reduce(losses) > MOST_GROWTH * max(lowest_after, self._low):
            return None
        lowest_before_each = np.fmin.accumulate(np.concatenate([[lowest], losses[:-1]]))
        return self._at_ends(block, self._is_growth(losses, lowest_before_each))

    def judge(self, case: Pass) -> Finding | None:
        """Compare the last epoch with all before it."""
        losses = self._epochs(case.losses, 0, len(case.losses) // self._iterations)
        lowest = float(np.fmin.reduce(losses[:-1], initial=np.inf))
        if not self._is_growth(losses[-1], lowest):
            return None
        quantity = f"{self._of_epoch} / its minimum"
        return Finding(float(losses[-1]) / lowest, MOST_GROWTH, quantity)

    def _is_growth(self, losses: Array, lowest: Array | float) -> Array:
        grown = losses > MOST_GROWTH * np.maximum(lowest, self._low)
        return grown & (losses < np.inf) & (np.asarray(lowest) > 0)

    def _lowest_before(self, losses: Array, epochs: int) -> float:
        """Return the lowest loss of the first epochs.

        What was found is remembered with the array that the losses are a part of: it only grows.
        """
        whole, seen, lowest = self._seen
        if whole is not _whole(losses) or seen > epochs:
            seen, lowest = 0, np.inf
        return float(np.fmin.reduce(self._epochs(losses, seen, epochs), initial=lowest))


def _whole(losses: Array) -> Array:
    """Return the array that losses are the beginning of."""
    return losses.base if isinstance(losses.base, np.ndarray) else losses


class Stalled(_EpochLoss):
    """The loss is within 5 % of what it was a hundred epochs before."""

    name = "stalled"
    level = "info"
    advice = "It may be at its best; if not, try another learning rate or initialisation."

    def suspects(self, block: Block) -> Array | None:
        """Compare each epoch with the one so long before it."""
        first, last = self._ended(block)
        first = max(first, STALLED_EPOCHS)
        if first >= last:
            return None
        now = self._epochs(block.losses, first, last)
        before = self._epochs(block.losses, first - STALLED_EPOCHS, last - STALLED_EPOCHS)
        late = block.first // self._iterations
        holds = np.zeros(last - late, dtype=bool)
        holds[first - late :] = self._is_stalled(now, before)
        return self._at_ends(block, holds)

    def judge(self, case: Pass) -> Finding | None:
        """Return the change of what is suspected: that was exact."""
        losses = self._epochs(case.losses, 0, len(case.losses) // self._iterations)
        now, before = float(losses[-1]), float(losses[-1 - STALLED_EPOCHS])
        quantity = f"relative change of {self._of_epoch} in {STALLED_EPOCHS} epochs"
        return Finding(abs(now - before) / before, STALLED_DROP, quantity)

    def _is_stalled(self, now: Array, before: Array) -> Array:
        return (now >= self._low) & (np.abs(now - before) < STALLED_DROP * before)
