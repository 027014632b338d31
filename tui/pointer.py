"""Which cell is in question: it follows the step until somebody chooses another."""

import copy

from nnstep.engine.arrays import Shape, has_cell
from nnstep.engine.session.question import cell_in_question
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.panes.scene import Cell


class Pointer:
    """Points at the cell of the tensor written last that has the index followed.

    A cell that somebody has chosen stays in question; after a step it is its index that is
    followed, unless it is to stay for longer. A cell that is only visited, with the pane that it is
    in, leaves no trace.
    """

    def __init__(self) -> None:
        self._index: Shape | None = None
        self._chosen: Cell | None = None
        self.visited: Cell | None = None

    def cell(self, snapshot: Snapshot) -> Cell | None:
        """Return the cell in question, None if there is nothing to point at."""
        for cell in (self.visited, self._chosen):
            if cell is not None and _exists(cell, snapshot):
                return cell
        return self.followed(snapshot)

    def followed(self, snapshot: Snapshot) -> Cell | None:
        """Return the cell that follows the step."""
        cell = cell_in_question(snapshot.last, snapshot.tensors, self._index)
        return cell if cell is not None and snapshot.tensors[cell[0]].size else None

    def choose(self, cell: Cell) -> None:
        """Ask about a cell."""
        self._chosen, self.visited = cell, None

    def go_on(self, *, stays: bool) -> None:
        """Take note of a step: what was chosen stays in question, or its index is followed."""
        if self._chosen is not None and not stays:
            self._index, self._chosen = self._chosen[1], None

    def after_a_step(self, *, stays: bool) -> "Pointer":
        """Return what will point after a step; this one stays as it is."""
        other = copy.copy(self)
        other.go_on(stays=stays)
        return other

    def let_follow(self) -> None:
        """Follow from the first cell again."""
        self._index, self._chosen, self.visited = None, None, None


def _exists(cell: Cell, snapshot: Snapshot) -> bool:
    name, index = cell
    array = snapshot.tensors.get(name)
    return array is not None and has_cell(array.shape, index)
