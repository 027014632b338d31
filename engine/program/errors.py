"""What is wrong with a program that parses but cannot be compiled."""


class CompileError(ValueError):
    """A mistake in an expression scenario.

    `start` and `end` are offsets in its code; for a parameter or an input at fault they are None
    and `name` says which.
    """

    def __init__(
        self,
        message: str,
        start: int | None = None,
        end: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.name = name
