"""A pane of tensors: a title or tabs, blocks of numbers, and the cell under the cursor in full."""

from collections.abc import Iterator

from textual import events
from textual.message import Message

from nnstep.engine.arrays import Shape
from nnstep.tui.actions import bindings
from nnstep.tui.widgets.cursor_line import CURSOR_LINES, cursor_lines
from nnstep.tui.widgets.line_view import Line, LineView, Piece, empty, fit
from nnstep.tui.widgets.tab_line import Tab, hidden_lines, tab_at, tab_line
from nnstep.tui.widgets.tensor_cells import CURSOR, RESTING_CURSOR
from nnstep.tui.widgets.tensor_view import TensorView

WHEEL_LINES = 3
# The line between this pane and what is to its left.
EDGE = "│"


class TensorPane(LineView, can_focus=True):
    """Shows a view; `tabs` are the views that take turns in this place."""

    BINDINGS = bindings("tensors")

    class TabClicked(Message):
        """Someone clicked on the tab of another view."""

        def __init__(self, digit: int) -> None:
            super().__init__()
            self.digit = digit

    def __init__(self, view: TensorView, *, id: str) -> None:
        super().__init__(id=id)
        self.view = view
        self.tabs: tuple[Tab, ...] = (view.tab,)

    def turn_to(self, view: TensorView, tabs: tuple[Tab, ...]) -> None:
        """Show a view, one of those that `tabs` stand for."""
        self.view, self.tabs = view, tabs
        self.redraw()

    @property
    def selected(self) -> tuple[str, Shape] | None:
        """The name and the index of the cell under the cursor."""
        return self.view.selected

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the title, the visible blocks and the cursor lines, an edge before each."""
        palette, view = self.palette, self.view
        edge: Line = ((EDGE, palette.rule),) if self._has_edge else ()
        inner = width - len(edge)
        view.arrange(inner, max(0, height - 1 - CURSOR_LINES))
        lines = [edge + fit(self._title(inner), inner, palette.tab)]
        lines.extend(view.paint(palette, CURSOR if self.has_focus else RESTING_CURSOR, edge))
        if view.snapshot is not None:
            below = cursor_lines(view.snapshot, view.selected, inner, palette)
            lines.extend(edge + fit(pieces, inner, palette.note) for pieces in below)
        lines.extend([edge + empty(inner, palette.text)] * (height - len(lines)))
        return lines[:height]

    @property
    def _has_edge(self) -> bool:
        """Whether there is something to the left."""
        return self.region.x > 0

    def _title(self, width: int) -> Iterator[Piece]:
        """Paint the tabs, and how many lines there are above and below what is visible."""
        palette, active = self.palette, self.view.tab.digit
        yield from tab_line(self.tabs, active, palette, focused=self.has_focus)
        taken = sum(len(tab.text) for tab in self.tabs)
        yield hidden_lines(*self.view.hidden).rjust(width - taken), palette.tab

    def action_cursor(self, rows: int, columns: int) -> None:
        """Move the cursor by cells."""
        self.view.move(rows, columns)
        self.redraw()

    def action_page(self, pages: int) -> None:
        """Move the cursor by screenfuls."""
        self.action_cursor(pages * max(1, self.view.height - 1), 0)

    def action_row_edge(self, edge: int) -> None:
        """Move the cursor to an end of its row."""
        self.view.move_to_row_edge(edge)
        self.redraw()

    def action_pane_edge(self, edge: int) -> None:
        """Move the cursor to the first or the last cell."""
        self.view.move_to_edge(edge)
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Select the cell, or the tab, that was clicked."""
        x, y = event.x - self._has_edge, event.y - 1
        if y < 0:
            tab = tab_at(self.tabs, x)
            if tab is not None and tab != self.view.tab:
                self.post_message(self.TabClicked(tab.digit))
        elif y < self.view.height:
            self.view.move_to_point(x, y)
            self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        self._scroll(event, WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        self._scroll(event, -WHEEL_LINES)

    def _scroll(self, event: events.MouseEvent, lines: int) -> None:
        event.stop()
        self.view.scroll(lines)
        self.redraw()
