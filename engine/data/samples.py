"""What every source of data comes down to: inputs in rows, and a target for each."""

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from nnstep.engine.arrays import Array

Floats = npt.NDArray[np.float64]


class Samples(Struct, frozen=True):
    """Inputs `x` and targets `y`, a row of each for every sample.

    `y` is of integers where the source had whole numbers or class names; `classes` are those names.
    """

    x: Array
    y: Array
    classes: tuple[str, ...] | None = None


def one_hot(y: Array) -> Floats:
    """Return a row of one 1 and zeros for each element of `y`; columns are its sorted values."""
    values, places = np.unique(y, return_inverse=True)
    rows: Floats = np.zeros((y.size, values.size))
    rows[np.arange(y.size), places.reshape(-1)] = 1.0
    return rows


def standardized(x: Array) -> tuple[Array, tuple[int, ...]]:
    """Shift and scale each column to mean 0 and population standard deviation 1.

    A column whose values are all equal is only shifted; the second result lists such columns.
    """
    with np.errstate(all="ignore"):
        deviation = x.std(axis=0)
        constant = (x == x[:1]).all(axis=0) | (deviation == 0)
        scaled = (x - x.mean(axis=0)) / np.where(constant, 1.0, deviation)
    return scaled, tuple(map(int, np.flatnonzero(constant)))
