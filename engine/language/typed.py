"""A piece of text that somebody typed, which knows its column, and the error that names it.

Nothing is parsed here: most scenarios have no expression that is seen at first.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from nnstep.engine.text import a_sentence, quoted


class TextError(ValueError):
    """A command that cannot be carried out; `start` counts the characters before the mistake.

    It is None where no part of the text is to blame. The message is fit to show.
    """

    def __init__(self, message: str, start: int | None = None) -> None:
        self.message = a_sentence(message)
        self.start = start
        where = "" if start is None else f"column {start + 1}: "
        super().__init__(f"{where}{self.message}")

    def counted_from(self, start: int) -> "TextError":
        """Return the same mistake with its column counted from behind so many characters."""
        return TextError(self.message, None if self.start is None else max(0, self.start - start))


_WORD = r"\S+"
MOST_DIGITS = 15
"""Of a whole number that somebody types."""


class Typed(Struct, frozen=True):
    """Some text without blanks around it; `start` counts the characters before it."""

    text: str
    start: int = 0

    def __bool__(self) -> bool:
        return bool(self.text)

    def part(self, start: int, end: int | None = None) -> "Typed":
        """Return the characters from `start` up to `end`, without the blanks around them."""
        text = self.text[start:end]
        blanks = len(text) - len(text.lstrip())
        return Typed(text.strip(), self.start + start + blanks)

    @property
    def words(self) -> tuple["Typed", ...]:
        """What is separated by blanks."""
        return tuple(Typed(m[0], self.start + m.start()) for m in re.finditer(_WORD, self.text))

    @property
    def first(self) -> "Typed":
        """The first word."""
        return self.part(0, len(self.text.split(maxsplit=1)[0]) if self else 0)

    @property
    def rest(self) -> "Typed":
        """All but the first word."""
        return self.part(len(self.first.text))

    @property
    def end(self) -> "Typed":
        """The nothing behind this piece: where something is missing."""
        return self.part(len(self.text))

    def cut(self, pattern: str | re.Pattern[str]) -> tuple["Typed", "Typed"] | None:
        """Return what stands before and behind the first match of a pattern, if there is one."""
        match = re.search(pattern, self.text)
        return (self.part(0, match.start()), self.part(match.end())) if match else None

    @property
    def is_number(self) -> bool:
        """Whether this is a whole number from 0."""
        return self.text.isascii() and self.text.isdigit()

    def number(self, what: str) -> int:
        """Return the whole number that this is; `what` is what to call it in the message if not."""
        if not self.is_number:
            found = f"not {quoted(self.text)}" if self else "and is missing"
            raise self.error(f"{what} is a whole number from 0, {found}")
        if len(self.text) > MOST_DIGITS:
            raise self.error(f"{what} has at most {MOST_DIGITS} digits")
        return int(self.text)

    def nothing(self) -> None:
        """Raise `TextError` unless this is empty."""
        if self:
            raise self.error(f"{quoted(self.text)} is too much here; leave it out")

    def error(self, message: str) -> TextError:
        """Return the error about this piece."""
        return TextError(message, self.start)


def typed(line: str) -> Typed:
    """Return a line as it was typed, without its comment: what follows a `#` outside quotes."""
    quoted = False
    for at, character in enumerate(line):
        quoted ^= character == '"'
        if character == "#" and not quoted:
            line = line[:at]
            break
    return Typed(line).part(0)


@contextmanager
def blaming(text: Typed | None) -> Iterator[None]:
    """Say of what goes wrong inside that this piece is to blame, or with None that none is."""
    try:
        yield
    except TextError:
        raise
    except ValueError as error:
        raise TextError(str(error), None if text is None else text.start) from None


_COMMENT = r"#[^\n]*"


def on_one_line(text: str) -> str:
    """Return an expression without its comments and line ends, as it can be typed."""
    lines = re.sub(_COMMENT, "", text).replace("\t", " ").split("\n")
    return " ".join(line.strip() for line in lines if line.strip())


_BRACED = r"\{([^{}]+)\}"


def braced(text: str) -> list[tuple[int, str]]:
    """Return the expressions in braces of a text, each with its offset in the text."""
    return [(match.start(1), match[1]) for match in re.finditer(_BRACED, text)]


def with_braced(text: str, change: Callable[[str], str]) -> str:
    """Return a text in which each expression in braces is changed."""
    return without_braces(text, lambda expression: f"{{{change(expression)}}}")


def without_braces(text: str, written: Callable[[str], str]) -> str:
    """Return a text in which something else is written in place of each expression in braces."""
    return re.sub(_BRACED, lambda match: written(match[1]), text)
