"""The step: the line that has just run, with what it read and what it wrote."""

from collections.abc import Collection
from typing import Self

from nnstep.engine.program.program import Program, Role
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.actions import Action

from . import Row
from .pane import Pane, Tab
from .tensor_blocks import Headings
from .tensors import TensorPane, TensorView


class StepView(TensorView):
    """The tensors of the last step, those that it read first; before the first, the parameters."""

    def __init__(self, roles: Collection[str]) -> None:
        super().__init__(roles)
        self.always_marks = True

    def names(self, snapshot: Snapshot) -> list[str]:
        """Return the names of the tensors to show."""
        if snapshot.last is None:
            return [name for name in snapshot.tensors if _is_given(snapshot.program, name)]
        return list(dict.fromkeys((*snapshot.read, *snapshot.written)))

    def headings(self, snapshot: Snapshot) -> Headings:
        """Head the parameters; the tensors of a step need no heading."""
        heading = "the run begins with" if snapshot.last is None else ""
        return lambda tensor: heading


class StepPane(TensorPane):
    """Shows the tensors of the line that has just run."""

    def __init__(self, tab: Tab, *, id: str | None = None) -> None:
        super().__init__(tab, (), id=id)
        self.view = self.own_view = StepView(())
        self.scrolled = self.view.scrolled

    @classmethod
    def make(cls, row: Row, title: str, actions: tuple[Action, ...]) -> Self:
        """Make the pane of a row of the table."""
        return cls(Tab(row.digit, title), id=row.id)

    def take(self, other: Pane) -> bool:
        """Show nothing but the step."""
        return other is self


def _is_given(program: Program, name: str) -> bool:
    return program.tensors[name].role in (Role.PARAMETER, Role.RATE, Role.CONSTANT)
