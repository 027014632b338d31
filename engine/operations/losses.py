"""Losses: their values, their derivatives, and what they become behind a sigmoid or a softmax.

Definitions are PyTorch's (https://pytorch.org/docs/stable/nn.html#loss-functions).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Kernel

from .activations import log_softmax, sigmoid, softmax
from .formula import Formula, formula, listed
from .functions import one_hot


def _reduced(elements: Array, reduction: str) -> Any:
    if reduction == "mean":
        return np.mean(elements)
    total = np.sum(elements)
    return total / len(elements) if reduction == "batch_mean" else total


@listed
def half_squared_error(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return half the squared error, by default summed over all elements."""
    return 0.5 * _reduced((a - y) ** 2, reduction or "sum")


@listed
def mse(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return the squared error, by default its mean over all elements."""
    return _reduced((a - y) ** 2, reduction or "mean")


@listed
def mae(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return the absolute error, by default its mean over all elements."""
    return _reduced(np.abs(a - y), reduction or "mean")


@listed
def huber(a: Array, y: Array, delta: float = 1.0, reduction: str | None = None) -> Array:
    """Return e²/2 for errors up to delta, else delta · (|e| - delta/2); by default the mean."""
    e = np.abs(a - y)
    elements = np.where(e <= delta, 0.5 * e**2, delta * (e - 0.5 * delta))
    return _reduced(elements, reduction or "mean")


@listed
def binary_cross_entropy(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return -(y log a + (1 - y) log(1 - a)), by default its mean.

    Logarithms are clamped at -100, as in `torch.nn.BCELoss`.
    """
    log_a = np.maximum(np.log(a), -100)
    log_rest = np.maximum(np.log1p(-a), -100)
    return _reduced(-(y * log_a + (1 - y) * log_rest), reduction or "mean")


@listed
def binary_cross_entropy_with_logits(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return the binary cross-entropy of sigmoid(a), by default its mean, without overflow."""
    elements = np.maximum(a, 0) - a * y + np.log1p(np.exp(-np.abs(a)))
    return _reduced(elements, reduction or "mean")


@listed
def cross_entropy(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return -Σ y log a of each row, by default the mean over rows; 0 · log 0 is 0."""
    return _cross_entropy(np.log(a), a, y, reduction)


@listed
def cross_entropy_with_logits(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return the cross-entropy of softmax(a), by default its mean over rows, without overflow."""
    return _cross_entropy(log_softmax(a), a, y, reduction)


def _cross_entropy(logs: Array, a: Array, y: Array, reduction: str | None) -> Array:
    rows = y if y.ndim == a.ndim else one_hot(y, a)
    return _reduced(-np.where(rows == 0, 0, rows * logs).sum(axis=-1), reduction or "batch_mean")


class LossOperation(Struct, frozen=True, kw_only=True):
    """A loss and its derivatives, all formulas over `y` and `a`.

    `fused` has, for an activation that feeds its own loss, the derivative by that activation's `z`:
    stable where the chain through `da` is not. `usual` is the reduction that the listing need not
    name. `class_indices` says that `y` holds one class a row. The elements of a cross-entropy are
    whole rows, so that its reductions are `batch_mean` and `sum` only.
    """

    name: str
    usual: str
    value: Kernel
    da: Kernel
    fused: Mapping[str, Kernel] = field(default_factory=dict)
    class_indices: bool = False

    def value_formula(self, reduction: str, delta: float) -> Formula:
        """The loss itself."""
        named = None if reduction == self.usual else reduction
        return formula(self.value).bind(delta=delta, reduction=named)

    def da_formula(self, reduction: str, delta: float) -> Formula:
        """The derivative of the loss by `a`."""
        return self._reduced(formula(self.da).bind(delta=delta), reduction)

    def fused_formula(self, activation: str, reduction: str) -> Formula:
        """The derivative of the loss by the `z` of the activation that made `a`."""
        return self._reduced(formula(self.fused[activation]), reduction)

    def _reduced(self, derivative: Formula, reduction: str) -> Formula:
        if self.class_indices:
            derivative = derivative.on(y=_ONE_HOT)
        return _DIVIDED[reduction].on(g=derivative)


_ONE_HOT = formula(lambda y, a: one_hot(y, a))
_DIVIDED = {
    "sum": formula(lambda g: g),
    "mean": formula(lambda g, a: g / a.size),
    "batch_mean": formula(lambda g, a: g / len(a)),
}

HALF_SQUARED_ERROR = LossOperation(
    name="half_squared_error",
    usual="sum",
    value=lambda a, y, reduction: half_squared_error(a, y, reduction=reduction),
    da=lambda y, a: a - y,
)
MSE = LossOperation(
    name="mse",
    usual="mean",
    value=lambda a, y, reduction: mse(a, y, reduction=reduction),
    da=lambda y, a: 2 * (a - y),
)
MAE = LossOperation(
    name="mae",
    usual="mean",
    value=lambda a, y, reduction: mae(a, y, reduction=reduction),
    da=lambda y, a: np.sign(a - y),
)
HUBER = LossOperation(
    name="huber",
    usual="mean",
    value=lambda a, y, delta, reduction: huber(a, y, delta, reduction=reduction),
    da=lambda y, a, delta: np.clip(a - y, -delta, delta),
)
BINARY_CROSS_ENTROPY = LossOperation(
    name="binary_cross_entropy",
    usual="mean",
    value=lambda a, y, reduction: binary_cross_entropy(a, y, reduction=reduction),
    da=lambda y, a: (a - y) / np.maximum(a * (1 - a), 1e-12),
    fused={"sigmoid": lambda y, a: a - y},
)
BINARY_CROSS_ENTROPY_WITH_LOGITS = LossOperation(
    name="binary_cross_entropy_with_logits",
    usual="mean",
    value=lambda a, y, reduction: binary_cross_entropy_with_logits(a, y, reduction=reduction),
    da=lambda y, a: sigmoid(a) - y,
)
CROSS_ENTROPY = LossOperation(
    name="cross_entropy",
    usual="batch_mean",
    value=lambda a, y, reduction: cross_entropy(a, y, reduction=reduction),
    da=lambda y, a: np.where(y == 0, 0, -y / a),
    fused={"softmax": lambda y, a: a - y},
)
CROSS_ENTROPY_WITH_LOGITS = LossOperation(
    name="cross_entropy_with_logits",
    usual="batch_mean",
    value=lambda a, y, reduction: cross_entropy_with_logits(a, y, reduction=reduction),
    da=lambda y, a: softmax(a) - y,
)
_WEIGHTED_CROSS_ENTROPY = replace(
    CROSS_ENTROPY,
    fused={"softmax": lambda y, a: a * y.sum(axis=-1, keepdims=True) - y},
)
_WEIGHTED_CROSS_ENTROPY_WITH_LOGITS = replace(
    CROSS_ENTROPY_WITH_LOGITS,
    da=lambda y, a: softmax(a) * y.sum(axis=-1, keepdims=True) - y,
)

PENALISED = formula(lambda L, penalty: L + penalty)


def loss_operation(kind: str, from_logits: bool, y: Array) -> LossOperation:
    """Return the loss for targets like `y`, `(rows, outputs)` or integers `(rows,)`.

    Target rows of a cross-entropy that do not sum to 1 (weights, not probabilities) have a
    derivative of their own: `a - y` would be wrong for them.
    """
    if kind != "cross_entropy":
        return _ELEMENTWISE[kind, from_logits]
    if y.ndim == 1:
        plain = CROSS_ENTROPY_WITH_LOGITS if from_logits else CROSS_ENTROPY
        return replace(plain, class_indices=True)
    rounding = y.shape[-1] * np.finfo(y.dtype).eps
    if np.allclose(y.sum(axis=-1), 1, rtol=0, atol=rounding):
        return CROSS_ENTROPY_WITH_LOGITS if from_logits else CROSS_ENTROPY
    return _WEIGHTED_CROSS_ENTROPY_WITH_LOGITS if from_logits else _WEIGHTED_CROSS_ENTROPY


_ELEMENTWISE = {
    ("half_squared_error", False): HALF_SQUARED_ERROR,
    ("mse", False): MSE,
    ("mae", False): MAE,
    ("huber", False): HUBER,
    ("binary_cross_entropy", False): BINARY_CROSS_ENTROPY,
    ("binary_cross_entropy", True): BINARY_CROSS_ENTROPY_WITH_LOGITS,
}
