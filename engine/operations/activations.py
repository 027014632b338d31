"""Activations: `a` from `z`, and `dz` from `da` by the chain rule, elementwise but for softmax.

At a kink the subgradient is PyTorch's: 0 for relu, the slope for leaky_relu.
"""

import math

import numpy as np

from nnstep.engine.arrays import Array, Kernel, Shape

from .formula import listed
from .operation import Operation, ShapeError

_ERF = np.frompyfunc(math.erf, 1, 1)


@listed
def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), elementwise; exp only ever sees numbers up to zero."""
    return np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z)))


@listed
def relu(z: Array) -> Array:
    """Return max(z, 0), elementwise."""
    return np.maximum(z, 0)


@listed
def leaky_relu(z: Array, slope: float = 0.01) -> Array:
    """Return z where positive, else slope · z."""
    return np.where(z > 0, z, slope * z)


@listed
def elu(z: Array, alpha: float = 1.0) -> Array:
    """Return z where positive, else alpha · (exp(z) - 1)."""
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


@listed
def normal_cdf(z: Array) -> Array:
    """Return the standard normal distribution function, (1 + erf(z / √2)) / 2."""
    return (1 + np.asarray(_ERF(z / math.sqrt(2))).astype(z.dtype)) / 2


@listed
def normal_pdf(z: Array) -> Array:
    """Return the standard normal density, exp(-z² / 2) / √(2π)."""
    return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


@listed
def gelu(z: Array) -> Array:
    """Return z · Φ(z) (Hendrycks and Gimpel, arXiv:1606.08415)."""
    return z * normal_cdf(z)


@listed
def gelu_tanh(z: Array) -> Array:
    """Return gelu's approximation z/2 · (1 + tanh(√(2/π) (z + 0.044715 z³)))."""
    return 0.5 * z * (1 + np.tanh(_gelu_inner(z)))


@listed
def gelu_tanh_slope(z: Array) -> Array:
    """Return the derivative of `gelu_tanh`."""
    t = np.tanh(_gelu_inner(z))
    inner_slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
    return 0.5 * (1 + t) + 0.5 * z * (1 - t**2) * inner_slope


def _gelu_inner(z: Array) -> Array:
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)


@listed
def silu(z: Array) -> Array:
    """Return z · sigmoid(z)."""
    return z * sigmoid(z)


@listed
def softplus(z: Array) -> Array:
    """Return log(1 + exp(z)), and z itself above PyTorch's threshold of 20."""
    return np.where(z > 20, z, np.log1p(np.exp(np.minimum(z, 20))))


@listed
def softmax(z: Array) -> Array:
    """Return exp(z) / Σ exp(z) along the last axis, after moving the largest z to 0."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@listed
def log_softmax(z: Array) -> Array:
    """Return log(softmax(z)) along the last axis, by the log-sum-exp of the shifted z."""
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _activation(name: str, value: Kernel, dz: Kernel, **settings: float) -> Operation:
    return Operation(
        name=name,
        value=value,
        gradients={"z": dz},
        output="a",
        settings=settings,
    )


IDENTITY = _activation(
    "identity",
    value=lambda z: z,
    dz=lambda da: da,
)
SIGMOID = _activation(
    "sigmoid",
    value=lambda z: sigmoid(z),
    dz=lambda da, a: da * a * (1 - a),
)
TANH = _activation(
    "tanh",
    value=lambda z: np.tanh(z),
    dz=lambda da, a: da * (1 - a**2),
)
RELU = _activation(
    "relu",
    value=lambda z: relu(z),
    dz=lambda da, z: np.where(z > 0, da, 0),
)
LEAKY_RELU = _activation(
    "leaky_relu",
    value=lambda z, slope: leaky_relu(z, slope),
    dz=lambda da, z, slope: np.where(z > 0, da, slope * da),
    slope=0.01,
)
ELU = _activation(
    "elu",
    value=lambda z, alpha: elu(z, alpha),
    dz=lambda da, z, alpha: np.where(z > 0, da, da * alpha * np.exp(np.minimum(z, 0))),
    alpha=1.0,
)
GELU = _activation(
    "gelu",
    value=lambda z: gelu(z),
    dz=lambda da, z: da * (normal_cdf(z) + z * normal_pdf(z)),
)
GELU_TANH = _activation(
    "gelu_tanh",
    value=lambda z: gelu_tanh(z),
    dz=lambda da, z: da * gelu_tanh_slope(z),
)
SILU = _activation(
    "silu",
    value=lambda z: silu(z),
    dz=lambda da, z: da * sigmoid(z) * (1 + z * (1 - sigmoid(z))),
)
SOFTPLUS = _activation(
    "softplus",
    value=lambda z: softplus(z),
    dz=lambda da, z: np.where(z > 20, da, da * sigmoid(z)),
)


def _has_last_axis(shape: Shape) -> Shape:
    if not shape:
        raise ShapeError("softmax needs at least one axis, and this is a single number")
    return shape


SOFTMAX = Operation(
    name="softmax",
    value=lambda z: softmax(z),
    gradients={
        "z": lambda da, a: a * (da - (da * a).sum(axis=-1, keepdims=True)),
    },
    shape=_has_last_axis,
    output="a",
)

ACTIVATIONS = {
    operation.name: operation
    for operation in (
        IDENTITY,
        SIGMOID,
        TANH,
        RELU,
        LEAKY_RELU,
        ELU,
        GELU,
        GELU_TANH,
        SILU,
        SOFTPLUS,
        SOFTMAX,
    )
}
