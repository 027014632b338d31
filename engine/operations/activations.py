"""Activations: `a` from `z`, and `dz` from `da` by the chain rule, elementwise but for softmax.

At a kink the subgradient is PyTorch's: 0 for relu, the slope for leaky_relu.
"""

import numpy as np

from nnstep.engine.arrays import Kernel, Shape

from .functions import (
    elu,
    gelu,
    gelu_tanh,
    gelu_tanh_slope,
    leaky_relu,
    normal_cdf,
    normal_pdf,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
)
from .operation import Operation, ShapeError


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
