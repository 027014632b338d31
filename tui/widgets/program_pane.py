"""The listing of the program: what has run in this iteration, the current line, what is to come.

A cursor stands on the current line until somebody moves it, and every step brings it back. The line
under the cursor can always be read in full: where it is cut, it stands below the listing.
"""

from collections.abc import Iterator
from functools import lru_cache

from rich.style import Style

from nnstep.engine.snapshot import Snapshot
from nnstep.tui.actions import bindings
from nnstep.tui.theme import Palette
from nnstep.tui.widgets.line_view import Line, LineView, Piece, empty, fit
from nnstep.tui.widgets.program_rows import Row, Rows, rows_of, shortened, wrapped_code
from nnstep.tui.widgets.tab_line import Tab, hidden_lines, tab_line
from nnstep.tui.widgets.tensor_cells import CURSOR, NO_CURSOR, RESTING_CURSOR

CURRENT, DONE, PENDING = "▶", "·", " "
# A breakpoint, and one that is not enabled.
POINTS = {None: " ", True: "■", False: "□"}


class ProgramPane(LineView, can_focus=True):
    """Shows the program and scrolls with the current line."""

    BINDINGS = bindings("program")

    def __init__(self, tab: Tab, *, id: str) -> None:
        super().__init__(id=id)
        self.tab = tab
        self._snapshot: Snapshot | None = None
        self._rows = Rows((), (0,), (), 0)
        self._laid_out_for: object = None
        self._height = 0
        self._top = 0
        self._left = 0
        # The line that somebody has moved the cursor to.
        self._chosen: int | None = None
        # Whether the line under the cursor is another one, not in view yet.
        self._moved = False
        # The line under the cursor in full, if the listing cuts it.
        self._in_full: list[str] = []

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot, its current line in view."""
        before, self._snapshot = self._snapshot, snapshot
        if before is None or snapshot.place != before.place:
            self._chosen, self._moved = None, True
        self.redraw()

    @property
    def selected_line(self) -> int:
        """The position in the program of the line under the cursor."""
        if self._chosen is not None:
            return self._chosen
        return self._snapshot.position if self._snapshot else 0

    def fit_to(self, width: int, height: int) -> None:
        """Lay the listing out, and bring a line that the cursor has come to into view."""
        snapshot = self._snapshot
        if snapshot is None:
            return
        body = max(0, height - 1)
        if (wanted := (id(snapshot.program), width, body)) != self._laid_out_for:
            self._rows = rows_of(snapshot.program, width, body)
            self._laid_out_for, self._moved = wanted, True
        self._in_full = self._selected_if_cut(width, body // 2)
        self._height = body - len(self._in_full)
        self._left = max(0, min(self._left, self._rows.overhang))
        if self._moved:
            self._moved = False
            self._reveal_selected()

    def _selected_if_cut(self, width: int, most: int) -> list[str]:
        """Return the line under the cursor in full if its row is cut, in at most so many lines."""
        snapshot = self._snapshot
        if snapshot is None or (snapshot.finished and self._chosen is None):
            return []
        first, end = self._rows.of_line(self.selected_line)
        if end - first > 1 or len(self._rows.rows[first].code) <= self._rows.code_width:
            return []
        code = snapshot.program.instructions[self.selected_line].code
        return wrapped_code(code, max(1, width - 2))[:most]

    def _reveal_selected(self) -> None:
        """Scroll so that the line under the cursor has some lines around it."""
        first, end = self._rows.of_line(self.selected_line)
        margin = max(0, min(2, (self._height - (end - first)) // 2))
        if first - margin < self._top:
            self._go_to(first - margin)
        elif end + margin > self._top + self._height:
            self._go_to(end + margin - self._height)

    def _go_to(self, top: int) -> None:
        self._top = max(0, min(top, len(self._rows) - self._height))

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the title, the visible rows, and below them what is cut of the current line."""
        palette = self.palette
        blank = empty(width, palette.text)
        rows = self._rows.rows[self._top : self._top + self._height]
        lines = [fit(self._header(width), width, palette.tab)]
        lines.extend(self._row_line(row, y == 0, width) for y, row in enumerate(rows))
        lines.extend([blank] * (height - len(lines) - len(self._in_full)))
        lines.extend(
            fit([(f" {text}", palette.note_strong)], width, palette.note) for text in self._in_full
        )
        return lines[:height]

    def _row_line(self, row: Row, topmost: bool, width: int) -> Line:
        """Paint a row; its label is left out where it is that of the row above."""
        snapshot, labels = self._snapshot, self._rows.labels
        assert snapshot is not None
        label = labels[row.line]
        if not topmost and (not row.begins or (row.line and labels[row.line - 1] == label)):
            label = " " * len(label)
        code = shortened(row.code, self._left, self._rows.code_width)
        current = len(labels) if snapshot.finished else snapshot.position
        state = (row.line > current) - (row.line < current)
        gutter = POINTS[snapshot.breakpoints.get(row.line)] if row.begins else " "
        cursor = self._cursor_style if row.line == self._chosen else NO_CURSOR
        return _row_line(gutter, label, code, state, row.begins, cursor, width, self.palette)

    @property
    def _cursor_style(self) -> Style:
        return CURSOR if self.has_focus else RESTING_CURSOR

    def _header(self, width: int) -> Iterator[Piece]:
        hint = hidden_lines(self._top, len(self._rows) - self._top - self._height)
        return tab_line(
            (self.tab,), self.tab.digit, self.palette, width, hint, focused=self.has_focus
        )

    def scroll_by(self, lines: int) -> None:
        """Scroll by lines; the cursor stays where it is."""
        self._go_to(self._top + lines)
        self.redraw()

    def action_scroll_lines(self, lines: int) -> None:
        """Move the cursor by lines, and scroll as far as that needs."""
        if self._snapshot is not None:
            last = len(self._snapshot.program) - 1
            self._chosen = min(max(self.selected_line + lines, 0), last)
            self._moved = True
            self.redraw()

    def action_scroll_pages(self, pages: int) -> None:
        """Move the cursor by screenfuls."""
        self.action_scroll_lines(pages * max(1, self._height - 1))

    def action_scroll_edge(self, edge: int) -> None:
        """Move the cursor to the first line (0) or the last (-1)."""
        self.action_scroll_lines(len(self._rows) if edge else -len(self._rows))

    def action_scroll_code(self, columns: int) -> None:
        """Scroll long lines sideways."""
        self._left = max(0, self._left + columns)
        self.redraw()


@lru_cache(maxsize=512)
def _row_line(
    gutter: str,
    label: str,
    code: str,
    state: int,
    begins: bool,
    cursor: Style,
    width: int,
    palette: Palette,
) -> Line:
    """Paint a row of a line that is done (state -1), current (0) or pending (1).

    The row that a line begins on has its mark, after a gutter for breakpoints.
    """
    mark = (CURRENT if state == 0 else DONE if state < 0 else PENDING) if begins else " "
    if state == 0:
        marks, labels, text, blank = (
            palette.current_accent,
            palette.current_muted,
            palette.current,
            palette.current,
        )
    else:
        marks = labels = palette.muted
        text, blank = palette.muted if state < 0 else palette.text, palette.text
    accent = palette.current_accent + Style(bgcolor=blank.bgcolor)
    pieces = [
        (gutter, marks if gutter == " " else accent),
        (mark, marks),
        (f"{label} ", labels),
        (code, text + cursor),
    ]
    return fit(pieces, width, blank)
