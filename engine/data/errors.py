"""What is wrong with data from elsewhere, and which key of the scenario's `[data]` to blame."""


class DataError(ValueError):
    """Data that cannot be used.

    `option` is the key of `[data]` that asked for it; `element` the index in a list of names.
    """

    def __init__(self, message: str, option: str = "file", element: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.option = option
        self.element = element
