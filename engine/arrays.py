"""Arrays are values: once handed out, no array changes; a new value is a new array."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Kernel = Callable[..., Any]
Shape = tuple[int, ...]


def has_cell(shape: Shape, index: Shape) -> bool:
    """Tell whether an array of a shape has a cell at an index, counted from 0 on each axis."""
    return len(index) == len(shape) and all(
        at < size for at, size in zip(index, shape, strict=True)
    )


def frozen(value: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Array:
    """Return `value` as a read-only array; a copy, if someone could still write to it."""
    array = np.asarray(value, dtype=dtype)
    if not array.flags.writeable:
        return array
    shared = array is value or array.base is not None
    return sealed(array.copy() if shared else array)


def sealed(array: Array) -> Array:
    """Mark an array that nobody else holds as read-only, and return it."""
    array.setflags(write=False)
    return array
