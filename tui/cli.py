"""The command line: `nnstep`, and which subcommand a word is."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .completion import SHELLS, ScenarioName, script
from .subcommands import opening
from .subcommands.meant import shown
from .subcommands.output import quiet_when_closed, speak_utf8
from .subcommands.usage import echo_gallery

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


_ELSEWHERE = {
    "run": "running.run_scenario",
    "trace": "running.trace",
    "explain": "asking.explain",
    "check": "asking.check_scenarios",
    "copy": "copying.copy_built_in",
    "new": "copying.new",
    "export": "export.export_scenario",
    "hunt": "opening.hunt",
}
"""The subcommands that are imported when they are asked for: each file, and the function there."""


class _OpenByDefault(click.Group):
    """A group in which a first word that is no command is the scenario to open."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *_ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, name = _ELSEWHERE[cmd_name].split(".")
        found: click.Command = getattr(import_module(f"{__package__}.subcommands.{module}"), name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.list_commands(ctx):
            return "", opening.open_scenario, args
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete a first word: a command, or a scenario."""
        commands = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            return commands
        scenarios = ScenarioName().shell_complete(ctx, opening.open_scenario.params[0], incomplete)
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
    speak_utf8()
    if ctx.invoked_subcommand is None:
        opening.run_app(None)


@main.command("list")
def list_scenarios() -> None:
    """List the built-in scenarios."""
    with quiet_when_closed():
        echo_gallery()


@main.command("help")
@click.argument("command", required=False)
@click.pass_context
def show_help(ctx: click.Context, command: str | None) -> None:
    """Show this help, or that of a COMMAND."""
    assert ctx.parent is not None
    if command is None:
        click.echo(ctx.parent.get_help())
        return
    wanted = main.get_command(ctx.parent, command)
    if wanted is None:
        raise click.UsageError(f"there is no command '{shown(command)}'")
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


@main.command()
def schema() -> None:
    """Print the JSON Schema of scenario files."""
    import json

    from nnstep.engine.scenario.schema import json_schema

    with quiet_when_closed():
        click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
