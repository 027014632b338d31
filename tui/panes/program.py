"""The program: its lines in columns, which have just run, which runs next."""

from collections.abc import Iterator
from functools import lru_cache

from rich.style import Style
from textual.geometry import Size

from nnstep.engine.program.program import Phase, Program
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.actions import bindings
from nnstep.tui.theme import Palette

from .line_view import Line, empty, fit
from .pane import NO_CURSOR, RESTING_CURSOR, Pane, Tab
from .scene import WRITTEN, Scene

# From this width on, the phases are written in full.
WIDTH_FOR_WORDS = 60
# Before every line: a column for breakpoints, a mark, a blank; and a blank after the label.
GUTTER = 4
# Where the line just run stands after the listing has scrolled: on row 12 of 17.
PLACE_OF_RAN = 12 / 17

_SHORT = {Phase.FORWARD: "fwd", Phase.BACKWARD: "back"}


def label_column(program: Program, *, wide: bool) -> tuple[str, ...]:
    """Return the phase and layer of each line, in words or shorter, all equally wide."""
    labels: list[str] = []
    for instruction in program.instructions:
        phase = instruction.phase
        name = phase.value if wide else _SHORT.get(phase, phase.value)
        labels.append(name if instruction.layer is None else f"{name} {instruction.layer}")
    width = max(map(len, labels), default=0)
    return tuple(label.ljust(width) for label in labels)


def shortened(code: str, left: int, width: int) -> str:
    """Return the part of a line from column `left` on that fits, `…` where more is."""
    shown = code[left : left + width]
    if left:
        shown = f"…{shown[1:]}"
    return f"{shown[: width - 1]}…" if left + width < len(code) else shown


NEXT, RAN, DONE, PENDING = "▶", WRITTEN, "·", " "
# Before the code of a line that somebody has put in place of the program's.
OWN = "≠ "
# A breakpoint, and one that is not enabled.
POINTS = {None: " ", True: "*", False: "-"}


class ProgramPane(Pane):
    """Shows the program and scrolls with the lines just run."""

    BINDINGS = bindings("program")
    resting = RESTING_CURSOR
    STATE = ("_snapshot", "_ran", "_labels", "_labelled", "_left", "_chosen", "_moved", "_scroll")

    def __init__(self, tab: Tab, *, id: str | None = None) -> None:
        super().__init__(tab, id=id)
        self._snapshot: Snapshot | None = None
        self._ran: frozenset[int] = frozenset()
        self._labels: tuple[str, ...] = ()
        self._labelled: object = None
        self._longest = 0
        self._left = 0
        # The line that somebody has moved the cursor to.
        self._chosen: int | None = None
        # Whether the lines to be seen are others, not in view yet.
        self._moved = False

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Draw a snapshot, the lines just run and the one that is next in view."""
        before, self._snapshot = self._snapshot, snapshot
        if before is None or snapshot.place != before.place:
            self._chosen, self._moved = None, True
        self._ran = ran_lines(snapshot, scene)
        self.redraw()

    @property
    def selected_line(self) -> int:
        """The position in the program of the line under the cursor."""
        if self._chosen is not None:
            return self._chosen
        return self._snapshot.position if self._snapshot else 0

    def wanted(self, columns: int) -> Size:
        """Return the room for all lines."""
        return Size(0, len(self._snapshot.program) if self._snapshot else 0)

    def fit_body(self, width: int, height: int) -> None:
        """Lay the listing out, and bring the lines that are to be seen into view."""
        snapshot = self._snapshot
        if snapshot is None:
            return
        if (wanted := (id(snapshot.program), width, height)) != self._labelled:
            self._labels = label_column(snapshot.program, wide=width >= WIDTH_FOR_WORDS)
            self._longest = max(len(line.code) for line in snapshot.program.instructions)
            self._labelled, self._moved = wanted, True
        self.scrolled.fit(len(snapshot.program), height)
        self._left = max(0, min(self._left, self._longest - self._code_width(width)))
        if self._moved:
            self._moved = False
            self._reveal(snapshot)

    def _code_width(self, width: int) -> int:
        return max(1, width - GUTTER - len(self._labels[0]))

    def _reveal(self, snapshot: Snapshot) -> None:
        """Scroll if a line that is to be seen would not be: the one just run has lines around."""
        if self._chosen is not None:
            self.scrolled.reveal(self._chosen, self._chosen + 1)
            return
        count, position = len(snapshot.program), snapshot.position
        ran = (position - 1) % count if snapshot.place else position
        ends = {ran, position if not snapshot.finished else ran}
        visible = range(self.scrolled.top, self.scrolled.top + self.scrolled.shown)
        if any(line not in visible for line in ends):
            near = ran if position and snapshot.place else position
            at = max(1, round(self.scrolled.shown * PLACE_OF_RAN)) - 1
            self.scrolled.go_to(near - min(at, max(0, self.scrolled.shown - 2)))

    def body(self, width: int, height: int) -> Iterator[Line]:
        """Paint the visible lines."""
        snapshot = self._snapshot
        if snapshot is None:
            return
        shown = range(len(snapshot.program))[self.scrolled.visible]
        yield from (self._line(snapshot, line, line == shown.start, width) for line in shown)
        blank = empty(width, self.palette.text)
        yield from [blank] * (height - len(shown))

    def _line(self, snapshot: Snapshot, line: int, topmost: bool, width: int) -> Line:
        """Paint a line, with the cursor if that is on it."""
        cursor = self.cursor_style if line == self._chosen else NO_CURSOR
        return listed(
            snapshot,
            self._ran,
            self._labels,
            line,
            topmost,
            width,
            self.palette,
            left=self._left,
            cursor=cursor,
        )

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
        count = self.scrolled.length
        self.action_scroll_lines(count if edge else -count)

    def action_scroll_code(self, columns: int) -> None:
        """Scroll long lines sideways."""
        self._left = max(0, self._left + columns)
        self.redraw()

    def clicked(self, x: int, y: int) -> None:
        """Put the cursor on the line that was clicked."""
        line = self.scrolled.top + y
        if self._snapshot is not None and line < len(self._snapshot.program):
            self._chosen = line
            self.redraw()


def ran_lines(snapshot: Snapshot, scene: Scene | None) -> frozenset[int]:
    """Return which lines the last key has run: if it has run none, the line before the next."""
    last = range(max(0, snapshot.place - 1), snapshot.place)
    ran = scene.ran if scene else ()
    return frozenset(place % len(snapshot.program) for place in ran or last)


def listed(
    snapshot: Snapshot,
    ran: frozenset[int],
    labels: tuple[str, ...],
    line: int,
    topmost: bool,
    width: int,
    palette: Palette,
    *,
    left: int = 0,
    cursor: Style = NO_CURSOR,
) -> Line:
    """Paint a line of the program; its label is left out where it is that of the line above."""
    label = labels[line]
    if not topmost and line and labels[line - 1] == label:
        label = " " * len(label)
    instruction = snapshot.program.instructions[line]
    own = OWN if instruction.rule is not None else ""
    room = max(1, width - GUTTER - len(label) - len(own))
    code = shortened(instruction.code, left, room)
    if line == snapshot.position and not snapshot.finished:
        mark = NEXT
    elif line in ran:
        mark = RAN
    else:
        mark = DONE if snapshot.finished or line < snapshot.position else PENDING
    point = POINTS[snapshot.breakpoints.get(line)]
    return _listed(point, mark, label, own, code, cursor, width, palette)


@lru_cache(maxsize=512)
def _listed(
    point: str,
    mark: str,
    label: str,
    own: str,
    code: str,
    cursor: Style,
    width: int,
    palette: Palette,
) -> Line:
    """Paint a line that has just run, is next, is done or is still to come; `own` is a person's."""
    if mark == NEXT:
        marks, labels, text, blank = (
            palette.current_accent,
            palette.current_muted,
            palette.current,
            palette.current,
        )
    elif mark == RAN:
        marks, labels, text, blank = (
            palette.written,
            palette.muted,
            palette.strong,
            palette.text,
        )
    else:
        text = palette.muted if mark == DONE else palette.text
        marks, labels, blank = palette.muted, palette.muted, palette.text
    pieces = [
        (point, marks),
        (mark, marks),
        (f" {label} ", labels),
        (own, palette.current_accent if mark == NEXT else palette.touched),
        (code, text + cursor),
    ]
    return fit(pieces, width, blank)
