"""The step: the line that has just run, with what it read and what it wrote."""

from collections.abc import Collection
from typing import Self

from nnstep.engine.arrays import Shape
from nnstep.engine.program.program import Program, Role
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.actions import Action

from . import Row
from .asked import followed
from .pane import Tab
from .tensor_blocks import Headings
from .tensors import TensorPane, TensorView


class StepView(TensorView):
    """The tensors of the last step, those that it read first; before the first, the parameters.

    The cursor follows the step: it stands on the cell of the tensor written that has the same index
    as the one before, or the one that somebody has chosen.
    """

    def __init__(self, roles: Collection[str]) -> None:
        super().__init__(roles)
        self._index: Shape = ()
        self._place = -1

    def show(self, snapshot: Snapshot, *, follow: bool) -> None:
        """Take a snapshot; after a step, the cursor goes to what that has written."""
        super().show(snapshot, follow=False)
        if snapshot.place != self._place:
            self._place = snapshot.place
            self._follow()

    def names(self, snapshot: Snapshot) -> list[str]:
        """Return the names of the tensors to show."""
        if snapshot.last is None:
            return [name for name in snapshot.tensors if _is_given(snapshot.program, name)]
        return list(dict.fromkeys((*snapshot.read, *snapshot.written)))

    def headings(self, snapshot: Snapshot) -> Headings:
        """Head the parameters; the tensors of a step need no heading."""
        heading = "the run begins with" if snapshot.last is None else ""
        return lambda tensor: heading

    def let_follow(self) -> None:
        """Have the cursor follow from the first cell again."""
        self._index = ()
        self._follow()

    def _follow(self) -> None:
        snapshot = self.snapshot
        if snapshot is None or not snapshot.written:
            return
        name = snapshot.written[0]
        array = snapshot.tensors[name]
        if array.size:
            self.point_at(name, followed(self._index, array.shape))

    def pointed(self) -> None:
        """Take the index of the cell that somebody has chosen for the one to follow."""
        if self.selected is not None:
            self._index = self.selected[1]


class StepPane(TensorPane):
    """Shows the tensors of the line that has just run."""

    view: StepView
    own_view: StepView

    def __init__(self, tab: Tab, *, id: str | None = None) -> None:
        super().__init__(tab, (), id=id)
        self.view = self.own_view = StepView(())
        self.scrolled = self.view.scrolled

    @classmethod
    def make(cls, row: Row, title: str, actions: tuple[Action, ...]) -> Self:
        """Make the pane of a row of the table."""
        return cls(Tab(row.digit, title), id=row.id)

    def take(self, other: TensorPane) -> bool:  # type: ignore[override]
        """Show nothing but the step."""
        return other is self

    def let_follow(self) -> None:
        """Have the cursor follow from the first cell again."""
        self.own_view.let_follow()
        super().cursor_moved()

    def cursor_moved(self) -> None:
        """Follow the index of the cell that was chosen."""
        self.own_view.pointed()
        super().cursor_moved()


def _is_given(program: Program, name: str) -> bool:
    return program.tensors[name].role in (Role.PARAMETER, Role.RATE, Role.CONSTANT)
