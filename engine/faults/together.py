"""Small arrays are measured together: each by itself would cost more than it has numbers."""

from collections.abc import Callable, Sequence
from functools import cached_property
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


class Arrangements:
    """The arrangements of a program's records, by the shape of the batch, learned as they come."""

    def __init__(self, computed: int) -> None:
        self._computed = computed
        self._known: dict[Shape, Arrangement] = {}

    def of(self, record: Record) -> Arrangement:
        """Return the arrangement of the record of a whole pass."""
        shape = record[0].shape
        if shape not in self._known:
            self._known[shape] = Arrangement(record, self._computed)
        return self._known[shape]

    @property
    def largest_pass(self) -> int:
        """How many numbers the largest pass computes, of those known; 0 before there is one."""
        return max((each.total for each in self._known.values()), default=0)


class Together:
    """The small arrays of whole passes, in float64 and one after the other.

    `mean_squares` has the mean of the squares of each, shape `(passes, arrays)`. `small` are the
    indices of those that are small in every pass; of the others it says nothing.
    """

    def __init__(self, records: Sequence[Record], arrangements: Sequence[Arrangement]) -> None:
        kinds = set(arrangements)
        self.small = frozenset.intersection(*(frozenset(kind.small) for kind in kinds))
        arrays: list[Array] = []
        for record, kind in zip(records, arrangements, strict=True):
            arrays += kind.pick(record)
        self._numbers = flattened(arrays)
        sizes = np.concatenate([kind.sizes for kind in arrangements])
        starts = sizes.cumsum() - sizes
        means = np.add.reduceat(self._numbers * self._numbers, starts) / sizes
        columns = np.concatenate([kind.columns for kind in arrangements])
        rows = np.repeat(np.arange(len(records)), [len(kind.small) for kind in arrangements])
        self.mean_squares = np.zeros((len(records), len(records[0])))
        self.mean_squares[rows, columns] = means
        self._starts = np.zeros(self.mean_squares.shape, dtype=int)
        self._starts[rows, columns] = starts

    def arrays(self, index: int, size: int) -> Array:
        """Return a small array of every record, shape `(passes, size)`."""
        return self._numbers[self._starts[:, index, np.newaxis] + np.arange(size)]
