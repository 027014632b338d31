"""What somebody means by a name on the command line: a scenario, or a session to go on with.

A mistake in it is all that is said, and ends the program with status 2.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from nnstep.engine.saving.recovery import Taken
    from nnstep.engine.saving.replay import Opened, Replayed
    from nnstep.engine.scenario.model import Scenario


def load_scenario(name: str) -> "Scenario":
    """Read the scenario that someone means; a mistake in it is all that is said."""
    from nnstep.engine.loading import load
    from nnstep.engine.scenario.errors import ScenarioError

    try:
        return load(name)
    except ScenarioError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


def with_bug(scenario: "Scenario", bug: str | None) -> "Scenario":
    """Return a scenario with the mistake that somebody wants planted in it, if any."""
    if bug is None:
        return scenario
    from msgspec.structs import replace

    from nnstep.engine.scenario.schema import Override

    own = Override(line=planted_line(scenario, bug))
    return replace(scenario, overrides=(*scenario.overrides, own))


def planted_line(scenario: "Scenario", bug: str) -> str:
    """Return a classic mistake as a line to override with; one that does not fit is all told."""
    from nnstep.engine.override.mistakes import MistakeError, planted

    try:
        made = planted(scenario, bug)
    except MistakeError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    return f"{made.line} in {made.phase} {made.nth}"


def load_and_warn(name: str) -> "Scenario":
    """Read the scenario that someone means, and say what is doubtful about it."""
    scenario = load_scenario(name)
    for warning in scenario.warnings:
        click.echo(shown(warning), err=True)
    return scenario


def open_saved(name: str) -> "tuple[Opened | None, Taken | None]":
    """Open a session file, nothing if a name is not that of one; a mistake is all that is said.

    Such a file can come from anybody: somebody is asked before it opens a scenario from elsewhere,
    or takes very long. One from the state folder is this person's own, and is taken up.
    """
    if not name.lower().endswith(".session"):
        return None, None
    from msgspec.structs import replace

    from nnstep.engine.saving.recovery import is_own
    from nnstep.engine.saving.reference import SessionFileError
    from nnstep.engine.saving.replay import open_session, take_up

    try:
        if is_own(name):
            return take_up(Path(name))
        opened = open_session(name, _may_open)
    except SessionFileError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    if opened.asks_for_too_much:
        operations = f"{opened.script.instructions:,} operations"
        if not _agrees(f"The session asks for {operations}. Execute them?"):
            click.echo(f"{shown(name)}: it asks for {operations}, and is not executed", err=True)
            sys.exit(2)
        opened = replace(opened, most=None)
    return opened, None


def _may_open(scenario: str) -> bool:
    return _agrees(f"The session is of {shown(scenario)}, which is not in its folder. Open that?")


def _agrees(question: str) -> bool:
    """Ask on the terminal; where there is none, nobody agrees."""
    if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        return False
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        return False


def bring_back(opened: "Opened") -> "Replayed":
    """Execute a session again, and say what of it is left out or different; Ctrl+C ends it all."""
    from ..headless import INTERRUPTED, interrupted

    shows = sys.stderr is not None and sys.stderr.isatty()

    def progress(done: int, of: int) -> None:
        if shows:
            click.echo(f"\rrestoring: {done} of {of}", err=True, nl=False)

    with interrupted() as is_interrupted:
        replayed = opened.replay(progress=progress, cancelled=is_interrupted)
    if shows:
        click.echo("\r", err=True, nl=False)
    if is_interrupted():
        sys.exit(INTERRUPTED)
    for said in filter(None, (replayed.warning, replayed.problem)):
        click.echo(said, err=True)
    return replayed


def shown(text: str) -> str:
    """Return a text from elsewhere, fit to show; what that takes is imported only then."""
    from nnstep.engine.text import printable

    return printable(text) or "''"
