"""What passes have written, as rules measure it: stacked arrays, of large ones an excerpt."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, TypeVar

import numpy as np

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.machine.step import Record
from nnstep.engine.program.program import Phase, Program

from .columns import Columns, beside, flattened, joined
from .handing import handed_on
from .seen import LARGE, Seen, Start, excerpt, parts_of

T = TypeVar("T")
R = TypeVar("R")

SMALL = 512
"""The numbers in an array up to which it takes longer to look at each than to join them first."""


class Written:
    """The indices, in the record of a pass, of what the instructions of a program write.

    `names` has the tensor of every index, and `counts` how many arrays there are before each
    instruction and, as its last number, after them all. `leaves` has the last index of a tensor:
    what a pass leaves in it. From `computed` on arrays are not data, and `loss` is the position
    that computes the loss.

    Whether what was computed is finite is looked at where no later line would show that it is not:
    at the indices in `telling` in every pass, at those in `kept`, which the next pass would show,
    in the last one.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names: list[str] = []
        self.counts = [0]
        self._large: dict[tuple[Shape, int], frozenset[int]] = {}
        self._last: dict[tuple[str, Phase], tuple[int, int]] = {}
        for position, line in enumerate(program.instructions):
            for name in line.writes:
                self._last[name, line.phase] = position, len(self.names)
                self.names.append(name)
            self.counts.append(len(self.names))
        self.leaves = {name: index for index, name in enumerate(self.names)}
        losses = (at for at, line in enumerate(program.instructions) if program.loss in line.writes)
        self.loss = next(losses)
        first = program.instructions[0]
        self.computed = len(first.writes) if first.phase is Phase.BATCH else 0
        shown, shown_next = handed_on(program)
        hidden = [at for at in range(self.computed, len(self.names)) if at not in shown]
        self.telling = [index for index in hidden if index not in shown_next]
        self._telling = frozenset(self.telling)
        # Whether anything that a pass computes is large.
        self.has_large = any(
            prod(program.tensors[name].shape) > LARGE for name in self.names[self.computed :]
        )
        self.kept = [index for index in hidden if index in shown_next]

    def last(self, name: str, phase: Phase) -> tuple[int, int] | None:
        """Return the position that writes a tensor last in a phase, and the index of what it wrote.

        None if the phase does not write it.
        """
        return self._last.get((name, phase))

    def at(self, name: str, phase: Phase) -> tuple[int, int]:
        """Do the same for a tensor that the phase is known to write."""
        return self._last[name, phase]

    def seen(self, record: Sequence[Array]) -> Sequence[Array]:
        """Return a record as rules look at it: itself, if nothing in it is large."""
        if not self.has_large or type(record) is Seen:
            return record
        key = record[0].shape, len(record)
        if key not in self._large:
            sizes = enumerate(array.size for array in record)
            self._large[key] = frozenset(
                at for at, size in sizes if at >= self.computed and size > LARGE
            )
        large = self._large[key]
        return Seen(tuple(record), large, self._telling) if large else record

    def tensors(self, record: Sequence[Array]) -> dict[str, Array]:
        """Return what a whole pass has left behind, by name."""
        return dict(zip(self.names, record, strict=True))

    def position(self, count: int) -> int:
        """Return how many instructions wrote the first `count` arrays of a record."""
        return bisect_left(self.counts, count)


class Starts:
    """The tensors at the start of some passes of a row of them, put together when asked for.

    `before` are those at the start of the first pass of the row, `records` what its passes wrote,
    and `numbers` say which of them are meant.
    """

    def __init__(
        self,
        written: Written,
        before: Mapping[str, Array],
        records: Sequence[Sequence[Array]],
        numbers: Sequence[int],
    ) -> None:
        self._written = written
        self._before = before
        self._records = records
        self.numbers = numbers

    def __getitem__(self, at: int) -> Mapping[str, Array]:
        number = self.numbers[at]
        left = self._written.tensors(self._records[number - 1]) if number else {}
        return {**self._before, **left}

    @property
    def is_row(self) -> bool:
        """Whether all passes of the row are meant."""
        return len(self.numbers) == len(self._records)

    def first(self, name: str) -> Array:
        """Return a tensor at the start of the first pass of the row, perhaps an excerpt."""
        before = self._before
        return before.part(name) if isinstance(before, Start) else before[name]

    def of(self, name: str, index: int) -> list[Array]:
        """Return a tensor that a pass leaves at an index of its record, at the start of each."""
        first = self.first(name)
        return [parts_of(self._records[n - 1])[index] if n else first for n in self.numbers]


class Passes:
    """Passes with batches of one size, and what they wrote, stacked: shape `(passes, …)`, float64.

    `iterations` are their numbers, `before` the tensors before each, and `records` what each wrote,
    the last perhaps in part. `losses` are those of all iterations up to the last of them. Of arrays
    with more than `LARGE` numbers an excerpt is given, some rows at equal distances, unless they
    are `whole`. Parameters are measured together, unless they are to be `one_by_one`.
    """

    def __init__(
        self,
        written: Written,
        iterations: Array | Sequence[int],
        before: Starts,
        records: Sequence[Sequence[Array]],
        losses: Array,
        *,
        whole: bool = False,
    ) -> None:
        self.written = written
        self.iterations = np.asarray(iterations)
        self.before = before
        self.records = records
        in_parts = written.has_large and not whole
        self._looked_at = [parts_of(record) for record in records] if in_parts else records
        self.losses = losses
        self.whole = whole
        # What is measured of a single pass is told, and of one under way not all is there.
        self.one_by_one = whole or len(records[0]) < len(written.names)
        self._stacks: dict[int | str, Array] = {}
        self._columns: dict[tuple[int, ...], Columns] = {}
        self._measured: dict[object, Any] = {}
        self._reaches: dict[tuple[int, ...], float] = {}

    def __len__(self) -> int:
        return len(self.records)

    def array(self, index: int) -> Array:
        """Return what the passes wrote at an index of their records."""
        if index not in self._stacks:
            self._stacks[index] = self._stacked([record[index] for record in self._looked_at])
        return self._stacks[index]

    def tensor(self, name: str) -> Array:
        """Return a tensor before each of the passes."""
        if name not in self._stacks:
            self._stacks[name] = self._stacked_before(name)
        return self._stacks[name]

    def _stacked_before(self, name: str) -> Array:
        index = self.written.leaves.get(name)
        if index is not None and not self.before.is_row:
            return self._stacked(list(map(self._part, self.before.of(name, index))))
        first = self._stacked([self._part(self.before.first(name))])
        if index is None or len(self) == 1:
            return first.repeat(len(self), axis=0)
        return np.concatenate([first, self.array(index)[:-1]])

    def reach(self, indices: tuple[int, ...]) -> float:
        """Return the largest absolute value that the passes wrote at some indices.

        NaN if one is.
        """
        if indices not in self._reaches:
            parts = joined(self._looked_at, indices)
            bounds = [bound for part in parts for bound in (part.max(), -part.min())]
            self._reaches[indices] = float(np.max(bounds))
        return self._reaches[indices]

    def is_reached(self, index: int) -> bool:
        """Tell whether it is known of all that the passes wrote at an index that it is finite."""
        reached = self._reaches.items()
        known = any(index in indices and reach < np.inf for indices, reach in reached)
        return known and not self.is_excerpt(index)

    def columns(self, indices: tuple[int, ...]) -> Columns:
        """Return what the passes wrote at some indices, side by side; all of one type."""
        if indices not in self._columns:
            arrays = [record[index] for record in self._looked_at for index in indices]
            self._columns[indices] = beside(arrays, len(self))
        return self._columns[indices]

    def writes(self, names: Sequence[str]) -> bool:
        """Tell whether each pass writes all of some tensors."""
        return all(name in self.written.leaves for name in names)

    def before_each(self, names: Sequence[str]) -> Columns:
        """Return some tensors before each of the passes, side by side."""
        stacks = [self.tensor(name) for name in names]
        numbers = np.concatenate([stack.reshape(len(self), -1) for stack in stacks], axis=1)
        return Columns(numbers, tuple(stack.shape[1:] for stack in stacks))

    def around(self, names: Sequence[str]) -> tuple[Columns, Columns]:
        """Return tensors that a pass writes before each of the passes, and as each leaves them."""
        starts, indices = self.before, [self.written.leaves[name] for name in names]
        if not starts.is_row:
            before = zip(*map(starts.of, names, indices), strict=True)
            parts = [self._part(array) for arrays in before for array in arrays]
            return beside(parts, len(self)), self.columns(tuple(indices))
        first = [self._part(starts.first(name)) for name in names]
        left = [record[index] for record in self._looked_at for index in indices]
        both = beside(first + left, len(self) + 1)
        return both.rows(slice(-1)), both.rows(slice(1, None))

    def once(self, measure: "Callable[[T, Passes], R]", of: T) -> R:
        """Return what several rules measure of the same, which is done once."""
        key = measure, of
        if key not in self._measured:
            self._measured[key] = measure(of, self)
        return self._measured[key]

    def one(self, number: int) -> "Passes":
        """Return one of the passes, counted from 0, its arrays whole."""
        iteration, records = int(self.iterations[number]), [self.records[number]]
        return Passes(
            self.written,
            [iteration],
            Starts(self.written, self.before[number], records, [0]),
            records,
            self.losses[: iteration + 1],
            whole=True,
        )

    def with_record(self, record: Record) -> "Passes":
        """Return a single pass with another record in place of its own."""
        return Passes(
            self.written, self.iterations.tolist(), self.before, [record], self.losses, whole=True
        )

    def is_excerpt(self, index: int) -> bool:
        """Tell whether an array is given as an excerpt."""
        record = self.records[0]
        return not self.whole and isinstance(record, Seen) and index in record.large

    def dtype(self, index: int) -> np.dtype[Any]:
        """Return the type of what the passes wrote at an index."""
        return self._looked_at[0][index].dtype

    def _part(self, array: Array) -> Array:
        return array if self.whole else excerpt(array)

    def _stacked(self, arrays: Sequence[Array]) -> Array:
        shape = (len(arrays), *arrays[0].shape)
        return flattened(arrays).reshape(shape)


Measure = Callable[[Passes], Array]
"""One number for each of the passes, shape `(passes,)`; NaN where there is nothing to measure."""


Group = tuple[Array, Passes]
"""Passes with batches of one size, and the numbers that they have in a row of passes."""


def grouped(
    written: Written,
    first: int,
    records: Sequence[Sequence[Array]],
    before: Mapping[str, Array],
    losses: Array,
) -> Iterator[Group]:
    """Yield the groups of passes in a row; `before` are the tensors before the first of them."""
    shapes = [record[0].shape for record in records]
    kinds = set(shapes)
    for shape in kinds:
        numbers = np.flatnonzero([each == shape for each in shapes])
        own = [records[number] for number in numbers.tolist()] if len(kinds) > 1 else records
        starts = Starts(written, before, records, numbers.tolist())
        known = losses[: first + starts.numbers[-1] + 1]
        yield numbers, Passes(written, first + numbers, starts, own, known)
