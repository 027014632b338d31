"""What is wrong with the data: inputs that are not normalised, targets that are all equal."""

from collections.abc import Iterator

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.scenario.model import Data

from .passes import Written
from .rule import Rule

LARGEST_INPUT = 10.0
"""The absolute value above which an input counts as not normalised."""

EQUAL = 1e-12
"""The largest difference of targets that are equal."""


def of_data(data: Data, written: Written) -> Iterator[Rule]:
    """Yield the rules that these data can break."""
    x, y = written.program.instructions[0].writes
    if _largest(data.x) > LARGEST_INPUT:
        yield Rule(
            name="unnormalised input",
            layer=None,
            tensor=x,
            position=0,
            indices=(0,),
            measure=lambda passes: np.array([_largest(record[0]) for record in passes.records]),
            threshold=LARGEST_INPUT,
            quantity=f"max|{x}|",
            advice="Standardise the inputs: mean 0 and standard deviation 1 in every column.",
        )
    spread = _spread(data.y)
    if spread < EQUAL:
        yield Rule(
            name="equal targets",
            layer=None,
            tensor=y,
            position=0,
            indices=(1,),
            measure=lambda passes: np.full(len(passes), spread),
            threshold=EQUAL,
            below=True,
            quantity=f"largest difference between the rows of {y}",
            advice="All rows have the same target, which a bias alone can give: look at how the "
            "targets are read.",
        )


def _largest(array: Array) -> float:
    return float(np.abs(array).max(initial=0.0, where=np.isfinite(array)))


def _spread(y: Array) -> float:
    """Return the largest difference between rows, inf where there are not two to compare."""
    if len(y) < 2 or not np.isfinite(y).all():
        return np.inf
    return float(np.ptp(y.astype(np.float64), axis=0).max(initial=0.0))
