"""How the lines of a block are painted: its title with the marks, and its rows of numbers.

Marks are glyphs first and colours second. Whatever is not in the visible columns is not even read.
"""

import math
from collections.abc import Iterator

from msgspec import Struct
from rich.style import Style

from nnstep.engine.arrays import Array
from nnstep.engine.snapshot import Snapshot
from nnstep.tui.numbers import (
    CHANGE_WIDTH,
    VALUE_WIDTH,
    Number,
    direction,
    format_change,
    format_value,
    heat,
    is_same,
)
from nnstep.tui.theme import Palette
from nnstep.tui.widgets.line_view import Piece
from nnstep.tui.widgets.tensor_blocks import TITLE_WIDTH, Block

WRITTEN, READ, STALE = "●", "○", "≈"
CURSOR = Style(reverse=True, underline=True)
RESTING_CURSOR = Style(underline=True)
NO_CURSOR = Style()


class Cursor(Struct, frozen=True):
    """The cell that a pane points at: a tensor, and its row and column seen as a matrix."""

    name: str
    row: int = 0
    column: int = 0


class Look(Struct, frozen=True, eq=False):
    """All that decides how a block looks. Arrays never change, so the same ones look the same."""

    array: Array | None
    before: Array | None
    rest: tuple[object, ...]

    def same_as(self, other: "Look") -> bool:
        """Tell whether a block looks the same as another time."""
        return self.array is other.array and self.before is other.before and self.rest == other.rest


class CellPainter(Struct, frozen=True):
    """Paints blocks of one snapshot in one palette; `cursor_style` marks the cell at `cursor`."""

    snapshot: Snapshot
    palette: Palette
    cursor: Cursor | None
    cursor_style: Style

    def look(self, block: Block, first: int, width: int) -> Look:
        """Return all that decides how a block shown from column `first` on looks."""
        name, snapshot = block.name, self.snapshot
        pointed = (self.cursor, self.cursor_style) if self.cursor_in(block) else None
        marks = name in snapshot.written, name in snapshot.read, name in snapshot.stale
        rest = (block, first, width, id(self.palette), pointed, marks)
        return Look(snapshot.tensors.get(name), snapshot.before.get(name), rest)

    def cursor_in(self, block: Block) -> bool:
        """Whether the cursor is on a cell of a block."""
        return self.cursor is not None and self.cursor.name == block.name

    def title(self, block: Block, first: int, width: int) -> Iterator[Piece]:
        """Paint the title of a block whose columns are shown from `first` on."""
        snapshot, palette, name = self.snapshot, self.palette, block.name
        yield (WRITTEN if name in snapshot.written else " "), palette.written
        yield (READ if name in snapshot.read else " "), palette.read
        array = snapshot.tensors.get(name)
        if array is None:
            yield f" {name} not computed yet", palette.muted
            return
        yield f" {name}", palette.strong
        about = f" {array.shape} {array.dtype}"
        if name in snapshot.stale:
            about += f" {STALE}" if block.beside_title else f" {STALE} stale"
        if (shown := block.fitting(width)) < block.columns:
            last = min(first + shown, block.columns) - 1
            where = f"columns {first}–{last} "
            about += where.rjust(width - 3 - len(name) - len(about))
        yield about, palette.muted
        if block.beside_title:
            yield " " * (TITLE_WIDTH - 3 - len(about)), palette.muted
            yield from self._cells(block, 0, 0, width)

    def row(self, block: Block, row: int, first: int, width: int) -> Iterator[Piece]:
        """Paint one row of a block, from column `first` on."""
        yield block.label(row), self.palette.muted
        yield from self._cells(block, row, first, width)

    def _cells(self, block: Block, row: int, first: int, width: int) -> Iterator[Piece]:
        array = self.snapshot.tensors[block.name]
        before = self.snapshot.before.get(block.name)
        last = min(first + block.fitting(width), block.columns)
        new = values_of(array, block, row, first, last)
        old = new
        if before is not None and before is not array and before.shape == array.shape:
            old = values_of(before, block, row, first, last)
        for column, (value, earlier) in enumerate(zip(new, old, strict=True), first):
            yield from self._cell(block, Cursor(block.name, row, column), value, earlier)

    def _cell(self, block: Block, place: Cursor, value: Number, earlier: Number) -> Iterator[Piece]:
        """Paint one number and what follows it: its change, or an arrow where that has no room."""
        palette = self.palette
        style = self._number_style(block, value, changed=not is_same(earlier, value))
        text = format_value(value)
        if place == self.cursor:
            style += self.cursor_style
        if style.reverse or style.underline:
            yield " " * (VALUE_WIDTH - len(text)), palette.text
            yield text, style
        else:
            yield text.rjust(VALUE_WIDTH), style
        plain = palette.text if style.reverse or style.underline else style
        if not block.with_changes:
            yield f"{direction(earlier, value)} ", plain
        elif change := format_change(earlier, value):
            yield f" {change:<{CHANGE_WIDTH + 1}}", palette.muted
        else:
            # In the style of the number, so that a row of one heat is sent in one piece.
            yield " " * (CHANGE_WIDTH + 2), plain

    def _number_style(self, block: Block, value: Number, *, changed: bool) -> Style:
        """Return the style of a number: its heat, unless there is something graver to say."""
        palette = self.palette
        if not math.isfinite(value):
            return palette.error
        if block.name in self.snapshot.stale:
            return palette.muted
        return (palette.changed_heat if changed else palette.heat)[heat(value)]


def values_of(array: Array, block: Block, row: int, first: int, last: int) -> list[Number]:
    """Return the values of a row in the columns from `first` to before `last`."""
    if not block.shape:
        return [array.item()]
    values: list[Number] = array[block.leading_index(row)][first:last].tolist()
    return values
