"""Scenario files to begin with: a copy of a built-in one with its data, or a new one to fill in.

Nothing that is there already is overwritten, unless somebody says so.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nnstep import scenarios
from nnstep.engine.files import write_whole
from nnstep.engine.scenario.source import read_source
from nnstep.engine.text import did_you_mean, printable, quoted


class NoScenarioError(ValueError):
    """A name that no built-in scenario has."""


class CopyError(ValueError):
    """A file that cannot be written where it is to go; the message names it."""


def copy_scenario(name: str, path: Path | None = None, *, force: bool = False) -> list[Path]:
    """Write a copy of a built-in scenario and its data files; return the paths, its own first.

    It goes to `NAME.toml` in the current folder, to `path`, or into `path` if that is a folder. The
    data files go beside it. Raises `NoScenarioError`, and `CopyError` if a file cannot be written,
    or is there already and not `force`; then none is written.
    """
    if name not in scenarios.names():
        hint = did_you_mean(name, scenarios.names())
        raise NoScenarioError(f"no built-in scenario is called {quoted(name)}{hint}")
    source = scenarios.path(name)
    target = _target(path, f"{name}.toml")
    files = {target: source.read_bytes()}
    for data in sorted(data_files(read_source(source).table)):
        files[target.parent / data] = (source.parent / data).read_bytes()
    return write_files(files, force=force)


def new_scenario(path: Path | None = None, *, force: bool = False) -> Path:
    """Write a scenario with comments, to begin one's own from; return its path.

    It goes to `scenario.toml` in the current folder unless `path` says otherwise. Raises
    `CopyError` as `copy_scenario` does.
    """
    target = _target(path, "scenario.toml")
    (written,) = write_files({target: scenarios.template().read_bytes()}, force=force)
    return written


def _target(path: Path | None, name: str) -> Path:
    if path is None:
        return Path(name)
    return path / name if os.path.isdir(path) else path  # noqa: PTH112 - never raises


def data_files(table: Any) -> Iterator[str]:
    """Yield the files that a scenario's table names: those of `file` keys, however deep."""
    if isinstance(table, Mapping):
        for key, value in table.items():
            if key == "file" and isinstance(value, str):
                yield value
            else:
                yield from data_files(value)
    elif isinstance(table, list):
        for value in table:
            yield from data_files(value)


def check_new(path: Path) -> None:
    """Raise `CopyError` if there is something at a path already."""
    if os.path.lexists(path):  # never raises, however long the name is
        there = f"{printable(str(path))} is there already"
        raise CopyError(f"{there}; choose another path, or overwrite it with --force")


def write_files(files: Mapping[Path, bytes], *, force: bool) -> list[Path]:
    """Write files, all or none of them unless the disk fails; return their paths.

    The first may not be there yet, the others only as they are to be. Raises `CopyError`.
    """
    paths = list(files)
    for path in paths:
        is_shared = path != paths[0] and path.is_file() and path.read_bytes() == files[path]
        if not force and not is_shared:
            check_new(path)
    for path, content in files.items():
        try:
            write_whole(path, content)
        except OSError as error:
            reason = error.strerror or str(error)
            raise CopyError(f"{printable(str(path))} cannot be written: {reason}") from None
    return paths
