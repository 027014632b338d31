"""Panes of tensors: a view over blocks of numbers, with a cursor."""

from collections.abc import Callable, Iterator
from functools import lru_cache

from rich.style import Style
from textual import events
from textual.message import Message

from nnstep.engine.arrays import Shape
from nnstep.engine.program.program import Program, Tensor
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.actions import bindings
from nnstep.tui.theme import Palette

from .line_view import Line, LineView, Piece, empty, fit
from .pane import Tab, hidden_lines, in_order, tab_at, tab_line
from .tensor_blocks import (
    CURSOR,
    NO_CURSOR,
    RESTING_CURSOR,
    Block,
    CellPainter,
    Cursor,
    Layout,
    Look,
    lay_out,
    names_of,
)


class TensorView:
    """The tensors that belong together, laid out for `width` columns and `height` lines."""

    def __init__(self, tab: Tab, belongs: Callable[[Tensor], bool]) -> None:
        self.tab = tab
        self.cursor: Cursor | None = None
        self.snapshot: Snapshot | None = None
        self.width = self.height = 0
        self.top = 0
        self._belongs = belongs
        self._program: Program | None = None
        self._names: list[str] = []
        self._layout = Layout((), {}, 0)
        self._shapes: list[Shape | None] = []
        self._first: dict[str, int] = {}
        self._awaited: str | None = None
        # The lines of each block as they were painted last, by row; the title is row -1.
        self._drawn: dict[str, tuple[Look, Line, dict[int, Line]]] = {}

    def show(self, snapshot: Snapshot, *, follow: bool) -> None:
        """Take a snapshot; with `follow`, what its last step wrote comes into view."""
        self.snapshot = snapshot
        if new := snapshot.program is not self._program:
            self._program = snapshot.program
            self._names = names_of(snapshot.program, self._belongs)
        arrays = [snapshot.tensors.get(name) for name in self._names]
        shapes = [None if array is None else array.shape for array in arrays]
        if new or shapes != self._shapes:
            self._shapes = shapes
            self._lay_out()
        if follow:
            written = [name for name in snapshot.written if name in self._names]
            self._awaited = written[0] if written else None

    def holds(self, name: str) -> bool:
        """Tell whether a tensor belongs here."""
        return name in self._names

    def arrange(self, width: int, height: int) -> None:
        """Fit everything into a size; a reader's place stays, as far as it exists."""
        resized, widened = (width, height) != (self.width, self.height), width != self.width
        self.width, self.height = width, height
        if widened:
            self._lay_out()
        self._go_to(self.top)
        if resized:
            self.reveal_cursor()
        if self._awaited is not None:
            self._reveal_block(self._layout.by_name[self._awaited])
            self._awaited = None

    def _lay_out(self) -> None:
        """Place the tensors anew: there are others, or their shapes or the width have changed."""
        if self.snapshot is not None:
            program, tensors = self.snapshot.program, self.snapshot.tensors
            self._layout = lay_out(self._names, program, tensors, self.width)
            self._keep_cursor()

    def lines_at(self, width: int) -> int:
        """Return how many lines all the tensors take, visible or not, in so many columns."""
        if self.snapshot is None:
            return 0
        return lay_out(self._names, self.snapshot.program, self.snapshot.tensors, width).height

    @property
    def hidden(self) -> tuple[int, int]:
        """How many lines there are above and below what is visible."""
        return self.top, max(0, self._layout.height - self.top - self.height)

    @property
    def selected(self) -> tuple[str, Shape] | None:
        """The name and the index of the cell under the cursor."""
        if self.cursor is None:
            return None
        block = self._layout.by_name[self.cursor.name]
        return block.name, block.cell(self.cursor.row, self.cursor.column)

    # Painting.

    def paint(self, palette: Palette, cursor_style: Style, edge: Line) -> Iterator[Line]:
        """Paint the visible lines, each after `edge`.

        A line that looks as it did is the very same object, so that comparing it costs nothing.
        """
        if self.snapshot is None:
            return
        painter = CellPainter(self.snapshot, palette, self.cursor, cursor_style)
        drawn: dict[str, dict[int, Line]] = {}
        blank = edge + empty(self.width, palette.text)
        for y in range(self.top, self.top + self.height):
            block = self._layout.block_at(y)
            if block is not None and y == self.top:
                # Never rows without a name: the title stays while the rows scroll under it.
                yield self._block_line(painter, block, block.top, edge, drawn)
            elif block is not None:
                yield self._block_line(painter, block, y, edge, drawn)
            elif heading := self._layout.headings.get(y):
                yield _heading_line(heading, self.width, palette, edge)
            else:
                yield blank

    def _block_line(
        self,
        painter: CellPainter,
        block: Block,
        y: int,
        edge: Line,
        drawn: dict[str, dict[int, Line]],
    ) -> Line:
        """Return a line of a block; `drawn` gathers the lines of the blocks met while painting."""
        lines = drawn.get(block.name)
        if lines is None:
            lines = drawn[block.name] = self._lines_so_far(painter, block, edge)
        row = y - block.top - 1
        if row not in lines:
            first = self._first_column(block)
            pieces = (
                painter.title(block, first, self.width)
                if row < 0
                else painter.row(block, row, first, self.width)
            )
            lines[row] = edge + fit(pieces, self.width, painter.palette.text)
        return lines[row]

    def _lines_so_far(self, painter: CellPainter, block: Block, edge: Line) -> dict[int, Line]:
        """Return the lines of a block that were painted before, none if it looks different now."""
        look = painter.look(block, self._first_column(block), self.width)
        known = self._drawn.get(block.name)
        if known is None or known[1] != edge or not known[0].same_as(look):
            known = self._drawn[block.name] = look, edge, {}
        return known[2]

    def _first_column(self, block: Block) -> int:
        """Return the first column shown of a block."""
        last = max(0, block.columns - block.fitting(self.width))
        return min(self._first.get(block.name, 0), last)

    # Moving.

    def scroll(self, lines: int) -> None:
        """Scroll; the cursor stays where it is."""
        self._go_to(self.top + lines)

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
        block = self._layout.block_at(self.top + y)
        if block and block.rows and (y > 0 or block.beside_title):
            shown = max(0, x - block.label_width) // block.cell_width
            row = max(0, self.top + y - block.top - 1)
            self._point_at(block, row, self._first_column(block) + shown)

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
            row, column = self.cursor.row, self.cursor.column
            row, column = min(row, block.rows - 1), min(column, block.columns - 1)
            self.cursor = Cursor(block.name, row, column)
        else:
            cells = self._layout.with_cells
            self.cursor = Cursor(cells[0].name) if cells else None

    def _go_to(self, top: int) -> None:
        self.top = max(0, min(top, self._layout.height - self.height))

    def _reveal_lines(self, first: int, end: int) -> None:
        """Scroll as little as shows the lines from `first` to before `end`, the first above all."""
        if self.top + self.height < end:
            self._go_to(end - self.height)
        if first < self.top:
            self._go_to(first)

    def _reveal_block(self, block: Block) -> None:
        heading = block.top - 1 in self._layout.headings
        self._reveal_lines(block.top - heading, block.end)

    def reveal_cursor(self) -> None:
        """Scroll as little as shows the cell under the cursor."""
        if self.cursor is None:
            return
        row, column = self.cursor.row, self.cursor.column
        block = self._layout.by_name[self.cursor.name]
        y = block.line_of(row)
        self._reveal_lines(y - (not block.beside_title), y + 1)
        first = self._first.get(block.name, 0)
        self._first[block.name] = min(max(first, column - block.fitting(self.width) + 1), column)


@lru_cache(maxsize=64)
def _heading_line(heading: str, width: int, palette: Palette, edge: Line) -> Line:
    rule = f" {'─' * (width - 3 - len(heading))}"
    pieces = (("─ ", palette.rule), (heading, palette.heading), (rule, palette.rule))
    return edge + fit(pieces, width, palette.text)


class TensorPane(LineView, can_focus=True):
    """Shows a view; `tabs` are the views that take turns in this place."""

    BINDINGS = bindings("tensors")

    class TabClicked(Message):
        """Someone clicked on the tab of another view."""

        def __init__(self, digit: int) -> None:
            super().__init__()
            self.digit = digit

    class CursorMoved(Message):
        """The cursor is on another cell."""

    def __init__(self, view: TensorView, *, id: str) -> None:
        super().__init__(id=id)
        self.view = view
        # Whether this is the pane of tensors that was looked at last: its cursor is shown.
        self.looked_at = True
        self.tabs: tuple[Tab, ...] = (view.tab,)

    def turn_to(self, view: TensorView, tabs: tuple[Tab, ...]) -> None:
        """Have a view, one of those that `tabs` stand for, drawn from now on."""
        self.view, self.tabs = view, tabs

    def fit_to(self, width: int, height: int) -> None:
        """Arrange the view under the title and after the edge."""
        self.view.arrange(width - len(self.edge), max(0, height - 1))

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the title and the visible blocks, an edge before each line."""
        palette, edge = self.palette, self.edge
        inner = width - len(edge)
        lines = [edge + fit(self._title(inner), inner, palette.tab)]
        lines.extend(self.view.paint(palette, self._cursor_style, edge))
        lines.extend([edge + empty(inner, palette.text)] * (height - len(lines)))
        return lines[:height]

    @property
    def _cursor_style(self) -> Style:
        if self.has_focus:
            return CURSOR
        return RESTING_CURSOR if self.looked_at else NO_CURSOR

    def _title(self, width: int) -> Iterator[Piece]:
        """Paint the tabs, and how many lines there are above and below what is visible."""
        active, hint = self.view.tab.digit, hidden_lines(*self.view.hidden)
        return tab_line(self.tabs, active, self.palette, width, hint, focused=self.has_focus)

    def _cursor_moved(self) -> None:
        self.redraw()
        self.post_message(self.CursorMoved())

    def action_cursor(self, rows: int, columns: int) -> None:
        """Move the cursor by cells."""
        self.view.move(rows, columns)
        self._cursor_moved()

    def action_page(self, pages: int) -> None:
        """Move the cursor by screenfuls."""
        self.action_cursor(pages * max(1, self.view.height - 1), 0)

    def action_row_edge(self, edge: int) -> None:
        """Move the cursor to an end of its row."""
        self.view.move_to_row_edge(edge)
        self._cursor_moved()

    def action_pane_edge(self, edge: int) -> None:
        """Move the cursor to the first or the last cell."""
        self.view.move_to_edge(edge)
        self._cursor_moved()

    def on_click(self, event: events.Click) -> None:
        """Select the cell, or the tab, that was clicked."""
        x, y = event.x - len(self.edge), event.y - 1
        if y < 0:
            tabs = in_order(self.tabs, self.view.tab.digit, self.size.width - len(self.edge))
            tab = tab_at(tabs, x)
            if tab is not None and tab != self.view.tab:
                self.post_message(self.TabClicked(tab.digit))
        elif y < self.view.height:
            self.view.move_to_point(x, y)
            self._cursor_moved()

    def scroll_by(self, lines: int) -> None:
        """Scroll; the cursor stays where it is."""
        self.view.scroll(lines)
        self.redraw()
