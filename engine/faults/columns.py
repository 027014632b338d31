"""Arrays of passes side by side, so that what rules measure of each is measured of all at once.

To call NumPy takes as long as to look at a thousand numbers, and most parameters have fewer. What
is measured so is that of the arrays one by one, but for the rounding of their sums.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array, Shape

AT_ONCE = 1 << 14
"""The most numbers that lie side by side: an array of more than 128 KB is memory that is new from
the system, page by page, and to get it takes longer than to look at it."""


class Columns:
    """Some arrays of each of some passes, their numbers side by side: shape `(passes, numbers)`.

    `shapes` are those of the arrays. Whatever is measured of them has the shape `(arrays, passes)`.
    """

    def __init__(self, numbers: Array, shapes: tuple[Shape, ...]) -> None:
        self.numbers = numbers
        self.shapes = shapes
        self._starts, self._sizes = _columns_of(shapes)

    def rows(self, passes: slice) -> "Columns":
        """Return the arrays of some of the passes."""
        return Columns(self.numbers[passes], self.shapes)

    def array(self, at: int) -> Array:
        """Return the array of each pass at a number, stacked: shape `(passes, …)`."""
        start, shape = self._starts[at], self.shapes[at]
        part = self.numbers[:, start : start + self._sizes[at]]
        return part.reshape(len(part), *shape)

    def means_of_absolute(self) -> Array:
        """Return the mean of the absolute values of each array."""
        means: Array = self._sums(np.abs(self.numbers)) / self._sizes
        return means.T

    def norms(self) -> Array:
        """Return the norm of each array, safe from overflow of the squares."""
        squares = self._sums_of_squares(self.numbers)
        if squares.min() > 1e-200 and squares.max() < 1e200:
            return np.sqrt(squares).T
        largest = np.maximum.reduceat(np.abs(self.numbers), self._starts, axis=1)
        scale = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
        of_each = scale if len(self.shapes) == 1 else np.repeat(scale, self._sizes, axis=1)
        scaled = self.numbers / of_each
        norms: Array = scale * np.sqrt(self._sums_of_squares(scaled))
        return norms.T

    def counts(self, flags: Array) -> Array:
        """Return how many of the numbers of each array have a flag, which there is for each."""
        counts: Array = np.add.reduceat(flags, self._starts, axis=1, dtype=np.int64).T
        return counts

    def shares(self, flags: Array) -> Array:
        """Return how many that are of the numbers of an array."""
        return self.counts(flags) / self._sizes[:, np.newaxis]

    def _sums(self, numbers: Array) -> Array:
        if len(self.shapes) == 1:
            return np.add.reduce(numbers, axis=1)[:, np.newaxis]
        return np.add.reduceat(numbers, self._starts, axis=1)

    def _sums_of_squares(self, numbers: Array) -> Array:
        if len(self.shapes) == 1:
            return np.einsum("ij,ij->i", numbers, numbers)[:, np.newaxis]
        return np.add.reduceat(np.square(numbers), self._starts, axis=1)


@lru_cache(maxsize=64)
def _columns_of(shapes: tuple[Shape, ...]) -> tuple[Array, Array]:
    """Return where the numbers of each array begin, and how many they are."""
    sizes = np.array([prod(shape) for shape in shapes])
    return sizes.cumsum() - sizes, sizes


def beside(arrays: Sequence[Array], passes: int) -> Columns:
    """Return the arrays of passes, those of one pass after those of another, side by side."""
    of_each = arrays[: len(arrays) // passes]
    return Columns(flattened(arrays).reshape(passes, -1), tuple(array.shape for array in of_each))


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


def joined(records: Sequence[Sequence[Array]], indices: Sequence[int]) -> Iterator[Array]:
    """Yield the numbers that passes wrote at some indices, some passes at a time."""
    if not indices:
        return
    passes = max(1, AT_ONCE // sum(records[0][index].size for index in indices))
    for first in range(0, len(records), passes):
        some = records[first : first + passes]
        yield flattened([record[index] for record in some for index in indices])


def norms(stack: Array) -> Array:
    """Return the norm of each of stacked arrays."""
    return Columns(stack.reshape(len(stack), -1), (stack.shape[1:],)).norms()[0]
