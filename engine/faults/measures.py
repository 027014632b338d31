"""What rules measure: norms and shares of tensors, of a pass, of many together, of an epoch."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain, pairwise
from operator import itemgetter
from typing import Any

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.machine.machine import Record
from nnstep.engine.program.program import Phase, Program, Role
from nnstep.engine.scenario.model import Data, Scenario

LARGE = 8192
"""The numbers in an array above which an excerpt of it is measured.

It is also what OpenBLAS certainly multiplies in one thread: on a busy machine, to wait for several
takes many times as long as their work.
"""

EXCERPT = 2048
"""About how many numbers an excerpt has."""


def flattened(arrays: Sequence[Array]) -> Array:
    """Return the numbers of arrays of one dtype, one after the other, in float64.

    To join their bytes takes an eighth of the time of `np.concatenate` where they are small; arrays
    that do not lie in one piece cannot be joined.
    """
    buffers: Sequence[Any] = arrays
    try:
        joined = np.frombuffer(b"".join(buffers), arrays[0].dtype)
    except TypeError:
        joined = np.concatenate(arrays, axis=None)
    return joined.astype(np.float64, copy=False)


def excerpt(array: Array) -> Array:
    """Return an array, or of a large one some of its rows, at equal distances."""
    return array if array.size <= LARGE else array[:: -(-array.size // EXCERPT)]


def sum_of_squares(array: Array) -> float:
    """Return the sum of the squares of all elements, in float64; inf where it overflows."""
    flat = array.ravel().astype(np.float64, copy=False)
    if flat.size <= LARGE:
        return float(np.dot(flat, flat))
    even = flat.size - flat.size % LARGE
    pieces = flat[:even].reshape(-1, LARGE)
    return float(np.vecdot(pieces, pieces).sum() + np.dot(flat[even:], flat[even:]))


def mean_square(array: Array) -> float:
    """Return the mean of the squares of all elements, 0 for none."""
    return sum_of_squares(array) / array.size if array.size else 0.0


def norm(array: Array) -> float:
    """Return the root of the sum of squares, in float64 and safe from overflow of the squares."""
    flat = array.ravel().astype(np.float64)
    largest = float(np.abs(flat).max(initial=0.0))
    if largest == 0 or not np.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.sum((flat / largest) ** 2)))


def mean_absolute(array: Array) -> float:
    """Return the mean of the absolute values, in float64."""
    return float(np.mean(np.abs(array), dtype=np.float64))


class Written:
    """The indices, in the record of a pass, of what the instructions of a program write.

    `names` has the tensor of every index, and `counts` how many arrays there are before each
    instruction and, as its last number, after them all. From `computed` on arrays are not data, and
    `loss` is the position that computes the loss.

    What an update leaves in a parameter or a buffer is `carried` into the next pass: once it is not
    finite it never is again. Gradients are `followed` by such a parameter: if one is not finite,
    neither is what it updates.
    """

    def __init__(self, program: Program, clips_values: bool = False) -> None:
        self.program = program
        self.names: list[str] = []
        self.counts = [0]
        self.carried: set[int] = set()
        self.followed: set[int] = set()
        self._last: dict[tuple[str, Phase], tuple[int, int]] = {}
        updated = {line.writes[0] for line in program.instructions if line.phase is Phase.UPDATE}
        gradients = program.gradients
        followed = {gradients[name] for name in updated.intersection(program.parameters)}
        for position, line in enumerate(program.instructions):
            for name in line.writes:
                index = len(self.names)
                self._last[name, line.phase] = position, index
                self.names.append(name)
                role = program.tensors[name].role
                if line.phase is Phase.UPDATE and role in (Role.PARAMETER, Role.BUFFER):
                    self.carried.add(index)
                # Clipping makes a finite value of an infinite one.
                elif name in followed and not (clips_values and line.phase is Phase.BACKWARD):
                    self.followed.add(index)
            self.counts.append(len(self.names))
        losses = (at for at, line in enumerate(program.instructions) if program.loss in line.writes)
        self.loss = next(losses)
        first = program.instructions[0]
        self.computed = len(first.writes) if first.phase is Phase.BATCH else 0

    def last(self, name: str, phase: Phase) -> tuple[int, int] | None:
        """Return the position that writes a tensor last in a phase, and the index of what it wrote.

        None if the phase does not write it.
        """
        return self._last.get((name, phase))

    def at(self, name: str, phase: Phase) -> tuple[int, int]:
        """Do the same for a tensor that the phase is known to write."""
        return self._last[name, phase]

    def tensors(self, record: Sequence[Array]) -> dict[str, Array]:
        """Return what a whole pass has left behind, by name."""
        return dict(zip(self.names, record, strict=True))

    def position(self, count: int) -> int:
        """Return how many instructions wrote the first `count` arrays of a record."""
        return self.counts.index(count)


SMALL = 512
"""The most numbers in an array that counts as small."""


class Arrangement:
    """Which arrays are in the records of one size of batch.

    `small` are the indices of those of few numbers that are computed (`computed` is the first index
    that is not data), and `total` counts the numbers of all.
    """

    def __init__(self, record: Record, computed: int) -> None:
        arrays = {i: a for i, a in enumerate(record) if i >= computed and a.dtype.kind == "f"}
        self.total = sum(a.size for a in arrays.values())
        dtype = next((a.dtype for a in arrays.values()), None)
        self.small = [i for i, a in arrays.items() if 0 < a.size <= SMALL and a.dtype == dtype]
        self.columns = np.array(self.small, dtype=int)
        self.sizes = np.array([record[i].size for i in self.small], dtype=int)

    @cached_property
    def pick(self) -> Callable[[Record], Sequence[Array]]:
        """Takes the small arrays, at least two, out of a record."""
        return itemgetter(*self.small)


class Layout:
    """Where the small arrays of several records are, once they lie one after the other.

    `small` are the indices of those that are small in every record. `cells` are the rows and
    columns of a table, of shape `(passes, arrays)`, to which their sizes belong; `starts` is such a
    table of where the arrays begin.
    """

    def __init__(self, arrangements: Sequence[Arrangement], arrays: int) -> None:
        self.small = frozenset.intersection(*(frozenset(each.small) for each in arrangements))
        self.picks = [each.pick for each in arrangements]
        self.sizes = np.concatenate([each.sizes for each in arrangements])
        self.offsets = self.sizes.cumsum() - self.sizes
        counts = [len(each.small) for each in arrangements]
        columns = np.concatenate([each.columns for each in arrangements])
        self.cells = np.repeat(np.arange(len(counts)), counts), columns
        self.shape = len(counts), arrays
        self.starts = np.zeros(self.shape, dtype=int)
        self.starts[self.cells] = self.offsets


class Arrangements:
    """The arrangements of a program's records, by the shape of the batch, learned as they come."""

    def __init__(self, computed: int) -> None:
        self._computed = computed
        self._known: dict[Shape, Arrangement] = {}
        self._layout = lru_cache(maxsize=32)(self._new_layout)

    def of(self, record: Record) -> Arrangement:
        """Return the arrangement of the record of a whole pass."""
        shape = record[0].shape
        if shape not in self._known:
            self._known[shape] = Arrangement(record, self._computed)
        return self._known[shape]

    def layout(self, records: Sequence[Record]) -> Layout | None:
        """Return the layout of whole passes, None if one of them has next to no small arrays."""
        for record in records:
            self.of(record)
        return self._layout(tuple(record[0].shape for record in records), len(records[0]))

    def _new_layout(self, shapes: tuple[Shape, ...], arrays: int) -> Layout | None:
        arrangements = [self._known[shape] for shape in shapes]
        if min(len(each.small) for each in arrangements) < 2:
            return None
        return Layout(arrangements, arrays)

    @property
    def largest_pass(self) -> int:
        """How many numbers the largest pass computes, of those known; 0 before there is one."""
        return max((each.total for each in self._known.values()), default=0)


class Together:
    """The small arrays of whole passes, in float64 and one after the other.

    `mean_squares` has the mean of the squares of each, shape `(passes, arrays)`; of those that are
    not `small` it says nothing.
    """

    def __init__(self, records: Sequence[Record], layout: Layout) -> None:
        self.small = layout.small
        arrays: list[Array] = []
        for record, pick in zip(records, layout.picks, strict=True):
            arrays += pick(record)
        self._numbers = flattened(arrays)
        self._starts = layout.starts
        sums = np.add.reduceat(self._numbers * self._numbers, layout.offsets)
        self.mean_squares = np.zeros(layout.shape)
        self.mean_squares[layout.cells] = sums / layout.sizes

    def arrays(self, index: int, size: int) -> Array:
        """Return a small array of every record, shape `(passes, size)`."""
        return self._numbers[self._starts[:, index, np.newaxis] + np.arange(size)]


LOW = 0.05
"""The loss below which a run has learned enough not to be warned of anything."""

LEARNED = 0.9
"""The share of its first loss below which a run has begun to learn."""

MOST_PASSES = 64
"""The most passes that a mean is taken over; else those of an epoch."""


class Yardstick(Struct, frozen=True):
    """What the losses of a scenario are measured by: the iterations of an epoch, and a low loss.

    A loss that is a sum over many rows is `low` while it is above `LOW`.
    """

    epoch: int = 1
    low: float = LOW


def yardstick(scenario: Scenario) -> Yardstick:
    """Return the yardstick of a scenario; where the loss is a sum over rows, low is `LOW` a row."""
    data, network = scenario.data, scenario.network
    if data is None:
        return Yardstick()
    is_sum = network is not None and network.loss.reduction == "sum"
    return Yardstick(data.batches_per_epoch, LOW * _rows(data) if is_sum else LOW)


def _rows(data: Data) -> float:
    """Return the mean number of rows in a batch."""
    rows = len(data.x) if data.batches is None else sum(map(len, data.batches))
    return rows / data.batches_per_epoch


class Recent:
    """The mean loss of the last iterations: those of an epoch, or as many as there have been.

    `losses` are those of all iterations so far, and `first` the one that is looked at first.
    """

    def __init__(self, losses: Array, first: int, measured_by: Yardstick) -> None:
        window = min(measured_by.epoch, MOST_PASSES)
        lately = losses[max(0, first - window) :]
        missing = np.zeros(max(0, window - first))
        windows = np.lib.stride_tricks.sliding_window_view(
            np.concatenate([missing, lately]), window
        )
        counts = np.arange(first, first + len(windows))
        # Before the first loss this is not a number, and neither low nor high.
        self._means = windows.sum(axis=1) / np.minimum(counts, window)
        self._low = measured_by.low
        at_first = losses[:window].sum() / window
        self._learned = np.where(counts < window, -np.inf, LEARNED * at_first)

    def is_low(self, start: int, count: int) -> Array:
        """Tell it of `count` iterations, each with the losses up to `start` iterations later.

        A sum over rows has to have fallen, too: at first it may be low for small targets alone.
        """
        means = self._means[start : start + count]
        return (means < LOW) | ((means < self._low) & self.has_fallen(start, count))

    def has_fallen(self, start: int, count: int) -> Array:
        """Tell whether the mean is well below that of the first iterations."""
        part = slice(start, start + count)
        return self._means[part] < self._learned[part]


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
