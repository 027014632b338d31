"""Faults of gradients: too small at the first layer, none at all, too large."""

import numpy as np

from nnstep.engine.arrays import Array

from .block import Block, Pass
from .measures import mean_absolute, norm
from .rule import Finding, Rule

VANISHING_RATIO, VANISHING_NORM = 1e-3, 1e-4
NO_GRADIENT = 1e-7
EXPLODING = 1e6


class Vanishing(Rule):
    """The first layer's gradient has a norm below 1e-4, and below a thousandth of the last's.

    A gradient of exactly 0 has not become small on its way: that is "no gradient". From AUTOTRAINER
    (Zhang et al. 2021, arXiv:2105.04339).
    """

    name = "vanishing gradient"
    on_sample = True
    advice = "Use relu or tanh in place of sigmoid, fewer layers, or larger initial weights."

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, last: int, last_name: str
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._last, self._last_name = last, last_name

    def suspects(self, block: Block) -> Array:
        size = block.records[0][self.index].size
        return block.below(self.index, VANISHING_NORM**2 / size)

    def judge(self, case: Pass) -> Finding | None:
        first, last = norm(case.record[self.index]), norm(case.record[self._last])
        if first == 0 or last == 0 or first >= VANISHING_NORM or first / last >= VANISHING_RATIO:
            return None
        return Finding(first / last, VANISHING_RATIO, f"‖{self.tensor}‖/‖{self._last_name}‖")


class NoGradient(Rule):
    """The gradient's mean absolute value is below 1e-7 (SageMaker Debugger's threshold)."""

    name = "no gradient"
    until_learned = True
    on_sample = True
    advice = "Look for units that are all off or all alike, and for weights that are all 0."

    def suspects(self, block: Block) -> Array:
        size = block.records[0][self.index].size
        # The root of the sum of squares is at most the sum of absolute values.
        return block.below(self.index, NO_GRADIENT**2 * size)

    def judge(self, case: Pass) -> Finding | None:
        mean = mean_absolute(case.record[self.index])
        return Finding(mean, NO_GRADIENT, f"mean |{self.tensor}|") if mean < NO_GRADIENT else None


class Exploding(Rule):
    """The gradient's mean absolute value is above 1e6 (DeepChecker, arXiv:2204.00694)."""

    name = "exploding gradient"
    advice = "Clip the gradients, lower the learning rate, or start from smaller weights."

    def suspects(self, block: Block) -> Array:
        # The mean of absolute values is at most the root of the mean of squares.
        return block.above(self.index, EXPLODING**2)

    def judge(self, case: Pass) -> Finding | None:
        mean = mean_absolute(case.record[self.index])
        return Finding(mean, EXPLODING, f"mean |{self.tensor}|") if mean > EXPLODING else None
