"""A branch is one course of the run: where it left another, and what was edited on it."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from nnstep.engine.arrays import Shape
from nnstep.engine.machine.edit import Change, Edit, Override
from nnstep.engine.machine.losses import LossHistory
from nnstep.engine.machine.step import State
from nnstep.engine.program.program import Instruction


class Dated:
    """Edits in order of their places: those of a stretch of the run are found without a search."""

    def __init__(self) -> None:
        self._edits: list[Change] = []
        self._places: list[int] = []

    def add(self, edit: Change) -> None:
        """Add one that was made after all others."""
        self._edits.append(edit)
        self._places.append(edit.place)

    def drop(self) -> None:
        """Let the last one go."""
        self._edits.pop()
        self._places.pop()

    def within(self, place: float, after: int = -1) -> Sequence[Change]:
        """Return those up to a place and after another."""
        places = self._places
        if not places or places[-1] <= after:
            return ()
        return self._edits[bisect_right(places, after) : bisect_right(places, place)]

    def last(self, place: float) -> Change | None:
        """Return the last one up to a place."""
        at = bisect_right(self._places, place)
        return self._edits[at - 1] if at else None


_NONE = Dated()


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
        self._all = Dated()
        self._overrides = Dated()
        self._of_lines: dict[int, Dated] = {}
        self._of_cells: dict[str, dict[Shape, Dated]] = {}
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
        branch.edits = self.edits_until(place)
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
            for kind in self._kinds(edit):
                kind.drop()
        for edit in edits[same:]:
            for kind in self._kinds(edit):
                kind.add(edit)
        self._edits = edits

    def add(self, edit: Change) -> None:
        """Add an edit, made at the newest place."""
        for kind in self._kinds(edit):
            kind.add(edit)
        self._edits = (*self._edits, edit)

    def _kinds(self, edit: Change) -> Iterator[Dated]:
        """Yield what an edit is a part of."""
        yield self._all
        for position, _ in edit.lines:
            yield self._of_lines.setdefault(position, Dated())
        if isinstance(edit, Edit):
            yield self._of_cells.setdefault(edit.name, {}).setdefault(edit.index, Dated())
        else:
            yield self._overrides

    def lines_until(self, place: int) -> Mapping[int, Instruction]:
        """Return the lines that stand in place of others at a place, by position."""
        return {
            position: dict(edit.lines)[position]
            for position, edits in self._of_lines.items()
            if (edit := edits.last(place))
        }

    def overrides_until(self, place: int) -> list[Override]:
        """Return the overrides among the edits that are in effect at a place."""
        return [e for e in self._overrides.within(place) if isinstance(e, Override)]

    def edits_of(self, name: str, index: Shape, place: int, after: int = -1) -> list[Edit]:
        """Return those that gave one cell another value, up to a place and after another."""
        edits = self._of_cells.get(name, {}).get(index, _NONE).within(place, after)
        return [edit for edit in edits if isinstance(edit, Edit)]

    def last_edits_of(self, name: str, place: int) -> list[Edit]:
        """Return the last edit, up to a place, of each cell of a tensor that was edited."""
        edits = (cell.last(place) for cell in self._of_cells.get(name, {}).values())
        return [edit for edit in edits if isinstance(edit, Edit)]

    def edits_until(self, place: float, after: int = -1) -> tuple[Change, ...]:
        """Return the edits that are in effect at a place: those made there, and before."""
        return tuple(self._all.within(place, after))

    def cells_edited_until(self, place: int, after: int = -1) -> tuple[Edit, ...]:
        """Return those of them that gave a cell another value, after a place."""
        return tuple([e for e in self._all.within(place, after) if isinstance(e, Edit)])

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
