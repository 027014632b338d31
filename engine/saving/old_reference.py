"""Which scenario a session is of, and how that is found again."""

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from nnstep.engine.loading import load
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import printable

from .digest import scenario_digest
from .errors import SessionFileError


class Reference(Struct, frozen=True):
    """A scenario by its name in the gallery or by the path of its file, and by its digest.

    `path` is absolute, and `relative` counts from the session file's folder, for files that are
    moved together. A scenario that was made in Python has neither a name nor a path.
    """

    digest: str
    name: str | None = None
    path: str | None = None
    relative: str | None = None

    def __str__(self) -> str:
        return f"'{printable(self.name or self.path or '')}'"


def reference_to(scenario: Scenario) -> Reference:
    """Return the reference to a scenario; this reads all its numbers once."""
    name, path = where(scenario)
    return Reference(scenario_digest(scenario), name, path)


def where(scenario: Scenario) -> tuple[str | None, str | None]:
    """Return a scenario's name in the gallery, or else the absolute path of its file."""
    from nnstep import scenarios

    path = os.path.abspath(scenario.path) if scenario.path else None  # noqa: PTH100 - keeps links
    for name in scenarios.names():
        if path == str(scenarios.path(name)):
            return name, None
    return None, path


def seen_from(reference: Reference, folder: Path) -> str | None:
    """Return the path of a scenario's file as it is seen from a folder, None if it has none."""
    if reference.path is None:
        return None
    try:
        return os.path.relpath(reference.path, folder)
    except ValueError:
        return None  # it is on another drive


def find_scenario(reference: Reference, folder: Path) -> tuple[Scenario, str]:
    """Load the scenario of a session file that lies in a folder.

    Also returns a warning, empty if the scenario is the same as it was. Raises `SessionFileError`
    if there is none, or if it has mistakes.
    """
    changed, problem = None, _missing(reference)
    for path in _candidates(reference, folder):
        try:
            scenario = load(path)
        except ScenarioError as error:
            problem = f"its scenario cannot be opened: {error.problems[0]}"
            continue
        if scenario_digest(scenario) == reference.digest:
            return scenario, ""
        changed = changed or scenario
    if changed is None:
        raise SessionFileError(problem)
    return changed, f"{reference} has changed since the session was saved: the numbers may differ"


def _candidates(reference: Reference, folder: Path) -> Sequence[str | Path]:
    """Return where the scenario may be: first beside the session, then where it was."""
    from nnstep import scenarios

    if reference.name is not None:
        return [scenarios.path(reference.name)] if reference.name in scenarios.names() else []
    paths = [str(folder / reference.relative)] if reference.relative else []
    paths += [reference.path] if reference.path else []
    return list(filter(_exists, dict.fromkeys(map(os.path.abspath, paths))))


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _missing(reference: Reference) -> str:
    if reference.name is not None:
        return f"there is no built-in scenario {reference} in this version of nnstep"
    if reference.path is None:
        return "its scenario was not read from a file; open the session from Python"
    return f"its scenario {reference} is not there; put it back, or beside the session file"
