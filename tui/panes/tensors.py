"""Panes of tensors: each shows a view over blocks of numbers, its own or that of another pane."""

from collections.abc import Collection, Iterator
from typing import Self

from textual.geometry import Offset, Size
from textual.message import Message

from nnstep.engine.arrays import Shape
from nnstep.engine.program.program import Tensor
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.actions import Action, bindings

from . import Row
from .line_view import Line
from .pane import Pane, Scroll, Tab
from .scene import Scene
from .tensor_view import TensorView


class TensorPane(Pane):
    """Shows a view of its own, or, in its stead, that of another pane of tensors."""

    BINDINGS = bindings("tensors")
    STATE = ("own_view",)

    class CursorMoved(Message):
        """Somebody has put the cursor on a cell."""

        def __init__(self, cell: tuple[str, Shape]) -> None:
            super().__init__()
            self.cell = cell

    def __init__(self, tab: Tab, roles: Collection[str], *, id: str | None = None) -> None:
        super().__init__(tab, id=id)
        self.own_view = TensorView(roles)
        # The pane whose view is shown here.
        self._shown: TensorPane = self

    @classmethod
    def make(cls, row: Row, title: str, actions: tuple[Action, ...]) -> Self:
        """Make the pane of a row of the table."""
        return cls(Tab(row.digit, title), row.roles, id=row.id)

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Draw a snapshot; if the scene follows the step, what that wrote comes into view."""
        self.own_view.show(snapshot, scene)
        self.redraw()

    def ask(self, scene: Scene) -> None:
        """Mark another cell in question."""
        self.own_view.ask(scene)
        self.redraw()

    @property
    def view(self) -> TensorView:
        """The view that is shown here."""
        return self._shown.own_view

    @property
    def scrolled(self) -> Scroll:
        """Which lines of the view are visible."""
        return self.view.scrolled

    def look_ahead(self, snapshot: Snapshot, scene: Scene) -> None:
        """Draw on the side what there will be to see, if it is the pane's own view that is."""
        if self._shown is self:
            super().look_ahead(snapshot, scene)

    def hint(self) -> str:
        """Return the dtype, if it is not the usual one, and how many lines are hidden."""
        dtype = "" if self.view.dtype == "float64" else self.view.dtype
        return " ".join(filter(None, (dtype, super().hint())))

    def holds(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is shown here."""
        return self.own_view.holds(tensor)

    def take(self, other: Pane) -> bool:
        """Show the view of another pane of tensors."""
        if not isinstance(other, TensorPane):
            return False
        self._shown, self.tab = other, other.own_tab
        return True

    def wanted(self, columns: int) -> Size:
        """Return the height of all tensors, visible or not, in so many columns."""
        return Size(columns, self.own_view.lines_at(columns))

    def fit_body(self, width: int, height: int) -> None:
        """Arrange the view."""
        self.view.arrange(width, height)

    def body(self, width: int, height: int) -> Iterator[Line]:
        """Paint the visible blocks."""
        return self.view.paint(self.palette)

    def cursor_moved(self) -> None:
        """Draw the cursor where it is now, and tell."""
        self.redraw()
        if cell := self.view.selected:
            self.post_message(self.CursorMoved(cell))

    def action_cursor(self, rows: int, columns: int) -> None:
        """Move the cursor by cells."""
        self.view.move(rows, columns)
        self.cursor_moved()

    def action_page(self, pages: int) -> None:
        """Move the cursor by screenfuls."""
        self.action_cursor(pages * max(1, self.scrolled.shown - 1), 0)

    def action_row_edge(self, edge: int) -> None:
        """Move the cursor to an end of its row."""
        self.view.move_to_row_edge(edge)
        self.cursor_moved()

    def action_pane_edge(self, edge: int) -> None:
        """Move the cursor to the first or the last cell."""
        self.view.move_to_edge(edge)
        self.cursor_moved()

    def cell_offset(self) -> Offset | None:
        """Return where the cell in question stands in the pane, None if it is not seen here."""
        scene = self.view.scene
        if scene is None or scene.asked is None or self.view.selected != scene.asked.cell:
            return None
        offset = self.view.offset_of_cursor()
        return offset + Offset(len(self.edge), 1) if offset is not None else None

    def clicked(self, x: int, y: int) -> None:
        """Select the cell that was clicked."""
        if y < self.scrolled.shown:
            self.view.move_to_point(x, y)
            self.cursor_moved()
