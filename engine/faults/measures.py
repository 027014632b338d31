"""Measures of arrays: cheap ones, that clear nearly all of them, and exact ones for the rest."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array

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
