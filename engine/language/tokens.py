"""The words of an expression: a text becomes names, numbers and signs, each with its position."""

import keyword
import math
import re
import unicodedata
from collections.abc import Iterator
from enum import Enum

from msgspec import Struct

from nnstep.engine.limits import MAX_COUNT, MAX_DIGITS, MAX_NAME, MAX_TEXT, MAX_TOKENS
from nnstep.engine.text import quoted

from .nodes import GrammarError

WORD_OPERATORS = frozenset({"and", "or", "not", "if", "else"})

_PATTERN = re.compile(
    r"""
    (?P<blank>[ \t]+|\r(?=\n)|\#[^\n]*)
  | (?P<newline>\n)
  | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
  | (?P<text>'[a-z_]+')
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>(?:\*\*|//|<<|>>|[-+*/@%&|^])=|\*\*|//|<<|>>|[<>=!]=|&&|\|\||->|:=
            |[-+*/@&|<>=()\[\],.:])
    """,
    re.VERBOSE,
)
_STUCK_TO_NUMBER = re.compile(r"[A-Za-z0-9_.]+")

_INSTEAD = {
    "^": "a power is written '**'",
    "&&": "write 'and'",
    "||": "write 'or'",
    "!": "write 'not', or '!=' for unequal",
    "~": "write 'not'",
    "%": "there is no remainder",
    "//": "there is only the division '/'",
    ";": "write one assignment a line",
    ":=": "write 'name = value' on a line of its own",
    "\\": "a line continues inside parentheses",
    "{": "use parentheses",
    "}": "use parentheses",
    "'": "there are no strings",
    '"': "there are no strings",
}


METHODS = ("sum", "mean", "max", "min", "var", "clip", "reshape", "take")
"""What may be written behind its first value: `x.sum(axis=0)` is `sum(x, axis=0)`."""

NEAR_MISSES = {
    "dot": "a matrix product is written with '@', as in W @ x",
    "matmul": "a matrix product is written with '@', as in W @ x",
    "transpose": "the transpose is written W.T",
    "power": "a power is written with '**'",
    "item": "leave it out",
    "astype": "every number has the type of the run",
    "flatten": "write reshape(x, -1)",
    "ravel": "write reshape(x, -1)",
    "std": "write sqrt(var(x))",
}
"""What people write who know NumPy, and what to write here."""


class Kind(Enum):
    """What sort of word a token is."""

    NAME = "name"
    NUMBER = "number"
    TEXT = "text"
    SIGN = "sign"
    NEWLINE = "newline"
    END = "end"


_KINDS: dict[str | None, Kind] = {kind.value: kind for kind in Kind}
"""The kinds by the groups of the pattern; a blank has none."""


class Token(Struct, frozen=True):
    """One word of a text, `text[start:end]`."""

    kind: Kind
    text: str
    start: int
    end: int

    def __str__(self) -> str:
        """How a message speaks of this token."""
        if self.kind in (Kind.NEWLINE, Kind.END):
            return f"the end of the {'line' if self.kind is Kind.NEWLINE else 'text'}"
        return quoted(self.text)

    @property
    def number(self) -> float:
        """The value of a number: whole if it is written so, and small enough for arrays."""
        whole = self.text.isdigit() and int(self.text) <= MAX_COUNT
        return int(self.text) if whole else float(self.text)


def near_miss(name: Token) -> str:
    """Say what to write in place of a function of NumPy's that is not used here."""
    return f"{name} is not used here: {NEAR_MISSES[name.text]}"


def tokenize(text: str, *, lines: bool) -> list[Token]:
    """Split `text` into tokens, the last one of kind `END`; a `#` starts a comment.

    With `lines`, a line end outside brackets is a token; without, it is a blank. Raises
    `GrammarError` at the first character that belongs to no expression, or beyond a limit.
    """
    if len(text) > MAX_TEXT:
        raise GrammarError(f"the text is longer than {MAX_TEXT:,} characters", MAX_TEXT, len(text))
    tokens: list[Token] = []
    open_brackets = 0
    for token in _words(text):
        if token.kind is Kind.SIGN:
            open_brackets = max(0, open_brackets + (token.text in "([") - (token.text in ")]"))
        elif token.kind is Kind.NEWLINE and (open_brackets or not lines):
            continue
        if len(tokens) == MAX_TOKENS:
            message = f"the text has more than {MAX_TOKENS:,} names, numbers and signs"
            raise GrammarError(message, token.start, token.end)
        tokens.append(token)
    tokens.append(Token(Kind.END, "", len(text), len(text)))
    return tokens


def _words(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        found = match.group() if match else text[position]
        if match is None or found in _INSTEAD:
            raise _not_in_an_expression(text, position, found)
        start, position = position, match.end()
        kind = _KINDS.get(match.lastgroup)
        if kind is None:
            continue
        token = Token(kind, found, start, position)
        if kind is Kind.NUMBER:
            _check_number(text, token)
        elif kind is Kind.NAME:
            _check_name(token)
        yield token


def _not_in_an_expression(text: str, start: int, found: str) -> GrammarError:
    end = start + len(found)
    if found in _INSTEAD:
        return GrammarError(f"{quoted(found)} is not used here: {_INSTEAD[found]}", start, end)
    if found.isascii() and found.isprintable():
        return GrammarError(f"{quoted(found)} has no meaning in an expression", start, end)
    escaped = found.encode("unicode_escape", "surrogatepass").decode("ascii")
    name = unicodedata.name(found, "a character without a name")
    message = f"the character '{escaped}' ({name}) has no meaning in an expression"
    return GrammarError(message, start, end)


def _check_number(text: str, token: Token) -> None:
    if len(token.text) > MAX_DIGITS:
        message = f"a number has at most {MAX_DIGITS} characters, this one {len(token.text):,}"
        raise GrammarError(message, token.start, token.end)
    if stuck := _STUCK_TO_NUMBER.match(text, token.end):
        found = quoted(token.text + stuck.group())
        message = f"{found} is no number; write 1, 1.5 or 1e-3, and a product with '*'"
        raise GrammarError(message, token.start, stuck.end())
    if token.text.isdigit() and token.text[0] == "0" and token.text.strip("0"):
        message = f"{quoted(token.text)}: a whole number does not start with 0"
        raise GrammarError(message, token.start, token.end)
    if not math.isfinite(float(token.text)):
        message = f"{quoted(token.text)} is larger than any floating-point number"
        raise GrammarError(message, token.start, token.end)


def _check_name(token: Token) -> None:
    if len(token.text) > MAX_NAME:
        message = f"{token} is too long: a name has at most {MAX_NAME} characters"
        raise GrammarError(message, token.start, token.end)
    if not keyword.iskeyword(token.text) or token.text in WORD_OPERATORS | {"True", "False"}:
        return
    message = f"'{token.text}' is a word of Python's own and names no value"
    raise GrammarError(message, token.start, token.end)


class Cursor:
    """Moves over tokens from first to last; the last one, of kind `END`, is never passed."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self.last_end = 0
        """Where the token taken last ended."""

    @property
    def next(self) -> Token:
        """The token that `take` would return."""
        return self._tokens[self._position]

    @property
    def after_next(self) -> Token:
        """The token behind `next`."""
        return self._tokens[min(self._position + 1, len(self._tokens) - 1)]

    def at(self, *texts: str) -> bool:
        """Tell whether the next token is one of these signs or words."""
        return self.next.kind in (Kind.SIGN, Kind.NAME) and self.next.text in texts

    def take(self) -> Token:
        """Return the next token and step past it."""
        token = self.next
        if token.kind is not Kind.END:
            self._position += 1
        self.last_end = token.end
        return token

    def take_if(self, text: str) -> bool:
        """Step past the next token if it is this sign."""
        if not self.at(text):
            return False
        self.take()
        return True

    def skip_newlines(self) -> None:
        """Step past line ends."""
        while self.next.kind is Kind.NEWLINE:
            self.take()

    def close(self, opening: Token) -> None:
        """Step past the bracket that closes `opening`; raise `GrammarError` at another token."""
        closing = ")" if opening.text == "(" else "]"
        if not self.take_if(closing):
            raise self.error(f"expected '{closing}' to close {opening}, found {self.next}")

    def error(self, message: str, token: Token | None = None) -> GrammarError:
        """Return an error about `token`, by default the next one."""
        token = token or self.next
        return GrammarError(message, token.start, token.end)
