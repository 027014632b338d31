"""Faults of updates: too small or too large beside the weights that they change."""

from collections.abc import Mapping, Sequence

import numpy as np

from nnstep.engine.arrays import Array

from .block import Block, Pass
from .gradients import NO_GRADIENT
from .measures import mean_absolute, norm
from .rule import Finding, Rule

SMALLEST, LARGEST = 1e-4, 1.0
"""The norm of an update over that of the weights before it."""

NOTHING = 1e-150
"""The norm of weights below which they count as 0: their squares are hardly numbers any more."""


class UpdateTooSmall(Rule):
    """The updates of all weights together are below a ten-thousandth of the weights.

    A single layer's would say more of its gradient than of the learning rate; and where no weights
    have a gradient, that is the fault. Momentum has to gather first: iterations before `settled`
    are not judged. `places` has, for each of the weights, the position that updates them and the
    index of the result, and `gradients` the indices of their gradients.
    """

    name = "update too small"
    until_learned = True
    on_sample = True
    advice = "Raise the learning rate."

    def __init__(
        self, places: Mapping[str, tuple[int, int]], gradients: Sequence[int], settled: int
    ) -> None:
        last = max(places, key=lambda name: places[name])
        super().__init__(*places[last], last, None)
        self._indices = {name: index for name, (_, index) in places.items()}
        self._gradients = gradients
        self._settled = settled

    def suspects(self, block: Block) -> Array | None:
        """Compare sums of squares."""
        moved, present = np.zeros(block.count), np.zeros(block.count)
        for name, index in self._indices.items():
            moves, before = block.moves(name)
            moved += moves / block.margin(index)
            present += before
        return (moved < SMALLEST**2 * present) & _settled(block, self._settled)

    def judge(self, case: Pass) -> Finding | None:
        """Compare norms."""
        if all(mean_absolute(case.record[index]) < NO_GRADIENT for index in self._gradients):
            return None
        pairs = [_norms(case, name, index) for name, index in self._indices.items()]
        move, before = (norm(np.array(norms)) for norms in zip(*pairs, strict=True))
        if before < NOTHING or move / before >= SMALLEST:
            return None
        return Finding(move / before, SMALLEST, "‖update of all weights‖/‖all weights‖")


class UpdateTooLarge(Rule):
    """The update of a layer's weights is larger than the weights.

    Weights that are all 0 have no scale to compare with, and those that started so have to grow
    first: iterations before `settled` are not judged.
    """

    name = "update too large"
    advice = "Lower the learning rate, or clip the gradients."

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, settled: int
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._settled = settled

    def suspects(self, block: Block) -> Array | None:
        """Compare sums of squares."""
        moves, before = block.moves(self.tensor)
        large = moves > LARGEST**2 / block.margin(self.index) * before
        return large & _settled(block, self._settled)

    def judge(self, case: Pass) -> Finding | None:
        """Compare norms."""
        move, before = _norms(case, self.tensor, self.index)
        if before < NOTHING or move / before <= LARGEST:
            return None
        return Finding(move / before, LARGEST, f"‖update of {self.tensor}‖/‖{self.tensor}‖")


def _norms(case: Pass, weights: str, index: int) -> tuple[float, float]:
    """Return the norm of what all instructions of an update do to weights, and of the weights."""
    before = case.before[weights].astype(np.float64)
    return norm(case.record[index] - before), norm(before)


def _settled(block: Block, iteration: int) -> Array | bool:
    """Tell which passes are those of an iteration or later ones."""
    return block.first >= iteration or np.arange(block.count) >= iteration - block.first
