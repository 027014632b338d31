"""Bringing a session back: its scenario is found, and its commands are executed again."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.commands.command import Goal, Progress, Work
from nnstep.engine.commands.interpreter import Interpreter, find
from nnstep.engine.language.typed import typed
from nnstep.engine.limits import HISTORY_BYTES
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.text import printable

from .journal import Header, Journal, Line, Script, digest, read_session
from .recovery import Taken, take
from .reference import SessionFileError, find_scenario, listing_digest

MOST_INSTRUCTIONS = 10**8
"""What a file may have executed without a question."""

_SLICE = 0.1


class Replayed(Struct, frozen=True):
    """A session that has been brought back, with its journal.

    `problem` is why it is not all of what the file says, empty if it is; `warning` is what may be
    different from how it was.
    """

    session: Session
    journal: Journal
    problem: str = ""
    warning: str = ""


class Opened(Struct, frozen=True):
    """A session file that has been read, and its scenario; nothing has been executed yet.

    `warning` says that the scenario has changed since, and is empty if it has not. `most` is how
    many instructions may be executed, None for any number.
    """

    path: str
    script: Script
    scenario: Scenario
    warning: str = ""
    most: int | None = MOST_INSTRUCTIONS

    @property
    def asks_for_too_much(self) -> bool:
        """Whether somebody should be asked first."""
        return self.most is not None and self.script.instructions > self.most

    def replay(
        self,
        *,
        history: int = HISTORY_BYTES,
        progress: Progress = lambda done, of: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Replayed:
        """Execute the commands, which takes as long as it took, and bring back the same bits.

        It ends before the first line that does not fit, that asks for too much, or when it is
        `cancelled`: what was executed before that holds. `progress` is told how many instructions
        are done, and of how many.
        """
        session = Session(self.scenario, iterations=self.script.header.iterations, history=history)
        replay = _Replay(session, self.script, self.most, progress, cancelled)
        problem = replay.run() or self.script.problem
        if not problem:
            replay.journal.own = Path(self.path).resolve()
        warnings = [self.warning, _other_lines(session, self.script.header), *replay.warnings]
        return Replayed(
            session,
            replay.journal,
            f"{printable(self.path)}: {problem}" if problem else "",
            " ".join(f"{warning[:1].upper()}{warning[1:]}." for warning in warnings if warning),
        )


def open_session(
    path: str | Path, may_open: Callable[[str], bool] = lambda scenario: False
) -> Opened:
    """Read a session file and load its scenario.

    `may_open` is asked before a scenario is read that is neither built in nor in the file's folder.
    Raises `SessionFileError` for what is no session, and for a scenario that is not there any more.
    """
    script = read_session(path)
    try:
        folder = Path(path).absolute().parent
        scenario, warning = find_scenario(script.header.scenario, folder, may_open)
    except SessionFileError as error:
        raise error.of(str(path)) from None
    return Opened(str(path), script, scenario, warning)


def take_up(path: Path) -> tuple[Opened, Taken]:
    """Open a leftover, and keep others from it; it is this person's own, and may do anything.

    Raises `SessionFileError` if another process has it open, or if it cannot be opened.
    """
    taken = take(path)
    try:
        return replace(open_session(path, lambda scenario: True), most=None), taken
    except SessionFileError:
        taken.claim.release()
        raise


def _other_lines(session: Session, header: Header) -> str:
    if header.scenario.listing == listing_digest(session.first_program):
        return ""
    wrote = printable(header.nnstep[:20])
    return f"version {wrote} of nnstep had other lines here: a step may be another one"


class _Replay:
    """Executes the lines of a script one by one, and takes them down in a journal anew."""

    def __init__(
        self,
        session: Session,
        script: Script,
        most: int | None,
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> None:
        self._session = session
        self._script = script
        self._most = most
        self._progress = progress
        self._cancelled = cancelled
        # How many instructions were executed, and how many are known to be asked for.
        self._done = 0
        self._total = script.instructions
        self.journal = Journal(session)
        self._interpreter = Interpreter(session, self.journal)
        self.warnings: list[str] = []

    def run(self) -> str:
        """Execute all lines; return what is wrong with the first that cannot be, if any."""
        problem = ""
        for line in self._script.lines:
            try:
                problem = self._execute(line)
            except (ValueError, MemoryError) as error:
                problem = printable(str(error)) or "there is not enough memory"
            if problem:
                problem = f"line {line.number}: {problem}; it and what follows are left out"
                break
            self._compare(line)
        self.journal.note(self._session)
        return problem

    def _execute(self, line: Line) -> str:
        """Execute a line; return why that has come to no end, empty if it has."""
        command = find(typed(line.text).first)
        if command.writes:
            advice = "nnstep run SCENARIO --commands FILE executes it"
            return f"a session may not have '{command.name}', which changes files; {advice}"
        if self._cancelled():
            return _STOPPED
        answer = self._interpreter.begin(line.text)
        match answer.goal:
            case Work(do):
                answer = do(None)
            case Goal() as goal if problem := self._reach(goal):
                return problem
        self._interpreter.end(line.text, answer)
        return ""

    def _reach(self, goal: Goal) -> str:
        """Go on to a goal, in slices; return why it was not reached, empty if it was."""
        session, before, stop = self._session, self._done, None
        start = session.newest if goal.passing else session.place
        if isinstance(goal.target, int) and self._is_too_far(goal.target - start):
            return _TOO_MUCH
        while stop is None:
            stop = goal.reach(session, _SLICE)
            self._done = before + max(0, session.place - start)
            self._progress(self._done, max(self._done, self._total))
            if stop is None and self._cancelled():
                return _STOPPED
            if stop is None and self._is_too_far(0):
                return _TOO_MUCH
        return ""

    def _is_too_far(self, ahead: int) -> bool:
        return self._most is not None and self._done + ahead > self._most

    def _compare(self, line: Line) -> None:
        """Take note of the first place at which the numbers are others."""
        here = line.place == self._session.place
        if line.bits and here and not self.warnings and digest(self._session.values()) != line.bits:
            self.warnings.append(
                f"line {line.number}: the numbers before step {line.place} are not what they were"
            )


_STOPPED = "it was stopped"
_TOO_MUCH = f"it asks for more than {MOST_INSTRUCTIONS:,} operations"
