"""The curve to scrub along: what was and what is still to come, the marks, and where one is."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from nnstep.engine.snapshot import Snapshot
from nnstep.tui.braille import BLANK, column_of, curve, index_at
from nnstep.tui.theme import Palette
from nnstep.tui.widgets.curve_pane import AXIS_WIDTH, NOTHING, same_values, scale_label
from nnstep.tui.widgets.line_view import Piece, columns
from nnstep.tui.widgets.tensor_cells import CURSOR
from nnstep.tui.widgets.timeline_marks import (
    EDIT,
    FAULT,
    FORK,
    GLYPHS,
    Happened,
    happened,
    marks_of,
)

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
