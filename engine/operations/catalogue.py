"""The operators and functions of expressions: the one list that the compiler and the help use."""

from collections.abc import Callable, Collection, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from msgspec import Struct

from . import activations, arithmetic, losses
from .formula import NAMESPACE
from .operation import Operation


class Function(Struct, frozen=True):
    """A function that an expression may call.

    `inputs` are the operation's parameters that take arrays, in order; `settings` those that take
    a number, after the arrays or by name.
    """

    operation: Operation
    inputs: tuple[str, ...]
    settings: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        """How it is called, such as `sum(x, axis, keepdims)`."""
        return f"{self.operation.name}({', '.join(self.inputs + self.settings)})"

    def misuse(self, arguments: int, options: Collection[str]) -> str | None:
        """Say what is wrong with a call that has so many arguments and these options by name."""
        if arguments < len(self.inputs):
            return f"too few arguments; it is called as {self.usage}"
        positional = self.settings[: max(0, arguments - len(self.inputs))]
        if arguments > len(self.inputs) + len(positional):
            return f"too many arguments; it is called as {self.usage}"
        for name in options:
            if name not in self.settings:
                return f"there is no '{name}' in {self.usage}"
            if name in positional:
                return f"'{name}' is given twice"
        return None


_UNARY = ("exp", "log", "sqrt", "abs", "sin", "cos")
_BINARY = ("maximum", "minimum")
_REDUCTIONS = ("sum", "mean", "max", "min")

FUNCTIONS: Mapping[str, Function] = {
    **{name: Function(getattr(arithmetic, name.upper()), ("x",)) for name in _UNARY},
    **{
        operation.name: Function(operation, ("z",), tuple(operation.settings))
        for row in activations.ACTIVATIONS.values()
        for operation in (row.operation, *row.variants.values())
        if row is not activations.IDENTITY
    },
    **{name: Function(getattr(arithmetic, name.upper()), ("a", "b")) for name in _BINARY},
    **{
        name: Function(getattr(arithmetic, name.upper()), ("x",), ("axis", "keepdims"))
        for name in _REDUCTIONS
    },
}

OPERATORS: Mapping[str, Operation] = {
    "+": arithmetic.ADD,
    "-": arithmetic.SUBTRACT,
    "*": arithmetic.MULTIPLY,
    "/": arithmetic.DIVIDE,
    "**": arithmetic.POWER,
}

_LISTINGS: tuple[ModuleType, ...] = (activations, losses)
_OF_NUMPY = (
    "clip",
    "float16",
    "float32",
    "float64",
    "ones_like",
    "outer",
    "sign",
    "where",
    "zeros_like",
)

LISTED: Mapping[str, Callable[..., Any]] = {
    **{name: f for name, f in NAMESPACE.items() if name != "np" and name not in FUNCTIONS},
    **{name: getattr(np, name) for name in _OF_NUMPY},
}
"""What else the lines of a listing call, so that any of them can be typed."""
