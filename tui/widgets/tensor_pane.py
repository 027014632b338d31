"""A pane of tensors: a title or tabs, and blocks of numbers."""

from collections.abc import Iterator

from rich.style import Style
from textual import events
from textual.message import Message

from nnstep.tui.actions import bindings
from nnstep.tui.widgets.line_view import Line, LineView, Piece, empty, fit
from nnstep.tui.widgets.tab_line import Tab, hidden_lines, in_order, tab_at, tab_line
from nnstep.tui.widgets.tensor_cells import CURSOR, NO_CURSOR, RESTING_CURSOR
from nnstep.tui.widgets.tensor_view import TensorView


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
