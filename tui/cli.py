"""The command line: `nnstep`, `nnstep FILE|NAME`, `list`, `run`, `trace` and `schema`.

NumPy and Textual are imported by what needs them, so `--help` and `--version` are quick.
"""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from nnstep.tui.opening import load_and_warn, load_scenario, open_saved, restore_saved, shown

if TYPE_CHECKING:
    from nnstep.engine.scenario.model import Scenario


class _OpenByDefault(click.Group):
    """A group in which a first word that is no command is the scenario to open."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            return "", open_scenario, args
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; what does not fit into memory is told in a sentence."""
        try:
            return super().invoke(ctx)
        except MemoryError:
            click.echo("there is not enough memory for this scenario", err=True)
            sys.exit(1)


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"nnstep {version('nnstep')}")
        ctx.exit()


@click.group(
    cls=_OpenByDefault,
    invoke_without_command=True,
    subcommand_metavar="[FILE|NAME | COMMAND [ARGS]...]",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Step through the training of a neural network, one operation at a time.

    With a scenario FILE, or the NAME of a built-in one, open it; with neither, choose from the
    built-in scenarios.
    """
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a locale without Greek is no mistake
    if ctx.invoked_subcommand is None:
        _run_app(None)


@click.command("open")
@click.argument("scenario", metavar="FILE|NAME")
def open_scenario(scenario: str) -> None:
    """Open a scenario."""
    _run_app(scenario)


@main.command("list")
def list_scenarios() -> None:
    """List the built-in scenarios."""
    from nnstep.tui.gallery import entries

    with _quiet_when_closed():
        listed = list(entries())
        names = max(len(entry.name) for entry in listed)
        shapes = max(len(entry.shape) for entry in listed)
        for entry in listed:
            about = f"(broken) {entry.problem}" if entry.problem else entry.title
            click.echo(f"{entry.name:<{names}}  {entry.shape:<{shapes}}  {about}")


@main.command("run")
@click.argument("scenario", metavar="FILE|NAME")
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
@click.option(
    "--iterations",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many iterations the run has, whatever the scenario says.",
)
def run_scenario(
    scenario: str,
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
    session = restore_saved(scenario)
    if session is None:
        loaded = load_and_warn(scenario)
        from nnstep.engine import Session

        session = Session(loaded, iterations=iterations)
    elif iterations is not None:
        raise click.UsageError("--iterations is for scenarios; a session has its own")
    from nnstep.tui.run import run

    with _quiet_when_closed():
        status = run(session, commands=commands, script=script, plain=plain)
    sys.exit(status)


@main.command()
@click.argument("scenario", metavar="FILE|NAME")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl"]),
    help="How to write the steps; by default a table on a terminal, else JSON lines.",
)
@click.option(
    "--iterations",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many iterations to run, whatever the scenario says.",
)
@click.option("--output", type=click.Path(dir_okay=False), metavar="PATH", help="Write to a file.")
def trace(scenario: str, form: str | None, iterations: int | None, output: str | None) -> None:
    """Print every step of a run."""
    loaded = load_and_warn(scenario)
    if output is None:
        with _quiet_when_closed():
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


@main.command()
def schema() -> None:
    """Print the JSON Schema of scenario files."""
    import json

    from nnstep.engine.scenario.schema import json_schema

    with _quiet_when_closed():
        click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _run_app(name: str | None) -> None:
    """Open a scenario, or the gallery, on the terminal, and exit with the app's status."""
    with _nothing_collected():
        opened = None if name is None else open_saved(name)
        scenario = opened.scenario if opened else None if name is None else load_scenario(name)
        from nnstep.tui.terminal import why_not_here

        if reason := why_not_here():
            click.echo(reason, err=True)
            sys.exit(2)
        from nnstep.tui.app import NnstepApp
        from nnstep.tui.config import config_path, read_config

        app = NnstepApp(scenario, read_config(config_path()), opened)
    app.run()
    sys.exit(app.return_code or 0)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Put off collecting garbage while modules are imported, which makes many objects and no waste.

    It takes a tenth off the time to the first paint; and what is frozen is never looked at again.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def _write_trace(
    scenario: "Scenario", stream: TextIO, form: str | None, iterations: int | None
) -> None:
    from nnstep.engine.trace import write_jsonl, write_table

    if form is None:
        form = "table" if stream.isatty() else "jsonl"
    if form == "jsonl" and isinstance(stream, TextIOWrapper):
        stream.reconfigure(encoding="utf-8")  # JSON is, whatever the locale
    write = write_table if form == "table" else write_jsonl
    write(scenario, stream, iterations)


@contextmanager
def _quiet_when_closed() -> Iterator[None]:
    """End without a word when the reader of the output has seen enough."""
    try:
        yield
    except BrokenPipeError:
        _discard_output()
        sys.exit(0)
    except OSError as error:
        _discard_output()
        click.echo(f"the output is not complete: {error.strerror or error}", err=True)
        sys.exit(1)


def _discard_output() -> None:
    """Send what is left in stdout's buffer nowhere: Python flushes it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
