"""What is wrong with a scenario file, and where."""

from collections.abc import Iterable
from dataclasses import dataclass

from nnstep.engine.text import printable


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A mistake in a file, or a doubt about it; line and column count from 1, in characters."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """The problem as compilers print theirs: `file:line:column: message`."""
        return f"{printable(self.path)}:{self.line}:{self.column}: {self.message}"


class ScenarioError(ValueError):
    """A scenario that cannot be used; its text has a line for each of `problems`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
