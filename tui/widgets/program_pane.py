"""The listing of the program: what has run in this iteration, the current line, what is to come."""

from collections.abc import Iterator
from functools import lru_cache

from textual import events

from nnstep.engine.program.instruction import Phase, Program
from nnstep.engine.snapshot import Snapshot
from nnstep.tui.actions import bindings
from nnstep.tui.theme import Palette
from nnstep.tui.widgets.line_view import Line, LineView, Piece, empty, fit
from nnstep.tui.widgets.tab_line import Tab, hidden_lines, tab_line

CURRENT, DONE, PENDING = "▶", "·", " "
WHEEL_LINES = 3
WIDE = 44
COMFORTABLE = 36

_SHORT = {Phase.FORWARD: "fwd", Phase.BACKWARD: "back"}


class ProgramPane(LineView, can_focus=True):
    """Shows the program and scrolls with the current line."""

    BINDINGS = bindings("program")

    def __init__(self, tab: Tab, *, id: str) -> None:
        super().__init__(id=id)
        self.tab = tab
        self._snapshot: Snapshot | None = None
        self._top = 0
        self._left = 0
        # The label of each line, in short and in full.
        self._labels: tuple[list[str], list[str]] = [], []
        self._longest = 0

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot, its current line in view."""
        program = snapshot.program
        if self._snapshot is None or program is not self._snapshot.program:
            self._labels = label_column(program, wide=False), label_column(program, wide=True)
            self._longest = max(len(instruction.code) for instruction in program.instructions)
        moved = self._snapshot is None or snapshot.position != self._snapshot.position
        self._snapshot = snapshot
        if moved:
            self._reveal_current()
        self.redraw()

    def on_resize(self, event: events.Resize) -> None:
        """Keep the current line in view at the new size."""
        self._reveal_current()
        super().on_resize(event)

    @property
    def _body_height(self) -> int:
        return max(0, self.size.height - 1)

    def _reveal_current(self) -> None:
        """Scroll so that the current line has some lines around it."""
        if self._snapshot is None:
            return
        margin = min(2, (self._body_height - 1) // 2)
        first, end = self._snapshot.position - margin, self._snapshot.position + margin + 1
        if first < self._top:
            self._go_to(first)
        elif end > self._top + self._body_height:
            self._go_to(end - self._body_height)

    def _go_to(self, top: int) -> None:
        length = len(self._snapshot.program) if self._snapshot else 0
        self._top = max(0, min(top, length - self._body_height))

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the title and the visible lines."""
        palette, snapshot = self.palette, self._snapshot
        lines = [fit(self._header(width), width, palette.tab)]
        if snapshot is not None:
            self._go_to(self._top)
            labels = self._labels[width >= WIDE]
            gap = " " if width >= COMFORTABLE else ""
            code_width = width - 3 - len(gap) - len(labels[0])
            self._left = max(0, min(self._left, self._longest - code_width))
            current = len(labels) if snapshot.finished else snapshot.position
            for y in range(self._top, min(self._top + height - 1, len(labels))):
                begins = y == self._top or labels[y] != labels[y - 1]
                label = labels[y] if begins else " " * len(labels[y])
                code = shortened(snapshot.program.instructions[y].code[self._left :], code_width)
                state = (y > current) - (y < current)
                lines.append(_instruction(gap + label, code, state, width, palette))
        lines.extend([empty(width, palette.text)] * (height - len(lines)))
        return lines

    def _header(self, width: int) -> Iterator[Piece]:
        palette = self.palette
        yield from tab_line((self.tab,), self.tab.digit, palette, focused=self.has_focus)
        length = len(self._snapshot.program) if self._snapshot else 0
        hint = hidden_lines(self._top, length - self._top - self._body_height)
        yield hint.rjust(width - len(self.tab.text)), palette.tab

    def action_scroll_lines(self, lines: int) -> None:
        """Scroll by lines; the next step brings the current line back."""
        self._go_to(self._top + lines)
        self.redraw()

    def action_scroll_pages(self, pages: int) -> None:
        """Scroll by screenfuls."""
        self.action_scroll_lines(pages * max(1, self._body_height - 1))

    def action_scroll_edge(self, edge: int) -> None:
        """Scroll to the first line (0) or the last (-1)."""
        length = len(self._snapshot.program) if self._snapshot else 0
        self.action_scroll_lines(length if edge else -length)

    def action_scroll_code(self, columns: int) -> None:
        """Scroll long lines sideways."""
        self._left = max(0, self._left + columns)
        self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        event.stop()
        self.action_scroll_lines(WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        event.stop()
        self.action_scroll_lines(-WHEEL_LINES)


def label_column(program: Program, *, wide: bool) -> list[str]:
    """Return the phase and layer of each line, in words or shorter, all equally wide."""
    labels: list[str] = []
    for instruction in program.instructions:
        phase = instruction.phase
        name = phase.value if wide else _SHORT.get(phase, phase.value)
        labels.append(name if instruction.layer is None else f"{name} {instruction.layer}")
    width = max(map(len, labels), default=0)
    return [label.ljust(width) for label in labels]


def shortened(code: str, width: int) -> str:
    """Cut a line of code to a width, and say so."""
    return code if len(code) <= width else code[: max(0, width - 1)] + "…"


@lru_cache(maxsize=512)
def _instruction(label: str, code: str, state: int, width: int, palette: Palette) -> Line:
    """Paint a line that is done (state -1), current (0) or pending (1).

    The first column is kept for breakpoints.
    """
    pieces = [(f" {PENDING}{label} ", palette.muted), (code, palette.text)]
    if state < 0:
        pieces = [(f" {DONE}{label} {code}", palette.muted)]
    elif state == 0:
        pieces = [
            (f" {CURRENT}", palette.current_accent),
            (f"{label} ", palette.current_muted),
            (code, palette.current),
        ]
    return fit(pieces, width, palette.text if state else palette.current)
