"""A session outlives its terminal: it is kept on disk as one works, and offered at the next start.

Every app that runs has a file of its own, and a claim beside it that ends with its process. A file
that nobody claims any more is left over from an app that did not end of its own accord.
"""

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nnstep.engine.saving.claim import Claim, is_claimed
from nnstep.engine.saving.errors import SessionFileError
from nnstep.engine.saving.files import SUFFIX, UNFINISHED, read_session, write_session
from nnstep.engine.saving.old_reference import Reference, reference_to, where
from nnstep.engine.saving.state import SavedSession
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import printable

MOST_LEFTOVERS = 5
"""Of each scenario; the oldest go."""

_CLAIM = ".claim"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_LONGEST_AGE = 30 * _DAY
_PATIENCE = 2.0
"""How many seconds a disk may take before the app ends without it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A session that can be taken up: how far it was, how many edits it has, and how old it is."""

    path: Path
    place: int
    edits: int
    age: str

    def text(self, key: str) -> str:
        """Say so in a line; `key` is the one that takes it up."""
        count = {0: "", 1: " with 1 edit"}.get(self.edits, f" with {self.edits} edits")
        return f"An earlier session ended at step {self.place}{count}: {key} takes it up again."


def state_folder() -> Path:
    """Return where sessions are kept; raise `RuntimeError` for a user without a home."""
    home = os.environ.get("XDG_STATE_HOME", "")
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "state"
    return base / "nnstep"


def find_offer(scenario: Scenario, folder: Path | None = None) -> Offer | None:
    """Return the newest session of a scenario whose app is gone, None if there is none.

    What cannot be read is passed over.
    """
    with suppress(OSError, RuntimeError):
        for path, saved in _leftovers(folder or state_folder(), scenario):
            age = time.time() - path.stat().st_mtime
            if age < _LONGEST_AGE:
                return Offer(path, saved.place, saved.edits, _in_words(age))
    return None


def _leftovers(folder: Path, scenario: Scenario) -> Iterator[tuple[Path, SavedSession]]:
    """Yield the sessions of a scenario that no app has open, the newest first."""
    for path in sorted(folder.glob(f"{_prefix(scenario)}*{SUFFIX}"), key=_modified, reverse=True):
        if is_claimed(_claim_of(path)):
            continue
        with suppress(SessionFileError):
            decoded = read_session(path)
            if (decoded.reference.name, decoded.reference.path) == where(scenario):
                yield path, decoded.saved


def _prefix(scenario: Scenario) -> str:
    """Return how the names of a scenario's files begin."""
    name, path = where(scenario)
    identity = name or path or ""
    word = "".join(c if c.isascii() and c.isalnum() else "_" for c in Path(identity).stem[:40])
    return f"{word}-{hashlib.sha256(os.fsencode(identity)).hexdigest()[:12]}-"


def _claim_of(path: Path) -> Path:
    return path.with_suffix(_CLAIM)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _in_words(seconds: float) -> str:
    """Return an age as one would say it."""
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if (count := int(seconds // unit)) > 0:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def clear_out(folder: Path, scenario: Scenario) -> None:
    """Delete what is of no use any more: old sessions, too many of a scenario, half a file.

    What an app has open stays, and so does what cannot be read: it may be of another version.
    """
    with suppress(OSError):
        for path, _ in list(_leftovers(folder, scenario))[MOST_LEFTOVERS:]:
            _delete(path)
        before = time.time() - _LONGEST_AGE
        for path in folder.glob(f"*{SUFFIX}"):
            if _modified(path) < before and not is_claimed(_claim_of(path)):
                with suppress(SessionFileError):
                    read_session(path)
                    _delete(path)
        for path in folder.glob(f".*{UNFINISHED}"):
            session = path.with_name(path.name[1:].rsplit(".", 2)[0])
            if not is_claimed(_claim_of(session)):
                path.unlink(missing_ok=True)


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
    _claim_of(path).unlink(missing_ok=True)


class Autosave:
    """Keeps the session of an app on disk, on a thread of its own that sleeps in between.

    `initial` is the session as it was opened; as long as nothing was done to it, there is no file.
    `tell` is called on that thread, once, with a sentence that says why a session cannot be kept.
    """

    def __init__(
        self,
        scenario: Scenario,
        initial: SavedSession,
        tell: Callable[[str], object] = lambda message: None,
        folder: Path | None = None,
    ) -> None:
        self._scenario = scenario
        self._initial = initial
        self._tell = tell
        self._told = False
        self._folder = folder
        self._file: _OwnFile | None = None
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._latest: SavedSession | None = None
        # What the latest state goes on from, and what the one being written does.
        self._taken_up: list[Path] = []
        self._replaced: list[Path] = []
        self._is_busy = self._is_ending = False

    def keep(self, saved: SavedSession) -> None:
        """Have a state written; one that still waits is forgotten for it. Takes no time."""
        if self._thread is not None or not self._is_untouched(saved):
            self._hand_over(saved)

    def take_up(self, offer: Offer, saved: SavedSession) -> None:
        """Keep the session of an offer as one's own; once that is written, the offer is gone."""
        self._hand_over(saved, offer.path)

    def _hand_over(self, saved: SavedSession, *taken_up: Path) -> None:
        if not self._scenario.path:
            return  # nobody could find it again
        with self._condition:
            self._latest = saved
            self._taken_up += taken_up
            self._condition.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="autosave", daemon=True)
            self._thread.start()

    def flush(self) -> None:
        """Wait until the latest state is on disk, but not for ever."""
        with self._condition:
            self._condition.wait_for(lambda: self._latest is None and not self._is_busy, _PATIENCE)

    def end(self, *, keep: bool) -> None:
        """Stop; leave the latest state behind for the next start, or nothing at all."""
        if self._thread is None:
            return
        with self._condition:
            self._is_ending = True
            if not keep:
                self._latest = None
            self._condition.notify_all()
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            return
        if self._file is not None:
            self._file.give_up(keep=keep)
        if not keep:
            self._replaced += self._taken_up
            self._delete_replaced()

    def _is_untouched(self, saved: SavedSession) -> bool:
        initial = self._initial
        same = (saved.points, saved.watches) == (initial.points, initial.watches)
        return same and saved.is_untouched

    def _work(self) -> None:
        """Write the latest state whenever there is one; on the thread."""
        while (saved := self._next()) is not None:
            try:
                self._write(saved)
            except (OSError, RuntimeError, ValueError, MemoryError) as error:
                self._tell_once(error)

    def _next(self) -> SavedSession | None:
        """Wait for a state to be written; None if there will be none."""
        with self._condition:
            self._is_busy = False
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._latest is not None or self._is_ending)
            saved, self._latest = self._latest, None
            self._replaced += self._taken_up
            self._taken_up.clear()
            self._is_busy = saved is not None
            return saved

    def _write(self, saved: SavedSession) -> None:
        if self._file is None:
            folder = self._folder or state_folder()
            self._file = _OwnFile(folder, self._scenario)
            clear_out(folder, self._scenario)
        if self._is_untouched(saved):
            self._file.remove()
        else:
            self._file.write(saved)
        self._delete_replaced()

    def _delete_replaced(self) -> None:
        """Delete what this session goes on from: it is kept here now, or was quit."""
        while self._replaced:
            with suppress(OSError):
                _delete(self._replaced.pop())

    def _tell_once(self, error: Exception) -> None:
        """Say why nothing is kept; the next change is tried all the same."""
        if self._told:
            return
        self._told = True
        reason = getattr(error, "strerror", None) or getattr(error, "problem", None) or str(error)
        with suppress(RuntimeError):  # the app may be about to end
            self._tell(printable(f"Autosave is off: {self._place()}{reason}."))

    def _place(self) -> str:
        try:
            return f"{self._folder or state_folder()}: "
        except RuntimeError:
            return ""


class _OwnFile:
    """The file of this app, claimed as long as it runs; raises `OSError` if there can be none."""

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{_prefix(scenario)}{secrets.token_hex(4)}{SUFFIX}"
        self._reference: Reference = reference_to(scenario)
        self._claim = Claim(_claim_of(self._path))

    def write(self, saved: SavedSession) -> None:
        write_session(self._path, saved, self._reference, private=True)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

    def give_up(self, *, keep: bool) -> None:
        if not keep:
            with suppress(OSError):
                self.remove()
        self._claim.release()
