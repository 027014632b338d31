"""The functions that gradients call by name in listings: spread, sum_to, sign, …."""

import numpy as np

from nnstep.engine.arrays import Array, Shape

from .formula import listed
from .half import to_float32


@listed
def sign(x: Array) -> Array:
    """Return -1, 0 or 1 as `x` is below, at or above 0; 0 at NaN, as the slope of |x| in PyTorch.

    `np.sign(x)` is NaN there.
    """
    return np.where(np.isnan(x), 0, np.sign(x))


@listed
def one_hot(y: Array, like: Array) -> Array:
    """Return an array shaped like `like`, `(rows, classes)`, with a 1 at each row's class `y`.

    A row whose class there is not is NaN.
    """
    rows = np.zeros_like(like)
    classes = np.broadcast_to(y, len(rows))
    known = (classes > -1) & (classes < rows.shape[1])
    if known.all():
        rows[np.arange(len(rows)), classes.astype(int)] = 1
        return rows
    rows[known, classes[known].astype(int)] = 1
    rows[~known] = np.nan
    return rows


@listed
def spread(g: Array, shape: Shape, axis: int | None = None, keepdims: bool = False) -> Array:
    """Repeat `g` along the axis that a reduction took away, up to `shape`."""
    if axis is not None and not keepdims:
        g = np.expand_dims(g, axis)
    return np.broadcast_to(g, shape)


@listed
def extreme_share(x: Array, out: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """Return 1/k at the k places of `x` that equal the maximum (or minimum) `out`, else 0.

    Ties share the gradient evenly, as in `torch.amax`.
    """
    hits = x == spread(out, x.shape, axis, keepdims)
    share = hits / to_float32(hits.astype(x.dtype)).sum(axis=axis, keepdims=True)
    return share.astype(x.dtype)


@listed
def sum_to(g: Array, shape: Shape) -> Array:
    """Sum `g` over the axes that broadcasting added to, or repeated in, an array of `shape`."""
    added = g.ndim - len(shape)
    repeated = tuple(
        axis for axis, size in enumerate(shape, start=added) if size == 1 and g.shape[axis] != 1
    )
    axes = (*range(added), *repeated)
    return to_float32(g).sum(axis=axes, keepdims=True).reshape(shape).astype(g.dtype, copy=False)


@listed
def scatter(g: Array, index: tuple[int | slice, ...], like: Array) -> Array:
    """Return zeros shaped like `like`, with `g` at `index`."""
    whole = np.zeros_like(like)
    whole[index] = g
    return whole


@listed
def global_norm(*gradients: Array) -> Array:
    """Return the Euclidean norm of all the numbers in all the arrays together."""
    norm = np.sqrt(sum((np.sum(to_float32(g) ** 2) for g in gradients), start=0.0))
    return norm.astype(gradients[0].dtype)


@listed
def l2_penalty(*weights: Array, l2: float) -> Array:
    """Return l2/2 · Σ W² over all weights."""
    penalty = l2 / 2 * np.add(0.0, sum(np.sum(to_float32(W) ** 2) for W in weights))
    return penalty.astype(weights[0].dtype)
