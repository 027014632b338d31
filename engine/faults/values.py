"""Faults of single numbers: those that are not finite, and inputs that are too large."""

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.text import cell_name

from .block import Block, Pass
from .fault import NON_FINITE
from .rule import Finding, Rule

LARGEST_INPUT = 10.0
"""The absolute value above which an input counts as not normalised."""


class NonFinite(Rule):
    """NaN or infinity in anything that is computed."""

    name = NON_FINITE
    level = "stop"
    gated = False
    advice = (
        "See what it was computed from; a lower learning rate, clipped gradients or smaller "
        "weights keep numbers finite."
    )

    def suspects(self, block: Block) -> Array | None:
        """Look at sums of squares, which may overflow where the numbers do not."""
        return None if block.is_finite else block.unclear(self.index)

    def judge(self, case: Pass) -> Finding | None:
        """Find the first cell; the threshold is the dtype's largest number."""
        array = case.record[self.index]
        finite = np.isfinite(array)
        if finite.all():
            return None
        cell = tuple(int(i) for i in np.argwhere(~finite)[0])
        limit = float(np.finfo(array.dtype).max)
        return Finding(float(array[cell]), limit, cell_name(self.tensor, cell))


class NonFiniteData(NonFinite):
    """NaN or infinity in a batch: a rule only for data that have any."""

    advice = "Fill in or leave out the rows of the data that have no finite number here."

    def suspects(self, block: Block) -> Array | None:
        """Look at every batch."""
        return np.array([not np.isfinite(record[self.index]).all() for record in block.records])


class UnnormalisedInput(Rule):
    """A finite input with |x| > 10: a rule only for data that have any."""

    name = "unnormalised input"
    advice = "Standardise the inputs: mean 0 and standard deviation 1 in every column."

    def suspects(self, block: Block) -> Array | None:
        """Look at every batch."""
        return np.array([_largest(r[self.index]) > LARGEST_INPUT for r in block.records])

    def judge(self, case: Pass) -> Finding | None:
        """Compare the largest absolute value."""
        largest = _largest(case.record[self.index])
        if largest <= LARGEST_INPUT:
            return None
        return Finding(largest, LARGEST_INPUT, f"max|{self.tensor}|")


def _largest(array: Array) -> float:
    return float(np.abs(array).max(initial=0.0, where=np.isfinite(array)))
