"""What Tab completes on the command line, by click's protocol; only click is imported for it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_NNSTEP_COMPLETE"
_ENDINGS = (".toml", ".session")
_NEEDS_NO_QUOTES = re.compile(r"[\w.+-]+")


if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # click 8.1 has no brackets there


class ScenarioName(_Text):
    """A scenario file, or a built-in scenario by its name."""

    name = "scenario"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        """Return the built-in names and the files here; where none fit, the shell looks on."""
        from click.shell_completion import CompletionItem

        fitting = [CompletionItem(name) for name in _candidates() if name.startswith(incomplete)]
        return fitting or [CompletionItem(incomplete, type="file")]


def _candidates() -> Iterator[str]:
    from nnstep import scenarios

    yield from scenarios.names()
    try:
        files = sorted(path.name for path in Path().iterdir())
    except OSError:
        return
    yield from (
        name for name in files if name.endswith(_ENDINGS) and _NEEDS_NO_QUOTES.fullmatch(name)
    )


def script(command: click.Command, shell: str) -> str:
    """Return what a shell executes to have Tab complete `nnstep`."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, "click completes in all of these"
    return kind(command, {}, "nnstep", _VARIABLE).source()
