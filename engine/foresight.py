"""What there will be to show after the next line, found out before anybody asks for it.

Whoever goes step by step reads for a while, and then wants the next step at once. Nothing of the
run changes by it; what was foreseen holds if the step then leads to the very same.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from .arrays import Shape
from .insight import Insight, insight_of
from .machine.live import same_arrays
from .session.asked import Asked
from .session.session import Session
from .session.snapshot import Snapshot

Result = TypeVar("Result")


class Foresight:
    """The run as it is after the next line: what it will show, and what was asked of it.

    `snapshot` is what will be shown, but for what is watched, and the losses of branches.
    """

    def __init__(self, run: Asked, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._run = run
        self._answers: dict[Hashable, Any] = {}

    def ask(self, key: Hashable, question: Callable[[Asked, Snapshot], Result]) -> Result:
        """Return the answer to a question, which is known by its key from then on."""
        if key not in self._answers:
            self._answers[key] = question(self._run, self.snapshot)
        answer: Result = self._answers[key]
        return answer

    def knows(self, key: Hashable) -> bool:
        """Tell whether a question has been asked."""
        return key in self._answers

    def insight(self, cell: tuple[str, Shape] | None, place: int | None = None) -> Insight | None:
        """Return what there will be to say of a cell, as `insight_of` does.

        None where another number is printed of it: that is looked into only when it is there.
        """
        if any((one.expectation.at, one.cell) == cell for one in self.snapshot.unmet):
            return None
        return self.ask(
            (cell, place),
            lambda run, snapshot: insight_of(run, run.calculation(), cell, place),
        )

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
            and same_arrays(one.tensors, other.tensors)
            and same_arrays(one.before, other.before)
        )


_THE_VERY_SAME = ("program", "last", "total", "left")
_EQUAL = ("place", "stale", "unmet", "breakpoints")
_EQUAL_OF_A_BRANCH = ("name", "newest", "seed", "edits", "faults", "hits")


def foreseen(session: Session, here: Snapshot) -> Foresight | None:
    """Return the run after the next line, None if there is none or it takes its time.

    `here` is what is shown.
    """
    if session.finished or not session.is_quick(here.place + 1):
        return None
    try:
        return Foresight(*session.ahead(here))
    except Exception:  # its line will raise it when its turn comes
        return None
