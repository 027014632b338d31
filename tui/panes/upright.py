"""One row of a calculation stood upright: its tensors side by side, a line for each column.

So a function that mixes a whole row, such as softmax, shows it where the row does not fit.
"""

from nnstep.engine.explain.calculation import Row

from .places import Places, keeps_one, place_in_words
from .sheet import MUTED, Sheet, View


def stands_upright(view: View, places: Places, width: int, height: int) -> bool:
    """Tell whether there is room for the tensors side by side, and for all that is below them."""
    axis = places.column
    across = [row for row in view.rows if axis in row.axes and not keeps_one(row, places)]
    tensors = [row for row in across if row.tensor or row.classes or row is view.row]
    lines = 2 + places.sizes.get(axis or 0, 1) + len(view.rows) - len(across)
    return bool(across) and len(tensors) <= max(1, (width - 3) // 11) and lines <= height


def upright(view: View, places: Places, width: int, height: int) -> Sheet:
    """Draw one row of a calculation with a line for each of its columns."""
    sheet = Sheet(width, height)
    axis = places.column
    assert axis is not None
    size = places.sizes[axis]
    across = [row for row in view.rows if axis in row.axes and not keeps_one(row, places)]
    others = [row for row in view.rows if not any(row is each for each in across)]
    label = len(str(size - 1)) + 1
    fitting = max(1, (width - label - 1) // 11)
    while len(across) > fitting:
        parts = [row for row in across if not (row.tensor or row.classes or row is view.row)]
        spare = (parts or across)[-1]
        across = [row for row in across if row is not spare]
    sheet.put(1, 0, place_in_words(view, places), MUTED)
    pitch = (width - label - 2) // len(across)
    ends = [label + 1 + pitch * (order + 1) - 2 for order in range(len(across))]
    for row, end in zip(across, ends, strict=True):
        mark, says = view.mark(row)
        name = (row.tensor or row.text)[: pitch - 3]
        sheet.put(end - len(name), 1, name, MUTED if not row.written else "written")
        sheet.put(end - len(name) - 2, 1, mark, says)
        sheet.put(end - len(name) - 3, 1, row.sign if row.written else " ", MUTED)
        _putupright(sheet, view, places, row, axis, end)
    for at in range(size):
        sheet.put(0, 2 + at, str(at).rjust(label), MUTED)
    y = 2 + size
    for row in others[: height - y]:
        sheet.title(view, row, 0, y)
        index = tuple(places.at(a, n) for a, n in zip(row.axes, row.shape, strict=True))
        value = row.values[tuple(slice(i, i + 1) for i in index)].item()
        sheet.cell(view, row, index, value, _end_below(row, view, across, ends), y)
        y += 1
    return sheet


def _end_below(row: Row, view: View, across: list[Row], ends: list[int]) -> int:
    """Return where a number ends: below the column that it sums up, or else the last."""
    before = view.rows[view.number_of(row) - 1]
    below = [end for each, end in zip(across, ends, strict=True) if each is before]
    return below[0] if below and not row.written else ends[-1]


def _putupright(sheet: Sheet, view: View, places: Places, row: Row, axis: int, end: int) -> None:
    index = [places.at(a, n) for a, n in zip(row.axes, row.shape, strict=True)]
    at = row.axes.index(axis)
    window = tuple(slice(None) if order == at else slice(i, i + 1) for order, i in enumerate(index))
    for j, value in enumerate(row.values[window].ravel().tolist()):
        place = (*index[:at], j, *index[at + 1 :])
        sheet.cell(view, row, place, value, end, 2 + j)
