"""A block is a few passes in a row, looked at together."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.machine import Record
from nnstep.engine.program.instruction import Phase

from .measures import LARGE, excerpt, mean_square, sum_of_squares
from .recent import Recent, Yardstick
from .together import Arrangements, Together
from .written import Written

ROUNDING = 1e-9
"""The share by which a sum of squares may be off, and more than that."""

OF_EXCERPT = 16.0
"""The factor by which the mean square of an excerpt is taken to differ from the whole's at most."""


class Pass(Struct, frozen=True):
    """One pass: the tensors before it, what it has written so far, and the losses up to it."""

    iteration: int
    before: Mapping[str, Array]
    record: Sequence[Array]
    losses: Array


class Context(Struct, frozen=True):
    """What all blocks of a scenario have in common."""

    written: Written
    arrangements: Arrangements
    measured_by: Yardstick


class Block:
    """Passes in a row from iteration `first` on, of each the positions from `start` up to `stop`.

    They are whole passes, or a single one in part. `before` are the tensors before the first, and
    `losses` those of all iterations. All measures have one number a pass, shape `(passes,)`.
    """

    def __init__(
        self,
        context: Context,
        first: int,
        records: Sequence[Record],
        before: Mapping[str, Array],
        losses: Array,
        start: int = 0,
    ) -> None:
        self.first = first
        self.records = records
        self.count = len(records)
        self.before = before
        self.start = start
        self.stop = context.written.position(len(records[0]))
        self.losses = losses[: first + self.count - (self.stop <= context.written.loss)]
        self._context = context
        self._written = context.written
        self._columns: dict[int, Array] = {}
        self._moves: dict[str, tuple[Array, Array]] = {}
        self._rows: dict[str, Array] = {}

    @cached_property
    def recent(self) -> Recent:
        """How high the losses have been lately."""
        return Recent(self.losses, self.first, self._context.measured_by)

    # Measures

    @cached_property
    def _together(self) -> Together | None:
        if self.start or self.stop < len(self._written.program):
            return None
        layout = self._context.arrangements.layout(self.records)
        return Together(self.records, layout) if layout else None

    def _small(self, index: int) -> Together | None:
        """Return the small arrays together, if the one at an index is one of them."""
        together = self._together
        return together if together is not None and index in together.small else None

    @cached_property
    def is_finite(self) -> bool:
        """Whether it is plain at a glance that all that was computed is finite."""
        together, written = self._together, self._written
        if together is not None and not np.isfinite(together.mean_squares.sum()):
            return False
        low, high = max(written.computed, written.counts[self.start]), written.counts[self.stop]
        others = (index for index in range(low, high) if not self._small(index))
        telling = chain.from_iterable(map(self._telling, others))
        return all(math.isfinite(sum_of_squares(array)) for array in telling)

    def _telling(self, index: int) -> Sequence[Array]:
        """Return arrays at an index that tell whether all of them are finite."""
        if self.stop == len(self._written.program):
            if index in self._written.followed:
                return ()
            if index in self._written.carried:
                return (self.records[-1][index],)
        return [record[index] for record in self.records]

    def unclear(self, index: int) -> Array:
        """Tell in which passes an array may not be finite."""
        if small := self._small(index):
            return ~np.isfinite(small.mean_squares[:, index])
        return ~np.isfinite([sum_of_squares(record[index]) for record in self.records])

    def above(self, index: int, bound: float) -> Array:
        """Tell in which passes the mean square of an array may be above a bound."""
        return self._mean_squares(index) > bound / self.margin(index)

    def squares(self, index: int) -> Array:
        """Return the sum of squares of an array, but for a factor of at most `margin`."""
        return self._mean_squares(index) * self.records[0][index].size

    def margin(self, index: int) -> float:
        """Return the factor by which measures of an array's squares may be off."""
        if self._small(index) or max(record[index].size for record in self.records) <= LARGE:
            return 1 + ROUNDING
        return OF_EXCERPT

    def _mean_squares(self, index: int) -> Array:
        if small := self._small(index):
            return small.mean_squares[:, index]
        if index not in self._columns:
            self._columns[index] = np.array([mean_square(excerpt(r[index])) for r in self.records])
        return self._columns[index]

    def first_weights(self, parameter: str, axis: int) -> Array:
        """Return the first weights of units that lie along an axis, before each pass.

        The shape is `(passes, units)`.
        """
        first, update = self.before[parameter], self._written.last(parameter, Phase.UPDATE)
        if update and self._small(update[1]):
            weights = self._values(parameter, update[1])[:-1].reshape(self.count, *first.shape)
            return weights[:, :, 0] if axis == 0 else weights[:, 0]
        before = [first] * self.count
        if update:
            before[1:] = [record[update[1]] for record in self.records[:-1]]
        return np.array([weights[:, 0] if axis == 0 else weights[0] for weights in before])

    def moves(self, parameter: str) -> tuple[Array, Array]:
        """Return the sums of squares of a parameter's updates, and of the parameter before them.

        They too are right but for `margin`.
        """
        if parameter not in self._moves:
            moves, before = self._mean_moves(parameter)
            size = self.before[parameter].size
            self._moves[parameter] = moves * size, before * size
        return self._moves[parameter]

    def _mean_moves(self, parameter: str) -> tuple[Array, Array]:
        first, index = self.before[parameter], self._written.at(parameter, Phase.UPDATE)[1]
        before = np.concatenate([[mean_square(excerpt(first))], self._mean_squares(index)[:-1]])
        if self._small(index):
            values = self._values(parameter, index)
            moves = values[1:] - values[:-1]
            return np.einsum("ij,ij->i", moves, moves) / first.size, before
        arrays = [first, *(record[index] for record in self.records)]
        parts = [excerpt(array).astype(np.float64, copy=False) for array in arrays]
        return np.array([mean_square(b - a) for a, b in pairwise(parts)]), before

    def _values(self, parameter: str, index: int) -> Array:
        """Return a small parameter before the first pass and after each, a row each time."""
        if parameter not in self._rows:
            small, first = self._small(index), self.before[parameter]
            assert small is not None, "only small parameters are at hand together"
            rows = [first.reshape(1, -1), small.arrays(index, first.size)]
            self._rows[parameter] = np.concatenate(rows)
        return self._rows[parameter]

    def pass_at(self, number: int) -> Pass:
        """Return one of the passes, counted from 0."""
        before = dict(self.before)
        if number:
            before.update(self._written.tensors(self.records[number - 1]))
        iteration = self.first + number
        return Pass(iteration, before, self.records[number], self.losses[: iteration + 1])
