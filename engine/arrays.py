"""Arrays are values: once handed out, no array changes; a new value is a new array."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]
Kernel = Callable[..., Any]
Shape = tuple[int, ...]


def has_cell(shape: Shape, index: Shape) -> bool:
    """Tell whether an array of a shape has a cell at an index, counted from 0 on each axis."""
    return len(index) == len(shape) and all(
        at < size for at, size in zip(index, shape, strict=True)
    )


def frozen(value: "npt.ArrayLike", dtype: "npt.DTypeLike | None" = None) -> Array:
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


DIGITS = 6
"""How many digits there are on a line, unless somebody wants another number of them."""


def one_line(value: Array, digits: int = DIGITS) -> str:
    """Write an array on one line, long ones with an ellipsis."""
    if value.ndim == 0:
        return f"{value[()]:.{digits}g}" if value.dtype.kind == "f" else str(value[()])
    text = np.array2string(value, precision=digits, threshold=20, edgeitems=2, max_line_width=10**6)
    return " ".join(text.split())
