"""All commands, in one list: help, completion and the documentation are made from it."""

from nnstep.engine.text import did_you_mean, quoted

from . import branching, changing, going, helping, looking, moving, saving, stopping
from .command import Command
from .typed import Typed

COMMANDS: tuple[Command, ...] = (
    *moving.COMMANDS,
    *going.COMMANDS,
    *stopping.COMMANDS,
    *changing.COMMANDS,
    *looking.COMMANDS,
    *branching.COMMANDS,
    *saving.COMMANDS,
    *helping.COMMANDS,
)

BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}
"""The commands by their names and their short names."""


def find(word: Typed) -> Command:
    """Return the command of a name; raise `CommandError` if there is none."""
    if word.text not in BY_NAME:
        hint = did_you_mean(word.text, [command.name for command in COMMANDS])
        raise word.error(f"there is no command {quoted(word.text)}{hint}; help lists them")
    return BY_NAME[word.text]
