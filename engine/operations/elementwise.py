"""Elementwise arithmetic: each result number comes from the numbers at its place in the inputs.

Inputs of two-operand operations broadcast as in NumPy; the compiler sums a gradient back to its
input's shape. Subgradients at kinks and ties are PyTorch's: `abs` has 0 at 0, and equal arguments
of `maximum` and `minimum` share the gradient by halves.
"""

import math

import numpy as np

from nnstep.engine.arrays import Kernel, Shape

from .operation import Operation, ShapeError


def _broadcast_shape(a: Shape, b: Shape = ()) -> Shape:
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        raise ShapeError(f"shapes {a} and {b} do not broadcast together") from None


def _unary(name: str, value: Kernel, dx: Kernel) -> Operation:
    return Operation(name=name, value=value, gradients={"x": dx})


def _binary(name: str, value: Kernel, da: Kernel, db: Kernel) -> Operation:
    return Operation(
        name=name,
        value=value,
        gradients={"a": da, "b": db},
        shape=_broadcast_shape,
        broadcasts=True,
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
    db=lambda dout, a, b: -dout * a / b**2,
)
POWER = _binary(
    "power",
    value=lambda a, b: a**b,
    da=lambda dout, a, b: np.where(b == 0, 0, dout * b * a ** (b - 1)),
    db=lambda dout, a, b, out: np.where((a == 0) & (b >= 0), 0, dout * out * np.log(a)),
)
MAXIMUM = _binary(
    "maximum",
    value=lambda a, b: np.maximum(a, b),
    da=lambda dout, a, b: np.where(a == b, dout / 2, np.where(a > b, dout, 0)),
    db=lambda dout, a, b: np.where(a == b, dout / 2, np.where(b > a, dout, 0)),
)
MINIMUM = _binary(
    "minimum",
    value=lambda a, b: np.minimum(a, b),
    da=lambda dout, a, b: np.where(a == b, dout / 2, np.where(a < b, dout, 0)),
    db=lambda dout, a, b: np.where(a == b, dout / 2, np.where(b < a, dout, 0)),
)
SQUARE = _unary(
    "square",
    value=lambda x: x**2,
    dx=lambda dout, x: dout * 2 * x,
)
CONSTANT_POWER = _unary(
    "power",
    value=lambda x, n: x**n,
    dx=lambda dout, x, n, one_less: dout * n * x**one_less,
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
    dx=lambda dout, x: dout * np.sign(x),
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
