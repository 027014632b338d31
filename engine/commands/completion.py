"""What the last word of a command could be."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from nnstep.engine.conditions import COUNTS, FUNCTIONS
from nnstep.engine.session.units import UNITS
from nnstep.engine.stops.locations import location_names

from .registry import BY_NAME, COMMANDS
from .typed import typed

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session

_NAME = re.compile(r"\w*$")
_BLANKLESS = re.compile(r"\S*$")
_BEHIND_COMMAND = re.compile(r"(?<=\S\s).*$")
_IN_USAGE = re.compile(r"[A-Za-z]+")


def _expressions(session: "Session") -> Iterable[str]:
    return (*session.program.tensors, *FUNCTIONS, *COUNTS)


def _locations(session: "Session") -> Iterable[str]:
    names = [word for name in location_names(session.program) for word in name.split()[:1]]
    return (*session.program.tensors, *names, "layer", "line")


_KINDS: Mapping[str, Callable[["Session"], Iterable[str]]] = {
    "UNIT": lambda session: UNITS,
    "LOCATION": _locations,
    "CONDITION": _expressions,
    "EXPRESSION": _expressions,
    "TEXT": _expressions,
    "VALUE": _expressions,
    "CELL": lambda session: session.program.tensors,
    "WATCHED": lambda session: session.watches,
    "BRANCH": lambda session: session.branches.names,
    "COMMAND": lambda session: [command.name for command in COMMANDS],
}
"""What a word in capitals in the usage of a command stands for."""

_PATTERNS = {"BRANCH": _BLANKLESS, "WATCHED": _BEHIND_COMMAND}
"""What begins a word of a kind, where more than letters and digits may be a part of it."""


def complete(text: str, session: "Session") -> tuple[str, ...]:
    """Return what the last word of a text could be, sorted: commands, then what fits the command.

    The last word is the longest end of the text that the answers begin with.
    """
    line = typed(text)
    if line.first.text == line.text and not text[-1:].isspace():
        return tuple(sorted(_beginning(line.text, [command.name for command in COMMANDS])))
    found: set[str] = set()
    command = BY_NAME.get(line.first.text)
    for word in _IN_USAGE.findall(command.usage) if command else ():
        start = _PATTERNS.get(word, _NAME).search(text)
        if start and (word in _KINDS or word.islower()):
            found |= _beginning(start[0], _KINDS[word](session) if word in _KINDS else [word])
    return tuple(sorted(found))


def completed(text: str, word: str) -> str:
    """Return a text with its last word replaced by one of its completions."""
    longest = min(len(text), len(word))
    same = next(n for n in range(longest, -1, -1) if text.endswith(word[:n]))
    return text[: len(text) - same] + word


def _beginning(start: str, words: Iterable[str]) -> set[str]:
    return {word for word in words if word.startswith(start)}
