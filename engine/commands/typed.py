"""A piece of what someone typed, which knows at which column it stands."""

import re

from msgspec import Struct

from nnstep.engine.text import quoted

from .errors import CommandError

_WORD = re.compile(r"\S+")
_LONGEST_NUMBER = 15


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
        return tuple(Typed(m[0], self.start + m.start()) for m in _WORD.finditer(self.text))

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

    def cut(self, pattern: re.Pattern[str]) -> tuple["Typed", "Typed"] | None:
        """Return what stands before and behind the first match of a pattern, if there is one."""
        match = pattern.search(self.text)
        return (self.part(0, match.start()), self.part(match.end())) if match else None

    @property
    def is_number(self) -> bool:
        """Whether this is a whole number from 0."""
        return self.text.isascii() and self.text.isdigit()

    def number(self, what: str) -> int:
        """Return the whole number that this is; `what` is what to call it in the message if not."""
        if not self.is_number:
            found = f", not {quoted(self.text)}" if self else ""
            raise self.error(f"{what} is a whole number from 0{found}")
        if len(self.text) > _LONGEST_NUMBER:
            raise self.error(f"{what} has at most {_LONGEST_NUMBER} digits")
        return int(self.text)

    def nothing(self) -> None:
        """Raise `CommandError` unless this is empty."""
        if self:
            raise self.error(f"{quoted(self.text)} is too much here; leave it out")

    def error(self, message: str) -> CommandError:
        """Return the error about this piece."""
        return CommandError(message, self.start)


def typed(line: str) -> Typed:
    """Return a line as it was typed, without its comment: what follows a `#` outside quotes."""
    quoted = False
    for at, character in enumerate(line):
        quoted ^= character == '"'
        if character == "#" and not quoted:
            line = line[:at]
            break
    return Typed(line).part(0)
