"""A curve in braille: two dots across and four down in every character.

More values than dots are gathered column by column, and a column shows everything from its smallest
value to its largest, so no peak vanishes. Values that are not finite are left out and marked.
"""

from dataclasses import dataclass

import numpy as np

from nnstep.engine.arrays import Array

MARK = "×"
LOG_RANGE = 1000.0

_BLANK = 0x2800
_NOWHERE = np.iinfo(np.int64).max
# The bit of each dot in a character, by row from the top and by column.
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


@dataclass(frozen=True, slots=True)
class Curve:
    """The characters of a curve, top row first, and the values at its lower and upper edge."""

    rows: tuple[str, ...]
    low: float
    high: float
    log: bool


def curve(values: Array, width: int, height: int) -> Curve:
    """Draw `values`, of shape `(n,)`, in `width` × `height` characters.

    The scale is logarithmic when all values are positive and the largest is more than a thousand
    times the smallest.
    """
    values = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(values)
    if width < 1 or height < 1 or not finite.any():
        return Curve((MARK * max(width if len(values) else 0, 0),), 0.0, 0.0, log=False)
    low, high = float(values[finite].min()), float(values[finite].max())
    log = low > 0 and high / LOG_RANGE > low
    levels = _levels(values[finite], low, high, log=log, dots=4 * height)
    tops, bottoms, missing = _columns(levels, finite, 2 * width)
    rows = _characters(_dots(tops, bottoms, width, height), width, height)
    return Curve(_mark(rows, missing), low, high, log)


def _levels(values: Array, low: float, high: float, *, log: bool, dots: int) -> Array:
    """Return the row of dots of each value, not rounded; 0 is the top one."""
    if log:
        values, low, high = np.log10(values), np.log10(low), np.log10(high)
    # Halved first: the difference of two values near 1e308 would overflow.
    half = high / 2 - low / 2
    share = (values / 2 - low / 2) / half if half > 0 else np.full(len(values), 0.5)
    return (1 - share) * (dots - 1)


def _columns(levels: Array, finite: Array, columns: int) -> tuple[Array, Array, Array]:
    """Return the topmost and the lowest dot of each column, and where a value is missing.

    `levels` are those of the finite values alone. In a column without any, top is below bottom.
    """
    count, where = len(finite), np.flatnonzero(finite)
    if 1 < count < columns:
        # Fewer values than columns: straight lines between them.
        at = np.linspace(0, count - 1, columns)
        finite = finite[np.round(at).astype(np.int64)]
        everywhere = np.interp(at, where, levels)
    else:
        everywhere = np.zeros(count)
        everywhere[where] = levels
    dots = np.round(everywhere).astype(np.int64)
    top, bottom = np.where(finite, dots, _NOWHERE), np.where(finite, dots, -1)
    if count > columns:
        starts = np.arange(columns) * count // columns
        top, bottom = np.minimum.reduceat(top, starts), np.maximum.reduceat(bottom, starts)
        finite = np.logical_and.reduceat(finite, starts)
    return *_joined(top, bottom), ~finite


def _joined(top: Array, bottom: Array) -> tuple[Array, Array]:
    """Let each column reach towards the one before, so that a steep curve stays in one piece."""
    neighbours = (bottom[1:] >= 0) & (bottom[:-1] >= 0)
    reach_up = np.where(neighbours, bottom[:-1] + 1, top[1:])
    reach_down = np.where(neighbours, top[:-1] - 1, bottom[1:])
    joined_top, joined_bottom = top.copy(), bottom.copy()
    joined_top[1:] = np.minimum(top[1:], reach_up)
    joined_bottom[1:] = np.maximum(bottom[1:], reach_down)
    return joined_top, joined_bottom


def _dots(tops: Array, bottoms: Array, width: int, height: int) -> Array:
    """Return a boolean array of shape `(4 height, 2 width)`: the dots that are set."""
    rows = np.arange(4 * height)[:, None]
    dots = np.zeros((4 * height, 2 * width), dtype=bool)
    dots[:, : len(tops)] = (rows >= tops) & (rows <= bottoms)
    return dots


def _characters(dots: Array, width: int, height: int) -> tuple[str, ...]:
    """Gather the dots of each character and return the rows of text."""
    cells = dots.reshape(height, 4, width, 2)
    codes = (cells * _BITS[None, :, None, :]).sum(axis=(1, 3)) + _BLANK
    return tuple("".join(map(chr, row)) for row in codes.tolist())


def _mark(rows: tuple[str, ...], missing: Array) -> tuple[str, ...]:
    """Put a mark at the top over every value that is not finite."""
    marked = set((np.flatnonzero(missing) // 2).tolist())
    top = "".join(MARK if x in marked else character for x, character in enumerate(rows[0]))
    return (top, *rows[1:])
