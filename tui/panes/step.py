"""The step: the line that has just run, as one would calculate it on paper.

Before the first step it shows what the run begins with, and while a run is too fast to follow, the
tensor written last.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from textual.geometry import Offset

from nnstep.engine.arrays import Shape
from nnstep.engine.program.program import Program, Role
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.actions import Action
from nnstep.tui.signs import draws_ascii
from nnstep.tui.spelled import spelled
from nnstep.tui.theme import Palette

from . import Row
from .large import enlarged, lines_in, place_in, place_of, room_in
from .line_view import Line, empty, fit
from .pane import Pane, Tab
from .scene import Scene
from .scene_view import State
from .tensor_blocks import Headings, heading_line
from .tensor_view import TensorView
from .tensors import TensorPane

if TYPE_CHECKING:
    from nnstep.engine.explain.calculation import Calculation

    from .sheet import Cell, Sheet, View


class StepView(TensorView):
    """The calculation of the last step, with a cursor on one of its cells.

    While there is none to draw, it shows tensors as any other view does: those that the run begins
    with, or the one written last.
    """

    def __init__(self) -> None:
        super().__init__(())
        self.always_marks = True
        self._view: View | None = None
        self._sheet: Sheet | None = None
        self._height = 0
        # The row of the calculation that the cursor was put on by keys.
        self._row: int | None = None
        # The sheet as it is painted, and in which colours.
        self._painted: tuple[Sheet | None, Palette | None, list[Line]] = None, None, []
        self._drawn_for: tuple[object, ...] = ()
        self.large = self.in_ascii = False

    def names(self, snapshot: Snapshot) -> list[str]:
        """Return the names of the tensors to show where there is no calculation."""
        if snapshot.last is None:
            return [name for name in snapshot.tensors if _is_given(snapshot.program, name)]
        return list(snapshot.written)

    def headings(self, snapshot: Snapshot) -> Headings:
        """Head the parameters; what was written needs no heading."""
        heading = "the run begins with" if snapshot.last is None else ""
        return lambda tensor: heading

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Take a snapshot; the cursor goes back to what the step has written."""
        if self.snapshot is None or snapshot.place != self.snapshot.place:
            self._row = None
        super().show(snapshot, scene)

    def ask(self, scene: Scene, *, reveal: bool = True) -> None:
        """Take another cell in question."""
        super().ask(scene, reveal=reveal)
        self._sheet = None

    def arrange(self, width: int, height: int) -> None:
        """Draw the calculation in a box, or fit the tensors into it."""
        super().arrange(width, height)
        if (width, height, self.large) != self._drawn_for:
            self._drawn_for, self._sheet = (width, height, self.large), None
        self._height = height
        if self.calculation is not None:
            self.scrolled.fit(0, height)

    @property
    def stand(self) -> tuple[object, ...]:
        """What is different as soon as anything has been done with the view."""
        return *super().stand, self._row, self._drawn_for

    @property
    def calculation(self) -> "Calculation | None":
        """The line that has just run, laid out."""
        return self.scene.insight.calculation if self.scene else None

    @property
    def sheet(self) -> "Sheet | None":
        """The calculation as it is drawn."""
        calculation = self.calculation
        if self._sheet is None and calculation is not None and self._height:
            from .drawing import draw

            self._view = self._looked_at(calculation)
            self._sheet = draw(self._view, self.width, self._height)
        return self._sheet if calculation is not None else None

    def _looked_at(self, calculation: "Calculation") -> "View":
        """Return the calculation as it is looked at: its cell in question, marks, remarks."""
        from .drawing import view_of

        assert self.snapshot is not None
        assert self.scene is not None
        spell = spelled if self.in_ascii else str
        return view_of(
            calculation, self.snapshot, self.scene, self._row, large=self.large, spell=spell
        )

    def offset_of_cursor(self) -> Offset | None:
        """Return where the cell in question stands on the sheet."""
        sheet = self.sheet
        if sheet is None or self._view is None:
            return super().offset_of_cursor()
        spot = self._view.spot
        found = next((cell for cell in sheet.cells if cell.spot == spot), None)
        return Offset(found.end - 1, found.y) if found and self._view.is_asked else None

    def paint(self, palette: Palette) -> Iterator[Line]:
        """Paint the calculation, or the tensors."""
        sheet = self.sheet
        if sheet is None:
            yield from self._with_next(list(super().paint(palette)), palette)
            return
        if self._painted[:2] != (sheet, palette):
            self._painted = sheet, palette, [*self._lines_of(sheet, palette)]
        yield from self._painted[2]

    def _lines_of(self, sheet: "Sheet", palette: Palette) -> Iterator[Line]:
        """Paint a sheet."""
        blank = empty(self.width, palette.text)
        for pieces in sheet.lines():
            styled = [(text, getattr(palette, says)) for text, says in pieces]
            yield fit(styled, self.width, palette.text) if styled else blank

    def _with_next(self, lines: list[Line], palette: Palette) -> list[Line]:
        """Say at the end of what the run begins with which line is the first, if there is room."""
        snapshot = self.snapshot
        blank = empty(self.width, palette.text)
        if snapshot is None or snapshot.last is not None or lines[-4:] != [blank] * 4:
            return lines
        code = fit(
            [(" ▶ ", palette.strong), (snapshot.current.code, palette.text)],
            self.width,
            palette.text,
        )
        return [*lines[:-3], heading_line("next", self.width, palette), code, blank]

    @property
    def selected(self) -> tuple[str, Shape] | None:
        """The stored cell under the cursor."""
        if self.sheet is None or self._view is None:
            return super().selected
        row = self._view.row
        if row.tensor is None:
            return None
        return row.tensor, row.stored(self._view.spot.index)

    def has(self, name: str) -> bool:
        """Tell whether there is a cell of a tensor here to point at."""
        calculation = self.calculation
        if calculation is None:
            return super().has(name)
        return any(row.tensor == name for row in (*calculation.operands, calculation.result))

    # Moving

    def move(self, rows: int, columns: int) -> None:
        """Move the cursor by cells, from the result into the operands and back."""
        sheet = self.sheet
        if sheet is None or self._view is None:
            super().move(rows, columns)
            return
        from .drawing import moved

        spot = moved(sheet, self._view, rows, columns)
        if spot is not None:
            self._put(spot.row, spot.index)

    def move_to_row_edge(self, edge: int) -> None:
        """Move the cursor to the first (0) or last (-1) cell of its row."""
        if self.sheet is None or self._view is None:
            super().move_to_row_edge(edge)
            return
        spot, row = self._view.spot, self._view.row
        if spot.index:
            self._put(spot.row, (*spot.index[:-1], edge % row.shape[-1]))

    def move_to_edge(self, edge: int) -> None:
        """Move the cursor to the first or the last cell of its tensor."""
        if self.sheet is None or self._view is None:
            super().move_to_edge(edge)
            return
        row = self._view.row
        self._put(self._view.spot.row, tuple(edge % size for size in row.shape))

    def move_to_point(self, x: int, y: int) -> None:
        """Move the cursor to the cell at a point."""
        sheet = self.sheet
        if sheet is None or self._view is None:
            super().move_to_point(x, y)
            return
        from .drawing import cell_at

        found: Cell | None = cell_at(sheet, self._view, x, y)
        if found is not None:
            self._put(found.spot.row, found.spot.index)

    def _put(self, row: int, index: Shape) -> None:
        """Put the cursor on a cell of a row."""
        from msgspec.structs import replace

        from .sheet import Spot

        assert self._view is not None
        self._row = row
        self._view = replace(self._view, spot=Spot(row, index), is_asked=True)


class StepPane(TensorPane):
    """Shows the line that has just run."""

    own_view: StepView

    def __init__(self, tab: Tab, *, id: str | None = None) -> None:
        super().__init__(tab, (), id=id)
        self.own_view = StepView()
        # Whether it is drawn for the back row: the line of code over its numbers, with air.
        self.large = False

    @classmethod
    def make(cls, row: Row, title: str, actions: tuple[Action, ...]) -> Self:
        """Make the pane of a row of the table."""
        return cls(Tab(row.digit, title), id=row.id)

    @property
    def view(self) -> StepView:
        """The view that is shown here: always its own."""
        return self.own_view

    @property
    def look(self) -> State:
        """What the drawing depends on besides the state."""
        return *super().look, self.large

    def fit_to(self, width: int, height: int) -> None:
        """Get ready to draw the step, large in half the lines."""
        self.view.large, self.view.in_ascii = self.large, draws_ascii(self.app)
        if self.large:
            self.fit_body(room_in(width), lines_in(height))
        else:
            super().fit_to(width, height)

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the step; large, without tabs and with a blank after every line."""
        snapshot = self.view.snapshot
        if not self.large or snapshot is None:
            return super().paint(width, height)
        body = [*self.body(room_in(width), height)]
        lines = enlarged(body, snapshot, self.view.scene, width, self.palette)
        return (lines + [empty(width, self.palette.text)] * height)[:height]

    def cell_offset(self) -> Offset | None:
        """Return where the cell in question stands in the pane, None if it is not seen here."""
        offset = self.view.offset_of_cursor()
        if offset is None or self.view.selected is None:
            return None
        if self.large:
            return Offset(*place_of(offset.x, offset.y, self.size.width))
        return offset + Offset(len(self.edge), 1)

    def take(self, other: Pane) -> bool:
        """Show nothing but the step."""
        return other is self

    def clicked(self, x: int, y: int) -> None:
        """Choose the cell that was clicked."""
        place = place_in(x, y + 1, self.size.width) if self.large else (x, y)
        if place is not None:
            self.view.move_to_point(*place)
            self.cursor_moved()

    @property
    def footer(self) -> str:
        """Which keys the last line tells of: for a lecture, those that it needs."""
        return "large" if self.large else ""


def _is_given(program: Program, name: str) -> bool:
    return program.tensors[name].role in (Role.PARAMETER, Role.RATE, Role.CONSTANT)
