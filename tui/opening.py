"""From what was typed on the command line to a scenario, or to a session that was saved.

A mistake in either is all that is said, and the exit status is 2.
"""

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from nnstep.engine import Session
    from nnstep.engine.saving.opening import Opened
    from nnstep.engine.scenario.model import Scenario


def load_scenario(name: str) -> "Scenario":
    """Read the scenario that someone means; a mistake in it is all that is said."""
    from nnstep.engine import ScenarioError, load

    try:
        return load(name)
    except ScenarioError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


def load_and_warn(name: str) -> "Scenario":
    """Read the scenario that someone means, and say what is doubtful about it."""
    scenario = load_scenario(name)
    for warning in scenario.warnings:
        click.echo(shown(warning), err=True)
    return scenario


def open_saved(name: str) -> "Opened | None":
    """Read a session file, None if a name is not that of one; a mistake is all that is said."""
    if not name.lower().endswith(".session"):
        return None
    from nnstep.engine.saving.errors import SessionFileError
    from nnstep.engine.saving.opening import open_session

    try:
        return open_session(name)
    except SessionFileError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


def restore_saved(name: str) -> "Session | None":
    """Run the session in a file again, None if a name is not that of one."""
    opened = open_saved(name)
    if opened is None:
        return None
    if opened.warning:
        click.echo(shown(opened.warning), err=True)
    from nnstep.engine.saving.errors import SessionFileError

    try:
        return opened.restore()
    except SessionFileError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


def shown(text: str) -> str:
    """Return a text from elsewhere, fit to show; what that takes is imported only then."""
    from nnstep.engine.text import printable

    return printable(text)
