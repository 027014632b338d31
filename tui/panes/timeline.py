"""The timeline: the course of the present branch, to move along, and the tree of all branches."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest

from msgspec import Struct
from textual.message import Message

from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.actions import bindings
from nnstep.tui.numbers import format_value
from nnstep.tui.theme import Palette

from .braille import BLANK, column_of, curve, index_at, same_values
from .branch_tree import BranchRow, TreePainter, branch_rows
from .curves import AXIS_WIDTH, NOTHING, scale_label
from .line_view import EDGE, Line, Piece, columns, fit
from .marks import EDIT, FAULT, FORK, GLYPHS, Happened, happened, legend, marks_of
from .pane import CURSOR, NO_CURSOR, Pane, Tab
from .scene import Scene

HERE = "▲"
THREAD, RULE, CROSSING = "│", "─", "┼"
# The marks, and the iterations.
RULER_LINES = 2


class Course:
    """The losses of a branch and what happened on it, on `width` columns of two dots.

    Curve and marks are made again only if there is something new: a step changes neither.
    """

    def __init__(self) -> None:
        self.width = 0
        self.steps = 1
        # The iterations, the one under way included.
        self.count = 0
        self.drawn = curve(NOTHING, 0, 0)
        self.marks = marks_of(Happened((), (), (), ()))
        self.shown_marks: Mapping[int, int] = {}
        self._made_for: tuple[int, ...] = ()
        self._losses = NOTHING
        self._happened = Happened((), (), (), ())

    def update(self, snapshot: Snapshot, width: int, rows: int) -> None:
        """Take the present branch of a snapshot, to be drawn on so many columns and rows."""
        losses, now = snapshot.branch.losses, happened(snapshot)
        self.width, self.steps = width, len(snapshot.program)
        self.count = snapshot.newest // self.steps + 1
        resized = (width, rows, self.count) != self._made_for
        if resized or not same_values(losses, self._losses):
            self._losses, self.drawn = losses, curve(losses, width, rows, self.count)
        if new := not now.same_as(self._happened):
            self._happened, self.marks = now, marks_of(now)
        if resized or new:
            self._made_for = width, rows, self.count
            self.shown_marks = self.marks.on_columns(self.steps, self.count, width)

    def column_of(self, iteration: int) -> int:
        """Return the column that an iteration is in."""
        return column_of(iteration, self.count, 2 * self.width) // 2

    def place_at(self, column: int, *, on_marks: bool) -> int:
        """Return the place that a column stands for: its mark, or where its iteration begins."""
        if on_marks:
            place = self.marks.in_column(column, self.steps, self.count, self.width)
            if place is not None:
                return place
        return index_at(2 * column, self.count, 2 * self.width) * self.steps


class Scrubber(Struct, frozen=True, eq=False):
    """Paints a course with a cursor at one iteration; `text` tells of the cursor."""

    course: Course
    iteration: int
    text: str
    palette: Palette

    @property
    def cursor(self) -> int:
        """The column that the cursor is in."""
        return self.course.column_of(self.iteration)

    def lines(self, rows: int) -> Iterator[list[Piece]]:
        """Paint the curve in so many rows, the marks under it, and the iterations."""
        for y in range(rows):
            yield list(self._curve_row(y))
        yield list(self._ruler())
        yield list(self._axis())

    def _curve_row(self, y: int) -> Iterator[Piece]:
        """Paint a row of the curve: past, cursor and future."""
        palette, rows, here = self.palette, self.course.drawn.rows, self.cursor
        row = rows[y] if y < len(rows) else ""
        row = row.ljust(self.course.width, BLANK)
        yield scale_label(self.course.drawn.scale, y, len(rows)), palette.muted
        yield row[:here], palette.text
        yield (THREAD if row[here] == BLANK else row[here]), palette.strong
        yield row[here + 1 :], palette.muted

    def _ruler(self) -> Iterator[Piece]:
        """Paint the marks on a rule, the one under the cursor in reverse."""
        palette, here = self.palette, self.cursor
        styles = {EDIT: palette.written, FAULT: palette.error, FORK: palette.read}
        yield " " * (AXIS_WIDTH + 1), palette.muted
        at = 0
        for column in sorted({*self.course.shown_marks, here}):
            kind = self.course.shown_marks.get(column)
            glyph = CROSSING if kind is None else GLYPHS[kind]
            style = palette.strong if kind is None else styles.get(kind, palette.strong)
            yield RULE * (column - at), palette.rule
            yield glyph, style + CURSOR if kind is not None and column == here else style
            at = column + 1
        yield RULE * (self.course.width - at), palette.rule

    def _axis(self) -> Iterator[Piece]:
        """Paint where the cursor is, and the first and the last iteration if there is room."""
        palette, here = self.palette, self.cursor
        yield ("log" if self.course.drawn.scale.log else "").rjust(AXIS_WIDTH) + " ", palette.muted
        label, start = f"{HERE} {self.text}", here
        if here + columns(label) > self.course.width:
            label, start = f"{self.text} {HERE}", here - columns(self.text) - 1
        if start < 0:
            label, start = HERE, here
        first, last = "0  ", f"  {self.course.count - 1} "
        yield (first if start >= len(first) else "").ljust(start), palette.muted
        yield label, palette.strong
        if (room := self.course.width - start - columns(label)) >= len(last):
            yield last.rjust(room), palette.muted


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
    """Divide a body; below the curve, the tree has about a third of the lines at most."""
    if width >= WIDE:
        tree = min(MOST_TREE, max(LEAST_TREE, width * 2 // 5))
        curve_width = width - tree - len(EDGE) - AXIS_WIDTH - 1
        return Areas(curve_width, max(0, height - RULER_LINES), tree, height, beside=True)
    tree_rows = min(branches, max(1, (height - 1) // 3))
    curve_rows = max(0, height - RULER_LINES - tree_rows)
    return Areas(max(1, width - AXIS_WIDTH - 1), curve_rows, width, tree_rows, beside=False)


class TimelinePane(Pane):
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

    def __init__(self, tab: Tab, *, id: str | None = None) -> None:
        super().__init__(tab, id=id)
        self._snapshot: Snapshot | None = None
        self._areas = areas_of(0, 0, 0)
        # The branch under the cursor of the tree, None while that is on the present one.
        self._selected: str | None = None
        self._rows: tuple[BranchRow, ...] = ()
        self._moved = False
        self._course = Course()
        # All that decides how the pane looks, and how it does.
        self._scene: tuple[object, ...] = ()
        self._scene_lines: list[Line] = []

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Draw a snapshot."""
        before, self._snapshot = self._snapshot, snapshot
        if before is None or before.branch.name != snapshot.branch.name:
            self._selected, self._moved = None, True
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

    def fit_body(self, width: int, height: int) -> None:
        """Bring curve, marks and tree up to date, and the selected branch into view."""
        if self._snapshot is None:
            return
        self._rows = branch_rows(self._snapshot)
        self._areas = areas_of(width, height, len(self._rows))
        self.scrolled.fit(len(self._rows), self._areas.tree_rows)
        if self._moved:
            self._moved = False
            self.scrolled.reveal(self._selected_row, self._selected_row + 1)
        self._course.update(self._snapshot, self._areas.curve_width, self._areas.curve_rows)

    def hint(self) -> str:
        """Return what the marks mean, and how much of the tree is not visible."""
        marks = legend({*self._course.shown_marks.values()})
        return f"{marks}  {self.scrolled.hidden}".strip()

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the title, and curve and tree below; what looks as before is not painted again."""
        if self._snapshot is None:
            return self.framed([], width, height)
        course, palette = self._course, self.palette
        looks = self.has_focus, palette, self.edge, width, height, self.tabs
        tree = self._rows, self._selected_row, self.scrolled.top
        scene = self._text, course.drawn, course.count, course.shown_marks, tree, looks
        if scene != self._scene:
            self._scene, self._scene_lines = scene, super().paint(width, height)
        return self._scene_lines

    def body(self, width: int, height: int) -> Iterator[Line]:
        """Paint the curve, and the tree beside or below it."""
        snapshot = self._snapshot
        if snapshot is None:
            return
        palette, areas = self.palette, self._areas
        scrubber = Scrubber(self._course, snapshot.iteration, self._text, palette)
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

    @property
    def _text(self) -> str:
        """Which iteration this is, and its loss if that is known."""
        snapshot = self._snapshot
        if snapshot is None:
            return ""
        text, losses = f"iteration {snapshot.iteration}", snapshot.branch.losses
        if snapshot.iteration < len(losses):
            text += f" · {snapshot.program.loss} {format_value(float(losses[snapshot.iteration]))}"
        return text

    def _tree_lines(self, loss: str) -> Iterator[list[Piece]]:
        painter = TreePainter(self._rows, loss, self._areas.tree_width, self.palette)
        for y, row in enumerate(self._rows[self.scrolled.visible], self.scrolled.top):
            cursor = self.cursor_style if y == self._selected_row else NO_CURSOR
            yield list(painter.row(row, cursor))

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

    def clicked(self, x: int, y: int) -> None:
        """Go to the iteration or mark that was clicked, or select the branch."""
        areas = self._areas
        if self._snapshot is None:
            return
        scrubber_lines = areas.curve_rows + RULER_LINES
        in_tree = x > AXIS_WIDTH + areas.curve_width if areas.beside else y >= scrubber_lines
        column = x - AXIS_WIDTH - 1
        if in_tree:
            at = self.scrolled.top + y - (0 if areas.beside else scrubber_lines)
            if at < len(self._rows):
                self._selected = self._rows[at].name
                self.redraw()
        elif 0 <= column < areas.curve_width and y < scrubber_lines:
            self._go(self._course.place_at(column, on_marks=y == areas.curve_rows))
