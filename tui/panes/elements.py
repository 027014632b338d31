"""A sum over many rows, such as a loss: a line for each of its terms, the largest first.

A line has what the term was computed from. Where a term is itself a sum over a row, such as that of
a cross-entropy, it is the cell of the row that counts most.
"""

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.explain.calculation import SUM, Row

from .sheet import MUTED, Sheet, View, one
from .terms import shares_of

# The width of a column with its brackets, and of the mark before a name.
COLUMN = 11
# Up to so many terms are looked through.
MOST = 100_000


class Elements(Struct, frozen=True, eq=False):
    """What a sum is over: the rows before it, the last of them the terms; and the rows after.

    `inner` is the row that the terms are sums of, if they are.
    """

    across: tuple[Row, ...]
    terms: Row
    below: tuple[Row, ...]
    inner: Row | None


def elements_of(view: View) -> Elements | None:
    """Return what the result is a sum over, if it is a single number; None if it is no sum."""
    rows = view.rows
    sums = [at for at, row in enumerate(rows) if row.sign == SUM and not row.axes]
    if not sums or sums[-1] == 0 or any(row.axes for row in rows[sums[-1] :]):
        return None
    at = sums[-1]
    terms = rows[at - 1]
    if not terms.axes or np.prod(terms.shape) > MOST:
        return None
    inner = next(
        (rows[i - 1] for i, row in enumerate(rows[:at]) if row.sign == SUM and row.axes), None
    )
    covering = [row for row in rows[:at] if set(terms.axes) <= set(row.axes) and row is not terms]
    across = tuple(row for row in covering if row.tensor or row.classes)
    return Elements((*across, terms), terms, rows[at:], inner) if across else None


def draw_elements(view: View, elements: Elements, width: int, height: int) -> Sheet | None:
    """Draw the terms of a sum, as many as there is room for; None if that is for hardly any."""
    lines = height - 1 - len(elements.below)
    columns = list(elements.across)
    while len(columns) * COLUMN + 4 > width and len(columns) > 1:
        columns.pop(0 if columns[0] is not view.row else 1)
    if lines < 3 or len(columns) < min(2, len(elements.across)):
        return None
    sheet = Sheet(width, height)
    values = elements.terms.values[(slice(None),) * len(elements.terms.shape)]
    order, asked = _order(view, elements, values)
    room = lines - 1 if len(order) > lines else lines
    first = max(0, order.index(asked) - room + 1) if asked in order else 0
    visible = order[first : first + room]
    label = max(2, *(len(_label(place)) for place in visible)) + 1
    pitch = min(16, (width - label - 1) // len(columns))
    ends = [label + pitch * (at + 1) - 1 for at in range(len(columns))]
    _put_names(sheet, view, columns, ends, pitch)
    for y, place in enumerate(visible, 1):
        text = _label(place)
        sheet.put(label - len(text) - 1, y, text, MUTED)
        places = _places(view, elements, place)
        for row, end in zip(columns, ends, strict=True):
            index = tuple(
                0 if size == 1 else places.get(axis, 0)
                for axis, size in zip(row.axes, row.shape, strict=True)
            )
            if row.classes:
                text = str(index[-1])
                sheet.put(end - len(text), y, text)
            else:
                sheet.cell(view, row, index, one(row, index), end, y)
    y = len(visible) + 1
    if more := len(order) - len(visible):
        rest = sum(float(values[place]) for place in (*order[:first], *order[first + room :]))
        sheet.put(4, y, f"{more} more", MUTED)
        text = view.write(rest)
        sheet.put(ends[-1] - len(text), y, text)
        y += 1
    for row in elements.below:
        sheet.title(view, row, 0, y)
        sheet.cell(view, row, (), one(row, ()), ends[-1], y)
        y += 1
    return sheet


def _put_names(sheet: Sheet, view: View, columns: list[Row], ends: list[int], pitch: int) -> None:
    """Name the columns, each with its mark."""
    for row, end in zip(columns, ends, strict=True):
        mark, says = view.mark(row)
        name = row.tensor or row.classes or row.text
        name = name if len(name) <= pitch - 4 else "the term"
        sheet.put(end - len(name), 0, name, MUTED)
        sheet.put(end - len(name) - 2, 0, mark, says)


def _order(view: View, elements: Elements, values: Array) -> tuple[list[Shape], Shape | None]:
    """Return the places of the terms, the largest first, and that of the cell in question."""
    terms = elements.terms
    order = [
        tuple(int(i) for i in np.unravel_index(at, terms.shape))
        for at in shares_of(values).order.tolist()
    ]
    places = dict(zip(view.row.axes, view.spot.index, strict=True))
    known = [axis in places for axis in terms.axes]
    asked = tuple(places[axis] for axis in terms.axes) if all(known) else None
    return order, asked


def _places(view: View, elements: Elements, place: Shape) -> dict[int, int]:
    """Return where on each axis a term is, and the largest of what it is the sum of."""
    places = dict(zip(elements.terms.axes, place, strict=True))
    asked = dict(zip(view.row.axes, view.spot.index, strict=True))
    if all(asked.get(axis) == at for axis, at in places.items()):
        places |= asked
    elif elements.inner is not None:
        inner = elements.inner
        window = tuple(
            slice(places[axis], places[axis] + 1) if axis in places else slice(None)
            for axis in inner.axes
        )
        numbers = np.abs(inner.values[window])
        largest = np.unravel_index(int(np.nan_to_num(numbers, nan=np.inf).argmax()), numbers.shape)
        for axis, at in zip(inner.axes, largest, strict=True):
            places.setdefault(axis, int(at))
    return places


def _label(place: Shape) -> str:
    return ",".join(map(str, place))
