"""Commands about the prompt itself: help and quit."""

import textwrap
from typing import TYPE_CHECKING

from nnstep.engine.text import listed

from .command import Answer, Command
from .typed import Typed

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session

_COLUMNS = 80
_NAMES_WIDTH = 16


def _help(session: "Session", text: Typed) -> Answer:
    from .registry import COMMANDS, find

    if not text:
        lines = [
            f"{', '.join((command.name, *command.aliases)):<{_NAMES_WIDTH}}{command.summary}"
            for command in COMMANDS
        ]
        return Answer((*lines, "help COMMAND tells more, as in help break. A # starts a comment."))
    text.rest.nothing()
    return Answer(tuple(help_lines(find(text))))


def help_lines(command: Command) -> list[str]:
    """Return how a command is typed, what it does, and an example."""
    lines = [command.synopsis, f"{command.summary[0].upper()}{command.summary[1:]}."]
    if command.details:
        lines += textwrap.wrap(command.details, _COLUMNS)
    if command.aliases:
        lines.append(f"In short: {listed(command.aliases, 'or')}.")
    if command.example != command.name:
        lines.append(f"Example: {command.example}")
    return lines


def _quit(session: "Session", text: Typed) -> Answer:
    text.nothing()
    return Answer(quit=True)


COMMANDS = (
    Command(
        "help",
        "[COMMAND]",
        "list the commands, or tell more of one",
        "help break",
        _help,
        ("h", "?"),
    ),
    Command("quit", "", "quit", "quit", _quit, ("q", "exit")),
)
