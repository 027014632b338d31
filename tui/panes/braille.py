"""Curves in braille: two dots across and four down in every character.

More values than dots are gathered column by column, and a column shows everything from its smallest
value to its largest, so no peak vanishes. Values that are not finite are left out and marked. The
first of several curves is a line, those behind it are dotted, with one dot across.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TypeVar

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array

MARK = "×"
BLANK = "\u2800"
LOG_RANGE = 1000.0

Index = TypeVar("Index", int, Array)

LINE, DOTTED = 2, 1

_NOWHERE = 2**63 - 1
# The bit of each dot in a character, by row from the top and by column.
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


class Scale(Struct, frozen=True):
    """The values at the lower and upper edge, NaN where there is no finite value to show."""

    low: float
    high: float
    log: bool


class Curve(Struct, frozen=True):
    """The characters of a curve, top row first, and its scale."""

    rows: tuple[str, ...]
    scale: Scale


def curve(values: Array, width: int, height: int, count: int = 0) -> Curve:
    """Draw `values`, of shape `(n,)`, in `width` × `height` characters.

    There is room for `count` values if that is more than `n`: the rest stays blank.
    """
    return curves([values], width, height, count)[0]


def curves(several: Sequence[Array], width: int, height: int, count: int = 0) -> tuple[Curve, ...]:
    """Draw curves with one scale, and equally far along, to be laid over one another."""
    several = [np.asarray(values, dtype=np.float64) for values in several]
    count = max(count, *map(len, several))
    scale = scale_of(several)
    if not count or width < 1 or height < 1:
        return (Curve(("",), scale),) * len(several)
    kinds = [LINE] + [DOTTED] * (len(several) - 1)
    return tuple(
        Curve(_rows(values, scale, width, height, count, across), scale)
        for values, across in zip(several, kinds, strict=True)
    )


def scale_of(several: Sequence[Array]) -> Scale:
    """Return the scale on which all values of some curves can be seen.

    It is logarithmic when all are positive and the largest is more than a thousand times the
    smallest.
    """
    finite = [shown for values in several if len(shown := values[np.isfinite(values)])]
    if not finite:
        return Scale(math.nan, math.nan, log=False)
    low = float(min(values.min() for values in finite))
    high = float(max(values.max() for values in finite))
    return Scale(low, high, log=low > 0 and high / LOG_RANGE > low)


def layered(front: str, behind: str) -> Iterator[tuple[str, bool]]:
    """Lay a row of characters over another: what is blank in front shows what is behind.

    Returns the runs of characters, and whether each is in front.
    """
    pairs = zip(front, behind, strict=True)
    for blank, run in groupby(pairs, key=lambda pair: pair[0] == BLANK):
        yield "".join([pair[blank] for pair in run]), not blank


def column_of(index: Index, count: int, columns: int) -> Index:
    """Return the column of dots that shows a value, of `count` values on so many columns.

    Of an array of indices, return all columns.
    """
    if count > columns:
        return ((index + 1) * columns - 1) // count
    steps = max(1, count - 1)
    return (2 * index * (columns - 1) + steps) // (2 * steps)


def index_at(column: int, count: int, columns: int) -> int:
    """Return the first value that a column of dots shows, or the nearest one to it."""
    if count > columns:
        return column * count // columns
    return min(count - 1, round(column * (count - 1) / max(1, columns - 1)))


def _rows(
    values: Array, scale: Scale, width: int, height: int, count: int, across: int
) -> tuple[str, ...]:
    """Draw one curve, with so many dots across a character."""
    tops, bottoms, missing = _columns(values, scale, 4 * height, across * width, count)
    dots = np.zeros((4 * height, 2 * width), dtype=bool)
    rows = np.arange(4 * height)[:, None]
    step = 2 // across
    dots[:, : len(tops) * step : step] = (rows >= tops) & (rows <= bottoms)
    return _mark(_characters(dots, width, height), np.flatnonzero(missing) // across)


def _columns(
    values: Array, scale: Scale, dots: int, columns: int, count: int
) -> tuple[Array, Array, Array]:
    """Return the topmost and the lowest dot of each column, and where a value is missing.

    There are columns for `count` values. In a column without any, top is below bottom.
    """
    if count > columns:
        # Of thousands of values in a column only the ends are put on the scale.
        highest, lowest, missing = _gathered(values, columns, count)
        top, bottom = _levels(highest, scale, dots), _levels(lowest, scale, dots)
    else:
        top = bottom = _stretched(_levels(values, scale, dots), columns, count)
        missing = np.isnan(top)
    return *_joined(_rounded(top, _NOWHERE), _rounded(bottom, -1)), missing


def _rounded(levels: Array, nowhere: int) -> Array:
    """Return the nearest row of dots to each level, `nowhere` for no number."""
    known = ~np.isnan(levels)
    rows = np.full(len(levels), nowhere)
    rows[known] = np.round(levels[known])
    return rows


def _levels(values: Array, scale: Scale, dots: int) -> Array:
    """Return the row of dots of each value, not rounded; 0 is the top one, NaN that of no number.

    A larger value is never below a smaller one.
    """
    low, high = scale.low, scale.high
    finite = np.isfinite(values)
    known = values[finite]
    if scale.log:
        known, low, high = np.log10(known), math.log10(low), math.log10(high)
    # Halved first: the difference of two values near 1e308 would overflow.
    half = high / 2 - low / 2
    share = (known / 2 - low / 2) / half if half > 0 else np.full(len(known), 0.5)
    levels = np.full(len(values), np.nan)
    levels[finite] = (1 - share) * (dots - 1)
    return levels


def _stretched(levels: Array, columns: int, count: int) -> Array:
    """Return the level in each column where there are no more values: straight lines between."""
    known = len(levels)
    if not known or not 1 < count < columns:
        return levels
    at = np.linspace(0, count - 1, columns)[: column_of(known - 1, count, columns) + 1]
    where = np.flatnonzero(~np.isnan(levels))
    lines = np.interp(at, where, levels[where]) if len(where) else np.zeros(len(at))
    lines[np.isnan(levels[np.round(at).astype(np.int64)])] = np.nan
    return lines


def _gathered(values: Array, columns: int, count: int) -> tuple[Array, Array, Array]:
    """Return the largest and the smallest value of each column, and where one is missing.

    There are columns for `count` values. In one without any that is finite, both are infinite.
    """
    if not len(values):
        return values, values, values
    starts = np.arange(columns) * count // columns
    starts = starts[starts < len(values)]
    finite = np.isfinite(values)
    if finite.all():
        missing = np.zeros(len(starts), dtype=bool)
        return np.maximum.reduceat(values, starts), np.minimum.reduceat(values, starts), missing
    highest = np.maximum.reduceat(np.where(finite, values, -np.inf), starts)
    lowest = np.minimum.reduceat(np.where(finite, values, np.inf), starts)
    return highest, lowest, ~np.logical_and.reduceat(finite, starts)


def _joined(top: Array, bottom: Array) -> tuple[Array, Array]:
    """Let each column reach towards the one before, so that a steep curve stays in one piece."""
    neighbours = (bottom[1:] >= 0) & (bottom[:-1] >= 0)
    reach_up = np.where(neighbours, bottom[:-1] + 1, top[1:])
    reach_down = np.where(neighbours, top[:-1] - 1, bottom[1:])
    joined_top, joined_bottom = top.copy(), bottom.copy()
    joined_top[1:] = np.minimum(top[1:], reach_up)
    joined_bottom[1:] = np.maximum(bottom[1:], reach_down)
    return joined_top, joined_bottom


def _characters(dots: Array, width: int, height: int) -> tuple[str, ...]:
    """Gather the dots of each character, from shape `(4 height, 2 width)`, into rows of text."""
    cells = dots.reshape(height, 4, width, 2)
    codes = (cells * _BITS[None, :, None, :]).sum(axis=(1, 3)) + ord(BLANK)
    return tuple("".join(map(chr, row)) for row in codes.tolist())


def _mark(rows: tuple[str, ...], missing: Array) -> tuple[str, ...]:
    """Put a mark at the top of every character over which a value is not finite."""
    marked = set(missing.tolist())
    top = "".join(MARK if x in marked else character for x, character in enumerate(rows[0]))
    return (top, *rows[1:])


def same_values(one: Array, other: Array) -> bool:
    """Tell whether two arrays are the same, or equally long beginnings of the same history.

    What was handed out never changes, so nothing has to be compared. Different arrays with equal
    values count as different.
    """
    if one is other:
        return True
    return len(one) == len(other) and one.base is not None and one.base is other.base
