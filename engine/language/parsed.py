"""An expression that somebody typed, parsed; each mistake in it is named with its column."""

from collections.abc import Collection, Iterator

from .evaluate import NumberError, parse_value, unknown
from .nodes import GrammarError, Node
from .parser import parse_condition
from .typed import TextError, Typed, braced


def mistakes(
    text: str, names: Collection[str] | None = None, what: str = "an expression"
) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with an expression or a condition, each with its offset in the text.

    `names` are the tensors that there are; without them only the grammar is checked. `what` is what
    is missing if the text is blank.
    """
    if not text.strip():
        yield 0, f"{what} is missing"
        return
    try:
        node = parse_condition(text)
    except GrammarError as error:
        yield error.start, error.message
        return
    if names is not None:
        yield from ((part.start, message) for part, message in unknown(node, names))


def mistakes_in_braces(
    text: str, names: Collection[str] | None = None
) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with the expressions in braces of a text, as `mistakes` does."""
    for at, inner in braced(text):
        yield from ((at + start, message) for start, message in mistakes(inner, names))


def expression(text: Typed, names: Collection[str], what: str = "an expression") -> Node:
    """Parse an expression or a condition about tensors; raise `TextError` for a mistake."""
    for start, message in mistakes(text.text, names, what):
        raise TextError(message, text.start + start)
    return parse_condition(text.text)


def constant(text: Typed) -> float:
    """Read a number that does not depend on any tensor."""
    try:
        return parse_value(text.text)
    except NumberError as error:
        raise TextError(error.message, text.start + error.start) from None
