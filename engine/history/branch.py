"""A branch is one course of the run: where it left another, and what was edited on it."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from nnstep.engine.arrays import Shape
from nnstep.engine.machine.edit import Change, Edit, Override
from nnstep.engine.machine.losses import LossHistory
from nnstep.engine.machine.step import State
from nnstep.engine.program.program import Instruction

from .dated import Dated, Lasting

Key = TypeVar("Key")

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
        # The edits, their places, and the same by what they are asked for: there may be thousands.
        self.edits: tuple[Change, ...] = ()
        self._places: list[int] = []
        self._overrides = Dated()
        self._of_lines: dict[int, Dated] = {}
        self._of_cells: dict[str, dict[Shape, Dated]] = {}
        self._lasting = Lasting()
        self.newest = 0
        self.place = 0
        # How often the run has come here from another branch: what is known of it may be another.
        self.visits = 0
        self.losses = LossHistory()

    def forked(self, name: str, place: int, edits: int, losses: int) -> "Branch":
        """Return a branch that leaves this one at a place, with its first edits and losses."""
        branch = Branch(name, self.seed, self.origin)
        branch.parent = self
        branch.fork = branch.newest = branch.place = place
        branch.edits, branch._places = self.edits[:edits], self._places[:edits]
        branch._lasting = self._lasting.first(edits)
        branch._overrides = self._overrides.first(edits)
        branch._of_lines = _first(self._of_lines, edits)
        branch._of_cells = {name: _first(cells, edits) for name, cells in self._of_cells.items()}
        branch.losses = self.losses.forked(losses)
        return branch

    def add(self, edit: Change) -> None:
        """Add an edit, made at the newest place."""
        for kind in self._kinds(edit):
            kind.add(edit, len(self.edits))
        self.edits = (*self.edits, edit)
        self._places.append(edit.place)

    def keep_edits(self, count: int) -> None:
        """Let all but the first `count` edits go."""
        for edit in self.edits[count:]:
            for kind in self._kinds(edit):
                kind.keep(count)
        self.edits = self.edits[:count]
        del self._places[count:]

    def _kinds(self, edit: Change) -> Iterator[Dated | Lasting]:
        """Yield what an edit is a part of."""
        yield self._lasting
        for position, _ in edit.lines:
            yield self._of_lines.setdefault(position, Dated())
        if isinstance(edit, Edit):
            yield self._of_cells.setdefault(edit.name, {}).setdefault(edit.index, Dated())
        else:
            yield self._overrides

    def edits_until(self, place: float, after: int = -1) -> tuple[Change, ...]:
        """Return the edits that are in effect at a place: those made there, and before."""
        return self.edits[bisect_right(self._places, after) : bisect_right(self._places, place)]

    def number_until(self, place: float) -> int:
        """Return how many edits are in effect at a place."""
        return bisect_right(self._places, place)

    def lasting(self, place: float, after: int = -1) -> Sequence[Change]:
        """Return those after one place and up to another that anything has come of.

        Of a cell that was edited again and again at one place that is the last.
        """
        return self._lasting.within(place, after)

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

    def last_edits_of(self, names: Iterable[str], place: int) -> list[Edit]:
        """Return the last edit, up to a place, of each cell of some tensors that was edited."""
        kinds = (self._of_cells[name].values() for name in names if name in self._of_cells)
        edits = (cell.last(place) for cell in chain.from_iterable(kinds))
        return [edit for edit in edits if isinstance(edit, Edit)]

    def cells_edited_until(self, place: int, after: int = -1) -> tuple[Edit, ...]:
        """Return those of them that gave a cell another value, after a place."""
        return tuple([e for e in self.edits_until(place, after) if isinstance(e, Edit)])

    def began(self, steps_per_iteration: int) -> int:
        """Return the first pass that was begun on this branch."""
        return self.fork // steps_per_iteration if self.parent else 0

    def at(self, place: int) -> "Branch":
        """Return the branch, this or one that it came from, that was the first to be at a place."""
        branch = self
        while branch.parent is not None and place < branch.fork:
            branch = branch.parent
        return branch

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


def _first(kinds: Mapping[Key, Dated], count: int) -> dict[Key, Dated]:
    """Return what is left of kinds of edits by the first `count` edits of the course."""
    found = {key: kind.first(count) for key, kind in kinds.items()}
    return {key: kind for key, kind in found.items() if len(kind)}
