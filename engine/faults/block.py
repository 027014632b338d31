"""A block is a few passes in a row, looked at together."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.machine import Record
from nnstep.engine.program.instruction import Phase

from .measures import Measures, Together, distance_squared, sum_of_squares
from .recent import Recent, Yardstick
from .written import Written


class Pass(Struct, frozen=True):
    """One pass: the tensors before it, what it has written so far, and the losses up to it."""

    iteration: int
    before: Mapping[str, Array]
    record: Sequence[Array]
    losses: Array


class Block:
    """Passes in a row from iteration `first` on, of each the positions from `start` up to `stop`.

    They are whole passes, or a single one in part. `before` are the tensors before the first, and
    `losses` those of all iterations. Measures are arrays of shape `(passes,)`.
    """

    def __init__(
        self,
        written: Written,
        measures: Measures,
        measured_by: Yardstick,
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
        self._written = written
        self._measures = measures
        self._measured_by = measured_by
        self.start = start
        self.stop = written.position(len(records[0]))
        self.losses = losses[: first + self.count - (self.stop <= written.loss)]
        self._columns: dict[int, list[float]] = {}
        self._moves: dict[str, tuple[Array, Array]] = {}

    @cached_property
    def recent(self) -> Recent:
        """How high the losses have been lately."""
        return Recent(self.losses, self.first, self._measured_by)

    @cached_property
    def _together(self) -> Together | None:
        return self._measures.together(self.records) if self.count > 1 else None

    @cached_property
    def is_finite(self) -> bool:
        """Whether it is plain at a glance that all that was computed is finite."""
        if self._together is not None:
            return bool(np.isfinite(self._together.squares.sum()))
        written = self._written
        low, high = max(written.computed, written.counts[self.start]), written.counts[self.stop]
        return all(math.isfinite(s) for i in range(low, high) for s in self._sums(i))

    def squares(self, index: int) -> Array:
        """Return the sum of squares of the array at an index of the records."""
        if self._together is not None:
            return self._together.squares[:, index]
        return np.array(self._sums(index))

    def _sums(self, index: int) -> list[float]:
        if index not in self._columns:
            self._columns[index] = [sum_of_squares(record[index]) for record in self.records]
        return self._columns[index]

    def before_each(self, parameter: str) -> Array:
        """Return a parameter as it is before each pass, the passes along a first axis."""
        first = self.before[parameter]
        update = self._written.last(parameter, Phase.UPDATE)
        if update is None:
            return np.broadcast_to(first, (self.count, *first.shape))
        if self.count == 1:
            return first[np.newaxis]
        return self._values(parameter, update[1])[:-1].reshape(self.count, *first.shape)

    def squared_moves(self, parameter: str) -> tuple[Array, Array]:
        """Return the sums of squares of a parameter's update, and of the parameter before it."""
        if parameter not in self._moves:
            index = self._written.at(parameter, Phase.UPDATE)[1]
            self._moves[parameter] = self._squared_moves(parameter, index)
        return self._moves[parameter]

    def _squared_moves(self, parameter: str, index: int) -> tuple[Array, Array]:
        first, after = self.before[parameter], self.squares(index)
        before = np.concatenate([[self._measures.before(parameter, first)], after[:-1]])
        self._measures.keep(parameter, self.records[-1][index], after[-1])
        if self._together is not None:
            values = self._values(parameter, index)
            moves = values[1:] - values[:-1]
            return np.einsum("ij,ij->i", moves, moves), before
        arrays = [first, *(record[index] for record in self.records)]
        pairs = zip(arrays, arrays[1:], before + after, strict=False)
        return np.array([distance_squared(*pair) for pair in pairs]), before

    def _values(self, parameter: str, index: int) -> Array:
        """Return a parameter before the passes and after each, shape `(passes + 1, size)`."""
        first = self.before[parameter].reshape(1, -1)
        if self._together is not None:
            return np.concatenate([first, self._together.arrays(index, first.size)])
        return np.concatenate([first, *(r[index].reshape(1, -1) for r in self.records)])

    def pass_at(self, number: int) -> Pass:
        """Return one of the passes, counted from 0."""
        before = dict(self.before)
        if number:
            before.update(self._written.tensors(self.records[number - 1]))
        iteration = self.first + number
        return Pass(iteration, before, self.records[number], self.losses[: iteration + 1])
