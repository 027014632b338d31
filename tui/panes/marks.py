"""What the timeline marks on a branch: its edits, faults, forks and stops, each at its place."""

from collections.abc import Collection, Sequence

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.faults.fault import Fault
from nnstep.engine.machine.edit import Change
from nnstep.engine.session.snapshot import BranchView, Snapshot

from .braille import column_of

EDIT, FAULT, FORK, STOP = range(4)
# By kind; where several marks are in one column, the first kind is shown.
GLYPHS = ("e", "!", "┬", "■")
MEANINGS = ("edit", "fault", "branch", "stop")


class Happened(Struct, frozen=True):
    """All that there is to mark on the present branch, by kind."""

    edits: tuple[Change, ...]
    faults: tuple[Fault, ...]
    forks: tuple[int, ...]
    hits: tuple[int, ...]

    def same_as(self, other: "Happened") -> bool:
        """Tell whether nothing has happened since; equal hits in another tuple count as others."""
        if self.hits is not other.hits and (len(self.hits) or len(other.hits)):
            return False
        mine = self.edits, self.faults, self.forks
        return mine == (other.edits, other.faults, other.forks)


class Marks(Struct, frozen=True, eq=False):
    """Places in ascending order and the kind of mark at each, both of shape `(marks,)`."""

    places: Array
    kinds: Array

    def beside(self, place: int, direction: int) -> int | None:
        """Return the next marked place after `place` (direction 1), or the last before it (-1)."""
        if direction > 0:
            at = int(np.searchsorted(self.places, place, "right"))
        else:
            at = int(np.searchsorted(self.places, place, "left")) - 1
        return int(self.places[at]) if 0 <= at < len(self.places) else None

    def on_columns(self, steps: int, count: int, width: int) -> dict[int, int]:
        """Return the kind of mark to show in each of `width` columns that has one.

        There are `steps` instructions in an iteration, and `count` iterations on two dots a column.
        """
        columns = self._columns(steps, count, width)
        shown: dict[int, int] = {}
        for kind in reversed(range(len(GLYPHS))):
            found = np.unique(columns[(self.kinds == kind) & (columns < width)])
            shown |= dict.fromkeys(found.tolist(), kind)
        return shown

    def in_column(self, column: int, steps: int, count: int, width: int) -> int | None:
        """Return the first marked place of a column, None where there is none."""
        found = np.flatnonzero(self._columns(steps, count, width) == column)
        return int(self.places[found[0]]) if len(found) else None

    def _columns(self, steps: int, count: int, width: int) -> Array:
        """Return the column of each mark."""
        return column_of(self.places // steps, count, 2 * width) // 2


def happened(snapshot: Snapshot) -> Happened:
    """Gather what there is to mark on the present branch."""
    branch = snapshot.branch
    faults = tuple(fault for fault in branch.faults if fault.level != "info")
    return Happened(branch.edits, faults, forks_of(branch, snapshot.branches), branch.hits)


def marks_of(happened: Happened) -> Marks:
    """Put in order what happened."""
    each = (
        [edit.place for edit in happened.edits],
        [fault.place for fault in happened.faults],
        happened.forks,
        happened.hits,
    )
    places = np.concatenate([np.asarray(found, dtype=np.int64) for found in each])
    kinds = np.repeat(np.arange(len(each)), [len(found) for found in each])
    order = np.lexsort((kinds, places))
    return Marks(places[order], kinds[order])


def legend(kinds: Collection[int]) -> str:
    """Write what some kinds of marks mean."""
    return "  ".join(f"{GLYPHS[kind]} {MEANINGS[kind]}" for kind in sorted(kinds))


def forks_of(branch: BranchView, branches: Sequence[BranchView]) -> tuple[int, ...]:
    """Return the places at which the course of a branch and that of another one part.

    The course of a branch is that of its parent up to where it left it.
    """
    if len(branches) < 2:
        return ()
    by_name = {each.name: each for each in branches}
    places: set[int] = set()
    until, here, came_from = branch.newest, branch, ""
    while True:
        places |= {
            each.fork
            for each in branches
            if each.parent == here.name and each.name != came_from and each.fork <= until
        }
        if here.parent is None or here.parent not in by_name:
            return tuple(sorted(places))
        until, came_from = min(until, here.fork), here.name
        places.add(until)
        here = by_name[here.parent]
