"""What is wrong with a text that is not an expression, and where."""


class GrammarError(ValueError):
    """A mistake in an expression; the characters it concerns are `text[start:end]`."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
