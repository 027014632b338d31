"""Arithmetic: + - * / ** @ and elementary functions, reductions, the sum of a dense layer.

Each operation has its value and its derivatives beside it.
"""

import math

import numpy as np

from nnstep.engine.arrays import Array, Kernel, Shape

from .formula import listed
from .functions import extreme_share, sign, spread
from .half import rounded_like, to_float32
from .operation import Kink, Operation, ShapeError, ShapeRule


def broadcast_shape(a: Shape, b: Shape = ()) -> Shape:
    """Return the shape that two arrays have together, element by element; raise `ShapeError`."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        raise ShapeError(f"shapes {a} and {b} do not broadcast together") from None


def _unary(name: str, value: Kernel, dx: Kernel, kink: Kink | None = None) -> Operation:
    return Operation(name=name, value=value, gradients={"x": dx}, kink=kink)


def _binary(
    name: str, value: Kernel, da: Kernel, db: Kernel, kink: Kink | None = None
) -> Operation:
    return Operation(
        name=name,
        value=value,
        gradients={"a": da, "b": db},
        shape=broadcast_shape,
        broadcasts=True,
        kink=kink,
    )


ADD = _binary(
    "add",
    value=lambda a, b: a + b,
    da=lambda dout: dout,
    db=lambda dout: dout,
)
SUBTRACT = _binary(
    "subtract",
    value=lambda a, b: a - b,
    da=lambda dout: dout,
    db=lambda dout: -dout,
)
MULTIPLY = _binary(
    "multiply",
    value=lambda a, b: a * b,
    da=lambda dout, b: dout * b,
    db=lambda dout, a: dout * a,
)
DIVIDE = _binary(
    "divide",
    value=lambda a, b: a / b,
    da=lambda dout, b: dout / b,
    db=lambda dout, b, out: -dout / b * out,
)
POWER = _binary(
    "power",
    value=lambda a, b: a**b,
    da=lambda dout, a, b: np.where(b == 0, 0, dout * (b * a ** (b - 1))),
    db=lambda dout, a, b, out: np.where((a == 0) & (b >= 0), 0, dout * out * np.log(a)),
)
MAXIMUM = _binary(
    "maximum",
    value=lambda a, b: np.maximum(a, b),
    da=lambda dout, a, b: np.where(a == b, dout / 2, np.where(a < b, 0, dout)),
    db=lambda dout, a, b: np.where(a == b, dout / 2, np.where(b < a, 0, dout)),
    kink=lambda a, b, out: np.array([a == out, b == out]),
)
MINIMUM = _binary(
    "minimum",
    value=lambda a, b: np.minimum(a, b),
    da=lambda dout, a, b: np.where(a == b, dout / 2, np.where(a > b, 0, dout)),
    db=lambda dout, a, b: np.where(a == b, dout / 2, np.where(b > a, 0, dout)),
    kink=lambda a, b, out: np.array([a == out, b == out]),
)
SQUARE = _unary(
    "square",
    value=lambda x: x**2,
    dx=lambda dout, x: dout * 2 * x,
)
CONSTANT_POWER = _unary(
    "power",
    value=lambda x, n: x**n,
    dx=lambda dout, x, n, one_less: dout * (n * x**one_less),
)
NEGATE = _unary(
    "negate",
    value=lambda x: -x,
    dx=lambda dout: -dout,
)
EXP = _unary(
    "exp",
    value=lambda x: np.exp(x),
    dx=lambda dout, out: dout * out,
)
LOG = _unary(
    "log",
    value=lambda x: np.log(x),
    dx=lambda dout, x: dout / x,
)
SQRT = _unary(
    "sqrt",
    value=lambda x: np.sqrt(x),
    dx=lambda dout, out: dout / (2 * out),
)
ABS = _unary(
    "abs",
    value=lambda x: np.abs(x),
    dx=lambda dout, x: dout * sign(x),
    kink=0,
)
LOG1P = _unary(
    "log1p",
    value=lambda x: np.log1p(x),
    dx=lambda dout, x: dout / (1 + x),
)
EXPM1 = _unary(
    "expm1",
    value=lambda x: np.expm1(x),
    dx=lambda dout, out: dout * (out + 1),
)
SIN = _unary(
    "sin",
    value=lambda x: np.sin(x),
    dx=lambda dout, x: dout * np.cos(x),
)
COS = _unary(
    "cos",
    value=lambda x: np.cos(x),
    dx=lambda dout, x: -dout * np.sin(x),
)

POWER_OF_CONSTANT = _unary(
    "power",
    value=lambda x, base: base**x,
    dx=lambda dout, out, log_base: dout * out * log_base,
)


def constant_to_the(base: float) -> Operation:
    """Return the operation `base ** x`; 0 ** x has the derivative 0, as in PyTorch."""
    log_base = math.log(base) if base > 0 else 0.0 if base == 0 else math.nan
    return POWER_OF_CONSTANT.with_settings(base=base, log_base=log_base)


def power_of(n: float) -> Operation:
    """Return the operation `x ** n` for a constant `n`; x ** 0 has the derivative 0 everywhere."""
    if n == 2:
        return SQUARE
    return CONSTANT_POWER.with_settings(n=n, one_less=n - 1 if n else 0)


def _shape(x: Shape, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Shape:
    gone = range(len(x)) if axis is None else (axis,) if isinstance(axis, int) else axis
    for each in gone:
        if not -len(x) <= each < len(x):
            raise ShapeError(f"axis {each} of an array of shape {x}")
    places = {each % len(x) for each in gone} if x else set()
    if len(places) < len(tuple(gone)):
        raise ShapeError(f"the same axis twice, of an array of shape {x}")
    kept = [1 if place in places else size for place, size in enumerate(x)]
    return tuple(kept) if keepdims else tuple(np.delete(kept, list(places)).tolist())


def _reduction(name: str, value: Kernel, dx: Kernel, kink: Kink | None = None) -> Operation:
    return Operation(
        name=name,
        value=value,
        gradients={"x": dx},
        shape=_shape,
        kink=kink,
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
    kink=lambda x, out, axis, keepdims: x == spread(out, x.shape, axis=axis, keepdims=keepdims),
)
MIN = _reduction(
    "min",
    value=lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims),
    dx=lambda dout, x, out, axis, keepdims: (
        spread(dout, x.shape, axis=axis, keepdims=keepdims)
        * extreme_share(x, out, axis=axis, keepdims=keepdims)
    ),
    kink=lambda x, out, axis, keepdims: x == spread(out, x.shape, axis=axis, keepdims=keepdims),
)

VAR = _reduction(
    "var",
    value=lambda x, axis, keepdims: x.var(axis=axis, keepdims=keepdims),
    dx=lambda dout, x, axis, keepdims: (
        spread(dout, x.shape, axis=axis, keepdims=keepdims)
        * (2 * (x - x.mean(axis=axis, keepdims=True)) / (x.size / dout.size))
    ),
)


@listed
def logsumexp(x: Array, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """Return log Σ exp(x) along an axis, after moving the largest x to 0."""
    top = x.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    moved = np.exp(to_float32(x) - to_float32(top))
    total = rounded_like(x, np.log(moved.sum(axis=axis, keepdims=True)) + to_float32(top))
    return total if keepdims else total.squeeze(axis) if axis is not None else total.reshape(())


LOGSUMEXP = _reduction(
    "logsumexp",
    value=lambda x, axis, keepdims: logsumexp(x, axis=axis, keepdims=keepdims),
    dx=lambda dout, x, out, axis, keepdims: (
        spread(dout, x.shape, axis=axis, keepdims=keepdims)
        * np.exp(x - spread(out, x.shape, axis=axis, keepdims=keepdims))
    ),
)


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


def _linear(value: Kernel, shape: ShapeRule, **gradients: Kernel) -> Operation:
    return Operation(name="linear", value=value, gradients=gradients, shape=shape, output="z")


OUT_IN = _linear(
    value=lambda x, W, b: x @ W.T + b,
    shape=lambda x, W, b: (x[0], W[0]),
    W=lambda dz, x: dz.T @ x,
    b=lambda dz: dz.sum(axis=0),
    x=lambda dz, W: dz @ W,
)
IN_OUT = _linear(
    value=lambda x, W, b: x @ W + b,
    shape=lambda x, W, b: (x[0], W[1]),
    W=lambda dz, x: x.T @ dz,
    b=lambda dz: dz.sum(axis=0),
    x=lambda dz, W: dz @ W.T,
)
OUT_IN_WITHOUT_BIAS = _linear(
    value=lambda x, W: x @ W.T,
    shape=lambda x, W: (x[0], W[0]),
    W=lambda dz, x: dz.T @ x,
    x=lambda dz, W: dz @ W,
)
IN_OUT_WITHOUT_BIAS = _linear(
    value=lambda x, W: x @ W,
    shape=lambda x, W: (x[0], W[1]),
    W=lambda dz, x: x.T @ dz,
    x=lambda dz, W: dz @ W.T,
)

_CASES = {
    ("out_in", True): OUT_IN,
    ("out_in", False): OUT_IN_WITHOUT_BIAS,
    ("in_out", True): IN_OUT,
    ("in_out", False): IN_OUT_WITHOUT_BIAS,
}


def linear(layout: str, has_bias: bool) -> Operation:
    """Return the weighted sum for a layout of the weights, `out_in` or `in_out`."""
    return _CASES[layout, has_bias]


def weights_shape(layout: str, inputs: int, units: int) -> Shape:
    """Return the shape of the weights of a dense layer, in a layout as for `linear`."""
    return (units, inputs) if layout == "out_in" else (inputs, units)
