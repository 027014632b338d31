"""The functions that listings call by name: activations and the helpers of gradients.

All are stable: no intermediate result overflows where the function itself does not.
Definitions are PyTorch's (https://pytorch.org/docs/stable/nn.functional.html).
"""

import math

import numpy as np

from nnstep.engine.arrays import Array, Shape

_ERF = np.frompyfunc(math.erf, 1, 1)


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), elementwise; exp only ever sees numbers up to zero."""
    return np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z)))


def relu(z: Array) -> Array:
    """Return max(z, 0), elementwise."""
    return np.maximum(z, 0)


def leaky_relu(z: Array, slope: float = 0.01) -> Array:
    """Return z where positive, else slope · z."""
    return np.where(z > 0, z, slope * z)


def elu(z: Array, alpha: float = 1.0) -> Array:
    """Return z where positive, else alpha · (exp(z) - 1)."""
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def normal_cdf(z: Array) -> Array:
    """Return the standard normal distribution function, (1 + erf(z / √2)) / 2."""
    return (1 + np.asarray(_ERF(z / math.sqrt(2))).astype(z.dtype)) / 2


def normal_pdf(z: Array) -> Array:
    """Return the standard normal density, exp(-z² / 2) / √(2π)."""
    return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def gelu(z: Array) -> Array:
    """Return z · Φ(z) (Hendrycks and Gimpel, arXiv:1606.08415)."""
    return z * normal_cdf(z)


def gelu_tanh(z: Array) -> Array:
    """Return gelu's approximation z/2 · (1 + tanh(√(2/π) (z + 0.044715 z³)))."""
    return 0.5 * z * (1 + np.tanh(_gelu_inner(z)))


def gelu_tanh_slope(z: Array) -> Array:
    """Return the derivative of `gelu_tanh`."""
    t = np.tanh(_gelu_inner(z))
    inner_slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
    return 0.5 * (1 + t) + 0.5 * z * (1 - t**2) * inner_slope


def _gelu_inner(z: Array) -> Array:
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)


def silu(z: Array) -> Array:
    """Return z · sigmoid(z)."""
    return z * sigmoid(z)


def softplus(z: Array) -> Array:
    """Return log(1 + exp(z)), and z itself above PyTorch's threshold of 20."""
    return np.where(z > 20, z, np.log1p(np.exp(np.minimum(z, 20))))


def softmax(z: Array) -> Array:
    """Return exp(z) / Σ exp(z) along the last axis, after moving the largest z to 0."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(z: Array) -> Array:
    """Return log(softmax(z)) along the last axis, by the log-sum-exp of the shifted z."""
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def one_hot(y: Array, like: Array) -> Array:
    """Return an array shaped like `like`, `(rows, classes)`, with a 1 at each row's class `y`."""
    rows = np.zeros_like(like)
    rows[np.arange(len(y)), y] = 1
    return rows


def spread(g: Array, shape: Shape, axis: int | None = None, keepdims: bool = False) -> Array:
    """Repeat `g` along the axis that a reduction took away, up to `shape`."""
    if axis is not None and not keepdims:
        g = np.expand_dims(g, axis)
    return np.broadcast_to(g, shape)


def extreme_share(x: Array, out: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return 1/k at the k places of `x` that equal the maximum (or minimum) `out`, else 0.

    Ties share the gradient evenly, as in `torch.amax`.
    """
    hits = x == spread(out, x.shape, axis, keepdims)
    return hits / hits.sum(axis=axis, keepdims=True, dtype=x.dtype)


def sum_to(g: Array, shape: Shape) -> Array:
    """Sum `g` over the axes that broadcasting added to, or repeated in, an array of `shape`."""
    added = g.ndim - len(shape)
    repeated = tuple(
        axis for axis, size in enumerate(shape, start=added) if size == 1 and g.shape[axis] != 1
    )
    return g.sum(axis=(*range(added), *repeated), keepdims=True).reshape(shape)


def scatter(g: Array, index: tuple[int | slice, ...], like: Array) -> Array:
    """Return zeros shaped like `like`, with `g` at `index`."""
    whole = np.zeros_like(like)
    whole[index] = g
    return whole


def global_norm(*gradients: Array) -> Array:
    """Return the Euclidean norm of all the numbers in all the arrays together."""
    return np.sqrt(sum((np.sum(g**2) for g in gradients), start=0.0))


def l2_penalty(*weights: Array, l2: float) -> Array:
    """Return l2/2 · Σ W² over all weights."""
    return l2 / 2 * sum((np.sum(W**2) for W in weights), start=0.0)  # type: ignore[return-value]
