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
    """NaN or infinity in anything that is written."""

    name = NON_FINITE
    level = "stop"
    gated = False
    advice = (
        "Go to this step and see what it was computed from; a lower learning rate, clipped "
        "gradients or smaller weights keep numbers finite."
    )

    def suspects(self, block: Block) -> Array | None:
        return None if block.is_finite else block.unclear(self.index)

    def judge(self, case: Pass) -> Finding | None:
        array = case.record[self.index]
        finite = np.isfinite(array)
        if finite.all():
            return None
        cell = tuple(int(i) for i in np.argwhere(~finite)[0])
        limit = float(np.finfo(array.dtype).max)
        return Finding(float(array[cell]), limit, cell_name(self.tensor, cell))


class NonFiniteData(NonFinite):
    """NaN or infinity in the data themselves: only for data that have any."""

    advice = "Fill in or leave out the rows of the data that have no finite number here."

    def suspects(self, block: Block) -> Array:
        return np.array([not np.isfinite(record[self.index]).all() for record in block.records])


class UnnormalisedInput(Rule):
    """An input with `max|x| > 10`: only for data that have any."""

    name = "unnormalised input"
    advice = "Standardise the inputs, to mean 0 and standard deviation 1 in every column."

    def suspects(self, block: Block) -> Array:
        return np.array([_largest(r[self.index]) > LARGEST_INPUT for r in block.records])

    def judge(self, case: Pass) -> Finding | None:
        largest = _largest(case.record[self.index])
        if largest <= LARGEST_INPUT:
            return None
        return Finding(largest, LARGEST_INPUT, f"max|{self.tensor}|")


def _largest(array: Array) -> float:
    """Return the largest absolute value that is finite."""
    return float(np.abs(array).max(initial=0.0, where=np.isfinite(array)))
