"""Tensors laid out as blocks of cells, and how a cell looks."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

from msgspec import Struct
from rich.style import Style

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Program, Role, Tensor
from nnstep.engine.session.snapshot import Snapshot
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

from .line_view import Piece

# A number, and an arrow or its change; between two cells of a row there is a blank.
PLAIN_CELL = VALUE_WIDTH + 1
CHANGE_CELL = VALUE_WIDTH + 1 + CHANGE_WIDTH
GAP = 1
# The title of a single number without its name: marks, shape and dtype.
TITLE_WIDTH = len("●○  () float64 ≈ ")

_HEADINGS = {
    Role.DATA: "data",
    Role.CONSTANT: "constants",
    Role.PARAMETER: "parameters",
    Role.VALUE: "values",
    Role.GRADIENT: "gradients",
    Role.LOSS: "loss",
    Role.BUFFER: "optimizer",
    Role.RATE: "optimizer",
    Role.SCRATCH: "optimizer",
}
_ORDER = ("data", "constants", "parameters", "values", "layers", "loss", "gradients", "optimizer")


class Block(Struct, frozen=True):
    """One tensor in a pane: its title on line `top`, its rows on the lines below.

    The tensor is seen as a matrix: its last axis runs along a row, all others count the rows. One
    that has not been computed yet has no shape and no rows.
    """

    name: str
    top: int
    shape: Shape | None
    rows: int
    columns: int
    label_width: int
    with_changes: bool
    beside_title: bool = False

    @property
    def end(self) -> int:
        """The line after the last."""
        return self.line_of(self.rows)

    def line_of(self, row: int) -> int:
        """Return the line of the pane that a row stands on."""
        return self.top + row + (not self.beside_title)

    @property
    def cell_width(self) -> int:
        """How many columns of the screen a number takes, the gap after it included."""
        return (CHANGE_CELL if self.with_changes else PLAIN_CELL) + GAP

    def fitting(self, width: int) -> int:
        """Return how many columns of the tensor fit in `width` columns of the screen."""
        return max(1, (width + GAP - self.label_width) // self.cell_width)

    def leading_index(self, row: int) -> Shape:
        """Return the indices of a row along all axes but the last."""
        index: list[int] = []
        for length in reversed((self.shape or ())[:-1]):
            row, position = divmod(row, length)
            index.append(position)
        return tuple(reversed(index))

    def cell(self, row: int, column: int) -> Shape:
        """Return the index, in the tensor, of a cell."""
        return (*self.leading_index(row), column) if self.shape else ()

    def place_of(self, index: Shape) -> tuple[int, int]:
        """Return the row and the column of a cell."""
        row = 0
        for position, length in zip(index[:-1], (self.shape or ())[:-1], strict=True):
            row = row * length + position
        return row, index[-1] if index else 0

    def label(self, row: int) -> str:
        """Return what stands before a row: its index, or all its leading indices."""
        index = ",".join(map(str, self.leading_index(row)))
        return f"{index.rjust(self.label_width - 1)} "


@dataclass(frozen=True)
class Layout:
    """The blocks of a pane and its headings by line, for one width and one set of shapes."""

    blocks: tuple[Block, ...]
    headings: Mapping[int, str]
    height: int

    @cached_property
    def by_name(self) -> dict[str, Block]:
        """The blocks by the names of their tensors."""
        return {block.name: block for block in self.blocks}

    @cached_property
    def with_cells(self) -> list[Block]:
        """The blocks that have a cell to point at."""
        return [block for block in self.blocks if block.rows]

    @cached_property
    def _tops(self) -> list[int]:
        return [block.top for block in self.blocks]

    def block_at(self, y: int) -> Block | None:
        """Return the block that line `y` belongs to, None for a heading."""
        at = bisect_right(self._tops, y) - 1
        if at < 0 or y >= self.blocks[at].end:
            return None
        return self.blocks[at]


def heading_of(tensor: Tensor) -> str:
    """Return the heading that a tensor stands under."""
    return _HEADINGS[tensor.role] if tensor.layer is None else f"layer {tensor.layer}"


Headings = Callable[[Tensor], str]


def names_of(program: Program, belongs: Callable[[Tensor], bool]) -> list[str]:
    """Return the names of the tensors that belong in a pane, in the order of their blocks."""

    def place(tensor: Tensor) -> tuple[int, int]:
        group = "layers" if tensor.layer is not None else _HEADINGS[tensor.role]
        return _ORDER.index(group), tensor.layer or 0

    chosen = [tensor for tensor in program.tensors.values() if belongs(tensor)]
    return [tensor.name for tensor in sorted(chosen, key=place)]


def lay_out(
    names: list[str],
    program: Program,
    tensors: Mapping[str, Array],
    width: int,
    headed: Headings = heading_of,
) -> Layout:
    """Place the named tensors one under the other in a pane `width` columns wide."""
    blocks: list[Block] = []
    headings: dict[int, str] = {}
    y, heading = 0, ""
    for name in names:
        if (own := headed(program.tensors[name])) != heading:
            headings[y] = heading = own
            y += 1
        array = tensors.get(name)
        block = _block(name, y, None if array is None else array.shape, width)
        blocks.append(block)
        y = block.end
    return Layout(tuple(blocks), headings, y)


def _block(name: str, top: int, shape: Shape | None, width: int) -> Block:
    """Make the block of a tensor."""
    if shape is None:
        return Block(name, top, shape, 0, 0, 0, with_changes=False)
    if not shape and (room := width - TITLE_WIDTH - len(name)) >= PLAIN_CELL:
        return Block(name, top, shape, 1, 1, 0, room >= CHANGE_CELL, beside_title=True)
    columns = shape[-1] if shape else 1
    rows = prod(shape[:-1]) if columns else 0
    label_width = max(1, len(",".join(str(length - 1) for length in shape[:-1]))) + 1
    with_changes = label_width + columns * (CHANGE_CELL + GAP) - GAP <= width
    return Block(name, top, shape, rows, columns, label_width, with_changes)


WRITTEN, READ, STALE = "●", "○", "≈"


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
