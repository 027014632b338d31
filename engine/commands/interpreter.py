"""Executes what was typed at the prompt."""

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from nnstep.engine.text import printable

from .command import Answer
from .reading import blaming
from .registry import BY_NAME, find
from .typed import Typed, typed

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session

_NAME = re.compile(r"\w+")


class Interpreter:
    """Gives commands to a session; `session.interrupt`, from another thread, ends one early."""

    def __init__(self, session: "Session") -> None:
        self._session = session

    def execute(self, text: str) -> Answer:
        """Execute a line and return the answer, which is printable; an empty line does nothing.

        Raises `CommandError` for what cannot be done.
        """
        line = typed(text)
        if not line:
            return Answer()
        self._check_tensor(line)
        command = find(line.first)
        with blaming(line.rest or None):
            answer = command.run(self._session, line.rest)
        return replace(answer, lines=tuple(map(printable, answer.lines)))

    def _check_tensor(self, line: Typed) -> None:
        """Raise `CommandError` with advice for a line that is an expression and no command."""
        name = _NAME.match(line.text)
        if line.first.text in BY_NAME or not name or name[0] not in self._session.program.tensors:
            return
        command = "set" if "=" in line.text.replace("==", "") else "print"
        raise line.error(f"a line begins with a command, as in: {command} {line.text}")
