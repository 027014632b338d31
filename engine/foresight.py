"""What there will be to show after the next line, found out before anybody asks for it.

Whoever goes step by step reads for a while, and then wants the next step at once. Nothing of the
run changes by it; what was foreseen holds if the step then leads to the very same.
"""

from collections.abc import Callable, Mapping
from operator import is_

from msgspec import Struct

from .arrays import Shape
from .insight import Insight, replaced_by
from .session.session import Session
from .session.snapshot import Snapshot

Cell = tuple[str, Shape]


class Foresight(Struct, frozen=True, eq=False):
    """What the next step will show, and what there is to say of the cell in question then."""

    snapshot: Snapshot
    cell: Cell
    insight: Insight

    def holds(self, snapshot: Snapshot) -> bool:
        """Tell whether a snapshot is the one foreseen, but for what is watched."""
        one, other = self.snapshot, snapshot
        return (
            all(getattr(one, name) is getattr(other, name) for name in _THE_VERY_SAME)
            and all(getattr(one, name) == getattr(other, name) for name in _EQUAL)
            and all(getattr(one.branch, n) == getattr(other.branch, n) for n in _EQUAL_OF_A_BRANCH)
            and len(one.branches) == len(other.branches)
            and len(one.losses) == len(other.losses)
            and one.losses[-1:].tobytes() == other.losses[-1:].tobytes()
            and _same(one.tensors, other.tensors)
            and _same(one.before, other.before)
        )


_THE_VERY_SAME = ("program", "last", "total", "left")
_EQUAL = ("place", "stale", "unmet", "breakpoints")
_EQUAL_OF_A_BRANCH = ("name", "newest", "seed", "edits", "faults", "hits")


def _same(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Tell whether two moments have the very same arrays."""
    return one is other or (
        one.keys() == other.keys() and all(map(is_, one.values(), map(other.__getitem__, one)))
    )


def foreseen(
    session: Session, here: Snapshot, in_question: Callable[[Snapshot], Cell | None]
) -> Foresight | None:
    """Return what there will be to show after the next line, None if that is not known.

    `here` is what is shown, and `in_question` tells the cell that will be in question. A printed
    number that is not met is looked into only when it is.
    """
    if session.finished or not session.is_quick(here.place + 1):
        return None
    try:
        ahead, snapshot = session.ahead(here)
    except Exception:  # its line will raise it when its turn comes
        return None
    cell = in_question(snapshot)
    if cell is None or any((one.expectation.at, one.cell) == cell for one in snapshot.unmet):
        return None
    why = ahead.explain(*cell)
    return Foresight(snapshot, cell, Insight(ahead.calculation(), why, replaced_by(ahead, why)))
