"""Which targets a loss accepts: the shape of the output, or class indices, within its range."""

import numpy as np

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.data.samples import Samples

from .model import Network
from .numbers import first, typed
from .places import Keys
from .report import Report


def fit_targets(
    samples: Samples, network: Network | None, dtype: str, keys: Keys, report: Report
) -> Array | None:
    """Return y as the network's loss wants it; None if it does not accept it.

    The result has shape (rows, units) and the scenario's type, or, for class indices, shape (rows,)
    and type int64. Without a network, y keeps its shape.
    """
    y = samples.y
    if network is None:
        return typed(y, dtype, keys, report)
    units = network.layers[-1].units
    if network.loss.kind == "cross_entropy" and _are_indices(y, units):
        return _indices(y, units, keys, report)
    if samples.classes and len(samples.classes) > 2:
        message = f"the target names {len(samples.classes)} classes; one_hot = true makes them rows"
        report.error(keys, message)
        return None
    if network.loss.kind == "binary_cross_entropy":
        outside = first((y < 0) | (y > 1))
        if outside is not None:
            message = f"binary_cross_entropy takes targets from 0 to 1, not {y[outside]}"
            report.error((*keys, *outside), message)
            return None
    rows = as_rows(y, (len(samples.x), units), "a target row", keys, report)
    if rows is None or typed(y, dtype, keys, report) is None:
        return None
    return frozen(rows.astype(dtype))


def as_rows(
    values: Array, shape: tuple[int, int], what: str, keys: Keys, report: Report
) -> Array | None:
    """Return values as rows of the width that `shape` has; a flat list will do for width 1.

    The number of rows in `shape` is only what the message says.
    """
    rows, width = shape
    if values.ndim == 1 and width == 1:
        return values.reshape(-1, 1)
    if values.ndim == 2 and values.shape[1] == width:
        return values
    message = f"expected shape {shape}, {what} of {width} for each sample; found {values.shape}"
    hint = "; one sample is [[…]]" if rows == 1 and values.ndim == 1 else ""
    report.error(keys, message + hint)
    return None


def _are_indices(y: Array, units: int) -> bool:
    """Tell whether y can only be meant as class indices."""
    flat = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
    return flat and (units > 1 or y.dtype == np.int64)


def _indices(y: Array, units: int, keys: Keys, report: Report) -> Array | None:
    if y.dtype != np.int64:
        at = first((y != np.floor(y)) | (y < 0) | (y >= units))
        message = f"class indices are whole numbers from 0 to {units - 1}"
        if at is None:
            at = (0,) * y.ndim
            message += f": write {int(y[at])}, not {y[at]}"
        else:
            message += f", not {y[at]}"
        report.error((*keys, *at), message)
        return None
    outside = first((y < 0) | (y >= units))
    if outside is not None:
        message = f"there is no class {y[outside]}: the output has {units}, counted from 0"
        report.error((*keys, *outside), message)
        return None
    return frozen(y.reshape(-1))
