"""Small arrays are measured together: each by itself would cost more than it has numbers."""

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from operator import itemgetter

import numpy as np

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.machine import Record

from .measures import flattened

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
