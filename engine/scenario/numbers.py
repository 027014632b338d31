"""From lists of lists to arrays: equal lengths, numbers only, finite in the type of the run."""

from typing import Any

import msgspec
import numpy as np

from nnstep.engine.arrays import Array, Shape, frozen
from nnstep.engine.limits import MAX_AXES, MAX_ELEMENTS
from nnstep.engine.text import cell_name, quoted

from .convert import described, shown
from .errors import Keys
from .report import Report
from .samples import DataError


def read_array(value: Any, keys: Keys, report: Report) -> Array | None:
    """Return nested lists as an array of float64, or of int64 if all its numbers are whole.

    A bare number gives a 0-d array. A mistake is reported at the element at fault, and None
    returned.
    """
    flattened = _flattened(value, keys, report)
    if flattened is None:
        return None
    numbers, shape = flattened
    wrong = next((n for n, item in enumerate(numbers) if type(item) not in (int, float)), None)
    if wrong is not None:
        message = f"an array holds numbers, not {described(numbers[wrong])}"
        report.error(_element(keys, wrong, shape), message)
        return None
    try:
        whole = all(type(item) is int for item in numbers)
        return np.array(numbers, dtype=np.int64 if whole else np.float64).reshape(shape)
    except OverflowError:
        huge = next(n for n, item in enumerate(numbers) if type(item) is int and abs(item) >= 2**63)
        report.error(_element(keys, huge, shape), "this whole number is too large")
        return None


def read_array_file(name: str, array: str | None, keys: Keys, report: Report) -> Array | None:
    """Return an array from the NPZ or NPY file that a table at `keys` names.

    A mistake is reported at the table's `file` or `array`, and None returned.
    """
    from .datafiles import read_one_array

    try:
        if not name.lower().endswith((".npz", ".npy")):
            raise DataError(f"{quoted(name)} is neither an .npz nor an .npy file")
        values = read_one_array(report.data_file(name), array)
    except DataError as error:
        at = error.option if error.option == "array" and array is not None else "file"
        report.error((*keys, at), error.message)
        return None
    wrong = first(~np.isfinite(values))
    if wrong is not None:
        cell = cell_name("the array", wrong)
        report.error((*keys, "file"), f"{cell} is {values[wrong]}, and must be finite")
        return None
    return values


def _flattened(value: Any, keys: Keys, report: Report) -> tuple[list[Any], Shape] | None:
    """Return the elements of nested lists one after the other, and the shape that they have."""
    level = [value]
    shape: Shape = ()
    while isinstance(level[0], list):
        length = len(level[0])
        problem = None
        if not length:
            problem = "an array needs at least one number"
        elif len(shape) == MAX_AXES:
            problem = f"an array has at most {MAX_AXES} axes"
        elif len(level) * length > MAX_ELEMENTS:
            problem = f"an array has at most {MAX_ELEMENTS:,} numbers"
        if problem:
            report.error(keys, problem)
            return None
        for number, item in enumerate(level):
            if not isinstance(item, list) or len(item) != length:
                message = f"expected a list of {length} like the first, found {described(item)}"
                report.error(_element(keys, number, shape), message)
                return None
        shape = (*shape, length)
        level = [element for item in level for element in item]
    return level, shape


def typed(values: Array, dtype: str, keys: Keys, report: Report) -> Array | None:
    """Return `values` in the scenario's type, read-only; report a number too large for it."""
    with np.errstate(over="ignore"):
        converted = frozen(values.astype(dtype))
    lost = first(np.isinf(converted) & np.isfinite(values))
    if lost is None:
        return converted
    report.error((*keys, *lost), f"{shown(values[lost].item())} is too large for {dtype}")
    return None


def finite(values: Array, keys: Keys, report: Report) -> bool:
    """Tell whether all values are finite; report the first that is not."""
    at = first(~np.isfinite(values))
    if at is not None:
        report.error((*keys, *at), f"this must be finite, not {values[at]}")
    return at is None


def first(mask: Array) -> tuple[int, ...] | None:
    """Return the index of the first true element, if there is one."""
    if not mask.any():
        return None
    return tuple(map(int, np.unravel_index(int(np.argmax(mask)), mask.shape)))


def _element(keys: Keys, number: int, shape: Shape) -> Keys:
    """Return where the `number`-th of the elements stands."""
    return (*keys, *map(int, np.unravel_index(number, shape))) if shape else keys


def check_settings(table: msgspec.Struct, dtype: str, keys: Keys, report: Report) -> bool:
    """Tell whether the scenario's type can hold a table's numbers; report each that it cannot."""
    settings = msgspec.structs.asdict(table)
    fitting = [
        typed(np.array(value), dtype, (*keys, name), report) is not None
        for name, value in settings.items()
        if isinstance(value, float)
    ]
    return all(fitting)
