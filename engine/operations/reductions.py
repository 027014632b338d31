"""Reductions: sum, mean, max and min, over all elements or along one axis."""

from nnstep.engine.arrays import Kernel, Shape

from .functions import extreme_share, spread
from .operation import Operation, ShapeError


def _shape(x: Shape, axis: int | None = None, keepdims: bool = False) -> Shape:
    if axis is None:
        return (1,) * len(x) if keepdims else ()
    if not -len(x) <= axis < len(x):
        raise ShapeError(f"axis {axis} of an array of shape {x}")
    place = axis % len(x)
    return (*x[:place], *((1,) if keepdims else ()), *x[place + 1 :])


def _reduction(name: str, value: Kernel, dx: Kernel) -> Operation:
    return Operation(
        name=name,
        value=value,
        gradients={"x": dx},
        shape=_shape,
        settings={"axis": None, "keepdims": False},
    )


SUM = _reduction(
    "sum",
    value=lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
    dx=lambda dout, x, axis, keepdims: spread(dout, x.shape, axis=axis, keepdims=keepdims),
)
MEAN = _reduction(
    "mean",
    value=lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
    dx=lambda dout, x, axis, keepdims: (
        spread(dout, x.shape, axis=axis, keepdims=keepdims) / (x.size / dout.size)
    ),
)
MAX = _reduction(
    "max",
    value=lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims),
    dx=lambda dout, x, out, axis, keepdims: (
        spread(dout, x.shape, axis=axis, keepdims=keepdims)
        * extreme_share(x, out, axis=axis, keepdims=keepdims)
    ),
)
MIN = _reduction(
    "min",
    value=lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims),
    dx=lambda dout, x, out, axis, keepdims: (
        spread(dout, x.shape, axis=axis, keepdims=keepdims)
        * extreme_share(x, out, axis=axis, keepdims=keepdims)
    ),
)
