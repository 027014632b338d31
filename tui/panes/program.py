"""The program: its lines in columns, which runs next, which ran just now."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from rich.style import Style
from textual.geometry import Size

from nnstep.engine.program.program import Phase, Program
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.actions import bindings
from nnstep.tui.theme import Palette

from .line_view import Line, empty, fit
from .pane import NO_CURSOR, RESTING_CURSOR, Pane, Tab

# From this width on, the phases are written in full, and from this one on with a blank before.
WIDTH_FOR_WORDS = 44
WIDTH_FOR_GAP = 36
# Before every line: a column for breakpoints, a mark, and a blank after the label.
GUTTER = 3

# What stays together on a line: up to a blank, or up to and with an opening bracket.
_WORD = re.compile(r"[^\s(]*\(|[^\s(]+\s*|\s+")

_SHORT = {Phase.FORWARD: "fwd", Phase.BACKWARD: "back"}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the listing: the number of the line, and what of its code stands here."""

    line: int
    code: str
    begins: bool


@dataclass(frozen=True)
class Rows:
    """The rows of a program; `starts` has the first one of each line, and how many there are."""

    rows: tuple[Row, ...]
    starts: tuple[int, ...]
    labels: tuple[str, ...]
    code_width: int

    def __len__(self) -> int:
        return len(self.rows)

    def of_line(self, line: int) -> tuple[int, int]:
        """Return the first row of a line, and the one after its last."""
        return self.starts[line], self.starts[line + 1]

    @cached_property
    def overhang(self) -> int:
        """How many columns of the longest row do not fit."""
        return max(0, max((len(row.code) for row in self.rows), default=0) - self.code_width)


def rows_of(program: Program, width: int, height: int) -> Rows:
    """Lay a program out in a pane with so many columns and lines."""
    labels = label_column(program, wide=width >= WIDTH_FOR_WORDS)
    gap = " " if width >= WIDTH_FOR_GAP else ""
    labels = tuple(gap + label for label in labels)
    code_width = max(1, width - GUTTER - len(labels[0]))
    codes = [[instruction.code] for instruction in program.instructions]
    wrapped = [wrapped_code(code, code_width) for (code,) in codes]
    if sum(map(len, wrapped)) <= height:
        codes = wrapped
    rows = tuple(
        Row(line, code, part == 0)
        for line, parts in enumerate(codes)
        for part, code in enumerate(parts)
    )
    begins = tuple(y for y, row in enumerate(rows) if row.begins)
    return Rows(rows, (*begins, len(rows)), labels, code_width)


def natural_width(program: Program) -> int:
    """Return the width at which no line of a program is cut."""
    labels = label_column(program, wide=True)
    longest = max(len(instruction.code) for instruction in program.instructions)
    return max(WIDTH_FOR_WORDS, GUTTER + 1 + len(labels[0]) + longest + 1)


def label_column(program: Program, *, wide: bool) -> tuple[str, ...]:
    """Return the phase and layer of each line, in words or shorter, all equally wide."""
    labels: list[str] = []
    for instruction in program.instructions:
        phase = instruction.phase
        name = phase.value if wide else _SHORT.get(phase, phase.value)
        labels.append(name if instruction.layer is None else f"{name} {instruction.layer}")
    width = max(map(len, labels), default=0)
    return tuple(label.ljust(width) for label in labels)


def wrapped_code(code: str, width: int) -> list[str]:
    """Break a line of code at blanks and after brackets; what continues it is indented."""
    indent = "  " if width > 8 else ""
    lines = [""]
    for word in _WORD.findall(code):
        if len(lines[-1]) + len(word.rstrip()) <= width:
            lines[-1] += word
            continue
        left = indent + word
        while len(left.rstrip()) > width:
            lines.append(left[:width])
            left = indent + left[width:]
        lines.append(left)
    return [line.rstrip() for line in lines if line.strip()]


def shortened(code: str, left: int, width: int) -> str:
    """Return the part of a line from column `left` on that fits, `…` where more is."""
    shown = code[left : left + width]
    if left:
        shown = f"…{shown[1:]}"
    return f"{shown[: width - 1]}…" if left + width < len(code) else shown


CURRENT, DONE, PENDING = "▶", "·", " "
# A breakpoint, and one that is not enabled.
POINTS = {None: " ", True: "■", False: "□"}


class ProgramPane(Pane):
    """Shows the program and scrolls with the current line."""

    BINDINGS = bindings("program")
    resting = RESTING_CURSOR

    def __init__(self, tab: Tab, *, id: str | None = None) -> None:
        super().__init__(tab, id=id)
        self._snapshot: Snapshot | None = None
        self._rows = Rows((), (0,), (), 0)
        self._laid_out_for: object = None
        self._left = 0
        # The line that somebody has moved the cursor to.
        self._chosen: int | None = None
        # Whether the line under the cursor is another one, not in view yet.
        self._moved = False
        # The line under the cursor in full, if the listing cuts it.
        self._in_full: list[str] = []

    def show(self, snapshot: Snapshot, *, follow: bool = False) -> None:
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

    def wanted(self, columns: int) -> Size:
        """Return the width at which no line is cut, and one line for each."""
        program = self._snapshot.program if self._snapshot else None
        return Size(natural_width(program), len(program)) if program else Size(0, 0)

    def fit_body(self, width: int, height: int) -> None:
        """Lay the listing out, and bring a line that the cursor has come to into view."""
        snapshot = self._snapshot
        if snapshot is None:
            return
        if (wanted := (id(snapshot.program), width, height)) != self._laid_out_for:
            self._rows = rows_of(snapshot.program, width, height)
            self._laid_out_for, self._moved = wanted, True
        self._in_full = self._selected_if_cut(width, height // 2)
        # The top line stays where it is, even if that leaves lines blank below the last.
        self.scrolled.length = len(self._rows)
        self.scrolled.shown = height - len(self._in_full)
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
        margin = max(0, min(2, (self.scrolled.shown - (end - first)) // 2))
        self.scrolled.reveal(first - margin, end + margin)

    def body(self, width: int, height: int) -> Iterator[Line]:
        """Paint the visible rows, and below them what is cut of the current line."""
        palette = self.palette
        rows = self._rows.rows[self.scrolled.visible]
        yield from (self._row_line(row, y == 0, width) for y, row in enumerate(rows))
        blank = empty(width, palette.text)
        yield from [blank] * (height - len(rows) - len(self._in_full))
        for text in self._in_full:
            yield fit([(f" {text}", palette.note_strong)], width, palette.note)

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
        cursor = self.cursor_style if row.line == self._chosen else NO_CURSOR
        return _row_line(gutter, label, code, state, row.begins, cursor, width, self.palette)

    def action_scroll_lines(self, lines: int) -> None:
        """Move the cursor by lines, and scroll as far as that needs."""
        if self._snapshot is not None:
            last = len(self._snapshot.program) - 1
            self._chosen = min(max(self.selected_line + lines, 0), last)
            self._moved = True
            self.redraw()

    def action_scroll_pages(self, pages: int) -> None:
        """Move the cursor by screenfuls."""
        self.action_scroll_lines(pages * max(1, self.scrolled.shown - 1))

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
