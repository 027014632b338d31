"""From a session file to a session on its scenario, as it was left."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from nnstep.engine.limits import HISTORY_BYTES
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.text import printable

from .errors import SessionFileError
from .files import SUFFIX, read_session
from .old_reference import find_scenario
from .restore import Progress, restore
from .state import SavedSession


class Opened(Struct, frozen=True):
    """A session file that has been read, and its scenario; nothing has been run yet.

    `warning` says that the scenario has changed since, and is empty if it has not.
    """

    path: str
    saved: SavedSession
    scenario: Scenario
    warning: str = ""

    def restore(
        self,
        *,
        history: int = HISTORY_BYTES,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Session | None:
        """Run the session again, as `restore` does; errors name the file."""
        try:
            session = restore(
                self.saved, self.scenario, history=history, progress=progress, cancelled=cancelled
            )
        except SessionFileError as error:
            problem = error.problem
            if self.warning:
                problem = (
                    f"it does not fit '{printable(self.scenario.path)}' as that is now: {problem}"
                )
            raise SessionFileError(problem, self.path) from None
        if session is not None:
            session.file = Path(self.path).resolve()
        return session


def is_session_file(path: str | Path) -> bool:
    """Tell by its name whether a file is a session's."""
    return Path(path).suffix.lower() == SUFFIX


def open_session(path: str | Path) -> Opened:
    """Read a session file and load its scenario.

    Raises `SessionFileError` for a damaged file, and for a scenario that is not there any more.
    """
    decoded = read_session(path)
    try:
        scenario, warning = find_scenario(decoded.reference, Path(path).absolute().parent)
    except SessionFileError as error:
        raise error.of(str(path)) from None
    return Opened(str(path), decoded.saved, scenario, warning)


def load_session(path: str | Path) -> Session:
    """Return the session that a file holds, as it was left: place, branches, edits, breakpoints.

    Raises `SessionFileError`.
    """
    session = open_session(path).restore()
    assert session is not None, "nobody has cancelled it"
    return session
