"""The losses that listings call by name; each takes activations and targets and gives one number.

`a` and `y` have shape `(rows, outputs)`; class indices are an integer `y` of shape `(rows,)`. The
reduction of the elements is `mean`, `batch_mean` (sum over outputs, mean over rows) or `sum`; None
is the loss's usual one.
"""

from typing import Any

import numpy as np

from nnstep.engine.arrays import Array

from .functions import log_softmax, one_hot


def _reduced(elements: Array, reduction: str) -> Any:
    if reduction == "mean":
        return np.mean(elements)
    total = np.sum(elements)
    return total / len(elements) if reduction == "batch_mean" else total


def half_squared_error(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return half the squared error, by default summed over all elements."""
    return 0.5 * _reduced((a - y) ** 2, reduction or "sum")


def mse(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return the squared error, by default its mean over all elements."""
    return _reduced((a - y) ** 2, reduction or "mean")


def mae(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return the absolute error, by default its mean over all elements."""
    return _reduced(np.abs(a - y), reduction or "mean")


def huber(a: Array, y: Array, delta: float = 1.0, reduction: str | None = None) -> Array:
    """Return e²/2 for errors up to delta, else delta · (|e| - delta/2); by default the mean."""
    e = np.abs(a - y)
    elements = np.where(e <= delta, 0.5 * e**2, delta * (e - 0.5 * delta))
    return _reduced(elements, reduction or "mean")


def binary_cross_entropy(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return -(y log a + (1 - y) log(1 - a)), by default its mean.

    Logarithms are clamped at -100, as in `torch.nn.BCELoss`.
    """
    log_a = np.maximum(np.log(a), -100)
    log_rest = np.maximum(np.log1p(-a), -100)
    return _reduced(-(y * log_a + (1 - y) * log_rest), reduction or "mean")


def binary_cross_entropy_with_logits(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return the binary cross-entropy of sigmoid(a), by default its mean, without overflow."""
    elements = np.maximum(a, 0) - a * y + np.log1p(np.exp(-np.abs(a)))
    return _reduced(elements, reduction or "mean")


def cross_entropy(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return -Σ y log a of each row, by default the mean over rows; 0 · log 0 is 0."""
    return _cross_entropy(np.log(a), a, y, reduction)


def cross_entropy_with_logits(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return the cross-entropy of softmax(a), by default its mean over rows, without overflow."""
    return _cross_entropy(log_softmax(a), a, y, reduction)


def _cross_entropy(logs: Array, a: Array, y: Array, reduction: str | None) -> Array:
    rows = y if y.ndim == a.ndim else one_hot(y, a)
    return _reduced(-np.where(rows == 0, 0, rows * logs).sum(axis=-1), reduction or "batch_mean")
