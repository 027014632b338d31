"""What cannot be exported."""


class ExportError(ValueError):
    """The message says what has no counterpart, or does not fit, and what to do."""
