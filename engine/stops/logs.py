"""The text of a logpoint: expressions in braces are replaced by their values."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from nnstep.engine.conditions import ConditionError, evaluate
from nnstep.engine.grammar import parse_condition

_BRACED = re.compile(r"\{([^{}]+)\}")


def braced(text: str) -> list[str]:
    """Return the expressions in a text."""
    return _BRACED.findall(text)


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Return a text with its expressions replaced by their values."""
    return _BRACED.sub(lambda match: value_text(match[1], values), text)


def value_text(expression: str, values: Mapping[str, Any]) -> str:
    """Evaluate an expression and write its value, in up to six digits, on one line."""
    try:
        value = np.asarray(evaluate(parse_condition(expression), values))
    except KeyError as error:
        return f"({error.args[0]} has no value yet)"
    except ConditionError as error:
        return f"({error})"
    return one_line(value)


def one_line(value: np.ndarray[Any, Any]) -> str:
    """Write an array on one line, long ones with an ellipsis."""
    if value.ndim == 0:
        return f"{value[()]:.6g}" if value.dtype.kind == "f" else str(value[()])
    text = np.array2string(value, precision=6, threshold=20, edgeitems=2, max_line_width=10**6)
    return " ".join(text.split())
