"""The timeline: the whole loss of the present branch to scrub along, and the tree of branches.

The pane moves nothing by itself: it asks for a place or a branch, and draws what it is given.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from msgspec import Struct
from textual import events
from textual.message import Message

from nnstep.engine.snapshot import Snapshot
from nnstep.tui.actions import bindings
from nnstep.tui.numbers import format_value
from nnstep.tui.widgets.branch_tree import BranchRow, TreePainter, branch_rows
from nnstep.tui.widgets.curve_pane import AXIS_WIDTH
from nnstep.tui.widgets.line_view import EDGE, Line, LineView, Piece, empty, fit
from nnstep.tui.widgets.scrubber import RULER_LINES, Course, Scrubber
from nnstep.tui.widgets.tab_line import Tab, hidden_lines, tab_line
from nnstep.tui.widgets.tensor_cells import CURSOR, NO_CURSOR
from nnstep.tui.widgets.timeline_marks import legend

# From this width on, the tree stands beside the curve, in so many columns.
WIDE = 120
LEAST_TREE, MOST_TREE = 50, 68
# In a page, this share of the curve is scrubbed.
PAGES = 10


class Areas(Struct, frozen=True):
    """Where curve and tree stand under the title: beside each other, or else the tree below."""

    curve_width: int
    curve_rows: int
    tree_width: int
    tree_rows: int
    beside: bool


def areas_of(width: int, height: int, branches: int) -> Areas:
    """Divide a pane; below the curve, the tree has about a third of the lines at most."""
    body = max(0, height - 1)
    if width >= WIDE:
        tree = min(MOST_TREE, max(LEAST_TREE, width * 2 // 5))
        curve_width = width - tree - len(EDGE) - AXIS_WIDTH - 1
        return Areas(curve_width, max(0, body - RULER_LINES), tree, body, beside=True)
    tree_rows = min(branches, max(1, (height - 2) // 3))
    curve_rows = max(0, body - RULER_LINES - tree_rows)
    return Areas(max(1, width - AXIS_WIDTH - 1), curve_rows, width, tree_rows, beside=False)


class TimelinePane(LineView, can_focus=True):
    """Shows the present branch as a curve with marks, and all branches as a tree."""

    BINDINGS = bindings("timeline")

    class GoTo(Message):
        """Someone wants to go to a place of the present branch."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    class SwitchTo(Message):
        """Someone wants to go to a branch."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, tab: Tab, *, id: str) -> None:
        super().__init__(id=id)
        self.tab = tab
        self._snapshot: Snapshot | None = None
        self._hits: Sequence[int] = ()
        self._areas = areas_of(0, 0, 0)
        # The branch under the cursor of the tree, None while that is on the present one.
        self._selected: str | None = None
        self._rows: tuple[BranchRow, ...] = ()
        self._top = 0
        self._moved = False
        self._course = Course()
        # All that decides how the pane looks, and how it does.
        self._scene: tuple[object, ...] = ()
        self._scene_lines: list[Line] = []

    def show(self, snapshot: Snapshot, hits: Sequence[int] = ()) -> None:
        """Draw a snapshot; `hits` are the places of its branch where a breakpoint was hit.

        They are another sequence when there are others: the same one is not looked through again.
        """
        before, self._snapshot = self._snapshot, snapshot
        if before is None or before.branch.name != snapshot.branch.name:
            self._selected, self._moved = None, True
        self._hits = hits
        self.redraw()

    @property
    def selected(self) -> str | None:
        """The name of the branch under the cursor of the tree."""
        return self._rows[self._selected_row].name if self._rows else None

    @property
    def _selected_row(self) -> int:
        """The row of the branch under the cursor, or of the present one."""
        current = 0
        for y, row in enumerate(self._rows):
            if row.name == self._selected:
                return y
            if row.is_current:
                current = y
        return current

    # Drawing.

    def fit_to(self, width: int, height: int) -> None:
        """Bring curve, marks and tree up to date, and the selected branch into view."""
        if self._snapshot is None:
            return
        self._rows = branch_rows(self._snapshot)
        self._areas = areas_of(width - len(self.edge), height, len(self._rows))
        if self._moved:
            self._moved = False
            at, shown = self._selected_row, self._areas.tree_rows
            self._top = min(max(self._top, at - shown + 1), at)
        self._go_to_top(self._top)
        self._course.update(
            self._snapshot, self._hits, self._areas.curve_width, self._areas.curve_rows
        )

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the title, and curve and tree below; what looks as before is not painted again."""
        snapshot, palette, edge = self._snapshot, self.palette, self.edge
        if snapshot is None:
            return [empty(width, palette.text)] * height
        course, text = self._course, self._text(snapshot)
        looks = self.has_focus, palette, edge, self.size, self._selected_row, self._top
        scene = text, course.drawn, course.count, course.shown_marks, self._rows
        if (scene, looks) != self._scene:
            inner = width - len(edge)
            lines = [edge + line for line in self._paint(snapshot, text, inner)]
            lines += [edge + empty(inner, palette.text)] * (height - len(lines))
            self._scene, self._scene_lines = (scene, looks), lines[:height]
        return self._scene_lines

    def _paint(self, snapshot: Snapshot, text: str, width: int) -> Iterator[Line]:
        palette, areas = self.palette, self._areas
        yield fit(self._title(width), width, palette.tab)
        scrubber = Scrubber(self._course, snapshot.iteration, text, palette)
        curve_lines = scrubber.lines(areas.curve_rows)
        tree_lines = self._tree_lines(snapshot.program.loss)
        if areas.beside:
            left = width - areas.tree_width - len(EDGE)
            for one, other in zip_longest(curve_lines, tree_lines, fillvalue=()):
                yield (
                    *fit(one, left, palette.text),
                    (EDGE, palette.rule),
                    *fit(other, areas.tree_width, palette.text),
                )
        else:
            yield from (fit(line, width, palette.text) for line in (*curve_lines, *tree_lines))

    def _title(self, width: int) -> Iterator[Piece]:
        hidden = hidden_lines(self._top, len(self._rows) - self._top - self._areas.tree_rows)
        marks = legend({*self._course.shown_marks.values()})
        hint = f"{marks}  {hidden.strip()}".strip()
        return tab_line(
            (self.tab,), self.tab.digit, self.palette, width, f"{hint} ", focused=self.has_focus
        )

    def _text(self, snapshot: Snapshot) -> str:
        """Write which iteration this is, and its loss if that is known."""
        text, losses = f"iteration {snapshot.iteration}", snapshot.branch.losses
        if snapshot.iteration < len(losses):
            text += f" · {snapshot.program.loss} {format_value(float(losses[snapshot.iteration]))}"
        return text

    def _tree_lines(self, loss: str) -> Iterator[list[Piece]]:
        painter = TreePainter(self._rows, loss, self._areas.tree_width, self.palette)
        shown = self._rows[self._top : self._top + self._areas.tree_rows]
        for y, row in enumerate(shown, self._top):
            at_cursor = self.has_focus and y == self._selected_row
            yield list(painter.row(row, CURSOR if at_cursor else NO_CURSOR))

    # Moving along the curve.

    def _go(self, place: int) -> None:
        """Ask for a place, the nearest one that the branch has reached."""
        snapshot = self._snapshot
        if snapshot is not None:
            place = min(max(place, 0), snapshot.newest)
            if place != snapshot.place:
                self.post_message(self.GoTo(place))

    def action_scrub(self, iterations: int) -> None:
        """Go to the beginning of another iteration: of this one first, when going back."""
        if self._snapshot is not None:
            place, steps = self._snapshot.place, len(self._snapshot.program)
            here = place // steps if iterations > 0 else -(-place // steps)
            self._go((here + iterations) * steps)

    def action_scrub_page(self, pages: int) -> None:
        """Go along by tenths of the curve."""
        self.action_scrub(pages * max(1, self._course.count // PAGES))

    def action_scrub_edge(self, edge: int) -> None:
        """Go to the first step (0) or the newest (-1)."""
        if self._snapshot is not None:
            self._go(self._snapshot.newest if edge else 0)

    def action_mark(self, direction: int) -> None:
        """Go to the next mark (1) or the one before (-1)."""
        if self._snapshot is not None:
            place = self._course.marks.beside(self._snapshot.place, direction)
            if place is not None:
                self._go(place)

    # Choosing a branch.

    def action_branch(self, direction: int) -> None:
        """Move the cursor of the tree by branches."""
        if self._rows:
            at = min(max(self._selected_row + direction, 0), len(self._rows) - 1)
            self._selected, self._moved = self._rows[at].name, True
            self.redraw()

    def action_enter(self) -> None:
        """Ask for the branch under the cursor."""
        if self.selected is not None:
            self.post_message(self.SwitchTo(self.selected))

    def _go_to_top(self, top: int) -> None:
        self._top = max(0, min(top, len(self._rows) - self._areas.tree_rows))

    def scroll_by(self, lines: int) -> None:
        """Scroll the tree; its cursor stays where it is."""
        self._go_to_top(self._top + lines)
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Go to the iteration or mark that was clicked, or select the branch."""
        snapshot, areas = self._snapshot, self._areas
        x, y = event.x - len(self.edge), event.y - 1
        scrubber_lines = areas.curve_rows + RULER_LINES
        if snapshot is None or y < 0:
            return
        in_tree = x > AXIS_WIDTH + areas.curve_width if areas.beside else y >= scrubber_lines
        column = x - AXIS_WIDTH - 1
        if in_tree:
            at = self._top + y - (0 if areas.beside else scrubber_lines)
            if at < len(self._rows):
                self._selected = self._rows[at].name
                self.redraw()
        elif 0 <= column < areas.curve_width and y < scrubber_lines:
            self._go(self._course.place_at(column, on_marks=y == areas.curve_rows))
