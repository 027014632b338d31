"""The interpreter: one line of text becomes one command and its answer.

All commands are listed here; help and completion are made from the list.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from nnstep.engine.language.computing import FUNCTIONS
from nnstep.engine.language.evaluate import COUNTS
from nnstep.engine.language.typed import TextError, Typed, blaming, typed
from nnstep.engine.machine.clock import UNITS
from nnstep.engine.stops.points import location_names
from nnstep.engine.text import did_you_mean, listed, quoted

from . import (
    asking,
    changing,
    expecting,
    explaining,
    hunting,
    looking,
    moving,
    overriding,
    saving,
    stopping,
    surveying,
)
from .command import Answer, Command, finished

if TYPE_CHECKING:
    from concurrent.futures import Future

    from nnstep.engine.session.session import Session

_COLUMNS = 80
_NAMES_WIDTH = 16


def _help(session: "Session", text: Typed) -> Answer:
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


COMMANDS: tuple[Command, ...] = (
    *moving.COMMANDS,
    *stopping.COMMANDS,
    *changing.COMMANDS,
    *overriding.COMMANDS,
    *hunting.COMMANDS,
    *looking.COMMANDS,
    *explaining.COMMANDS,
    *asking.COMMANDS,
    *surveying.COMMANDS,
    *expecting.COMMANDS,
    *saving.COMMANDS,
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

BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}
"""The commands by their names and their short names."""


def find(word: Typed) -> Command:
    """Return the command of a name; raise `CommandError` if there is none."""
    if word.text not in BY_NAME:
        hint = did_you_mean(word.text, [command.name for command in COMMANDS])
        raise word.error(f"there is no command {quoted(word.text)}{hint}; help lists them")
    return BY_NAME[word.text]


_TENSOR_NAME = re.compile(r"\w*$")


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
        start = _PATTERNS.get(word, _TENSOR_NAME).search(text)
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


_NAME = re.compile(r"\w+")


class Journal(Protocol):
    """Is told of every command that has to be repeated to come to the same session again.

    It also carries out those that are about files of sessions: `runs` has them by name.
    """

    @property
    def runs(self) -> Mapping[str, Callable[["Session", Typed], Answer]]:
        """What carries out `save` and `sessions`."""

    def before(self, session: "Session") -> None:
        """Take note of where the session is: such a command is about to be executed."""

    def after(self, text: str, session: "Session") -> None:
        """Take note of the line that has been executed, as it was typed."""

    def write(self) -> "Future[None] | None":
        """Begin to write what was noted; return what to wait for before that is shown, if so."""


class Interpreter:
    """Gives commands to a session; `session.interrupt`, from another thread, ends one early.

    The `journal`, if there is one, is told of those that are kept.
    """

    def __init__(self, session: "Session", journal: Journal | None = None) -> None:
        self._session = session
        self.journal = journal

    def execute(self, text: str) -> Answer:
        """Execute a line to its end and return the answer; an empty line does nothing.

        Raises `TextError` for what cannot be done.
        """
        return self.end(text, finished(self.begin(text), self._session))

    def begin(self, text: str) -> Answer:
        """Execute what of a line takes no time; the answer may name a goal that is left.

        Once that is reached, `end` is due. Raises `TextError` for what cannot be done.
        """
        line = typed(text)
        if not line:
            return Answer()
        command = BY_NAME.get(line.first.text) or self._missing(line)
        if command.kept and self.journal:
            self.journal.before(self._session)
        runs = self.journal.runs if self.journal else {}
        rest = line.rest
        try:
            with blaming(rest or None):
                return runs.get(command.name, command.run)(self._session, rest)
        except TextError as error:
            if rest or not command.usage or "as in" in error.message:
                raise
            raise TextError(f"{error.message}, as in: {command.example}", error.start) from None

    def end(self, text: str, answer: Answer) -> Answer:
        """Note that a line was executed, and return its complete answer.

        After a move, the cell in question is explained if that is asked for.
        """
        if self.journal and self.is_kept(text):
            self.journal.after(text, self._session)
        if answer.moved and self._session.question.narrates:
            return replace(answer, text=(*answer.lines, *explaining.narrated(self._session)))
        return answer

    def is_kept(self, text: str) -> bool:
        """Tell whether a line has to be repeated to come to the same session again."""
        command = BY_NAME.get(typed(text).first.text)
        return command is not None and command.kept

    def _missing(self, line: Typed) -> Command:
        """Raise `TextError` for a line that begins with no command; advise if with a value."""
        name = _NAME.match(line.text)
        if not name or name[0] not in self._session.program.tensors:
            return find(line.first)
        command = "set" if "=" in line.text.replace("==", "") else "print"
        raise line.error(f"a line begins with a command, as in: {command} {line.text}")
