"""A pane of tensors: blocks of numbers to scroll through, and a cursor on one of the cells."""

from collections.abc import Callable, Iterator

from textual import events
from textual.message import Message
from textual.strip import Strip

from nnstep.engine.arrays import Shape
from nnstep.engine.program.instruction import Program, Tensor
from nnstep.engine.snapshot import Snapshot
from nnstep.tui.actions import bindings
from nnstep.tui.widgets.cursor_line import CURSOR_LINES, cursor_lines
from nnstep.tui.widgets.line_view import LineView, Piece, line
from nnstep.tui.widgets.tab_line import Tab, tab_at, tab_line
from nnstep.tui.widgets.tensor_blocks import Block, Layout, lay_out, names_of
from nnstep.tui.widgets.tensor_cells import CURSOR, RESTING_CURSOR, CellPainter, Cursor

WHEEL_LINES = 3


class TensorPane(LineView, can_focus=True):
    """Shows the tensors that belong to it; `tabs` are the panes that share its place."""

    BINDINGS = bindings("tensors")

    class TabClicked(Message):
        """Someone clicked on the tab of another pane."""

        def __init__(self, digit: int) -> None:
            super().__init__()
            self.digit = digit

    def __init__(self, tab: Tab, belongs: Callable[[Tensor], bool], *, id: str) -> None:
        super().__init__(id=id)
        self.tab = tab
        self.tabs: tuple[Tab, ...] = (tab,)
        self.cursor: Cursor | None = None
        self._belongs = belongs
        self._snapshot: Snapshot | None = None
        self._program: Program | None = None
        self._names: list[str] = []
        self._shapes: tuple[Shape | None, ...] = ()
        self._layout = Layout((), {}, 0)
        self._layout_width = 0
        self._top = 0
        self._first: dict[str, int] = {}

    def show(self, snapshot: Snapshot, *, follow: bool) -> None:
        """Draw a snapshot; with `follow`, scroll to what the last step wrote."""
        if snapshot.program is not self._program:
            self._program = snapshot.program
            self._names = names_of(snapshot.program, self._belongs)
        self._snapshot = snapshot
        self._arrange()
        if follow:
            for name in reversed(snapshot.written):
                self._reveal_block(name)
        self.redraw()

    def holds(self, name: str) -> bool:
        """Tell whether a tensor belongs to this pane."""
        return name in self._names

    @property
    def selected(self) -> tuple[str, Shape] | None:
        """The name and the index of the cell under the cursor."""
        if self.cursor is None:
            return None
        block = self._layout.by_name[self.cursor.name]
        return block.name, block.cell(self.cursor.row, self.cursor.column)

    # Arranging: from shapes to lines.

    def _arrange(self) -> None:
        """Lay the blocks out again if a shape or the width has changed."""
        snapshot, width = self._snapshot, self.size.width
        if snapshot is None:
            return
        arrays = [snapshot.tensors.get(name) for name in self._names]
        shapes = tuple(None if array is None else array.shape for array in arrays)
        if (shapes, width) != (self._shapes, self._layout_width):
            self._layout = lay_out(self._names, snapshot.program, snapshot.tensors, width)
            self._shapes, self._layout_width = shapes, width
            self._keep_cursor()
        self._go_to(self._top)

    def _keep_cursor(self) -> None:
        """Put the cursor on a cell that exists, the same as before if it still does."""
        block = self._layout.by_name.get(self.cursor.name) if self.cursor else None
        if self.cursor is None or block is None or not block.rows:
            cells = [block for block in self._layout.blocks if block.rows]
            self.cursor = Cursor(cells[0].name) if cells else None
        else:
            row, column = self.cursor.row, self.cursor.column
            self.cursor = Cursor(
                block.name, min(row, block.rows - 1), min(column, block.columns - 1)
            )

    @property
    def _body_height(self) -> int:
        """How many lines there are between the title and the cursor lines."""
        return max(0, self.size.height - 1 - CURSOR_LINES)

    def _go_to(self, top: int) -> None:
        self._top = max(0, min(top, self._layout.height - self._body_height))

    def _reveal_lines(self, first: int, end: int) -> None:
        """Scroll as little as shows the lines from `first` to before `end`, the first above all."""
        if self._top + self._body_height < end:
            self._go_to(end - self._body_height)
        if first < self._top:
            self._go_to(first)

    def _reveal_block(self, name: str) -> None:
        if block := self._layout.by_name.get(name):
            heading = block.top - 1 in self._layout.headings
            self._reveal_lines(block.top - heading, block.end)

    def _reveal_cursor(self) -> None:
        if self.cursor is None:
            return
        block = self._layout.by_name[self.cursor.name]
        y = block.top + 1 + self.cursor.row
        self._reveal_lines(y - 1 if self.cursor.row == 0 else y, y + 1)
        fitting = block.fitting(self.size.width)
        first = self._first.get(block.name, 0)
        first = min(max(first, self.cursor.column - fitting + 1), self.cursor.column)
        self._first[block.name] = first

    # Painting.

    def paint(self, width: int, height: int) -> list[Strip]:
        """Paint the title, the visible blocks and the cursor lines."""
        self._arrange()
        palette = self.palette
        lines = [self._header(width)]
        if self._snapshot is not None:
            style = CURSOR if self.has_focus else RESTING_CURSOR
            painter = CellPainter(self._snapshot, palette, self.cursor, style)
            visible = range(self._top, self._top + self._body_height)
            body = [self._body_line(painter, y, width) for y in visible]
            below = cursor_lines(self._snapshot, self.selected, width, palette)
            lines.extend(line(pieces, width, palette.text) for pieces in (*body, *below))
        return lines[:height]

    def _header(self, width: int) -> Strip:
        """Paint the tabs, and how many lines there are above and below what is visible."""
        palette = self.palette
        pieces = list(tab_line(self.tabs, self.tab.digit, palette, focused=self.has_focus))
        above, below = self._top, self._layout.height - self._top - self._body_height
        hint = " ".join(f"{arrow}{n}" for arrow, n in (("↑", above), ("↓", below)) if n > 0)
        taken = sum(len(text) for text, _ in pieces)
        pieces.append((f"{hint} ".rjust(width - taken), palette.muted))
        return line(pieces, width, palette.text)

    def _body_line(self, painter: CellPainter, y: int, width: int) -> Iterator[Piece]:
        """Paint line `y` of the layout: a heading, a title, a row or nothing."""
        palette = painter.palette
        if heading := self._layout.headings.get(y):
            yield f"─ {heading} ".ljust(width, "─"), palette.rule
        elif block := self._layout.block_at(y):
            first = self._visible_from(block, width)
            if y == block.top:
                yield from painter.title(block, first, width)
            else:
                yield from painter.row(block, y - block.top - 1, first, width)

    def _visible_from(self, block: Block, width: int) -> int:
        """Return the first column shown of a block."""
        return min(self._first.get(block.name, 0), max(0, block.columns - block.fitting(width)))

    # Keys and mouse.

    def action_cursor(self, rows: int, columns: int) -> None:
        """Move the cursor by cells; up and down go on into the next tensor."""
        if self.cursor is None:
            return
        block = self._layout.by_name[self.cursor.name]
        row, column = self.cursor.row + rows, self.cursor.column + columns
        if not 0 <= row < block.rows:
            block, row = self._neighbour(block, row)
        self._point_at(block, row, column)

    def _neighbour(self, block: Block, row: int) -> tuple[Block, int]:
        """Go on from a row beyond the block's ends into the blocks before or after it."""
        cells = [each for each in self._layout.blocks if each.rows]
        at = cells.index(block)
        while row < 0 and at > 0:
            at -= 1
            row += cells[at].rows
        while row >= cells[at].rows and at < len(cells) - 1:
            row -= cells[at].rows
            at += 1
        return cells[at], row

    def action_page(self, pages: int) -> None:
        """Move the cursor by screenfuls."""
        self.action_cursor(pages * max(1, self._body_height - 1), 0)

    def action_row_edge(self, edge: int) -> None:
        """Move the cursor to the first (0) or last (-1) cell of its row."""
        if self.cursor is not None:
            block = self._layout.by_name[self.cursor.name]
            self._point_at(block, self.cursor.row, edge % block.columns)

    def action_pane_edge(self, edge: int) -> None:
        """Move the cursor to the first (0) or last (-1) cell of the pane."""
        cells = [block for block in self._layout.blocks if block.rows]
        if cells:
            block = cells[edge]
            self._point_at(block, edge % block.rows, edge % block.columns)

    def _point_at(self, block: Block, row: int, column: int) -> None:
        """Put the cursor on the cell of a block nearest to a row and column, and show it."""
        row, column = min(max(row, 0), block.rows - 1), min(max(column, 0), block.columns - 1)
        self.cursor = Cursor(block.name, row, column)
        self._reveal_cursor()
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Select the cell, or the tab, that was clicked."""
        if event.y == 0:
            if (tab := tab_at(self.tabs, event.x)) and tab != self.tab:
                self.post_message(self.TabClicked(tab.digit))
            return
        if event.y > self._body_height:
            return
        y = self._top + event.y - 1
        if (block := self._layout.block_at(y)) and block.rows:
            shown = max(0, event.x - block.label_width) // block.cell_width
            column = self._visible_from(block, self.size.width) + shown
            self._point_at(block, max(0, y - block.top - 1), column)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll the lines; the cursor stays where it is."""
        self._scroll_by(event, WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll the lines; the cursor stays where it is."""
        self._scroll_by(event, -WHEEL_LINES)

    def _scroll_by(self, event: events.MouseEvent, lines: int) -> None:
        event.stop()
        self._go_to(self._top + lines)
        self.redraw()
