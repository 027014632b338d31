"""What is kept of a session: what a person did, and where they were; the rest is replayed."""

from collections.abc import Mapping
from itertools import takewhile
from typing import TYPE_CHECKING

from msgspec import Struct

from nnstep.engine.machine.edit import Edit
from nnstep.engine.machine.machine import run_length
from nnstep.engine.stops.points import Point

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session


class SavedBranch(Struct, frozen=True):
    """A branch: where it left its parent, how far it came, and where it was left.

    `edits` are all that lead here, those before the fork included, in order of their places.
    """

    name: str
    seed: int
    parent: str | None
    fork: int
    newest: int
    place: int
    edits: tuple[Edit, ...]


class SavedSession(Struct, frozen=True):
    """Everything that a session cannot compute again. A parent comes before its branches.

    `iterations` is the length of the run if it is not the scenario's own. `current` is the branch
    that the session is on, and `left` the one that it was on before.
    """

    iterations: int | None
    current: str
    left: str | None
    branches: tuple[SavedBranch, ...]
    points: tuple[Point, ...]
    watches: tuple[str, ...]

    @property
    def place(self) -> int:
        """Where the session was."""
        return self.named[self.current].place

    @property
    def named(self) -> dict[str, SavedBranch]:
        """The branches by their names."""
        return {branch.name: branch for branch in self.branches}

    @property
    def edits(self) -> int:
        """How many edits have been made, on all branches."""
        named = self.named
        inherited = (inherited_edits(branch, named) for branch in self.branches)
        return sum(len(b.edits) - i for b, i in zip(self.branches, inherited, strict=True))

    @property
    def is_untouched(self) -> bool:
        """Whether the run is at its first step, on its only branch, and nothing was edited."""
        return len(self.branches) == 1 and self.place == 0 and not self.branches[0].edits


def save(session: "Session") -> SavedSession:
    """Return what has to be kept of a session; it costs next to nothing, however long the run."""
    timeline = session._timeline
    length, own = None, run_length(session.scenario)
    if session.total is not None:
        length = session.total // len(session.program)
    return SavedSession(
        iterations=None if length == own else length,
        current=timeline.current.name,
        left=timeline.left.name if timeline.left else None,
        branches=tuple(
            SavedBranch(
                name=branch.name,
                seed=branch.seed,
                parent=branch.parent.name if branch.parent else None,
                fork=branch.fork,
                newest=timeline.reached(branch),
                place=timeline.place if branch is timeline.current else branch.place,
                edits=branch.edits,
            )
            for branch in timeline.branches
        ),
        points=session.stops.points,
        watches=tuple(session.watches),
    )


def inherited_edits(branch: SavedBranch, named: Mapping[str, SavedBranch]) -> int:
    """Return how many of a branch's edits are the first ones of its parent's, up to the fork."""
    if branch.parent is None:
        return 0
    pairs = zip(branch.edits, named[branch.parent].edits, strict=False)
    # An edit to NaN is not equal to another such edit, but to itself by identity.
    same = (a.place <= branch.fork and (a is b or a == b) for a, b in pairs)
    return sum(takewhile(bool, same))
