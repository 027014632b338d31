"""A branch is one course of the run: where it left another, and what was edited on it."""

from bisect import bisect_right

from nnstep.engine.machine.edit import Change, Edit
from nnstep.engine.machine.losses import LossHistory
from nnstep.engine.machine.step import State


class Branch:
    """A course of the run, from the first step on.

    `origin` is the state at place 0, drawn from `seed`. Up to place `fork` everything is that of
    the `parent`, if there is one. `edits` are all that lead here, those of the parent included, in
    order of their places. `newest` is the furthest place reached, and `place` the one last left.
    """

    def __init__(self, name: str, seed: int, origin: State) -> None:
        self.name = name
        self.seed = seed
        self.origin = origin
        self.parent: Branch | None = None
        self.fork = 0
        self.edits: tuple[Change, ...] = ()
        self.newest = 0
        self.place = 0
        self.losses = LossHistory()

    def forked(self, name: str, place: int, losses: int) -> "Branch":
        """Return a branch that leaves this one at a place, with its first `losses` losses."""
        branch = Branch(name, self.seed, self.origin)
        branch.parent = self
        branch.fork = branch.newest = branch.place = place
        branch.edits = self.edits_until(place)
        branch.losses = LossHistory(self.losses.view(losses))
        return branch

    def edits_until(self, place: int, after: int = -1) -> tuple[Change, ...]:
        """Return the edits that are in effect at a place: those made there, and before."""
        first, end = (bisect_right(self.edits, at, key=_place) for at in (after, place))
        return self.edits[first:end]

    def cells_edited_until(self, place: int, after: int = -1) -> tuple[Edit, ...]:
        """Return those of them that gave a cell another value, after a place."""
        return tuple(e for e in self.edits_until(place, after) if isinstance(e, Edit))

    def owner(self, iteration: int, steps_per_iteration: int) -> "Branch":
        """Return the branch, this or one that it came from, on which a pass was first begun."""
        branch = self
        while branch.parent is not None and iteration < branch.fork // steps_per_iteration:
            branch = branch.parent
        return branch

    def cut(self, place: int, losses: int) -> None:
        """Forget what came after a place, of which `losses` losses are left."""
        self.newest = self.place = place
        self.losses.forget(losses)


def _place(edit: Change) -> int:
    return edit.place
