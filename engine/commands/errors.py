"""What is wrong with a command, and where in the typed text."""

from nnstep.engine.text import printable


class CommandError(ValueError):
    """A command that cannot be carried out; `start` counts the characters before the mistake.

    It is None where no part of the text is to blame. The message is fit to show.
    """

    def __init__(self, message: str, start: int | None = None) -> None:
        self.message = printable(message)
        self.start = start
        where = "" if start is None else f"column {start + 1}: "
        super().__init__(f"{where}{self.message}")
