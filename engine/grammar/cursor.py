"""A finger on the tokens: which comes next, and what to say when it is the wrong one."""

from .errors import GrammarError
from .tokens import Kind, Token


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
