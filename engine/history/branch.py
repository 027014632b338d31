"""A branch is one course of the run: where it left another, and what was edited on it."""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile

from nnstep.engine.arrays import Shape
from nnstep.engine.machine.edit import Change, Edit, Override, lines_of
from nnstep.engine.machine.losses import LossHistory
from nnstep.engine.machine.step import State
from nnstep.engine.program.program import Instruction


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
        # The edits, and the same by what they are asked for: there may be thousands.
        self._edits: tuple[Change, ...] = ()
        self._of_lines: list[Change] = []
        self._by_name: dict[str, list[Change]] = {}
        self.newest = 0
        self.place = 0
        # How often the run has come here from another branch: what is known of it may be another.
        self.visits = 0
        self.losses = LossHistory()

    def forked(self, name: str, place: int, losses: int) -> "Branch":
        """Return a branch that leaves this one at a place, with its first `losses` losses."""
        branch = Branch(name, self.seed, self.origin)
        branch.parent = self
        branch.fork = branch.newest = branch.place = place
        branch._edits = self.edits_until(place)
        branch._of_lines = [*_within(self._of_lines, place)]
        branch._by_name = {n: [*_within(e, place)] for n, e in self._by_name.items()}
        branch.losses = self.losses.forked(losses)
        return branch

    @property
    def edits(self) -> tuple[Change, ...]:
        """All changes that lead here, in order of their places."""
        return self._edits

    @edits.setter
    def edits(self, edits: tuple[Change, ...]) -> None:
        both = zip(self._edits, edits, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], both))
        for edit in self._edits[same:]:
            if edit.lines:
                self._of_lines.pop()
            self._by_name[edit.name].pop()
        for edit in edits[same:]:
            self._sort_in(edit)
        self._edits = edits

    def add(self, edit: Change) -> None:
        """Add an edit, made at the newest place."""
        self._sort_in(edit)
        self._edits = (*self._edits, edit)

    def _sort_in(self, edit: Change) -> None:
        if edit.lines:
            self._of_lines.append(edit)
        self._by_name.setdefault(edit.name, []).append(edit)

    def lines_until(self, place: int) -> Mapping[int, Instruction]:
        """Return the lines that stand in place of others at a place, by position."""
        return lines_of(_within(self._of_lines, place))

    def overrides_until(self, place: int) -> list[Override]:
        """Return the overrides among the edits that are in effect at a place."""
        return [e for e in _within(self._of_lines, place) if isinstance(e, Override)]

    def edits_of(self, name: str, index: Shape, place: int, after: int = -1) -> list[Edit]:
        """Return those that gave one cell another value, up to a place and after another."""
        edits = _within(self._by_name.get(name, []), place, after)
        return [edit for edit in edits if isinstance(edit, Edit) and edit.index == index]

    def last_edits_of(self, name: str, place: int) -> Collection[Edit]:
        """Return the last edit, up to a place, of each cell of a tensor that was edited."""
        edits = _within(self._by_name.get(name, []), place)
        return {edit.index: edit for edit in edits if isinstance(edit, Edit)}.values()

    def edits_until(self, place: float, after: int = -1) -> tuple[Change, ...]:
        """Return the edits that are in effect at a place: those made there, and before."""
        return tuple(_within(self.edits, place, after))

    def cells_edited_until(self, place: int, after: int = -1) -> tuple[Edit, ...]:
        """Return those of them that gave a cell another value, after a place."""
        return tuple(e for e in self.edits_until(place, after) if isinstance(e, Edit))

    def began(self, steps_per_iteration: int) -> int:
        """Return the first pass that was begun on this branch."""
        return self.fork // steps_per_iteration if self.parent else 0

    def owner(self, iteration: int, steps_per_iteration: int) -> "Branch":
        """Return the branch, this or one that it came from, on which a pass was first begun."""
        branch = self
        while branch.parent is not None and iteration < branch.began(steps_per_iteration):
            branch = branch.parent
        return branch

    def cut(self, place: int, losses: int) -> None:
        """Forget what came after a place, of which `losses` losses are left."""
        self.newest = self.place = place
        self.losses.forget(losses)


def _within(edits: Sequence[Change], place: float, after: int = -1) -> Sequence[Change]:
    """Return those of some edits, in order of their places, up to a place and after another."""
    first, end = (bisect_right(edits, at, key=_place) for at in (after, place))
    return edits[first:end]


def _place(edit: Change) -> int:
    return edit.place
