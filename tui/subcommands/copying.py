"""`nnstep copy` and `nnstep new`: files to change."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..completion import ScenarioName
from .meant import shown


@click.command("copy")
@click.argument("name", metavar="NAME", type=ScenarioName())
@click.argument("path", metavar="[PATH]", required=False)
@click.option("--force", is_flag=True, help="Overwrite files that are there already.")
def copy_built_in(name: str, path: str | None, force: bool) -> None:
    """Copy a built-in scenario and its data files, to change them.

    It goes to NAME.toml in this folder, to PATH, or into PATH if that is a folder.
    """
    from nnstep.engine.copying import copy_scenario

    with _told_in_a_sentence():
        paths = copy_scenario(name, None if path is None else Path(path), force=force)
        for written in paths:
            click.echo(shown(str(written)))


@click.command("new")
@click.argument("path", metavar="[PATH]", required=False)
@click.option("--force", is_flag=True, help="Overwrite a file that is there already.")
def new(path: str | None, force: bool) -> None:
    """Write a scenario with comments, to begin your own from.

    It goes to scenario.toml in this folder, to PATH, or into PATH if that is a folder.
    """
    from nnstep.engine.copying import new_scenario

    with _told_in_a_sentence():
        click.echo(shown(str(new_scenario(None if path is None else Path(path), force=force))))


@contextmanager
def _told_in_a_sentence() -> Iterator[None]:
    """Say what keeps a file from being written, and exit."""
    from nnstep.engine.copying import CopyError, NoScenarioError

    try:
        yield
    except NoScenarioError as error:
        click.echo(f"{error}; nnstep list shows them", err=True)
        sys.exit(2)
    except CopyError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
