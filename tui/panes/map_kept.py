"""What the block at work keeps of the forward pass, in numbers, where there is room for it."""

from collections.abc import Sequence

from nnstep.engine.arrays import Array
from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.survey.blocks import Block
from nnstep.tui.numbers import format_value
from nnstep.tui.theme import Palette

from .canvas import Canvas
from .line_view import Line, fit
from .map_places import Marks

# So many lines at least, the title among them, and so many rows and columns of a tensor at most.
LEAST, MOST_ROWS, MOST_COLUMNS = 4, 16, 8
_GAP = 4


def kept_values(
    blocks: Sequence[Block],
    snapshot: Snapshot,
    marks: Marks,
    palette: Palette,
    width: int,
    height: int,
) -> list[Line]:
    """Return lines with the tensors that the block at work keeps, beside one another."""
    block = next((each for each in blocks if each.layer == marks.at_work), None)
    names = [name for name in block.kept if name in snapshot.tensors] if block else []
    if not names or height < LEAST + 1:
        return []
    tables = [(name, _table(snapshot.tensors[name], height - 2)) for name in names]
    tall = 1 + max(len(rows) for _, rows in tables)
    canvas = Canvas(width, tall, palette.text)
    x = 1
    for name, rows in tables:
        title = f"{name} {snapshot.tensors[name].shape}, kept"
        if name in snapshot.old:
            title += f", of iteration {snapshot.iteration - 1}"
        wide = max(len(title), *map(len, rows))
        if x + wide >= width:
            break
        canvas.put(x, 0, title, palette.read)
        for y, row in enumerate(rows, 1):
            canvas.put(x, y, row, palette.muted if name in snapshot.old else palette.text)
        x += wide + _GAP
    return [fit([("", palette.text)], width, palette.text)] + [
        fit(canvas.line(y), width, palette.text) for y in range(tall)
    ]


def _table(array: Array, height: int) -> list[str]:
    """Write the first rows and columns of a tensor, and how many there are besides."""
    rows = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
    shown = min(len(rows), MOST_ROWS, height if len(rows) <= height else height - 1)
    texts = [[format_value(value) for value in row[:MOST_COLUMNS].tolist()] for row in rows[:shown]]
    wide = max((len(text) for row in texts for text in row), default=0)
    more = "  …" if rows.shape[1] > MOST_COLUMNS else ""
    lines = [f"{'  '.join(text.rjust(wide) for text in row)}{more}" for row in texts]
    if len(rows) > shown:
        lines.append(f"and {len(rows) - shown:,} rows more")
    return lines
