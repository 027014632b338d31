"""The block at work in numbers, where there is room for it: what it takes, holds, keeps and makes.

The tensors that it keeps come first, then what has just been written, then the others; they stand
beside one another, and what does not fit goes into another row below.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from rich.style import Style

from nnstep.engine.arrays import Array
from nnstep.engine.program.program import Phase
from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.survey.blocks import Block
from nnstep.tui.numbers import Number, format_value
from nnstep.tui.theme import Palette

from .canvas import Canvas
from .line_view import Line, fit
from .map_places import Marks
from .scene import WRITTEN, Asked, Cell

# So many lines at least, the title among them, and so many rows and columns of a tensor at most.
LEAST, MOST_ROWS, MOST_COLUMNS = 4, 16, 8
_GAP = 4


class Table(Struct, frozen=True):
    """The first cells of a tensor under its title, each number between blanks for its marks."""

    title: str
    head: Style
    cells: tuple[tuple[tuple[str, Style], ...], ...]
    wide: int
    more: str = ""

    @property
    def columns(self) -> int:
        """How many columns it takes."""
        return max(len(self.title), self.wide * len(self.cells[0]), len(self.more))

    @property
    def lines(self) -> int:
        """How many lines it takes."""
        return 1 + len(self.cells) + bool(self.more)


def values_at_work(
    blocks: Sequence[Block],
    snapshot: Snapshot,
    marks: Marks,
    palette: Palette,
    width: int,
    height: int,
    asked: Asked | None,
) -> list[Line]:
    """Return lines with the tensors of the block at work, as many as there is room for."""
    block = next((each for each in blocks if each.layer == marks.at_work), None)
    if block is None or height < LEAST + 1:
        return []
    canvas = Canvas(width, height - 1, palette.text)
    x = y = used = 0
    for name, word in _tensors_at_work(block, snapshot, marks):
        table = _table(name, word, snapshot, marks, palette, height - 1, asked)
        if x and x + table.columns >= width:
            x, y = 0, used + 1
        if y + table.lines > height - 1 or x + table.columns >= width:
            continue
        _put(canvas, table, x, y, palette)
        used = max(used, y + table.lines)
        x += table.columns + _GAP
    blank = fit([("", palette.text)], width, palette.text)
    return [blank, *(fit(canvas.line(at), width, palette.text) for at in range(used))]


def _tensors_at_work(block: Block, snapshot: Snapshot, marks: Marks) -> Iterator[tuple[str, str]]:
    """Yield the tensors of the half of a block that is at work, and what each is to it."""
    kept = [(name, "kept") for name in block.kept]
    held = [(name, "held") for name in block.parameters]
    if marks.phase is Phase.UPDATE:
        others = [*held, *((name, "its gradient") for name in block.gradients)]
        kept = []
    elif marks.is_forward:
        taken = (block.source, "taken")
        others = [taken, *held, *((line.name, "made") for line in block.forward)]
    else:
        incoming = [(block.incoming, "taken")] if block.incoming else []
        others = [*incoming, *held, *((line.name, "made") for line in block.backward)]
    seen = set[str]()
    others.sort(key=lambda each: marks.of(each[0]) != WRITTEN)
    for name, word in [*kept, *others]:
        if name in seen or name not in snapshot.tensors:
            continue
        if word != "kept" and name in snapshot.old:
            continue  # not of this pass
        seen.add(name)
        yield name, word


def _table(
    name: str,
    word: str,
    snapshot: Snapshot,
    marks: Marks,
    palette: Palette,
    height: int,
    asked: Asked | None,
) -> Table:
    """Write the first rows and columns of a tensor, and how many there are besides."""
    array = snapshot.tensors[name]
    is_old, is_written = name in snapshot.old, marks.of(name) == WRITTEN
    title = f"{'●' if is_written else ' '}{name} {array.shape}, {word}"
    if is_old:
        title += f", of iteration {snapshot.iteration - 1}"
    rows = _rows(array)
    shown = min(len(rows), MOST_ROWS, height - 1 if len(rows) < height else height - 2)
    plain = palette.muted if is_old else palette.text
    cells = [
        [
            _cell((name, _index(array, row, column)), value, asked, palette, plain)
            for column, value in enumerate(each)
        ]
        for row, each in enumerate(rows[: max(1, shown), :MOST_COLUMNS].tolist())
    ]
    wide = 1 + max(len(text) for row in cells for text, _ in row)
    left = len(rows) - len(cells)
    more = f" and {left:,} rows more" if left else ""
    if not more and rows.shape[1] > MOST_COLUMNS:
        more = f" and {rows.shape[1] - MOST_COLUMNS:,} columns more"
    head = palette.written if is_written else palette.read if word == "kept" else palette.muted
    return Table(title, head, tuple(map(tuple, cells)), wide, more)


def _rows(array: Array) -> Array:
    return array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)


def _cell(
    cell: Cell, value: Number, asked: Asked | None, palette: Palette, plain: Style
) -> tuple[str, Style]:
    """Write a number between its marks: the cell in question, or one that it was computed from."""
    text = format_value(value)
    if asked is not None and cell == asked.cell:
        return f"[{text}]", palette.selected
    if asked is not None and cell in asked.sources:
        return f"‹{text}›", palette.read
    return f" {text} ", plain


def _index(array: Array, row: int, column: int) -> tuple[int, ...]:
    """Return the index of a cell that stands in a row and a column of a table."""
    if array.ndim < 2:
        return (column,) * array.ndim
    places = []
    for size in reversed(array.shape[:-1]):
        row, at = divmod(row, size)
        places.append(at)
    return (*reversed(places), column)


def _put(canvas: Canvas, table: Table, x: int, y: int, palette: Palette) -> None:
    canvas.put(x, y, table.title, table.head)
    for line, row in enumerate(table.cells, y + 1):
        for column, (text, style) in enumerate(row):
            end = x + (column + 1) * table.wide
            canvas.put(end - len(text), line, text, style)
    canvas.put(x, y + 1 + len(table.cells), table.more, palette.muted)
