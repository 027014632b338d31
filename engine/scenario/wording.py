"""How a value of the wrong type is spoken of."""

import re
from collections.abc import Iterable
from typing import Any

from nnstep.engine.text import did_you_mean, listed, quoted

_EXPECTED = re.compile(r"Expected `([^`]+)`(.*?)(?:, got .*)?$")
_ELEMENT = re.compile(r" - at `\$((?:\[\d+\])+)`$")
_TYPES = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotation marks",
    "array": "a list",
    "object": "a table",
}


def expectation(message: str) -> tuple[str, tuple[int, ...]]:
    """Put msgspec's message in plain words, and return the indices of the element it is about."""
    element = _ELEMENT.search(message)
    expected = _EXPECTED.match(message[: element.start()] if element else message)
    indices = tuple(map(int, re.findall(r"\d+", element[1]))) if element else ()
    if expected is None:
        return "a number that fits in 64 bits", indices
    types = [_TYPES.get(name, name) for name in expected[1].split(" | ")]
    return listed(types, "or") + expected[2].replace(".0", ""), indices


def described(value: Any) -> str:
    """Name a value of a TOML file in a message: a number as it is, a list as a list."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return shown(value)
        case str():
            return quoted(value)
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "a table"
    return "a date or time"


def shown(number: float) -> str:
    """Write a number as a person would, a huge one shortened."""
    if isinstance(number, int):
        return str(number) if abs(number) < 10**20 else "a huge number"
    return repr(float(number))


def one_of(word: Any, known: Iterable[str]) -> str:
    """Say that `word` is none of the known ones, and which is nearest."""
    names = list(known)
    hint = did_you_mean(word, names) if isinstance(word, str) else ""
    return f"must be {listed(map(quoted, names), 'or')}, not {described(word)}{hint}"
