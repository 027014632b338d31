"""The rows of a matrix added up: the matrix whole, the sums of its columns under a rule."""

from nnstep.engine.explain.calculation import SUM
from nnstep.engine.text import cell_name

from .crosswise import draw_sum, put_remarks
from .sheet import MUTED, Sheet, View, around, widest
from .terms import Term, put_terms


def is_column_sum(view: View) -> bool:
    """Tell whether a line adds up the rows of a stored matrix, and nothing else."""
    rows = view.rows
    if len(rows) != 2 or view.calculation.result.sign != SUM or len(rows[0].shape) != 2:
        return False
    return view.calculation.result.axes == rows[0].axes[1:]


def column_sum(view: View, width: int, height: int) -> Sheet | None:
    """Draw a matrix, and the sums of its columns under a rule."""
    operand, result = view.rows
    count, size = operand.shape
    focus = dict(zip(view.row.axes, view.spot.index, strict=True))
    column = focus.get(operand.axes[1], 0)
    lines = around(focus.get(operand.axes[0], 0), count, height - 4)
    label = len(str(count - 1))
    start = 4 + label + 2
    columns, field = range(size), 6
    for _ in range(2):
        fitting = max(1, 1 + (width - start - field - 1) // (field + 2))
        columns = around(column, size, fitting)
        numbers = operand.values[slice(lines.start, lines.stop), slice(columns.start, columns.stop)]
        sums = result.values[(slice(columns.start, columns.stop),)]
        field = widest(iter([*numbers.ravel().tolist(), *sums.tolist()]), view.write)
    if len(lines) < count:
        return draw_sum(view, operand, column, width, height)
    sheet = Sheet(width, height)
    sheet.title(view, operand, 0, 0)
    notes = []
    if len(columns) < size:
        notes.append(f"columns {columns.start}–{columns.stop - 1}")
    text = ", ".join(notes)
    sheet.put(width - len(text), 0, text, MUTED)
    y, end = 0, start + field
    for at, values in zip(lines, numbers.tolist(), strict=True):
        y += 1
        sheet.put(4, y, str(at).rjust(label), MUTED)
        for order, (j, value) in enumerate(zip(columns, values, strict=True)):
            sheet.cell(view, operand, (at, j), value, end + order * (field + 2), y)
    sheet.rule(start, end + (len(columns) - 1) * (field + 2), y + 1)
    sheet.title(view, result, 0, y + 2)
    for order, (j, value) in enumerate(zip(columns, sums.tolist(), strict=True)):
        sheet.cell(view, result, (j,), value, end + order * (field + 2), y + 3)
    if count > 1:
        terms = [
            Term(cell_name(operand.tensor or "", operand.stored((n, column))), float(value))
            for n, value in enumerate(
                operand.values[slice(None), slice(column, column + 1)].ravel().tolist()
            )
        ]
        title = f"{cell_name(result.tensor or '', (column,))} = the sum of {count} rows"
        put_terms(sheet, y + 5, title, terms)
    else:
        put_remarks(sheet, view, y + 5)
    return sheet
