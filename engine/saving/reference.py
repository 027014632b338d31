"""Which scenario a session is of, how that is found again, and whether it is still the same."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import NODEFAULT, Struct

from nnstep.engine.loading import load
from nnstep.engine.program.program import Program
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.engine.scenario.model import Expression, Scenario
from nnstep.engine.text import a_sentence, printable, quoted_path


class SessionFileError(ValueError):
    """A session that cannot be written, read or taken up; the message is fit to show.

    `path` is the file's, empty where there is none yet; `line` counts from 1, and is 0 where none
    is to blame.
    """

    def __init__(self, problem: str, path: str = "", line: int = 0) -> None:
        problem = a_sentence(problem)
        self.problem = problem
        self.path = path
        self.line = line
        place = f":{line}" if line else ""
        super().__init__(f"{printable(path)}{place}: {problem}" if path else problem)

    def of(self, path: str) -> "SessionFileError":
        """Return the same error, said of a file."""
        return SessionFileError(self.problem, path, self.line)


class Reference(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A scenario by its name in the gallery or by the path of its file, and by its digests.

    `path` is absolute, and `relative` counts from the session file's folder, for files that are
    moved together. A scenario that was made in Python has neither a name nor a path. `listing` is
    the digest of the lines that its program has.
    """

    digest: str
    listing: str
    name: str | None = None
    path: str | None = None
    relative: str | None = None

    def __str__(self) -> str:
        return quoted_path(self.name or self.path or "")

    def seen_from(self, folder: Path) -> "Reference":
        """Return the reference for a session file in a folder that may be moved."""
        if self.path is None:
            return self
        return msgspec.structs.replace(self, relative=os.path.relpath(self.path, folder))


def reference_to(scenario: Scenario, program: Program) -> Reference:
    """Return the reference to a scenario; this reads all its numbers once."""
    name, path = where(scenario)
    return Reference(scenario_digest(scenario), listing_digest(program), name, path)


def where(scenario: Scenario) -> tuple[str | None, str | None]:
    """Return a scenario's name in the gallery, or else the absolute path of its file."""
    from nnstep import scenarios

    path = os.path.abspath(scenario.path) if scenario.path else None  # noqa: PTH100 - keeps links
    for name in scenarios.names():
        if path == str(scenarios.path(name)):
            return name, None
    return None, path


# Finding it again


def find_scenario(
    reference: Reference, folder: Path, may_open: Callable[[str], bool]
) -> tuple[Scenario, str]:
    """Load the scenario of a session file that lies in a folder.

    A session file may come from anybody: before a scenario is read that is neither built in nor in
    that folder, `may_open` is asked with its path. Also returns a warning, empty if the scenario is
    the same as it was. Raises `SessionFileError` if there is none, or if it has mistakes.
    """
    changed, problem = None, _missing(reference)
    for path in _candidates(reference, folder):
        if reference.name is None and not _is_inside(path, folder) and not may_open(path):
            problem = (
                f"its scenario {quoted_path(path)} is not in its folder; if you trust it, execute "
                "the session on it with: nnstep run SCENARIO --commands SESSION"
            )
            continue
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


def _candidates(reference: Reference, folder: Path) -> Sequence[str]:
    """Return where the scenario may be: first beside the session, then where it was."""
    from nnstep import scenarios

    if reference.name is not None:
        known = reference.name in scenarios.names()
        return [str(scenarios.path(reference.name))] if known else []
    paths = [str(folder / reference.relative)] if reference.relative else []
    paths += [reference.path] if reference.path else []
    return list(filter(_exists, dict.fromkeys(map(os.path.abspath, paths))))


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _is_inside(path: str, folder: Path) -> bool:
    """Tell whether a file lies in a folder, links followed."""
    try:
        return Path(path).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):
        return False


def _missing(reference: Reference) -> str:
    if reference.name is not None:
        return f"there is no built-in scenario {reference} in this version of nnstep"
    if reference.path is None:
        return "its scenario was not read from a file; open the session from Python"
    return f"its scenario {reference} is not there; put it back, or beside the session file"


# Whether it is the same

# Titles, notes and the like change no number; neither does the length of the run.
_DECISIVE = ("dtype", "seed", "network", "optimizer", "data")
_DECISIVE_IN_CODE = ("code", "loss", "parameters", "inputs")


def scenario_digest(scenario: Scenario) -> str:
    """Return the SHA-256 of all in a scenario that its numbers depend on, in hexadecimal.

    That is what was read, data files included, not how it was written: it is equal for those, and
    only for those, that compute the same numbers.
    """
    digest = hashlib.sha256()
    parts = {name: getattr(scenario, name) for name in _DECISIVE}
    for piece in _pieces({**parts, "expression": _decisive(scenario.expression)}):
        digest.update(piece)
    return digest.hexdigest()


def listing_digest(program: Program) -> str:
    """Return 16 hexadecimal digits that depend on the lines of a program: what a step is."""
    lines = "\n".join(f"{line.phase} {line.layer} {line.code}" for line in program.instructions)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _decisive(expression: Expression | None) -> Mapping[str, Any] | None:
    """Return the parts of an expression scenario that its syntax tree is made from."""
    if expression is None:
        return None
    return {name: getattr(expression, name) for name in _DECISIVE_IN_CODE}


def _pieces(value: Any) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a value, each kind of value in a way of its own, so that none collide.

    A field that has its default is left out: one that is new in a later version changes nothing.
    """
    if isinstance(value, np.ndarray):
        little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        yield f"array {little.dtype.str} {value.shape} ".encode()
        yield little.reshape(-1).view(np.uint8).data
    elif isinstance(value, msgspec.Struct):
        yield from _pieces({f.name: getattr(value, f.name) for f in _filled_in(value)})
    elif isinstance(value, Mapping):
        yield f"map {len(value)} ".encode()
        for key in sorted(value):
            yield from _pieces(key)
            yield from _pieces(value[key])
    elif isinstance(value, tuple | frozenset):
        yield f"list {len(value)} ".encode()
        for element in sorted(value) if isinstance(value, frozenset) else value:
            yield from _pieces(element)
    else:
        text = repr(value)
        yield f"{type(value).__name__} {len(text)} {text} ".encode()


def _filled_in(struct: msgspec.Struct) -> Iterator[msgspec.structs.FieldInfo]:
    """Yield the fields of a structure that do not have their default value."""
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        default = field.default
        if field.default_factory is not NODEFAULT:
            default = field.default_factory()
        if type(value) is not type(default) or isinstance(value, np.ndarray) or value != default:
            yield field
