"""The value of an expression: conditions, watches, typed numbers, texts with {expressions}."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import one_line
from nnstep.engine.operations.catalogue import LISTED
from nnstep.engine.text import did_you_mean, quoted

from .computing import FUNCTIONS, Compute, computing, is_number, is_true
from .nodes import (
    Call,
    ConditionError,
    Name,
    Node,
    descendants,
)
from .parser import parse_condition
from .typed import without_braces
from .work import Counted, Work

COUNTS = frozenset({"iteration", "epoch", "step", "loss"})
"""The names that conditions may use besides those of tensors."""


def unknown(node: Node, tensors: Collection[str]) -> Iterator[tuple[Node, str]]:
    """Yield the parts of an expression that name or call what there is not, with a message."""
    for part in descendants(node):
        if isinstance(part, Name) and part.name not in tensors and part.name not in COUNTS:
            hint = did_you_mean(part.name, [*tensors, *COUNTS])
            yield part, f"the program has no tensor {quoted(part.name)}{hint}"
        elif isinstance(part, Call):
            function = FUNCTIONS.get(part.function)
            if part.function in LISTED:
                continue
            if function is None:
                hint = did_you_mean(part.function, [*FUNCTIONS, *LISTED])
                yield part, f"there is no function {quoted(part.function)}{hint}"
            elif problem := function.misuse(len(part.arguments), part.options):
                yield part, problem


def check_names(node: Node, tensors: Collection[str]) -> None:
    """Raise `ConditionError` for the first name or function that does not exist."""
    for part, message in unknown(node, tensors):
        raise ConditionError(f"column {part.start + 1}: {message}")


class Ready(Struct, frozen=True):
    """An expression made ready: the function that computes it, and the names that it reads."""

    compute: Compute
    names: frozenset[str]

    def value(self, values: Mapping[str, Any], work: Work | None = None) -> Any:
        """Return its value, as `evaluate` does; NumPy's warnings are the caller's to turn off."""
        named = {name: values[name] for name in self.names if name in values}
        return evaluated(self.compute, named, work)


@lru_cache(maxsize=256)
def ready(text: str) -> Ready:
    """Make an expression or a condition ready, once; raise `GrammarError` if it is none."""
    node = parse_condition(text)
    return Ready(computing(node), names_in(node))


def names_in(node: Node) -> frozenset[str]:
    """Return the names that an expression reads."""
    return frozenset(part.name for part in descendants(node) if isinstance(part, Name))


def evaluate(node: Node, values: Mapping[str, Any], work: Work | None = None) -> Any:
    """Return the value of an expression over named values, computed as a listing would.

    Numbers that are written down take the type of the arrays that they meet, as in Python. Raises
    `KeyError` for a name that has no value, and `ConditionError` where shapes or indices do not
    fit, and where it would take more than the `work` that is left.
    """
    with np.errstate(all="ignore"):
        return evaluated(computing(node), values, work)


def evaluated(compute: Compute, values: Mapping[str, Any], work: Work | None = None) -> Any:
    """Return the value that an expression's function computes, as `evaluate` does.

    NumPy's warnings are the caller's to turn off.
    """
    try:
        with Counted(work):
            value = compute(values)
    except (IndexError, ValueError, TypeError, ZeroDivisionError, OverflowError) as error:
        raise ConditionError(str(error)) from None
    return np.float64(value) if is_number(value) else value


def holds(condition: Compute, values: Mapping[str, Any]) -> bool:
    """Return whether a condition holds, given the function that computes it.

    An array holds if all its elements do. One on a tensor that is not live yet does not hold.
    """
    try:
        return is_true(evaluated(condition, values))
    except KeyError:
        return False


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Return a text with its expressions replaced by their values."""
    return without_braces(text, lambda expression: value_text(expression, values))


def value_text(expression: str, values: Mapping[str, Any]) -> str:
    """Evaluate an expression and write its value, in up to six digits, on one line."""
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(ready(expression).value(values))
    except KeyError as error:
        return f"({error.args[0]} has no value yet)"
    except ConditionError as error:
        return f"({error})"
    return one_line(value)


class NumberError(ValueError):
    """Text that is no number; `message` says why, and is fit to show.

    `start` counts the characters before the mistake.
    """

    def __init__(self, message: str, start: int = 0) -> None:
        self.message = message
        self.start = start
        super().__init__(f"column {start + 1}: {message}" if start else message)


_NON_FINITE = {"nan", "-nan", "inf", "-inf"}
_WITH_COMMA = re.compile(r"-?\d+,\d+")


def parse_value(text: str) -> float:
    """Return the number that a person typed: `0.5`, `-1e-3`, `1/3`, `nan`, `-inf`.

    Raises `NumberError` with a message fit to show.
    """
    from .nodes import GrammarError
    from .parser import parse_expression

    word = text.strip().removeprefix("+")
    if word.lower() in _NON_FINITE:
        return float(word)
    if _WITH_COMMA.match(word):
        raise NumberError("write the decimals after a point, as in 1.5")
    if not word:
        raise NumberError("type a number, such as 0.5, -1e-3 or 1/3")
    try:
        value = float(evaluate(parse_expression(word), {}))
    except GrammarError as error:
        raise NumberError(error.message, text.index(word) + error.start) from None
    except KeyError as error:
        raise NumberError(f"{quoted(str(error.args[0]))} is not a number") from None
    except (ConditionError, TypeError, ValueError) as error:
        raise NumberError(str(error)) from None
    if not np.isfinite(value):
        raise NumberError(f"that is {value}; type nan, inf or -inf if you mean it")
    return value
