"""Bringing a session back: its scenario is found, and its commands are executed again."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from nnstep.engine.commands.interpreter import Interpreter, find
from nnstep.engine.language.typed import TextError, typed
from nnstep.engine.limits import HISTORY_BYTES
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.text import printable

from .journal import Header, Journal, Line, Script, digest, read_session
from .reference import SessionFileError, find_scenario, listing_digest

MOST_INSTRUCTIONS = 10**8
"""What a file may have executed without a question."""

_SLICE = 0.1

Progress = Callable[[int, int], None]


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

    `warning` says that the scenario has changed since, and is empty if it has not.
    """

    path: str
    script: Script
    scenario: Scenario
    warning: str = ""

    def replay(
        self,
        *,
        history: int = HISTORY_BYTES,
        progress: Progress = lambda done, of: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Replayed:
        """Execute the commands, which takes as long as it took, and bring back the same bits.

        It ends before the first line that does not fit, or when it is `cancelled`: what was
        executed before that holds. `progress` is told how many instructions are done, and of how
        many.
        """
        session = Session(self.scenario, iterations=self.script.header.iterations, history=history)
        replay = _Replay(session, self.script, progress, cancelled)
        problem = replay.run() or self.script.problem
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


def _other_lines(session: Session, header: Header) -> str:
    if header.scenario.listing == listing_digest(session.program):
        return ""
    wrote = printable(header.nnstep[:20])
    return f"version {wrote} of nnstep had other lines here: a step may be another one"


class _Replay:
    """Executes the lines of a script one by one, and takes them down in a journal anew."""

    def __init__(
        self,
        session: Session,
        script: Script,
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> None:
        self._session = session
        self._script = script
        self._progress = progress
        self._cancelled = cancelled
        self._done = 0
        self._total = script.instructions
        self.journal = Journal(session)
        self.warnings: list[str] = []

    def run(self) -> str:
        """Execute all lines; return what is wrong with the first that cannot be, if any."""
        problem = ""
        for line in self._script.lines:
            try:
                whole = not self._cancelled() and self._execute(line)
            except (ValueError, MemoryError) as error:
                said = printable(str(error)) or "there is not enough memory"
                problem = f"line {line.number}: {said}"
            else:
                problem = "" if whole else f"it was stopped at line {line.number}"
            if problem:
                break
            self._compare(line)
        self.journal.note(self._session)
        return f"{problem}; it and what follows are left out" if problem else ""

    def _execute(self, line: Line) -> bool:
        """Execute a line; tell whether nobody cancelled that."""
        if line.place is not None:
            return self._go(line.place)
        command = find(typed(line.text).first)
        if command.writes:
            advice = "nnstep run SCENARIO --commands FILE executes it"
            raise TextError(f"{command.name} writes a file, which a session may not do; {advice}")
        if command.kept:
            self.journal.before(self._session)
        answer = Interpreter(self._session).execute(line.text)
        if command.kept:
            self.journal.after(line.text, self._session)
        return not answer.interrupted

    def _go(self, place: int) -> bool:
        """Go to a place as `goto` does, in slices; tell whether nobody cancelled that."""
        session = self._session
        if place <= session.newest or (session.total is not None and place > session.total):
            session.seek(place)
            return True
        session.seek(session.newest)
        start = session.place
        while session.place < place:
            if self._cancelled():
                return False
            session.advance(place, _SLICE)
            done = self._done + session.place - start
            self._progress(done, max(done, self._total))
        self._done += place - start
        return True

    def _compare(self, line: Line) -> None:
        """Take note of the first place at which the numbers are others."""
        here = line.place == self._session.place
        if line.bits and here and not self.warnings and digest(self._session.values()) != line.bits:
            self.warnings.append(
                f"line {line.number}: the numbers at step {line.place} are not what they were"
            )
