"""What is wrong with a session file, and where."""

from nnstep.engine.text import printable


class SessionFileError(ValueError):
    """A session that cannot be written, read or taken up; the message is fit to show.

    `path` is the file's, empty where there is none yet; `line` and `column` count from 1, and are 0
    where they are not known.
    """

    def __init__(self, problem: str, path: str = "", line: int = 0, column: int = 0) -> None:
        self.problem = problem
        self.path = path
        self.line = line
        self.column = column
        place = f":{line}:{column}" if line else ""
        super().__init__(f"{printable(path)}{place}: {problem}" if path else problem)

    def of(self, path: str) -> "SessionFileError":
        """Return the same error, said of a file."""
        return SessionFileError(self.problem, path, self.line, self.column)
