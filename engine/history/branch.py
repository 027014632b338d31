"""A branch is one course of the run: where it left another, and what was edited on it."""

from nnstep.engine.edit import Edit
from nnstep.engine.faults.fault import Fault
from nnstep.engine.loss_history import LossHistory
from nnstep.engine.machine import State


class Branch:
    """A course of the run, from the first step on.

    `origin` is the state at place 0, drawn from `seed`. Up to place `fork` everything is that of
    the `parent`, if there is one. `edits` are all that lead here, those of the parent included, in
    order of their places. `newest` is the furthest place reached, and `place` the one last left.
    Passes before `examined` have been searched for `faults`. `hits` are the places where a
    breakpoint or a watchpoint has stopped the run.
    """

    def __init__(self, name: str, seed: int, origin: State) -> None:
        self.name = name
        self.seed = seed
        self.origin = origin
        self.parent: Branch | None = None
        self.fork = 0
        self.edits: tuple[Edit, ...] = ()
        self.newest = 0
        self.place = 0
        self.losses = LossHistory()
        self.faults: tuple[Fault, ...] = ()
        self.hits: tuple[int, ...] = ()
        self.examined = 0

    def forked(self, name: str, place: int, steps_per_iteration: int, losses: int) -> "Branch":
        """Return a branch that leaves this one at a place, with its first `losses` losses."""
        branch = Branch(name, self.seed, self.origin)
        branch.parent = self
        branch.fork = branch.newest = branch.place = place
        branch.edits = self.edits_until(place)
        branch.losses = LossHistory(self.losses.view(losses))
        branch.faults = tuple(fault for fault in self.faults if fault.place <= place)
        branch.hits = tuple(hit for hit in self.hits if hit <= place)
        branch.examined = min(self.examined, place // steps_per_iteration)
        return branch

    def edits_until(self, place: int) -> tuple[Edit, ...]:
        """Return the edits that are in effect at a place."""
        return tuple(edit for edit in self.edits if edit.place <= place)

    def owner(self, iteration: int, steps_per_iteration: int) -> "Branch":
        """Return the branch, this or one that it came from, on which a pass was first begun."""
        branch = self
        while branch.parent is not None and iteration < branch.fork // steps_per_iteration:
            branch = branch.parent
        return branch

    def cut(self, place: int, steps_per_iteration: int, losses: int) -> None:
        """Forget what came after a place, of which `losses` losses are left."""
        self.newest = self.place = place
        self.losses.forget(losses)
        self.faults = tuple(fault for fault in self.faults if fault.place <= place)
        self.hits = tuple(hit for hit in self.hits if hit <= place)
        self.examined = min(self.examined, place // steps_per_iteration)
