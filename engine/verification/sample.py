"""Choosing cells: all of them where they are few, else a fair and repeatable sample."""

from collections.abc import Mapping

import numpy as np

from nnstep.engine.arrays import Array, Shape


def chosen_cells(
    shapes: Mapping[str, Shape], limit: int | None, seed: int
) -> dict[str, list[Shape]]:
    """Return the indices of at most `limit` cells, by tensor; None is no limit.

    Each tensor has the same share, of which small ones leave some to the others, and one cell at
    least.
    """
    generator = np.random.default_rng(seed)
    counts = _shares({name: int(np.prod(shape)) for name, shape in shapes.items()}, limit)
    return {
        name: _indices(_drawn(int(np.prod(shape)), counts[name], generator), shape)
        for name, shape in shapes.items()
    }


def _shares(sizes: Mapping[str, int], limit: int | None) -> dict[str, int]:
    if limit is None:
        return dict(sizes)
    shares, left = {}, limit
    for place, name in enumerate(sorted(sizes, key=lambda name: sizes[name])):
        share = max(1, left // (len(sizes) - place))
        shares[name] = min(sizes[name], share)
        left -= shares[name]
    return shares


def _drawn(size: int, count: int, generator: np.random.Generator) -> Array:
    if count == size:
        return np.arange(size)
    return np.sort(generator.choice(size, count, replace=False))


def _indices(flat: Array, shape: Shape) -> list[Shape]:
    if not shape:
        return [()]
    return list(zip(*(axis.tolist() for axis in np.unravel_index(flat, shape)), strict=True))
