"""The branches of a session, by name: list them, switch, rename, delete, compare."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.faults.examination import Examination
from nnstep.engine.history.branch import Branch
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.text import did_you_mean, printable, quoted, several

from .edits import Changes

_LONGEST_NAME = 40


class BranchError(ValueError):
    """A branch that there is not, or that cannot be had or deleted; the message says why."""


class Difference(Struct, frozen=True):
    """A tensor that two branches do not agree on.

    `cells` counts those that differ, of `size`; `index` is where they do most, from `first` to
    `second`. A tensor that only one of them has, or in another shape, has no cells to compare.
    """

    name: str
    cells: int
    size: int
    index: Shape | None = None
    first: float = 0.0
    second: float = 0.0


class Branches:
    """The courses that the run has taken."""

    def __init__(self, timeline: Timeline, changes: Changes, examination: Examination) -> None:
        self._timeline = timeline
        self._changes = changes
        self._examination = examination

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all branches, in the order in which they began."""
        return tuple(branch.name for branch in self._timeline.branches)

    @property
    def current(self) -> str:
        """The name of the branch that the session is on."""
        return self._timeline.current.name

    def switch(self, name: str) -> None:
        """Go to a branch, to the place where it was left."""
        branch = self._named(name)
        self._examination.examine()
        self._timeline.switch(branch)

    def rename(self, name: str, new: str) -> None:
        """Give a branch another name."""
        branch = self._named(name)
        if not new.strip() or " " in new or printable(new) != new or len(new) > _LONGEST_NAME:
            raise BranchError(f"a branch's name is one word of at most {_LONGEST_NAME} characters")
        if new != name and new in self.names:
            raise BranchError(f"there is a branch {quoted(new)} already")
        self._timeline.rename(branch, new)

    def delete(self, name: str) -> None:
        """Forget a branch for good; not the present one, and none that others have left."""
        branch = self._named(name)
        if left := [b.name for b in self._timeline.branches if b.parent is branch]:
            by = f"{quoted(name)} has been left by {quoted(left[0])}"
            raise BranchError(f"{by}; delete that one first")
        if branch is self._timeline.current:
            raise BranchError(f"{quoted(name)} is the present branch; switch to another first")
        self._timeline.delete(branch)
        self._changes.forget(branch)

    def diff(self, first: str, second: str) -> tuple[int, tuple[Difference, ...]]:
        """Compare two branches at this place, or at the last one before it that both have reached.

        Returns that place, and the tensors that differ, the most different one first.
        """
        branches = self._named(first), self._named(second)
        self._examination.examine()
        reached = (self._timeline.reached(branch) for branch in branches)
        place = min(self._timeline.place, *reached)
        one, other = (self._timeline.tensors_at(place, branch) for branch in branches)
        names = dict.fromkeys([*one, *other])
        found = [_difference(name, one.get(name), other.get(name)) for name in names]
        differing = [difference for difference in found if difference.cells]
        return place, tuple(sorted(differing, key=_size, reverse=True))

    def _named(self, name: str) -> Branch:
        for branch in self._timeline.branches:
            if branch.name == name:
                return branch
        hint = did_you_mean(name, self.names) or f"; there is {several(self.names)}"
        raise BranchError(f"there is no branch {quoted(name)}{hint}")


def _difference(name: str, one: Array | None, other: Array | None) -> Difference:
    if one is None or other is None or one.shape != other.shape:
        sizes: Sequence[int] = [array.size for array in (one, other) if array is not None]
        return Difference(name, max(sizes), max(sizes))
    first, second = one.astype(np.float64), other.astype(np.float64)
    differs = ~((first == second) | (np.isnan(first) & np.isnan(second)))
    with np.errstate(all="ignore"):
        by = np.where(differs, np.nan_to_num(np.abs(first - second), nan=np.inf), -1.0)
    index = tuple(map(int, np.unravel_index(int(np.argmax(by)), by.shape)))
    return Difference(
        name, int(differs.sum()), one.size, index, float(first[index]), float(second[index])
    )


def _size(difference: Difference) -> float:
    """Return by how much a tensor differs, infinity where that is no number."""
    by = abs(difference.second - difference.first)
    return np.inf if np.isnan(by) or difference.index is None else by
