"""`nnstep`, `nnstep FILE` and `nnstep NAME`: the app on the terminal."""

import gc
import os
import sys

import click

from ..completion import ScenarioName
from .meant import load_scenario, open_saved, planted_line
from .usage import BUG


@click.command("open")
@click.argument("scenario", metavar="FILE|NAME", type=ScenarioName())
@BUG
def open_scenario(scenario: str, bug: str | None) -> None:
    """Open a scenario."""
    run_app(scenario, bug)


@click.command("hunt")
@click.argument("scenario", metavar="[FILE|NAME]", type=ScenarioName(), required=False)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="What the mistake is drawn with, and the scenario if none is named.",
)
def hunt(scenario: str | None, seed: int | None) -> None:
    """Find the classic mistake that is hidden in a scenario.

    Every line is shown as the rule has it; the command accuse says which one is wrong.
    """
    import random
    import secrets

    from nnstep import scenarios
    from nnstep.engine.override.mistakes import fitting

    drawn = secrets.randbelow(10_000) if seed is None else seed
    names = list(scenarios.names())
    random.Random(drawn).shuffle(names)
    named = scenario or next(name for name in names if fitting(load_scenario(name)))
    run_app(named, command=f"hunt {drawn}")


def run_app(name: str | None, bug: str | None = None, command: str = "") -> None:
    """Open a scenario, or the gallery, on the terminal, and exit with the app's status.

    A `command` is executed first; a classic mistake is planted by one.
    """
    gc.disable()  # the app has it on again once it is seen: imports make many objects, no waste
    opened, taken = (None, None) if name is None else open_saved(name)
    scenario = opened.scenario if opened else None if name is None else load_scenario(name)
    if opened is not None and (bug is not None or command):
        raise click.UsageError("a session has lines of its own; name a scenario")
    if scenario is not None and bug is not None:
        command = f"override {planted_line(scenario, bug)}"
    if reason := why_not_here():
        click.echo(reason, err=True)
        sys.exit(2)
    from ..app import NnstepApp
    from ..config import config_path, read_config

    app = NnstepApp(scenario, read_config(config_path()), opened, taken, command)
    app.run()
    gc.freeze()  # Python would look through all that there is once more, and end later
    if app.last_words:
        click.echo(app.last_words, err=True)
    sys.exit(app.return_code or 0)


def why_not_here() -> str | None:
    """Return a sentence saying why the app cannot run here, None if it can.

    Keys are read from stdin and the screen is drawn on stderr. With `TEXTUAL_DRIVER` set, something
    else brings its own way of doing both.
    """
    if os.environ.get("TEXTUAL_DRIVER"):
        return None
    instead = "'nnstep run --plain' and 'nnstep trace' need none."
    if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return f"nnstep needs a terminal to draw on; {instead}"
    if os.environ.get("TERM", "") in ("", "dumb"):
        return f"nnstep needs a terminal that can move the cursor, and TERM names none; {instead}"
    return None
