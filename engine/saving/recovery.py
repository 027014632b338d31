"""A session outlives its terminal: it is kept on disk as one works, and offered at the next start.

Every session that is worked on has a file of its own in the state folder, and beside it a claim
that ends with its process. A file that nobody claims any more is left over from a process that did
not end of its own accord. None is deleted but by the person whose it is.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import a_title, printable

from .journal import SUFFIX, Journal, Script, read_session
from .journal_file import JournalFile
from .reference import SessionFileError, where

if TYPE_CHECKING:
    from nnstep.engine.commands.command import Answer
    from nnstep.engine.language.typed import Typed
    from nnstep.engine.session.session import Session

_CLAIM = ".claim"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_LONGEST_AGE = 30 * _DAY
PATIENCE = 2.0
"""How many seconds a disk may take before a process ends without it."""

_SLOW = 1.5


def state_folder() -> Path:
    """Return where sessions are kept; raise `RuntimeError` for a user without a home."""
    home = os.environ.get("XDG_STATE_HOME", "")
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "state"
    return base / "nnstep"


# Claims


class Claim:
    """Claims a session file; raises `OSError` if somebody else has, or if it cannot be.

    It is a lock on a file beside it: the system lets go of it when the process is gone, however
    that ends.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_suffix(_CLAIM)
        while not self._is_held():
            pass  # the claim that was found has just been given up, and is gone

    def _is_held(self) -> bool:
        """Lock the file; tell whether it is still the one that others look at."""
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            flock(self._descriptor, LOCK_EX | LOCK_NB)
            return self._path.stat().st_ino == os.fstat(self._descriptor).st_ino
        except FileNotFoundError:
            os.close(self._descriptor)
            return False
        except OSError as error:
            os.close(self._descriptor)
            if not isinstance(error, BlockingIOError):
                self._path.unlink(missing_ok=True)  # there are no locks here
            raise

    def release(self) -> None:
        """Give the claim up."""
        with suppress(OSError):
            self._path.unlink()
        os.close(self._descriptor)


def is_claimed(path: Path) -> bool:
    """Tell whether the process that claimed a session file is there; in doubt, it is."""
    try:
        descriptor = os.open(path.with_suffix(_CLAIM), os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        flock(descriptor, LOCK_SH | LOCK_NB)  # an error if the lock is held
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)


# What is left over


class Leftover(Struct, frozen=True):
    """A session that can be taken up: how far it was, how many edits it has, and how old it is.

    `scenario` is what it is of, a name or a path. `problem` is why it cannot be taken up, or not
    all of it; what cannot be read has neither a scenario nor a place.
    """

    path: Path
    seconds: float
    scenario: str = ""
    place: int = 0
    edits: int = 0
    problem: str = ""

    @property
    def can_be_opened(self) -> bool:
        """Whether at least its first line says what it is of."""
        return bool(self.scenario)

    @property
    def age(self) -> str:
        """How old it is, as one would say it."""
        for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
            if (count := int(self.seconds // unit)) > 0:
                return f"{count} {name}{'s' if count > 1 else ''} ago"
        return "just now"

    @property
    def _where(self) -> str:
        edits = {0: "", 1: " with 1 edit"}.get(self.edits, f" with {self.edits} edits")
        return f"step {self.place}{edits}"

    def offer(self, key: str) -> str:
        """Say in a line that it can be taken up; `key` is the one that does."""
        return f"An earlier session ended at {self._where}: {key} takes it up again."

    def __str__(self) -> str:
        what = f"{a_title(self.scenario)}, {self._where}" if self.scenario else self.problem
        rest = f" ({self.problem})" if self.scenario and self.problem else ""
        return f"{what}, {self.age}{rest}"


def leftovers(folder: Path | None = None, scenario: Scenario | None = None) -> tuple[Leftover, ...]:
    """Return the sessions of a scenario, or of all, that no process has open, the newest first.

    One that cannot be read is among those of all, with what is wrong with it.
    """
    found = []
    with suppress(OSError, RuntimeError):
        folder = folder or state_folder()
        prefix = "" if scenario is None else _prefix(where(scenario))
        for path in folder.glob(f"{prefix}*{SUFFIX}"):
            with suppress(FileNotFoundError):
                if not is_claimed(path):
                    found.append(_leftover(path, time.time() - path.stat().st_mtime))
    if scenario is not None:
        name = "".join(filter(None, where(scenario)))
        found = [each for each in found if each.scenario == name]
    return tuple(sorted(found, key=lambda each: each.seconds))


def _leftover(path: Path, seconds: float) -> Leftover:
    try:
        script = read_session(path)
    except SessionFileError as error:
        return Leftover(path, seconds, problem=f"{path.name}: {error.problem}")
    return Leftover(path, seconds, _scenario_of(script), script.place, script.edits, script.problem)


def _scenario_of(script: Script) -> str:
    return script.header.scenario.name or script.header.scenario.path or ""


def find_offer(scenario: Scenario, folder: Path | None = None) -> Leftover | None:
    """Return the newest session of a scenario whose process is gone, None if there is none."""
    found = leftovers(folder, scenario)
    return found[0] if found and found[0].seconds < _LONGEST_AGE else None


def is_own(path: str | Path) -> bool:
    """Tell whether a session file is one of those that are kept here, and not a stranger's."""
    try:
        return Path(path).resolve().parent == state_folder().resolve()
    except (OSError, RuntimeError, ValueError):
        return False


def _prefix(of: tuple[str | None, str | None]) -> str:
    """Return how the names of a scenario's files begin."""
    name, path = of
    identity = name or path or ""
    word = "".join(c if c.isascii() and c.isalnum() else "_" for c in Path(identity).stem[:40])
    return f"{word}-{hashlib.sha256(os.fsencode(identity)).hexdigest()[:12]}-"


# Keeping one


class Taken(Struct, frozen=True):
    """A leftover that this process goes on with, and keeps others from."""

    path: Path
    claim: Claim


def take(path: Path) -> Taken:
    """Claim a leftover; raise `SessionFileError` if that cannot be."""
    try:
        return Taken(path, Claim(path))
    except BlockingIOError:
        raise SessionFileError("another nnstep has it open", str(path)) from None
    except OSError as error:
        raise SessionFileError(error.strerror or str(error), str(path)) from None


def delete(path: Path) -> None:
    """Delete a leftover; raise `SessionFileError` if another process has it open, or `OSError`."""
    taken = take(path)
    try:
        path.unlink()
    finally:
        taken.claim.release()


class Keeping:
    """Keeps a session on disk while it is worked on.

    It is told of commands as its `journal` is. As long as nothing was done to a session there is no
    file. A session that is all of a leftover goes on in the file that was `taken`.
    """

    def __init__(
        self,
        journal: Journal,
        scenario: Scenario,
        folder: Path | None = None,
        taken: Taken | None = None,
    ) -> None:
        self.journal = journal
        self._scenario = scenario
        self._folder = folder
        self._initial = None if taken else journal.state
        self._claim = taken.claim if taken else None
        self._file = JournalFile(taken.path) if taken else None
        self._reason = ""
        # The edits that are on disk, or will be once what was begun is done.
        self._asked = journal.edits
        self._lock = threading.Lock()
        self._next: Future[None] | None = None
        self._since: float | None = None
        self._ended = False

    @property
    def runs(self) -> "Mapping[str, Callable[[Session, Typed], Answer]]":
        """What carries out the commands about the files of sessions."""
        return self.journal.runs

    @property
    def problem(self) -> str:
        """Why what was done last is not on the disk, in a few words; empty if it is, or will be."""
        since = self._since
        if since is not None and time.monotonic() - since > _SLOW:
            return "not saved: the disk does not answer"
        return self._reason

    @property
    def path(self) -> Path | None:
        """The file that the session is in; None if nothing is kept."""
        return self._file.path if self._file is not None and self._file.path.exists() else None

    def before(self, session: "Session") -> None:
        """Take down where a command that is kept begins."""
        self.journal.before(session)

    def after(self, text: str, session: "Session") -> None:
        """Take down a command that has been executed."""
        self.journal.after(text, session)

    def note(self, session: "Session") -> None:
        """Take down where the session is."""
        self.journal.note(session)

    def write(self) -> "Future[None] | None":
        """Begin to write what was taken down, on another thread.

        Returns what to wait for if that is an edit, after which it is on the disk or there is a
        `problem`; None if nobody has to wait, as for a disk that has not answered for long.
        """
        edits, asked = self.journal.edits, self._asked
        written = self.write_all()
        self._asked = edits
        return written if edits != asked and not self.problem else None

    def write_all(self) -> "Future[None]":
        """Begin to write what was taken down; the result is there once that is done."""
        with self._lock:
            begins = self._since is None
            if self._next is None:
                self._next = Future()
                self._next.set_running_or_notify_cancel()
            written = self._next
            if begins:
                self._since = time.monotonic()
        if begins:
            # The end of the process does not wait for such a thread.
            threading.Thread(target=self._work, name="journal", daemon=True).start()
        return written

    def _work(self) -> None:
        """Write as long as there is something to; on the thread."""
        while True:
            with self._lock:
                written, self._next = self._next, None
                self._since = None if written is None else time.monotonic()
            if written is None:
                return
            self._write()
            written.set_result(None)

    def _write(self) -> None:
        if self._ended or not self._scenario.path:  # nobody could find it again
            return
        try:
            self._update()
        except (OSError, RuntimeError, ValueError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or str(error) or "no memory"
            self._reason = printable(f"not saved: {reason}")
        else:
            self._reason = ""

    def _update(self) -> None:
        if self.journal.state == self._initial:
            if self._file is not None:
                self._file.remove()
            return
        if self._file is None:
            folder = self._folder or state_folder()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = f"{_prefix(where(self._scenario))}{os.urandom(4).hex()}{SUFFIX}"
            self._claim = Claim(folder / name)
            self._file = JournalFile(folder / name)
        self._file.write(self.journal)

    def end(self, *, keep: bool, edits: bool = True) -> None:
        """Stop, for good; leave the session behind for the next start, or nothing at all.

        With `edits`, a session that has some is always left: they are work.
        """
        if self._ended:
            return
        with suppress(TimeoutError):
            self.write_all().result(PATIENCE)
            if not keep and not (edits and self.journal.edits) and self._file is not None:
                with suppress(OSError):
                    self._file.remove()
            if self._claim is not None:
                self._claim.release()
        self._ended = True
