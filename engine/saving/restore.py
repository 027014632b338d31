"""Bringing a saved session back: its branches are run again, with the same edits."""

from collections.abc import Callable, Mapping

from nnstep.engine.history.branch import Branch
from nnstep.engine.language.evaluate import ConditionError
from nnstep.engine.language.nodes import GrammarError
from nnstep.engine.limits import HISTORY_BYTES
from nnstep.engine.machine.edit import Edit
from nnstep.engine.machine.machine import initial_state
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.branches import BranchError
from nnstep.engine.session.edits import EditError, checked_edit
from nnstep.engine.session.session import Session
from nnstep.engine.text import quoted

from .errors import SessionFileError
from .state import SavedBranch, SavedSession, inherited_edits

Progress = Callable[[int, int], None]


def restore(
    saved: SavedSession,
    scenario: Scenario,
    *,
    history: int = HISTORY_BYTES,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Session | None:
    """Return a session like the saved one, with the same bits; None if it was cancelled.

    Every branch is run again, which takes as long as it took. `progress` is told after every pass
    how many steps are done, and of how many. Raises `SessionFileError` if the session does not fit
    the scenario, which then has changed since.
    """
    session = Session(scenario, iterations=saved.iterations, history=history)
    _set_points(session, saved)
    _check_length(session, saved)
    replay = _Replay(session, saved, progress or (lambda done, of: None), cancelled)
    return session if replay.run() else None


def _set_points(session: Session, saved: SavedSession) -> None:
    """Set the saved breakpoints and watches in place of the scenario's own."""
    session.stops.clear()
    session.watches.clear()
    for point in saved.points:
        try:
            session.stops.add(point)
        except (ConditionError, GrammarError) as error:
            raise SessionFileError(
                f"the breakpoint {quoted(str(point))} does not fit: {error}"
            ) from None
    for text in saved.watches:
        try:
            session.watch(text)
        except (ConditionError, GrammarError) as error:
            raise SessionFileError(f"the watch {quoted(text)} does not fit: {error}") from None


def _check_length(session: Session, saved: SavedSession) -> None:
    newest = max(branch.newest for branch in saved.branches)
    if session.total is not None and newest > session.total:
        raise SessionFileError(
            f"its run ends at step {session.total} now, and the session went on to step {newest}; "
            "give the scenario more iterations"
        )


class _Replay:
    """Runs the branches of a saved session again, each after the one that it left."""

    def __init__(
        self,
        session: Session,
        saved: SavedSession,
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> None:
        self._session = session
        self._timeline = session._timeline
        self._saved = saved
        self._progress = progress
        self._cancelled = cancelled
        self._done = 0
        self._total = sum(branch.newest - branch.fork for branch in saved.branches)

    def run(self) -> bool:
        """Run all branches and go to where the session was; tell whether nobody cancelled that."""
        timeline, named = self._timeline, self._saved.named
        branches: dict[str, Branch] = {}
        for saved in self._saved.branches:
            self._leave()
            first = inherited_edits(saved, named)
            branches[saved.name] = self._begin(saved, branches, first)
            if not self._run_branch(saved, first):
                return False
        self._leave()
        timeline.switch(branches[self._saved.current], self._saved.place)
        for saved in self._saved.branches:
            if saved.name != self._saved.current:
                branches[saved.name].place = saved.place
        timeline.left = branches[self._saved.left] if self._saved.left else None
        return True

    def _begin(self, saved: SavedBranch, branches: Mapping[str, Branch], first: int) -> Branch:
        """Go to the place where a branch begins, with the `first` of its edits, and be on it."""
        session, timeline = self._session, self._timeline
        if saved.parent is not None:
            parent = branches[saved.parent]
            timeline.switch(parent, saved.fork)
            timeline.fork(parent.edits[:first])
        elif branches or saved.seed != session.seed:
            self._begin_root(saved.seed)
            if not branches:
                timeline.delete(timeline.branches[0])
        try:
            session.branches.rename(timeline.current.name, saved.name)
        except BranchError as error:
            raise SessionFileError(f"{quoted(saved.name)} cannot be a branch: {error}") from None
        return timeline.current

    def _begin_root(self, seed: int) -> None:
        """Start a branch that leaves no other one; it has no name yet."""
        timeline, session = self._timeline, self._session
        branch = Branch("", seed, initial_state(session.scenario, session.program, seed))
        timeline.branches.append(branch)
        timeline.switch(branch)

    def _run_branch(self, saved: SavedBranch, first: int) -> bool:
        """Run a branch to its newest place, with its own edits; tell whether it came there."""
        for edit in saved.edits[first:]:
            if not self._run_to(edit.place):
                return False
            self._edit(edit)
        return self._run_to(saved.newest)

    def _run_to(self, place: int) -> bool:
        """Execute up to a place; tell whether nobody cancelled that."""
        machine, steps = self._timeline.machine, len(self._session.program)
        while machine.place < place:
            before = machine.place
            for _ in machine.steps(min(place, (before // steps + 1) * steps)):
                if self._cancelled():
                    return False
            self._done += machine.place - before
            self._progress(self._done, self._total)
        return True

    def _edit(self, edit: Edit) -> None:
        """Make an edit if a person could make it here."""
        session, tensors = self._session, self._timeline.machine.tensors
        try:
            checked = checked_edit(
                session.scenario,
                session.program,
                tensors,
                edit.place,
                edit.name,
                edit.index,
                edit.value,
            )
        except EditError as error:
            where = f"the edit at step {edit.place} does not fit"
            raise SessionFileError(f"{where}: {error}") from None
        self._leave()
        self._timeline.edit(checked)

    def _leave(self) -> None:
        self._session._examination.leave()
