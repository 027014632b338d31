"""Parameters whose gradients and updates rules measure: of many passes all parameters at once."""

from collections.abc import Callable, Sequence

import numpy as np

from nnstep.engine.arrays import Array

from .columns import AT_ONCE, Columns
from .passes import Passes


class Parameters:
    """Some parameters by name, and the indices of their gradients in the record of a pass.

    A penalty with the factor `l2` is a part of these gradients. The parameters have so many
    `numbers` together.
    """

    def __init__(
        self, names: Sequence[str], gradients: Sequence[int], numbers: int, l2: float = 0.0
    ) -> None:
        self.names = tuple(names)
        self.gradients = tuple(gradients)
        self.l2 = l2
        self._numbers = numbers
        # Each by itself.
        self._alone = [self]
        if len(self.names) > 1:
            both = zip(self.names, self.gradients, strict=True)
            self._alone = [Parameters([name], [gradient], 0, l2) for name, gradient in both]

    def of(self, passes: Passes, at: int) -> "tuple[Parameters, int]":
        """Return those to measure in order to know of the one at a number, and its number there."""
        return (self, at) if self._is_together(passes) else (self._alone[at], 0)

    def _is_together(self, passes: Passes) -> bool:
        return not passes.one_by_one and self._numbers * len(passes) <= AT_ONCE

    def rows(self, measure: "Measured", passes: Passes, numbers: Sequence[int]) -> Array:
        """Return what is measured of some of them, shape `(some, passes)`."""
        if not self._is_together(passes):
            return np.array([self.row(measure, passes, at) for at in numbers])
        rows = passes.once(measure, self)
        return rows if len(numbers) == len(rows) else rows[numbers]

    def row(self, measure: "Measured", passes: Passes, at: int) -> Array:
        """Return what is measured of the one at a number, shape `(passes,)`."""
        some, row = self.of(passes, at)
        return passes.once(measure, some)[row]


def around(some: Parameters, passes: Passes) -> tuple[Columns, Columns]:
    """Return some parameters before each pass, and as the updates of the pass leave them."""
    return passes.around(some.names)


def before(some: Parameters, passes: Passes) -> Columns:
    """Return some parameters before each pass; nobody has to have updated them."""
    if passes.one_by_one or not passes.writes(some.names):
        return passes.before_each(some.names)
    return passes.once(around, some)[0]


Measured = Callable[[Parameters, Passes], Array]
"""A number for each of some parameters and each of the passes, shape `(parameters, passes)`."""
