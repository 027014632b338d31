"""The listing of the program: what has run in this iteration, the current line, what is to come.

The current line can always be read in full: where it is cut, it stands below the listing.
"""

from collections.abc import Iterator
from functools import lru_cache

from nnstep.engine.snapshot import Snapshot
from nnstep.tui.actions import bindings
from nnstep.tui.theme import Palette
from nnstep.tui.widgets.line_view import Line, LineView, Piece, empty, fit
from nnstep.tui.widgets.program_rows import Row, Rows, rows_of, shortened, wrapped_code
from nnstep.tui.widgets.tab_line import Tab, hidden_lines, tab_line

CURRENT, DONE, PENDING = "▶", "·", " "


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
        self._moved = False
        # The current line in full, if the listing cuts it.
        self._in_full: list[str] = []

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot, its current line in view."""
        before, self._snapshot = self._snapshot, snapshot
        self._moved |= before is None or snapshot.position != before.position
        self.redraw()

    def fit_to(self, width: int, height: int) -> None:
        """Lay the listing out, and bring a line that has become the current one into view."""
        snapshot = self._snapshot
        if snapshot is None:
            return
        body = max(0, height - 1)
        if (wanted := (id(snapshot.program), width, body)) != self._laid_out_for:
            self._rows = rows_of(snapshot.program, width, body)
            self._laid_out_for, self._moved = wanted, True
        self._in_full = self._cut_current(width, body // 2)
        self._height = body - len(self._in_full)
        self._left = max(0, min(self._left, self._rows.overhang))
        if self._moved:
            self._moved = False
            self._reveal_current()

    def _cut_current(self, width: int, most: int) -> list[str]:
        """Return the current line in full if its row is cut, in at most so many lines."""
        snapshot = self._snapshot
        if snapshot is None or snapshot.finished:
            return []
        first, end = self._rows.of_line(snapshot.position)
        if end - first > 1 or len(self._rows.rows[first].code) <= self._rows.code_width:
            return []
        return wrapped_code(snapshot.current.code, max(1, width - 2))[:most]

    def _reveal_current(self) -> None:
        """Scroll so that the current line has some lines around it."""
        if self._snapshot is None:
            return
        first, end = self._rows.of_line(self._snapshot.position)
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
        return _row_line(label, code, state, row.begins, width, self.palette)

    def _header(self, width: int) -> Iterator[Piece]:
        hint = hidden_lines(self._top, len(self._rows) - self._top - self._height)
        return tab_line(
            (self.tab,), self.tab.digit, self.palette, width, hint, focused=self.has_focus
        )

    def scroll_by(self, lines: int) -> None:
        """Scroll by lines; the next step brings the current line back."""
        self._go_to(self._top + lines)
        self.redraw()

    def action_scroll_lines(self, lines: int) -> None:
        """Scroll by lines."""
        self.scroll_by(lines)

    def action_scroll_pages(self, pages: int) -> None:
        """Scroll by screenfuls."""
        self.scroll_by(pages * max(1, self._height - 1))

    def action_scroll_edge(self, edge: int) -> None:
        """Scroll to the first line (0) or the last (-1)."""
        self.scroll_by(len(self._rows) if edge else -len(self._rows))

    def action_scroll_code(self, columns: int) -> None:
        """Scroll long lines sideways."""
        self._left = max(0, self._left + columns)
        self.redraw()


@lru_cache(maxsize=512)
def _row_line(
    label: str, code: str, state: int, begins: bool, width: int, palette: Palette
) -> Line:
    """Paint a row of a line that is done (state -1), current (0) or pending (1).

    The first column is kept for breakpoints; the row that a line begins on has its mark.
    """
    mark = (CURRENT if state == 0 else DONE if state < 0 else PENDING) if begins else " "
    if state < 0:
        pieces = [(f" {mark}{label} {code}", palette.muted)]
    elif state > 0:
        pieces = [(f" {mark}{label} ", palette.muted), (code, palette.text)]
    else:
        pieces = [
            (f" {mark}", palette.current_accent),
            (f"{label} ", palette.current_muted),
            (code, palette.current),
        ]
    return fit(pieces, width, palette.text if state else palette.current)
