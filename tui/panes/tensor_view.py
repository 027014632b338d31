"""A view over tensors as blocks of numbers, with a cursor on one of their cells."""

import copy
from collections.abc import Collection, Iterator
from typing import Self

from textual.geometry import Offset

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Program, Tensor
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.theme import Palette

from .line_view import Line, empty, fit
from .pane import Scroll
from .scene import Scene
from .scene_view import Varying
from .tensor_blocks import (
    NAMED,
    SHORT,
    TITLE,
    Block,
    CellPainter,
    Cursor,
    Headings,
    Layout,
    Look,
    heading_line,
    heading_of,
    lay_out,
    names_of,
    number_width,
)

# To lay all out takes no longer than to give more than that another shape.
_FEW = 4


class TensorView(Varying):
    """The tensors of some roles, laid out for `width` columns and as many lines as are shown."""

    def __init__(self, roles: Collection[str]) -> None:
        self.cursor: Cursor | None = None
        self.snapshot: Snapshot | None = None
        self.scene: Scene | None = None
        self.always_marks = False
        self.width = 0
        self.scrolled = Scroll()
        self._roles = roles
        self._program: Program | None = None
        self._names: list[str] = []
        self._names_of_program: list[str] = []
        self._layout = Layout([], {}, 0, 0)
        # Those that have not the same shape in every batch, and the ones laid out; of how many
        # tensors in all that have a value.
        self._varying: list[str] = []
        self._shapes: list[Shape | None] = []
        self._count = 0
        # How wide the numbers of each block are, and of which rows they have been measured.
        self._numbers: dict[str, int] = {}
        self._measured: dict[str, tuple[Array, range]] = {}
        self._first: dict[str, int] = {}
        self._awaited: str | None = None
        # The lines of each block as they were painted last, by row; the title is row -1.
        self._drawn: dict[str, tuple[Look, dict[int, Line]]] = {}

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Take a snapshot; if the scene follows the step, what that wrote comes into view."""
        self.snapshot, self.scene = snapshot, scene
        names = self.names(snapshot)
        if new := names is not self._names and names != self._names:
            self._names, self._awaited = names, None
            of_program = snapshot.program.tensors
            self._varying = [name for name in names if len({*of_program[name].shapes}) > 1]
        if not self._is_as_laid_out(snapshot) or new:
            self._lay_out()
        if scene.follow:
            there = self._layout.by_name
            self._awaited = next((name for name in snapshot.written if name in there), None)
        self.ask(scene, reveal=scene.follow)

    def _is_as_laid_out(self, snapshot: Snapshot) -> bool:
        """Tell whether all tensors are laid out, those taken in that have a value only now.

        There may be thousands of them. They come to have values in the order of the program.
        """
        tensors, there = snapshot.tensors, self._layout.by_name
        arrays = [tensors.get(name) for name in self._varying]
        shapes = [None if array is None else array.shape for array in arrays]
        first, end = sorted((self._count, len(tensors)))
        self._count, before, self._shapes = len(tensors), self._shapes, shapes
        arrived = [n for n in snapshot.program.arriving[first:end] if n in there]
        if shapes != before or len(arrived) > _FEW:
            return False
        for name in arrived:
            shape = tensors[name].shape if name in tensors else None
            self._layout = self._layout.reshaped(name, shape)
        if arrived:
            self._keep_cursor()
        return True

    def ask(self, scene: Scene, *, reveal: bool = True) -> None:
        """Take another cell in question; if it is here, the cursor is on it, and in view.

        If it is not, the foremost of its sources that is here comes into view.
        """
        self.scene = scene
        if scene.asked is None:
            return
        if self.has(scene.asked.name):
            self.point_at(*scene.asked.cell, reveal=reveal)
        elif reveal:
            here = (cell for cell in scene.asked.foremost if self._stands(cell[0]))
            if cell := next(here, None):
                name, index = cell
                self._reveal(Cursor(name, *self._layout.by_name[name].place_of(index)))

    def __copy__(self) -> Self:
        """Return another view that looks the same, and goes on by itself."""
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))
        other.scrolled = copy.copy(self.scrolled)
        other._numbers, other._measured = dict(self._numbers), dict(self._measured)
        other._first, other._drawn = dict(self._first), dict(self._drawn)
        return other

    def __eq__(self, other: object) -> bool:
        """Tell whether nothing has been done with one that was not done with the other."""
        return isinstance(other, TensorView) and self.stand == other.stand

    __hash__ = None  # type: ignore[assignment]

    @property
    def stand(self) -> tuple[object, ...]:
        """What is different as soon as anything has been done with the view."""
        return self.scene, self.cursor, self.width, self.scrolled, self._first, self._awaited

    def names(self, snapshot: Snapshot) -> list[str]:
        """Return the names of the tensors to show, in their order."""
        if snapshot.program is not self._program:
            self._program = snapshot.program
            self._names_of_program = names_of(snapshot.program, self.holds)
        return self._names_of_program

    def headings(self, snapshot: Snapshot) -> Headings:
        """Return what gives the heading that a tensor stands under."""
        return heading_of

    def holds(self, tensor: Tensor) -> bool:
        """Tell whether a tensor belongs here."""
        return tensor.role in self._roles

    def has(self, name: str) -> bool:
        """Tell whether there is a cell of a tensor here to point at."""
        return self._stands(name)

    def _stands(self, name: str) -> bool:
        """Tell whether a tensor with cells stands among those that are laid out."""
        block = self._layout.by_name.get(name)
        return block is not None and block.rows > 0

    def arrange(self, width: int, height: int) -> None:
        """Fit everything into a size; a reader's place stays, as far as it exists."""
        resized, widened = (width, height) != (self.width, self.scrolled.shown), width != self.width
        self.width = width
        if widened:
            self._lay_out()
        self.scrolled.fit(self._layout.height, height)
        if resized:
            self.reveal_cursor()
        if self._awaited is not None:
            self._reveal_block(self._layout.by_name[self._awaited])
            self._awaited = None

    def _lay_out(self) -> None:
        """Place the tensors anew: there are others, or their shapes or the width have changed."""
        if self.snapshot is not None:
            self._layout = self._laid_out(self.snapshot, self.width)
            self._keep_cursor()

    def lines_at(self, width: int) -> int:
        """Return how many lines all the tensors take in so many columns once they are computed."""
        if self.snapshot is None:
            return 0
        program, headings = self.snapshot.program, self.headings(self.snapshot)
        shapes = {name: program.tensors[name].shape for name in self._names}
        return lay_out(self._names, program, shapes, width, headings).height

    def _laid_out(self, snapshot: Snapshot, width: int) -> Layout:
        headings = self.headings(snapshot)
        tensors = snapshot.tensors
        shapes = {name: tensors[name].shape for name in self._names if name in tensors}
        return lay_out(self._names, snapshot.program, shapes, width, headings)

    @property
    def selected(self) -> tuple[str, Shape] | None:
        """The name and the index of the cell under the cursor."""
        if self.cursor is None:
            return None
        block = self._layout.by_name[self.cursor.name]
        return block.name, block.cell(self.cursor.row, self.cursor.column)

    # Painting.

    def paint(self, palette: Palette) -> Iterator[Line]:
        """Paint the visible lines.

        A line that looks as it did is the very same object, so that comparing it is soon done.
        """
        snapshot, scene = self.snapshot, self.scene
        if snapshot is None or scene is None:
            return
        marks = scene.is_shown or self.always_marks
        painter = CellPainter(snapshot, scene, palette, self.width, marks, self.dtype)
        drawn: dict[str, dict[int, Line]] = {}
        blank, top = empty(self.width, palette.text), self.scrolled.top
        for y in range(top, top + self.scrolled.shown):
            block = self._layout.block_at(y)
            if block is not None and y == top:
                # Never rows without a name: the title stays while the rows scroll under it.
                is_last = block.top < y == block.end - 1
                yield self._block_line(painter, block, NAMED if is_last else TITLE, drawn)
            elif block is not None:
                yield self._block_line(painter, block, y - block.top - 1, drawn)
            elif heading := self._layout.headings.get(y):
                yield heading_line(heading, self.width, palette)
            else:
                yield blank

    def _block_line(
        self, painter: CellPainter, block: Block, row: int, drawn: dict[str, dict[int, Line]]
    ) -> Line:
        """Return a line of a block; `drawn` gathers the lines of the blocks met while painting."""
        lines = drawn.get(block.name)
        if lines is None:
            lines = drawn[block.name] = self._lines_so_far(painter, block)
        if row not in lines:
            first, number = self._first_column(block), self._numbers[block.name]
            pieces = painter.line(block, row, first, number)
            lines[row] = fit(pieces, self.width, painter.palette.text)
        return lines[row]

    def _lines_so_far(self, painter: CellPainter, block: Block) -> dict[int, Line]:
        """Return the lines of a block that were painted before, none if it looks different now."""
        self._numbers[block.name] = self._number_width(block)
        first = self._first_column(block)
        look = painter.look(block, first, self._numbers[block.name])
        known = self._drawn.get(block.name)
        if known is None or not known[0].same_as(look):
            known = self._drawn[block.name] = look, {}
        return known[1]

    def _first_column(self, block: Block) -> int:
        """Return the first column shown of a block."""
        last = max(0, block.columns - self._fitting(block))
        return min(self._first.get(block.name, 0), last)

    def _fitting(self, block: Block) -> int:
        """Return how many columns of a block are shown."""
        return block.fitting(self.width, self._numbers.get(block.name, SHORT))

    def _number_width(self, block: Block) -> int:
        """Return how wide the widest number is that is visible of a block."""
        array = self.snapshot.tensors.get(block.name) if self.snapshot else None
        if array is None or not block.rows:
            return SHORT
        first = max(0, self.scrolled.top - block.line_of(0))
        end = min(block.rows, self.scrolled.top + self.scrolled.shown - block.line_of(0))
        rows = range(first, end)
        if self.known_width(block.name, array, rows):
            return self._numbers[block.name]
        self._measured[block.name] = array, rows
        return number_width(array, block, rows, self._first.get(block.name, 0), self.width)

    def known_width(self, name: str, array: Array, rows: range) -> bool:
        """Tell whether the numbers of these rows have been measured."""
        known = self._measured.get(name)
        return known is not None and known[0] is array and known[1] == rows

    @property
    def dtype(self) -> str:
        """The dtype that all tensors here have which are no counts or classes."""
        tensors = self.snapshot.tensors if self.snapshot else {}
        arrays = (tensors[name] for name in self._names if name in tensors)
        bits = (8 * array.itemsize for array in arrays if array.dtype.kind == "f")
        return f"float{next(bits, 64)}"

    # Moving.

    def move(self, rows: int, columns: int) -> None:
        """Move the cursor by cells; up and down go on into the next tensor."""
        if self.cursor is None:
            return
        block = self._layout.by_name[self.cursor.name]
        row, column = self.cursor.row + rows, self.cursor.column + columns
        if not 0 <= row < block.rows:
            block, row = self._neighbour(block, row)
        self._point_at(block, row, column)

    def move_to_row_edge(self, edge: int) -> None:
        """Move the cursor to the first (0) or last (-1) cell of its row."""
        if self.cursor is not None:
            block = self._layout.by_name[self.cursor.name]
            self._point_at(block, self.cursor.row, edge % block.columns)

    def move_to_edge(self, edge: int) -> None:
        """Move the cursor to the first (0) or last (-1) cell of all."""
        if cells := self._layout.with_cells:
            block = cells[edge]
            self._point_at(block, edge % block.rows, edge % block.columns)

    def move_to_point(self, x: int, y: int) -> None:
        """Move the cursor to the cell at a point of the visible part."""
        block = self._layout.block_at(self.scrolled.top + y)
        if block and block.rows and (y > 0 or block.beside_title):
            number = self._numbers.get(block.name, SHORT)
            shown = max(0, x - block.left(number)) // block.pitch(self.width, number)
            row = max(0, self.scrolled.top + y - block.top - 1)
            self._point_at(block, row, self._first_column(block) + shown)

    def point_at(self, name: str, index: Shape, *, reveal: bool = True) -> None:
        """Put the cursor on a cell, if it is here."""
        block = self._layout.by_name.get(name)
        if block is not None and block.rows:
            self.cursor = Cursor(name, *block.place_of(index))
            if reveal:
                self.reveal_cursor()

    def offset_of_cursor(self) -> Offset | None:
        """Return where the cell under the cursor stands in the visible part, None outside it."""
        block = self._layout.by_name.get(self.cursor.name) if self.cursor else None
        if self.cursor is None or block is None or not block.rows:
            return None
        number = self._numbers.get(block.name, SHORT)
        column = self.cursor.column - self._first_column(block)
        y = block.line_of(self.cursor.row) - self.scrolled.top
        if not (0 <= y < self.scrolled.shown and 0 <= column < self._fitting(block)):
            return None
        return Offset(block.left(number) + column * block.pitch(self.width, number) + 1, y)

    def _neighbour(self, block: Block, row: int) -> tuple[Block, int]:
        """Go on from a row beyond the block's ends into the blocks before or after it."""
        cells = self._layout.with_cells
        at = cells.index(block)
        while row < 0 and at > 0:
            at -= 1
            row += cells[at].rows
        while row >= cells[at].rows and at < len(cells) - 1:
            row -= cells[at].rows
            at += 1
        return cells[at], row

    def _point_at(self, block: Block, row: int, column: int) -> None:
        """Put the cursor on the cell of a block nearest to a row and column, and show it."""
        row, column = min(max(row, 0), block.rows - 1), min(max(column, 0), block.columns - 1)
        self.cursor = Cursor(block.name, row, column)
        self.reveal_cursor()

    def _keep_cursor(self) -> None:
        """Put the cursor on a cell that exists: the one it was on, or else the first."""
        block = self._layout.by_name.get(self.cursor.name) if self.cursor else None
        if self.cursor is not None and block is not None and block.rows:
            row = min(self.cursor.row, block.rows - 1)
            self.cursor = Cursor(block.name, row, min(self.cursor.column, block.columns - 1))
        else:
            cells = self._layout.with_cells
            self.cursor = Cursor(cells[0].name) if cells else None

    def _reveal_block(self, block: Block) -> None:
        heading = block.top - 1 in self._layout.headings
        self.scrolled.reveal(block.top - heading, block.end)

    def reveal_cursor(self) -> None:
        """Scroll as little as shows the cell under the cursor."""
        if self.cursor is not None:
            self._reveal(self.cursor)

    def _reveal(self, cell: Cursor) -> None:
        block = self._layout.by_name[cell.name]
        y = block.line_of(cell.row)
        self.scrolled.reveal(y - (not block.beside_title), y + 1)
        first = self._first.get(block.name, 0)
        self._first[block.name] = min(
            max(first, cell.column - self._fitting(block) + 1), cell.column
        )
        self._measured.pop(block.name, None)
