"""A batch: the rows of the data that were taken, with their numbers, x and y side by side."""

from nnstep.engine.arrays import Array
from nnstep.engine.explain.calculation import Row

from .sheet import MUTED, Sheet, View, around, heading, widest


def draw_batch(view: View, width: int, height: int) -> Sheet:
    """Draw what a batch line wrote, a line for each row that it took."""
    x, y = view.rows
    taken = view.calculation.taken
    sheet = Sheet(width, height)
    sheet.put(1, 0, _in_words(taken), MUTED)
    lines = around(view.spot.index[0] if view.spot.index else 0, len(taken), height - 2)
    numbers = len(str(max(taken, default=0)))
    start = max(4, numbers + 2)
    target = _column_of(y, view)
    targets, y_width = _window(y, view, lines, range(1))
    room = width - max(5 + len(heading(y)), 7 + y_width)
    fitting = max(1, (room - start - 1) // 9)
    columns = around(_column_of(x, view), _size(x), fitting)
    values, x_width = _window(x, view, lines, columns)
    fitting = max(1, (room - start + 1) // (x_width + 2))
    columns = around(_column_of(x, view), _size(x), fitting)
    values, x_width = _window(x, view, lines, columns)
    end = start + 1 + x_width
    after = end + (len(columns) - 1) * (x_width + 2) + 3
    after = max(after, 4 + len(heading(x)) + 2)
    shown = around(target, _size(y), max(1, (width - after - 4) // (y_width + 2)))
    targets, y_width = _window(y, view, lines, shown)
    sheet.title(view, x, 0, 1, "")
    sheet.title(view, y, after, 1, "")
    for order, line in enumerate(lines):
        at = 2 + order
        sheet.put(start - 1 - numbers, at, str(taken[line]).rjust(numbers), MUTED)
        for place, column in enumerate(columns):
            value = values[order, place].item()
            sheet.cell(view, x, _index(x, line, column), value, end + place * (x_width + 2), at)
        for place, column in enumerate(shown):
            value = targets[order, place].item()
            edge = after + 5 + y_width + place * (y_width + 2)
            sheet.cell(view, y, _index(y, line, column), value, edge, at)
    if len(columns) < _size(x):
        text = f"columns {columns.start}–{columns.stop - 1}"
        sheet.put(width - len(text), 0, text, MUTED)
    return sheet


def _in_words(taken: tuple[int, ...]) -> str:
    """Say which rows were taken."""
    if len(taken) == 1:
        return f"row {taken[0]} of the data"
    if taken == tuple(range(taken[0], taken[-1] + 1)):
        return f"rows {taken[0]}–{taken[-1]} of the data"
    return f"{len(taken)} rows of the data"


def _size(row: Row) -> int:
    return row.shape[1] if len(row.shape) > 1 else 1


def _index(row: Row, line: int, column: int) -> tuple[int, ...]:
    return (line, column) if len(row.shape) > 1 else (line,)


def _column_of(row: Row, view: View) -> int:
    index = view.spot.index
    return index[1] if view.row is row and len(index) > 1 else 0


def _window(row: Row, view: View, lines: range, columns: range) -> tuple[Array, int]:
    """Return the numbers of some lines and columns, and how wide the widest is."""
    window = (slice(lines.start, lines.stop), slice(columns.start, columns.stop))
    numbers = row.values[window[: len(row.shape)]].reshape(len(lines), -1)
    return numbers, widest(iter(numbers.ravel().tolist()), view.write, 1)
