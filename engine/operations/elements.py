"""Which elements go where: .T and [], where and clip, reshape, concatenate and take.

None of these computes a new number; their derivatives put numbers back where they came from.
"""

from collections.abc import Mapping
from math import prod

import numpy as np

from nnstep.engine.arrays import Array, Kernel, Shape

from .arithmetic import broadcast_shape
from .formula import listed
from .functions import one_hot, scatter
from .operation import Operation, ShapeError

TRANSPOSE = Operation(
    name="transpose",
    value=lambda x: x.T,
    gradients={"x": lambda dout: dout.T},
    shape=lambda x: x[::-1],
)


def _index_shape(x: Shape, index: tuple[int | slice, ...]) -> Shape:
    if len(index) > len(x):
        raise ShapeError(f"{len(index)} indices for an array of shape {x}")
    shape: list[int] = []
    for item, size in zip(index, x, strict=False):
        if isinstance(item, slice):
            shape.append(len(range(*item.indices(size))))
        elif not -size <= item < size:
            raise ShapeError(f"index {item} is outside an axis of {size}")
    if 0 in shape:
        raise ShapeError("the index selects nothing")
    return (*shape, *x[len(index) :])


INDEX = Operation(
    name="index",
    value=lambda x, index: x[index],
    gradients={"x": lambda dout, x, index: scatter(dout, np.s_[index], x)},
    shape=_index_shape,
)


def where_shape(*shapes: Shape) -> Shape:
    """Return the shape that arrays of these shapes have together, element by element."""
    shape: Shape = ()
    for each in shapes:
        shape = broadcast_shape(shape, each)
    return shape


WHERE = Operation(
    name="where",
    value=lambda test, a, b: np.where(test, a, b),
    gradients={
        "a": lambda dout, test: np.where(test, dout, 0),
        "b": lambda dout, test: np.where(test, 0, dout),
    },
    shape=where_shape,
    broadcasts=True,
)
"""`test` becomes the formula of a condition before it is applied: it is no tensor."""

CHOSEN = Operation(
    name="if",
    value=lambda test, a, b: a if test else b,
    gradients={
        "a": lambda dout, test: dout if test else np.zeros_like(dout),
        "b": lambda dout, test: np.zeros_like(dout) if test else dout,
    },
    shape=lambda test, a, b: _same_for_both(test, a, b),
)


def _same_for_both(test: Shape, a: Shape, b: Shape) -> Shape:
    if prod(test) != 1:
        raise ShapeError(f"what stands behind 'if' is one truth value, not {test}")
    if a != b:
        raise ShapeError(f"the values before 'if' and after 'else' have shapes {a} and {b}")
    return a


CLIP = Operation(
    name="clip",
    value=lambda x, low, high: np.clip(x, low, high),
    gradients={"x": lambda dout, x, low, high: np.where((x >= low) & (x <= high), dout, 0)},
    kink=lambda x, low, high: np.sign(x - low) + np.sign(x - high),
    settings={"low": None, "high": None},
)


def _reshaped(x: Shape, shape: int | tuple[int, ...]) -> Shape:
    sizes = (shape,) if isinstance(shape, int) else shape
    free = [place for place, size in enumerate(sizes) if size == -1]
    known = prod(size for size in sizes if size != -1)
    if len(free) > 1 or known < 1 or any(size < -1 for size in sizes):
        raise ShapeError(f"{shape} is no shape: one size at most may be -1, the others are above 0")
    if prod(x) % known or (not free and prod(x) != known):
        raise ShapeError(f"an array of shape {x} has {prod(x)} numbers, which do not fit {shape}")
    return tuple(prod(x) // known if size == -1 else size for size in sizes)


RESHAPE = Operation(
    name="reshape",
    value=lambda x, shape: x.reshape(shape),
    gradients={"x": lambda dout, x: dout.reshape(x.shape)},
    shape=_reshaped,
    settings={"shape": None},
)


@listed
def stretch(g: Array, start: int, stop: int, axis: int) -> Array:
    """Return what of `g` lies from `start` to before `stop` along an axis."""
    return np.take(g, np.arange(start, stop), axis=axis)


def _joined(a: Shape, b: Shape, axis: int = 0) -> Shape:
    if len(a) != len(b) or not -len(a) <= axis < len(a):
        raise ShapeError(f"arrays of shapes {a} and {b} cannot be joined along axis {axis}")
    place = axis % len(a)
    if a[:place] + a[place + 1 :] != b[:place] + b[place + 1 :]:
        raise ShapeError(f"arrays of shapes {a} and {b} differ along more than axis {axis}")
    return (*a[:place], a[place] + b[place], *a[place + 1 :])


CONCATENATE = Operation(
    name="concatenate",
    value=lambda a, b, axis: np.concatenate((a, b), axis=axis),
    gradients={
        "a": lambda dout, a, axis: stretch(dout, 0, a.shape[axis], axis),
        "b": lambda dout, a, axis: stretch(dout, a.shape[axis], dout.shape[axis], axis),
    },
    shape=_joined,
    settings={"axis": 0},
)


ONE_HOT = Operation(
    name="one_hot",
    value=lambda y, like: one_hot(y, like),
    gradients={},
    shape=lambda y, like: _rows_of_classes(y, like),
)


def _rows_of_classes(y: Shape, like: Shape) -> Shape:
    if len(like) != 2 or y not in ((like[0],), ()):
        raise ShapeError(f"one_hot takes a class for each row of a matrix, not {y} and {like}")
    return like


SIZES = {
    "float64": lambda x: np.float64(x.size),
    "float32": lambda x: np.float32(x.size),
    "float16": lambda x: np.float16(x.size),
}
LENGTHS = {
    "float64": lambda x: np.float64(len(x)),
    "float32": lambda x: np.float32(len(x)),
    "float16": lambda x: np.float16(len(x)),
}


def counted(values: Mapping[str, Kernel], dtype: str) -> Operation:
    """Return the operation that counts numbers or rows, in the type of the run."""
    return Operation(name="count", value=values[dtype], gradients={}, shape=lambda x: ())


@listed
def take(x: Array, places: Array, axis: int = 0) -> Array:
    """Return the rows (along another axis, its parts) of `x` at some places, counted from 0.

    Those below 0 are counted from the end, and what is at a place that there is not is NaN.
    """
    at, known = _places(places, x.shape[axis])
    if known.all():
        return np.take(x, at, axis=axis)
    rows = known.reshape((1,) * axis + known.shape + (1,) * (x.ndim - axis - 1))
    return np.where(rows, np.take(x, at, axis=axis) if x.shape[axis] else 0, np.nan)


@listed
def put_back(g: Array, places: Array, like: Array, axis: int = 0) -> Array:
    """Return zeros shaped like `like`, with the parts of `g` added where `take` took them from."""
    whole = np.zeros_like(like)
    at, known = _places(places, like.shape[axis])
    rows = np.moveaxis(g, tuple(range(axis, axis + at.ndim)), tuple(range(at.ndim)))
    np.add.at(np.moveaxis(whole, axis, 0), at[known], rows[known])
    return whole


def are_places(places: Array, count: int) -> Array:
    """Tell of each number whether so many things have one at that place, from their end too."""
    given = np.asarray(places)
    return np.asarray((given > -count - 1) & (given < count))


def _places(places: Array, count: int) -> tuple[Array, Array]:
    """Return places as whole numbers, 0 for those that there are not, and which there are."""
    known = are_places(places, count)
    return np.where(known, places, 0).astype(int), known


def _taken(x: Shape, places: Shape, axis: int = 0) -> Shape:
    if not 0 <= axis < len(x):
        raise ShapeError(f"there is no axis {axis} in an array of shape {x}, counted from 0")
    return (*x[:axis], *places, *x[axis + 1 :])


TAKE = Operation(
    name="take",
    value=lambda x, places, axis: take(x, places, axis=axis),
    gradients={"x": lambda dout, x, places, axis: put_back(dout, places, x, axis=axis)},
    shape=_taken,
    settings={"axis": 0},
)
