"""Activations: `a` from `z`, and `dz` from `da` by the chain rule, elementwise but for softmax.

Each is the function that listings call and a row: how it is called, what it is by definition, its
slope, its settings, the range of its values, its kink. Scenario files, expressions, their help,
doubts and verification take it from here.

At a kink the subgradient is PyTorch's: 0 for relu, the slope for leaky_relu. So is the slope at
NaN: 1 for relu and elu, whose derivatives therefore ask for z <= 0 and not for z > 0.
"""

import math
from collections.abc import Mapping

import numpy as np
from msgspec import field

from nnstep.engine.arrays import Array, Kernel, Shape

from .formula import Constant, listed
from .half import rounded_like, to_float32
from .operation import Kind, Kink, Operation, Setting, ShapeError, ShapeRule, same_shape


class Activation(Kind, frozen=True, kw_only=True):
    """A row: an activation that a layer may have.

    `variants` has, by the word of a setting that chooses it, an operation to take in place of the
    usual one. The values of the activation lie in `range`, ends included.
    """

    operation: Operation
    variants: Mapping[str, Operation] = field(default_factory=dict)
    range: tuple[float, float] = (-math.inf, math.inf)

    def with_settings(self, **settings: Constant) -> Operation:
        """Return the operation that the settings choose, with their numbers filled in."""
        operation, numbers = self.operation, dict(settings)
        for name, setting in self.settings.items():
            if setting.words:
                operation = self.variants.get(str(numbers.pop(name, "")), operation)
        return operation.with_settings(**numbers)


def _operation(
    name: str,
    value: Kernel,
    dz: Kernel,
    definition: Kernel | None = None,
    shape: ShapeRule = same_shape,
    kink: Kink | None = None,
) -> Operation:
    return Operation(
        name=name,
        value=value,
        gradients={"z": dz},
        definition=definition,
        shape=shape,
        output="a",
        kink=kink,
    )


def _activation(
    name: str,
    description: str,
    value: Kernel,
    dz: Kernel,
    definition: Kernel | None = None,
    shape: ShapeRule = same_shape,
    kink: Kink | None = None,
    range: tuple[float, float] = (-math.inf, math.inf),
    variants: Mapping[str, Operation] | None = None,
    **settings: Setting,
) -> Activation:
    numbers = {n: setting.default for n, setting in settings.items() if not setting.words}
    operation = _operation(name, value, dz, definition, shape, kink)
    return Activation(
        name=name,
        description=description,
        settings=settings,
        operation=operation.with_settings(**numbers),
        variants=variants or {},
        range=range,
    )


IDENTITY = _activation(
    "identity",
    "a = z, the default.",
    value=lambda z: z,
    dz=lambda da: da,
)


@listed
def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), elementwise; exp only ever sees numbers up to zero."""
    return np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z)))


SIGMOID = _activation(
    "sigmoid",
    "a = 1 / (1 + exp(-z)).",
    value=lambda z: sigmoid(z),
    definition=lambda z: 1 / (1 + np.exp(-z)),
    dz=lambda da, a: da * a * (1 - a),
    range=(0.0, 1.0),
)

TANH = _activation(
    "tanh",
    "a = tanh(z).",
    value=lambda z: np.tanh(z),
    dz=lambda da, a: da * (1 - a**2),
    range=(-1.0, 1.0),
)


@listed
def relu(z: Array) -> Array:
    """Return max(z, 0), elementwise."""
    return np.maximum(z, 0)


RELU = _activation(
    "relu",
    "a = max(z, 0).",
    value=lambda z: relu(z),
    definition=lambda z: np.maximum(z, 0),
    dz=lambda da, z: np.where(z <= 0, 0, da),
    kink=0,
    range=(0.0, math.inf),
)


@listed
def leaky_relu(z: Array, slope: float = 0.01) -> Array:
    """Return z where positive, else slope · z."""
    return np.where(z > 0, z, slope * z)


LEAKY_RELU = _activation(
    "leaky_relu",
    "a = z where z > 0, else slope · z.",
    value=lambda z, slope: leaky_relu(z, slope),
    definition=lambda z, slope: np.where(z > 0, z, slope * z),
    dz=lambda da, z, slope: np.where(z > 0, da, slope * da),
    kink=0,
    slope=Setting(0.01, "The slope of the negative side."),
)


@listed
def elu(z: Array, alpha: float = 1.0) -> Array:
    """Return z where positive, else alpha · (exp(z) - 1)."""
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


ELU = _activation(
    "elu",
    "a = z where z > 0, else alpha · (exp(z) - 1).",
    value=lambda z, alpha: elu(z, alpha),
    definition=lambda z, alpha: np.where(z > 0, z, alpha * (np.exp(z) - 1)),
    dz=lambda da, z, alpha: np.where(z <= 0, da * alpha * np.exp(np.minimum(z, 0)), da),
    kink=lambda z, alpha: np.sign(z) if alpha != 1 else np.zeros(()),  # at 1 the slopes meet
    alpha=Setting(1.0, "Minus the limit of the negative side."),
)


@listed
def normal_cdf(z: Array) -> Array:
    """Return the standard normal distribution function, (1 + erf(z / √2)) / 2."""
    return (1 + _erf(z / math.sqrt(2))) / 2


def _erf(z: Array) -> Array:
    """Return the error function, of some thousand numbers at a time: no thread waits for all."""
    flat = np.ravel(z)
    starts = range(0, max(1, flat.size), 8192)
    parts = [np.asarray(_ERF(flat[at : at + 8192]), z.dtype) for at in starts]
    return np.reshape(np.concatenate(parts), z.shape)


_ERF = np.frompyfunc(math.erf, 1, 1)


@listed
def normal_pdf(z: Array) -> Array:
    """Return the standard normal density, exp(-z² / 2) / √(2π)."""
    return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


@listed
def gelu_tanh(z: Array) -> Array:
    """Return gelu's approximation z/2 · (1 + tanh(√(2/π) (z + 0.044715 z³)))."""
    wide = to_float32(z)
    return rounded_like(z, 0.5 * wide * (1 + np.tanh(_gelu_inner(wide))))


@listed
def gelu_tanh_slope(z: Array) -> Array:
    """Return the derivative of `gelu_tanh`."""
    wide = to_float32(z)
    t = np.tanh(_gelu_inner(wide))
    inner_slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * wide**2)
    return rounded_like(z, 0.5 * (1 + t) + 0.5 * wide * (1 - t**2) * inner_slope)


def _gelu_inner(z: Array) -> Array:
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)


GELU_TANH = _operation(
    "gelu_tanh",
    value=lambda z: gelu_tanh(z),
    definition=lambda z: 0.5 * z * (1 + np.tanh((2 / np.pi) ** 0.5 * (z + 0.044715 * z**3))),
    dz=lambda da, z: da * gelu_tanh_slope(z),
)


@listed
def gelu(z: Array) -> Array:
    """Return z · Φ(z) (Hendrycks and Gimpel, arXiv:1606.08415)."""
    wide = to_float32(z)
    return rounded_like(z, wide * normal_cdf(wide))


GELU = _activation(
    "gelu",
    "a = z · Φ(z), with the normal distribution's Φ.",
    value=lambda z: gelu(z),
    definition=lambda z: z * normal_cdf(z),
    dz=lambda da, z: da * (normal_cdf(z) + z * normal_pdf(z)),
    variants={"tanh": GELU_TANH},
    approximate=Setting("none", "Φ exactly, or by its tanh formula.", words=("none", "tanh")),
)


@listed
def silu(z: Array) -> Array:
    """Return z · sigmoid(z)."""
    return z * sigmoid(z)


SILU = _activation(
    "silu",
    "a = z · sigmoid(z).",
    value=lambda z: silu(z),
    definition=lambda z: z * sigmoid(z),
    dz=lambda da, z: da * sigmoid(z) * (1 + z * (1 - sigmoid(z))),
)


@listed
def softplus(z: Array) -> Array:
    """Return log(1 + exp(z)), and z itself above PyTorch's threshold of 20."""
    return np.where(z > 20, z, np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))))


SOFTPLUS = _activation(
    "softplus",
    "a = log(1 + exp(z)).",
    value=lambda z: softplus(z),
    definition=lambda z: np.log(1 + np.exp(z)),
    dz=lambda da, z: np.where(z > 20, da, da * sigmoid(z)),
    kink=20,  # the value jumps by 2e-9 there
    range=(0.0, math.inf),
)


@listed
def softmax(z: Array) -> Array:
    """Return exp(z) / Σ exp(z) along the last axis, after moving the largest z to 0."""
    e = np.exp(to_float32(z) - to_float32(z.max(axis=-1, keepdims=True)))
    return rounded_like(z, e / e.sum(axis=-1, keepdims=True))


@listed
def log_softmax(z: Array) -> Array:
    """Return log(softmax(z)) along the last axis, by the log-sum-exp of the shifted z."""
    shifted = to_float32(z) - to_float32(z.max(axis=-1, keepdims=True))
    return rounded_like(z, shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _has_last_axis(shape: Shape) -> Shape:
    if not shape:
        raise ShapeError("softmax needs at least one axis, and this is a single number")
    return shape


LOG_SOFTMAX = _operation(
    "log_softmax",
    value=lambda z: log_softmax(z),
    dz=lambda da, a: da - np.exp(a) * da.sum(axis=-1, keepdims=True),
    shape=_has_last_axis,
)

SOFTMAX = _activation(
    "softmax",
    "a = exp(z) / Σ exp(z), over the units of a row.",
    value=lambda z: softmax(z),
    definition=lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True),
    dz=lambda da, a: a * (da - (da * a).sum(axis=-1, keepdims=True)),
    shape=_has_last_axis,
    range=(0.0, 1.0),
)

ACTIVATIONS: Mapping[str, Activation] = {
    row.name: row
    for row in (
        IDENTITY,
        SIGMOID,
        TANH,
        RELU,
        LEAKY_RELU,
        ELU,
        GELU,
        SILU,
        SOFTPLUS,
        SOFTMAX,
    )
}

OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for row in ACTIVATIONS.values()
    for operation in (row.operation, *row.variants.values())
}
"""The operations of all activations and their variants, by the names that lines have."""
