"""Arrays are values: once handed out, no array changes; a new value is a new array."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Kernel = Callable[..., Any]
Shape = tuple[int, ...]


def frozen(value: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Array:
    """Return `value` as a read-only array, sharing the memory of one that is read-only already.

    An array that someone could still write to is copied, so that nobody can change it later.
    """
    array = np.asarray(value, dtype=dtype)
    if array.flags.writeable:
        array = array.copy() if array is value or array.base is not None else array
        array.setflags(write=False)
    return array
