"""The command line: what `nnstep` does with its arguments."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

import click

from .completion import SHELLS, ScenarioName, script
from .meant import (
    bring_back,
    load_and_warn,
    load_scenario,
    open_saved,
    planted_line,
    shown,
    with_bug,
)

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from nnstep.engine.scenario.model import Scenario


class _OpenByDefault(click.Group):
    """A group in which a first word that is no command is the scenario to open."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            return "", open_scenario, args
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete a first word: a command, or a scenario."""
        commands = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            return commands
        scenarios = ScenarioName().shell_complete(ctx, open_scenario.params[0], incomplete)
        return commands + [item for item in scenarios if item.type == "plain" or not commands]

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
    context_settings={"help_option_names": ["-h", "--help"]},
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
    _speak_utf8()
    if ctx.invoked_subcommand is None:
        _run_app(None)


def _speak_utf8() -> None:
    """Write UTF-8 whatever the locale: nearly every terminal reads it, and frames are drawn in it.

    Textual draws on stderr, and decodes what is typed as UTF-8 itself.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8")


_BUG = click.option(
    "--bug",
    metavar="NAME[@LAYER]",
    help="Plant a classic mistake, such as missing-derivative@1, as an override.",
)


@click.command("open")
@click.argument("scenario", metavar="FILE|NAME", type=ScenarioName())
def open_scenario(scenario: str) -> None:
    """Open a scenario."""
    _run_app(scenario)


@main.command("list")
def list_scenarios() -> None:
    """List the built-in scenarios."""
    with _quiet_when_closed():
        _echo_gallery()


def _echo_gallery(*, err: bool = False) -> None:
    from .gallery import entries

    listed = list(entries())
    names = max(len(entry.name) for entry in listed)
    shapes = max(len(entry.shape) for entry in listed)
    for entry in listed:
        about = f"(broken) {entry.problem}" if entry.problem else entry.title
        click.echo(f"{entry.name:<{names}}  {entry.shape:<{shapes}}  {about}", err=err)


def _missing_name(ctx: click.Context) -> NoReturn:
    """Say what a command without a scenario needs, and which there are."""
    click.echo(f"{ctx.get_usage()}\n\nSay which scenario: a file, or one of these.\n", err=True)
    _echo_gallery(err=True)
    sys.exit(2)


@main.command("help")
@click.argument("command", required=False)
@click.pass_context
def show_help(ctx: click.Context, command: str | None) -> None:
    """Show this help, or that of a COMMAND."""
    assert ctx.parent is not None
    if command is None:
        click.echo(ctx.parent.get_help())
        return
    if command not in main.commands:
        raise click.UsageError(f"there is no command '{shown(command)}'")
    wanted = main.commands[command]
    with click.Context(wanted, info_name=command, parent=ctx.parent) as inner:
        click.echo(wanted.get_help(inner))


@main.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what has a shell complete commands, names and files.

    For bash, put  eval "$(nnstep completion bash)"  into ~/.bashrc; zsh likewise into ~/.zshrc. For
    fish:  nnstep completion fish > ~/.config/fish/completions/nnstep.fish
    """
    click.echo(script(main, shell))


@main.command("run")
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
@click.option(
    "--iterations",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many iterations the run has, whatever the scenario says.",
)
@_BUG
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
        _missing_name(ctx)
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
    from .run import run

    with _quiet_when_closed():
        status = run(session, journal, commands=commands, script=script, plain=plain, taken=taken)
    sys.exit(status)


@main.command()
@click.argument("scenario", metavar="FILE|NAME", type=ScenarioName(), required=False)
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
@_BUG
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
        _missing_name(ctx)
    loaded = with_bug(load_and_warn(scenario), bug)
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


@main.command("check")
@click.argument("scenarios", metavar="FILE|NAME...", type=ScenarioName(), nargs=-1, required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How to write what was found: for people, or as a JSON list.",
)
def check_scenarios(scenarios: tuple[str, ...], form: str) -> None:
    """Check scenarios: that they load, their gradients, and their printed numbers.

    Each is run to the last iteration that an [[expect]] names. The exit status is 1 if a file does
    not load, a gradient is wrong, or a number is not the printed one; a fault of the run is told,
    and counts as wrong only where the file says faults = "none" in its table [run].
    """
    from nnstep.engine.check import as_json, as_lines, check

    found = []
    with _quiet_when_closed():
        for name in scenarios:
            items = list(check(name, lambda warning: click.echo(shown(warning), err=True)))
            found += items
            if form == "text":
                for line in as_lines(items):
                    click.echo(line)
        if form == "json":
            click.echo(as_json(found))
    sys.exit(0 if all(item.ok for item in found) else 1)


@main.command("copy")
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


@main.command("new")
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


@main.command()
@click.argument("scenario", metavar="FILE|NAME")
@click.argument("cell", metavar="CELL")
@click.option(
    "--at",
    metavar="STEP|TENSOR[@ITERATION]",
    help="Just after this step, or after the line that writes a tensor in iteration 0 or another; "
    "by default after the last line of phase backward of iteration 0.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How to write it; by default as text.",
)
@_BUG
def explain(scenario: str, cell: str, at: str | None, form: str, bug: str | None) -> None:
    """Say how a cell, such as 'dW2[0, 1]', gets its value.

    The exit status is 2 if there is no such cell, or no such step.
    """
    loaded = with_bug(load_and_warn(scenario), bug)
    import json

    from nnstep.engine.commands.explaining import (
        as_json,
        cell_meant,
        explanation_lines,
        first_backward_step,
        step_meant,
    )
    from nnstep.engine.language.typed import typed
    from nnstep.engine.session.session import Session

    session = Session(loaded)
    try:
        step = first_backward_step(session) if at is None else step_meant(session, typed(at))
        name, index = cell_meant(session, typed(cell))
        explanation = session.explain(name, index, step)
    except ValueError as error:
        click.echo(shown(f"{cell}: {error}"), err=True)
        sys.exit(2)
    with _quiet_when_closed():
        if form == "json":
            click.echo(json.dumps(as_json(explanation, loaded.dtype), ensure_ascii=False))
        else:
            click.echo("\n".join(map(shown, explanation_lines(explanation))))


@main.command("export")
@click.argument("scenario", metavar="FILE|NAME", type=ScenarioName(), required=False)
@click.option(
    "--to",
    "form",
    type=click.Choice(["numpy", "torch", "csv", "npz"]),
    required=True,
    help="A script in NumPy, which prints the same bits, or in PyTorch; a table, or arrays.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    metavar="PATH",
    help="Write to a file; large arrays of a script go into an NPZ file beside it.",
)
@click.option(
    "--iterations",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many iterations to run, whatever the scenario says.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there already.")
@click.pass_context
def export_scenario(
    ctx: click.Context,
    scenario: str | None,
    form: str,
    output: str | None,
    iterations: int | None,
    force: bool,
) -> None:
    """Write a scenario as a script that needs no nnstep, or its numbers as a table."""
    if scenario is None:
        _missing_name(ctx)
    loaded = load_and_warn(scenario)
    from .export import export

    with _quiet_when_closed():
        sys.exit(export(loaded, form, output, iterations, force=force))


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
        opened, taken = (None, None) if name is None else open_saved(name)
        scenario = opened.scenario if opened else None if name is None else load_scenario(name)

        if reason := why_not_here():
            click.echo(reason, err=True)
            sys.exit(2)
        from .app import NnstepApp
        from .config import config_path, read_config

        app = NnstepApp(scenario, read_config(config_path()), opened, taken)
    app.run()
    if app.last_words:
        click.echo(app.last_words, err=True)
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
        reason = error.strerror or error
        if error.filename is None:
            _discard_output()
            click.echo(f"the output is not complete: {reason}", err=True)
        else:  # the output has no name; this is of a file
            click.echo(f"{shown(error.filename)}: {reason}", err=True)
        sys.exit(1)


def _discard_output() -> None:
    """Send what is left in stdout's buffer nowhere: Python flushes it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
