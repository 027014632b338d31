"""Tensors laid out as blocks of cells, and how a cell looks."""

import copy
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from math import prod

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Program, Role, Tensor
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.numbers import Number, direction, format_value
from nnstep.tui.theme import Palette

from .line_view import Line, Piece, fit
from .scene import EDITED, MISPRINTED, READ, WRITTEN, Scene

# Before the name: the mark of the last step, that of what has become of the tensor, and a blank.
GUTTER = 3
# Where the tensors of a pane stand aligned below one another, the first number ends before this
# column, and the next ones follow at this distance.
ALIGNED, PITCH = 24, 9
# Where the number of a row ends that stands before them.
LABEL = 15
# A number has a column on either side for its brackets.
BRACKETS = 2
# The shortest numbers, 0.0500, and those that a layout leaves room for, -4.333e-9.
SHORT, LONG = 6, 9
# Lines of a block that are no row: its title, and its last row with the name before it.
TITLE, NAMED = -1, -2

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
    """One tensor in a pane: its title on line `top`, its rows on the lines below, or beside it.

    The tensor is seen as a matrix: its last axis runs along a row, all others count the rows. One
    that has not been computed yet has no shape and no rows. The numbers of a row begin in column
    `least` or later; those that are `aligned` end where those of other tensors do.
    """

    name: str
    top: int
    shape: Shape | None
    rows: int
    columns: int
    least: int
    aligned: bool = False
    beside_title: bool = False

    @property
    def end(self) -> int:
        """The line after the last."""
        return self.line_of(self.rows)

    def line_of(self, row: int) -> int:
        """Return the line of the pane that a row stands on."""
        return self.top + row + (not self.beside_title)

    def moved(self, lines: int) -> "Block":
        """Return the same block so many lines further down."""
        return replace(self, top=self.top + lines)

    def fitting(self, width: int, number: int) -> int:
        """Return how many numbers so wide fit on a line, each in its brackets."""
        return max(1, (width - self.left(number)) // (number + BRACKETS))

    def left(self, number: int) -> int:
        """Return the column of the bracket before the first of numbers so wide."""
        return max(self.least, ALIGNED - number - 1) if self.aligned else self.least

    def pitch(self, width: int, number: int) -> int:
        """Return how many columns a number takes: one more for an arrow if there is room."""
        roomy = max(PITCH, number + BRACKETS + 1)
        all_fit = self.left(number) + self.columns * roomy <= width
        return roomy if all_fit else number + BRACKETS

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
        return f"{index} ".rjust(self.least)


class Layout:
    """The blocks of a pane and its headings by line, for one width and one set of shapes."""

    def __init__(
        self, blocks: list[Block], headings: Mapping[int, str], height: int, width: int
    ) -> None:
        self.headings, self.height = headings, height
        self.by_name = {block.name: block for block in blocks}
        self._width = width
        self._blocks, self._tops = blocks, [block.top for block in blocks]

    @property
    def with_cells(self) -> list[Block]:
        """The blocks that have a cell to point at."""
        return [block for block in self._blocks if block.rows]

    def block_at(self, y: int) -> Block | None:
        """Return the block that line `y` belongs to, None for a heading."""
        at = bisect_right(self._tops, y) - 1
        if at < 0 or y >= self._blocks[at].end:
            return None
        return self._blocks[at]

    def reshaped(self, name: str, shape: Shape | None) -> "Layout":
        """Return it with another shape of a tensor: what stands below moves by as many lines."""
        old = self.by_name[name]
        new = _block(name, old.top, shape, self._width)
        at = bisect_right(self._tops, old.top) - 1
        if lines := new.end - old.end:
            below = [block.moved(lines) for block in self._blocks[at + 1 :]]
            headings = self.headings.items()
            moved = {y if y < old.top else y + lines: text for y, text in headings}
            blocks = [*self._blocks[:at], new, *below]
            return Layout(blocks, moved, self.height + lines, self._width)
        other = copy.copy(self)
        other.by_name = {**self.by_name, name: new}
        other._blocks = [*self._blocks[:at], new, *self._blocks[at + 1 :]]
        return other


def heading_of(tensor: Tensor) -> str:
    """Return the heading that a tensor stands under; empty for that of the one before."""
    if tensor.role == Role.LOSS:
        return ""
    return _HEADINGS[tensor.role] if tensor.layer is None else f"layer {tensor.layer}"


Headings = Callable[[Tensor], str]


@lru_cache(maxsize=64)
def heading_line(heading: str, width: int, palette: Palette) -> Line:
    """Paint a rule that begins with a heading."""
    rule = f" {'─' * (width - 3 - len(heading))}"
    pieces = (("─ ", palette.rule), (heading, palette.heading), (rule, palette.rule))
    return fit(pieces, width, palette.text)


def names_of(program: Program, belongs: Callable[[Tensor], bool]) -> list[str]:
    """Return the names of the tensors that belong in a pane, in the order of their blocks."""

    def place(tensor: Tensor) -> tuple[int, int]:
        group = "layers" if tensor.layer is not None else _HEADINGS[tensor.role]
        # Gradients in the order in which they are computed: from the last layer back.
        layer = tensor.layer or 0
        return _ORDER.index(group), -layer if tensor.role == Role.GRADIENT else layer

    chosen = [tensor for tensor in program.tensors.values() if belongs(tensor)]
    return [tensor.name for tensor in sorted(chosen, key=place)]


def lay_out(
    names: list[str],
    program: Program,
    shapes: Mapping[str, Shape],
    width: int,
    headed: Headings = heading_of,
) -> Layout:
    """Place the named tensors one under the other in a pane `width` columns wide.

    One without a shape has no rows yet.
    """
    blocks: list[Block] = []
    headings: dict[int, str] = {}
    y, heading = 0, ""
    for name in names:
        own = headed(program.tensors[name])
        if own and own != heading:
            headings[y] = heading = own
            y += 1
        block = _block(name, y, shapes.get(name), width)
        blocks.append(block)
        y = block.end
    return Layout(blocks, headings, y, width)


def _block(name: str, top: int, shape: Shape | None, width: int) -> Block:
    """Make the block of a tensor: a single row stands beside its name if all of it fits there."""
    if shape is None:
        return Block(name, top, shape, 0, 0, 0)
    columns = shape[-1] if shape else 1
    rows = prod(shape[:-1]) if columns else 0
    titled = GUTTER + len(f"{name} {shape} ")
    if rows == 1 and _fits(titled, columns, width):
        return Block(name, top, shape, rows, columns, titled, aligned=True, beside_title=True)
    label = len(",".join(str(length - 1) for length in shape[:-1])) + GUTTER
    aligned = _fits(label, columns, width)
    return Block(name, top, shape, rows, columns, label, aligned=aligned)


def _fits(least: int, columns: int, width: int) -> bool:
    left = max(least, ALIGNED - LONG - 1)
    return left + columns * (LONG + BRACKETS) <= width


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
    """Paints blocks of one snapshot in one palette, `width` columns wide.

    The cell in question and its sources are marked if `marks_cells`. `dtype` is the one that is not
    worth saying.
    """

    snapshot: Snapshot
    scene: Scene
    palette: Palette
    width: int
    marks_cells: bool
    dtype: str

    def look(self, block: Block, first: int, number: int) -> Look:
        """Return all that decides how a block shown from column `first` on looks."""
        name, snapshot, standing = block.name, self.snapshot, self.scene.standing
        asked = self.scene.asked if self.marks_cells else None
        marked: object = None
        if asked is not None:
            pointed = asked.index if asked.name == name else None
            sources = frozenset(index for source, index in asked.sources if source == name)
            marked = pointed, sources
        is_old = name in standing.old
        states = (
            name in standing.written,
            name in standing.read,
            standing.history(name),
            standing.edited.get(name),
            standing.misprinted.get(name),
            snapshot.iteration if is_old else None,
        )
        rest = (block, first, number, self.width, id(self.palette), self.dtype, marked, states)
        return Look(snapshot.tensors.get(name), self._before(name), rest)

    def _before(self, name: str) -> Array | None:
        """Return the values that the last key has replaced, None if it has none."""
        ran = self.scene.ran and name in self.scene.standing.written
        return self.snapshot.before.get(name) if ran else None

    def title(self, block: Block, first: int, number: int) -> Iterator[Piece]:
        """Paint the title of a block whose columns are shown from `first` on."""
        snapshot, palette, name = self.snapshot, self.palette, block.name
        standing, width = self.scene.standing, self.width
        yield from self._name(name)
        array, tensor = snapshot.tensors.get(name), snapshot.program.tensors[name]
        if array is None:
            shape = f" {tensor.shape} "
            yield shape.ljust(ALIGNED - SHORT - 1 - GUTTER - len(name)), palette.muted
            yield "not computed yet", palette.muted
            return
        about = f" {array.shape}"
        if str(array.dtype) != self.dtype:
            about += f" {array.dtype}"
        yield about, palette.muted
        taken = GUTTER + len(name) + len(about)
        end = "frozen " if tensor.frozen else ""
        if name in standing.old:
            end = f"iteration {snapshot.iteration - 1} "
        shown = min(block.fitting(width, number), block.columns)
        if block.beside_title:
            yield from self._cells(block, 0, 0, number, taken)
            taken = block.left(number) + shown * block.pitch(width, number)
        elif shown < block.columns:
            last = first + shown - 1
            end = f"{end}columns {first}–{last} " if shown > 1 else f"{end}column {first} "
        if len(end) >= width - taken:
            end = end.replace("iteration", "it")
        if end and len(end) <= width - taken:
            yield end.rjust(width - taken), palette.muted

    def _name(self, name: str) -> Iterator[Piece]:
        """Paint the marks of a tensor, and its name behind them."""
        palette, standing = self.palette, self.scene.standing
        is_written, is_read = name in standing.written, name in standing.read
        mark = WRITTEN if is_written else READ if is_read else " "
        named = palette.written if is_written else palette.read if is_read else palette.strong
        history = standing.history(name)
        yield mark, named
        yield history, palette.touched if history != "!" else palette.error
        yield f" {name}", palette.muted if name not in self.snapshot.tensors else named

    def line(self, block: Block, row: int, first: int, number: int) -> Iterator[Piece]:
        """Paint a row of a block, from column `first` on, or what else stands in a line of it."""
        is_old = block.name in self.scene.standing.old
        if row == NAMED and not is_old and self._name_fits(block, number):
            return self.row(block, block.rows - 1, first, number, named=True)
        if row < 0:
            return self.title(block, first, number)
        return self.row(block, row, first, number)

    def _name_fits(self, block: Block, number: int) -> bool:
        """Tell whether there is room for the name of a tensor before the numbers of a row."""
        last = len(block.label(block.rows - 1).strip())
        room = min(LABEL, block.left(number)) if block.aligned else block.least - 1
        return GUTTER + len(block.name) + 1 + last <= room

    def row(
        self, block: Block, row: int, first: int, number: int, *, named: bool = False
    ) -> Iterator[Piece]:
        """Paint one row of a block, from column `first` on; with its name before it if `named`."""
        label, left = block.label(row), block.left(number)
        if block.aligned:
            label = label.rstrip().rjust(min(LABEL, left)).ljust(left)
        if named:
            yield from self._name(block.name)
            label = label[GUTTER + len(block.name) :]
        yield label, self.palette.muted
        yield from self._cells(block, row, first, number, left)

    def _cells(
        self, block: Block, row: int, first: int, number: int, taken: int
    ) -> Iterator[Piece]:
        """Paint the numbers of a row from column `first` on, behind what has been painted."""
        name, palette, standing = block.name, self.palette, self.scene.standing
        array, before = self.snapshot.tensors[name], self._before(name)
        last = min(first + block.fitting(self.width, number), block.columns)
        new = values_of(array, block, row, first, last)
        old = new
        if before is not None and before is not array and before.shape == array.shape:
            old = values_of(before, block, row, first, last)
        plain = palette.muted if name in standing.old else palette.text
        edited = standing.edited.get(name, frozenset())
        misprinted = standing.misprinted.get(name, frozenset())
        asked = self.scene.asked if self.marks_cells else None
        left, pitch = block.left(number), block.pitch(self.width, number)
        for column, (value, earlier) in enumerate(zip(new, old, strict=True), first):
            style, brackets = plain if math.isfinite(value) else palette.error, "  "
            behind, behind_style = direction(earlier, value), palette.text
            if asked is not None or edited or misprinted:
                index = block.cell(row, column)
                if index in misprinted:
                    behind, behind_style = MISPRINTED, palette.error
                if index in edited:
                    style, behind, behind_style = palette.touched, EDITED, palette.touched
                if asked is not None and asked.cell == (name, index):
                    style, brackets = palette.selected, "[]"
                elif asked is not None and (name, index) in asked.sources:
                    style, brackets = palette.source, "‹›"
            text = format_value(value)
            start = left + (column - first) * pitch + number + 1 - len(text)
            if brackets == "  ":
                yield " " * (start - taken), plain
                yield text, style
                taken = start + len(text)
            else:
                yield " " * (start - 1 - taken), plain
                yield f"{brackets[0]}{text}{brackets[1]}", style
                taken = start + len(text) + 1
            has_room = taken < left + (column - first + 1) * pitch
            if behind != " " and has_room:
                yield " " * (pitch > number + BRACKETS and brackets == "  "), plain
                yield behind, behind_style
                taken += 1 + (pitch > number + BRACKETS and brackets == "  ")


def values_of(array: Array, block: Block, row: int, first: int, last: int) -> list[Number]:
    """Return the values of a row in the columns from `first` to before `last`."""
    if not block.shape:
        return [array.item()]
    values: list[Number] = array[block.leading_index(row)][first:last].tolist()
    return values


def number_width(array: Array, block: Block, rows: range, first: int, width: int) -> int:
    """Return how wide the widest of the numbers is that may be seen of a block."""
    most = block.fitting(width, SHORT)
    return max(
        (
            len(format_value(value))
            for row in rows
            for value in values_of(array, block, row, first, first + most)
        ),
        default=SHORT,
    )
