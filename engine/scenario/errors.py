"""What is wrong with a scenario, and where."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from nnstep.engine.text import a_sentence, printable

Keys = tuple[str | int, ...]
"""The way to a value: names of keys, and indices of elements and of tables in a list."""

Part = Literal["key", "value"]
"""Which half of `key = value` is meant."""


class Problem(Struct, frozen=True, order=True):
    """A mistake in a file, or a doubt about it; line and column count from 1, in characters.

    Without a file there is no line: it is 0.
    """

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """The problem as compilers print theirs: `file:line:column: message`."""
        message = a_sentence(self.message)
        if not self.line:
            return message
        return f"{printable(self.path)}:{self.line}:{self.column}: {message}"


class ScenarioError(ValueError):
    """A scenario that cannot be used; its text has a line for each of `problems`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
