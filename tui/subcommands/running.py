"""`nnstep run` and `nnstep trace`: a scenario is run without a screen."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from ..completion import ScenarioName
from .meant import bring_back, load_and_warn, open_saved, planted_line, shown, with_bug
from .output import quiet_when_closed
from .usage import BUG, ITERATIONS, missing_name

if TYPE_CHECKING:
    from nnstep.engine.scenario.model import Scenario


@click.command("run")
@click.argument("scenario", metavar="FILE|NAME", type=ScenarioName(), required=False)
@click.option(
    "--command",
    "commands",
    multiple=True,
    metavar="TEXT",
    help="Execute a command; the option may be given several times.",
)
@click.option(
    "--commands",
    "script",
    metavar="PATH",
    help="Execute the commands in a file, one a line, before those.",
)
@click.option("--plain", is_flag=True, help="Then read commands line by line, in plain text.")
@ITERATIONS
@BUG
@click.pass_context
def run_scenario(
    ctx: click.Context,
    scenario: str | None,
    bug: str | None,
    commands: tuple[str, ...],
    script: str | None,
    plain: bool,
    iterations: int | None,
) -> None:
    """Run a scenario, or a saved session, without a screen, by commands.

    The commands are those of the prompt in the app; the command 'help' lists them. Without any,
    run to the end or to the first stop, and say where and why that is.

    The exit status is 1 if a command fails, and no other is executed then (but --plain goes on).
    What a command finds, such as a wrong gradient, is no failure. Without commands, it is 1 if a
    value that is not finite has stopped the run.
    """
    if scenario is None:
        missing_name(ctx)
    opened, taken = open_saved(scenario)
    if opened is not None:
        if iterations is not None:
            raise click.UsageError("--iterations is for scenarios; a session has its own")
        if bug is not None:
            raise click.UsageError("--bug is for scenarios; a session has lines of its own")
        replayed = bring_back(opened)
        session, journal = replayed.session, replayed.journal
        if taken is not None and (replayed.problem or not plain):
            taken.claim.release()  # it is not gone on with: what is left out is still in the file
            taken = None
    else:
        loaded = load_and_warn(scenario)
        from nnstep.engine.saving.journal import Journal
        from nnstep.engine.session.session import Session

        session = Session(loaded, iterations=iterations)
        journal = Journal(session)
        if bug is not None:
            commands = (f"override {planted_line(loaded, bug)}", *commands)
    from ..headless import run

    with quiet_when_closed():
        status = run(session, journal, commands=commands, script=script, plain=plain, taken=taken)
    sys.exit(status)


@click.command("trace")
@click.argument("scenario", metavar="FILE|NAME", type=ScenarioName(), required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl"]),
    help="How to write the steps; by default a table on a terminal, else JSON lines.",
)
@ITERATIONS
@click.option("--output", type=click.Path(dir_okay=False), metavar="PATH", help="Write to a file.")
@BUG
@click.pass_context
def trace(
    ctx: click.Context,
    scenario: str | None,
    bug: str | None,
    form: str | None,
    iterations: int | None,
    output: str | None,
) -> None:
    """Print every step of a run."""
    if scenario is None:
        missing_name(ctx)
    loaded = with_bug(load_and_warn(scenario), bug)
    if output is None:
        with quiet_when_closed():
            _write_trace(loaded, sys.stdout, form, iterations)
            sys.stdout.flush()
        return
    try:
        with Path(output).open("w", encoding="utf-8") as stream:
            _write_trace(loaded, stream, form, iterations)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        reason = error.strerror or str(error)
        click.echo(f"{shown(output)}: the trace is not complete: {reason}", err=True)
        sys.exit(1)


def _write_trace(
    scenario: "Scenario", stream: TextIO, form: str | None, iterations: int | None
) -> None:
    from nnstep.engine.trace import write_jsonl, write_table

    if form is None:
        form = "table" if stream.isatty() else "jsonl"
    write = write_table if form == "table" else write_jsonl
    write(scenario, stream, iterations)
