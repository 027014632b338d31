"""Cheap measures of arrays, many at a time: enough to tell that nearly all are in order."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.machine import Record

MOST_TOGETHER = 8192
"""The numbers in a pass up to which copying them all together is cheaper than array by array."""

PIECE = 8192
"""The most numbers in a product that OpenBLAS certainly computes in one thread."""


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


def inner_product(a: Array, b: Array) -> float:
    """Return the inner product of two arrays of one dtype and shape; inf where it overflows.

    In pieces: OpenBLAS gives a long product to several threads, and on a busy machine to wait for
    them takes many times as long as the product.
    """
    a, b = a.ravel(), b.ravel()
    if a.size <= PIECE:
        return float(np.dot(a, b))
    even = a.size - a.size % PIECE
    pieces = np.vecdot(a[:even].reshape(-1, PIECE), b[:even].reshape(-1, PIECE))
    return float(pieces.sum() + np.dot(a[even:], b[even:]))


def sum_of_squares(array: Array) -> float:
    """Return the sum of the squares of all elements; inf where it overflows.

    A float16 overflows too soon, and its products are slow as well.
    """
    flat = array.ravel()
    return inner_product(flat, flat) if flat.itemsize > 2 else sum_of_squares(flat.astype(float))


def distance_squared(a: Array, b: Array, squares: float) -> float:
    """Return the sum of squares of `b - a`, given the sum of those of `a` and of `b`.

    In float64 the binomial formula will do, and needs no array of its own: off by about 1e-15 of
    the squares, it tells a relative distance of 1e-4 well.
    """
    if a.dtype != np.float64:
        return sum_of_squares(b.astype(np.float64) - a)
    return squares - 2 * inner_product(a, b)


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


class Together(Struct):
    """The numbers of the arrays of several passes, one after the other, and what is measured.

    `starts` and `squares` have, for each pass and array, where its numbers start and the sum of
    their squares: shape `(passes, arrays)`. What is not floating-point has the square 0.
    """

    numbers: Array
    starts: Array
    squares: Array

    def arrays(self, index: int, size: int) -> Array:
        """Return the array at an index of every record, shape `(passes, size)`."""
        return self.numbers[self.starts[:, index, np.newaxis] + np.arange(size)]


class _Arrangement:
    """Which arrays of a record are measured, and their sizes, for one size of batch."""

    def __init__(self, record: Record, computed: int) -> None:
        arrays = dict(enumerate(record[computed:], start=computed))
        dtype = next((a.dtype for a in arrays.values() if a.dtype.kind == "f"), None)
        self.indices = [i for i, a in arrays.items() if a.dtype == dtype and a.size]
        self.sizes = np.array([record[i].size for i in self.indices], dtype=int)
        self.total = int(self.sizes.sum())
        self.can_be_joined = len(self.indices) > 1 and self.total <= MOST_TOGETHER
        self.pick: Callable[[Record], Record] = itemgetter(*self.indices)


class Measures:
    """Measures the passes of a program; it learns from the first how their arrays are arranged.

    `computed` is the index in a record from which on arrays are computed, not data.
    """

    def __init__(self, computed: int) -> None:
        self._computed = computed
        self._arrangements: dict[Shape, _Arrangement] = {}
        self._kept: dict[str, tuple[Array, float]] = {}

    def together(self, records: Sequence[Record]) -> Together | None:
        """Return the arrays of whole passes together; None if they are too large for that."""
        kinds = [self._arrangement(record) for record in records]
        if not all(kind.can_be_joined for kind in set(kinds)):
            return None
        arrays: list[Array] = []
        for record, kind in zip(records, kinds, strict=True):
            arrays += kind.pick(record)
        numbers = flattened(arrays)
        sizes = np.concatenate([kind.sizes for kind in kinds])
        offsets = sizes.cumsum() - sizes
        shape, measured = (len(records), len(records[0])), kinds[0].indices
        starts, squares = np.zeros(shape, dtype=int), np.zeros(shape)
        starts[:, measured] = offsets.reshape(len(records), -1)
        sums = np.add.reduceat(numbers * numbers, offsets)
        squares[:, measured] = sums.reshape(len(records), -1)
        return Together(numbers, starts, squares)

    def keep(self, parameter: str, array: Array, squares: float) -> None:
        """Remember the sum of squares of a parameter's latest array."""
        self._kept[parameter] = array, squares

    def before(self, parameter: str, array: Array) -> float:
        """Return the sum of squares of a parameter, which may be the array that was kept."""
        kept, squares = self._kept.get(parameter, (None, 0.0))
        return squares if kept is array else sum_of_squares(array)

    def learn(self, record: Record) -> None:
        """Take note of how the arrays of a whole pass are arranged."""
        self._arrangement(record)

    @property
    def largest_pass(self) -> int:
        """How many numbers the largest pass computes, of those known; 0 before there is one."""
        return max((kind.total for kind in self._arrangements.values()), default=0)

    def _arrangement(self, record: Record) -> _Arrangement:
        shape = record[0].shape
        if shape not in self._arrangements:
            self._arrangements[shape] = _Arrangement(record, self._computed)
        return self._arrangements[shape]
