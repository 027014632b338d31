"""Matrix operations: the product in its four cases, transposition and indexing."""

import numpy as np

from nnstep.engine.arrays import Shape

from .functions import scatter
from .operation import Operation, ShapeError


def _matmul_shape(a: Shape, b: Shape) -> Shape:
    if len(a) not in (1, 2) or len(b) not in (1, 2):
        raise ShapeError(f"'@' takes vectors and matrices, not shapes {a} and {b}")
    if a[-1] != b[0]:
        raise ShapeError(f"shapes {a} and {b} do not fit for '@': {a[-1]} columns, {b[0]} rows")
    return a[:-1] + b[1:]


MATRIX_MATRIX = Operation(
    name="matmul",
    value=lambda a, b: a @ b,
    gradients={
        "a": lambda dout, b: dout @ b.T,
        "b": lambda dout, a: a.T @ dout,
    },
    shape=_matmul_shape,
)
MATRIX_VECTOR = Operation(
    name="matmul",
    value=lambda a, b: a @ b,
    gradients={
        "a": lambda dout, b: np.outer(dout, b),
        "b": lambda dout, a: a.T @ dout,
    },
    shape=_matmul_shape,
)
VECTOR_MATRIX = Operation(
    name="matmul",
    value=lambda a, b: a @ b,
    gradients={
        "a": lambda dout, b: b @ dout,
        "b": lambda dout, a: np.outer(a, dout),
    },
    shape=_matmul_shape,
)
VECTOR_VECTOR = Operation(
    name="matmul",
    value=lambda a, b: a @ b,
    gradients={
        "a": lambda dout, b: dout * b,
        "b": lambda dout, a: dout * a,
    },
    shape=_matmul_shape,
)


def matmul(a: Shape, b: Shape) -> Operation:
    """Return the product for operands of these shapes; each case has a gradient of its own."""
    _matmul_shape(a, b)
    cases = {
        (2, 2): MATRIX_MATRIX,
        (2, 1): MATRIX_VECTOR,
        (1, 2): VECTOR_MATRIX,
        (1, 1): VECTOR_VECTOR,
    }
    return cases[len(a), len(b)]


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
