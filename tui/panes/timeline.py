"""The timeline: branches, marks of what happened, and a scrubber to move along it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import zip_longest

import numpy as np
from msgspec import Struct
from textual import events
from textual.message import Message

from nnstep.engine.arrays import Array
from nnstep.engine.faults.fault import Fault
from nnstep.engine.machine.edit import Edit
from nnstep.engine.session.snapshot import BranchView, Snapshot
from nnstep.tui.actions import bindings
from nnstep.tui.numbers import format_value
from nnstep.tui.theme import Palette

from .braille import BLANK, column_of, curve, index_at
from .branch_tree import BranchRow, TreePainter, branch_rows
from .curves import AXIS_WIDTH, NOTHING, same_values, scale_label
from .line_view import EDGE, Line, LineView, Piece, columns, empty, fit
from .pane import Tab, hidden_lines, tab_line
from .tensor_blocks import CURSOR, NO_CURSOR

EDIT, FAULT, FORK, STOP = range(4)
# By kind; where several marks are in one column, the first kind is shown.
GLYPHS = ("e", "!", "┬", "■")
MEANINGS = ("edit", "fault", "branch", "stop")


class Happened(Struct, frozen=True):
    """All that there is to mark on the present branch, by kind."""

    edits: tuple[Edit, ...]
    faults: tuple[Fault, ...]
    forks: tuple[int, ...]
    hits: Sequence[int]

    def same_as(self, other: "Happened") -> bool:
        """Tell whether nothing has happened since; equal hits in another list count as others."""
        if self.hits is not other.hits and (len(self.hits) or len(other.hits)):
            return False
        mine = self.edits, self.faults, self.forks
        return mine == (other.edits, other.faults, other.forks)


class Marks(Struct, frozen=True, eq=False):
    """Places in ascending order and the kind of mark at each, both of shape `(marks,)`."""

    places: Array
    kinds: Array

    def beside(self, place: int, direction: int) -> int | None:
        """Return the next marked place after `place` (direction 1), or the last before it (-1)."""
        if direction > 0:
            at = int(np.searchsorted(self.places, place, "right"))
        else:
            at = int(np.searchsorted(self.places, place, "left")) - 1
        return int(self.places[at]) if 0 <= at < len(self.places) else None

    def on_columns(self, steps: int, count: int, width: int) -> dict[int, int]:
        """Return the kind of mark to show in each of `width` columns that has one.

        There are `steps` instructions in an iteration, and `count` iterations on two dots a column.
        """
        columns = self._columns(steps, count, width)
        shown: dict[int, int] = {}
        for kind in reversed(range(len(GLYPHS))):
            found = np.unique(columns[(self.kinds == kind) & (columns < width)])
            shown |= dict.fromkeys(found.tolist(), kind)
        return shown

    def in_column(self, column: int, steps: int, count: int, width: int) -> int | None:
        """Return the first marked place of a column, None where there is none."""
        found = np.flatnonzero(self._columns(steps, count, width) == column)
        return int(self.places[found[0]]) if len(found) else None

    def _columns(self, steps: int, count: int, width: int) -> Array:
        """Return the column of each mark."""
        return column_of(self.places // steps, count, 2 * width) // 2


def happened(snapshot: Snapshot, hits: Sequence[int]) -> Happened:
    """Gather what there is to mark; `hits` are the places where breakpoints were hit."""
    branch = snapshot.branch
    faults = tuple(fault for fault in branch.faults if fault.level != "info")
    return Happened(branch.edits, faults, forks_of(branch, snapshot.branches), hits)


def marks_of(happened: Happened) -> Marks:
    """Put in order what happened."""
    each = (
        [edit.place for edit in happened.edits],
        [fault.place for fault in happened.faults],
        happened.forks,
        happened.hits,
    )
    places = np.concatenate([np.asarray(found, dtype=np.int64) for found in each])
    kinds = np.repeat(np.arange(len(each)), [len(found) for found in each])
    order = np.lexsort((kinds, places))
    return Marks(places[order], kinds[order])


def legend(kinds: Collection[int]) -> str:
    """Write what some kinds of marks mean."""
    return "  ".join(f"{GLYPHS[kind]} {MEANINGS[kind]}" for kind in sorted(kinds))


def forks_of(branch: BranchView, branches: Sequence[BranchView]) -> tuple[int, ...]:
    """Return the places at which the course of a branch and that of another one part.

    The course of a branch is that of its parent up to where it left it.
    """
    if len(branches) < 2:
        return ()
    by_name = {each.name: each for each in branches}
    places: set[int] = set()
    until, here, came_from = branch.newest, branch, ""
    while True:
        places |= {
            each.fork
            for each in branches
            if each.parent == here.name and each.name != came_from and each.fork <= until
        }
        if here.parent is None or here.parent not in by_name:
            return tuple(sorted(places))
        until, came_from = min(until, here.fork), here.name
        places.add(until)
        here = by_name[here.parent]


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

    def update(self, snapshot: Snapshot, hits: Sequence[int], width: int, rows: int) -> None:
        """Take the present branch of a snapshot, to be drawn on so many columns and rows."""
        losses, now = snapshot.branch.losses, happened(snapshot, hits)
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
        yield row[:here], palette.heat[1]
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
