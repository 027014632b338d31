"""Faults of gradients: lost on the way to the first layer, none at all, too large."""

from nnstep.engine.arrays import Array

from .block import Block, Pass
from .measures import mean_absolute, norm
from .rule import Finding, Rule

VANISHING_RATIO, VANISHING_NORM = 1e-3, 1e-4
NO_GRADIENT = 1e-7
EXPLODING = 1e6


class Vanishing(Rule):
    """The first layer's gradient has a norm below 1e-4, and below a thousandth of the last's.

    The thresholds are AUTOTRAINER's (Zhang et al. 2021, ICSE). A gradient of exactly 0 has not
    become small on its way: that is "no gradient". The layers are those whose weights are trained.
    """

    name = "vanishing gradient"
    on_sample = True
    advice = "Use relu or tanh in place of sigmoid, fewer layers, or larger initial weights."

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, last: int, last_name: str
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._last, self._last_name = last, last_name

    def suspects(self, block: Block) -> Array | None:
        """Compare sums of squares."""
        first, last = block.squares(self.index), block.squares(self._last)
        margin = block.margin(self.index)
        ratio = VANISHING_RATIO**2 * margin * block.margin(self._last)
        return (first < VANISHING_NORM**2 * margin) & (first <= ratio * last)

    def judge(self, case: Pass) -> Finding | None:
        """Compare norms."""
        first, last = norm(case.record[self.index]), norm(case.record[self._last])
        if first == 0 or last == 0 or first >= VANISHING_NORM or first / last >= VANISHING_RATIO:
            return None
        return Finding(first / last, VANISHING_RATIO, f"‖{self.tensor}‖/‖{self._last_name}‖")


class NoGradient(Rule):
    """The gradient's mean absolute value is below 1e-7 (SageMaker Debugger's threshold)."""

    name = "no gradient"
    until_learned = True
    on_sample = True
    advice = "Look for where it is lost: units that are off, saturated or all alike, weights of 0."

    def suspects(self, block: Block) -> Array | None:
        """Compare the root of the sum of squares: it is at most the sum of absolute values."""
        size = block.records[0][self.index].size
        return block.squares(self.index) < (NO_GRADIENT * size) ** 2 * block.margin(self.index)

    def judge(self, case: Pass) -> Finding | None:
        """Compare the mean."""
        mean = mean_absolute(case.record[self.index])
        return Finding(mean, NO_GRADIENT, f"mean|{self.tensor}|") if mean < NO_GRADIENT else None


class Exploding(Rule):
    """The gradient's mean absolute value is above 1e6 (DeepChecker's threshold)."""

    name = "exploding gradient"
    advice = "Clip the gradients, lower the learning rate, or start from smaller weights."

    def suspects(self, block: Block) -> Array | None:
        """Compare the root of the mean square: it is at least the mean of absolute values."""
        return block.above(self.index, EXPLODING**2)

    def judge(self, case: Pass) -> Finding | None:
        """Compare the mean."""
        mean = mean_absolute(case.record[self.index])
        return Finding(mean, EXPLODING, f"mean|{self.tensor}|") if mean > EXPLODING else None
