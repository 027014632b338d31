"""Arrays are values: once handed out, no array changes; a new value is a new array."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Kernel = Callable[..., Any]
Shape = tuple[int, ...]


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
