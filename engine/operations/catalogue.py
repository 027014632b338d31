"""The operators and functions of expressions: the one list that the compiler and the help use."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from msgspec import Struct

from . import activations, arithmetic, elements, functions, half, losses
from .formula import NAMESPACE
from .operation import Operation


class Function(Struct, frozen=True):
    """A function that an expression may call.

    `inputs` are the operation's parameters that take arrays, in order; `settings` those that take
    a number, after the arrays or by name; the first `needed` of them have no default. `call` is
    what conditions call where that is not the operation's formula.
    """

    operation: Operation
    inputs: tuple[str, ...]
    settings: tuple[str, ...] = ()
    needed: int = 0
    call: Callable[..., Any] | None = None

    @property
    def usage(self) -> str:
        """How it is called, such as `sum(x, axis, keepdims)`."""
        return f"{self.operation.name}({', '.join(self.inputs + self.settings)})"

    def misuse(self, arguments: int, options: Collection[str]) -> str | None:
        """Say what is wrong with a call that has so many arguments and these options by name."""
        if arguments < len(self.inputs) + self.needed:
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

    def wrong_setting(self, settings: Mapping[str, Any]) -> str | None:
        """Say what is wrong with the values of settings: most take one number."""
        for name, value in settings.items():
            kinds: tuple[type, ...] = _KINDS.get(name, (int, float))
            if type(value) not in kinds:
                return f"'{name}' is {_WORDS.get(name, 'a number')}; the call is {self.usage}"
        return None


_KINDS: Mapping[str, tuple[type, ...]] = {
    "axis": (int, tuple, type(None)),
    "shape": (int, tuple),
    "keepdims": (bool,),
}
_WORDS = {"axis": "a whole number", "shape": "a whole number", "keepdims": "True or False"}

_UNARY = ("exp", "log", "log1p", "expm1", "sqrt", "abs", "sin", "cos")
_BINARY = ("maximum", "minimum")
_REDUCTIONS = ("sum", "mean", "max", "min", "var", "logsumexp")

FUNCTIONS: Mapping[str, Function] = {
    **{name: Function(getattr(arithmetic, name.upper()), ("x",)) for name in _UNARY},
    **{
        operation.name: Function(operation, ("z",), tuple(operation.settings))
        for row in activations.ACTIVATIONS.values()
        for operation in (row.operation, *row.variants.values())
        if row is not activations.IDENTITY
    },
    "log_softmax": Function(activations.LOG_SOFTMAX, ("z",)),
    **{name: Function(getattr(arithmetic, name.upper()), ("a", "b")) for name in _BINARY},
    **{
        name: Function(getattr(arithmetic, name.upper()), ("x",), ("axis", "keepdims"))
        for name in _REDUCTIONS
    },
    "where": Function(elements.WHERE, ("test", "a", "b")),
    "clip": Function(elements.CLIP, ("x",), ("low", "high"), needed=2),
    "reshape": Function(elements.RESHAPE, ("x",), ("shape",), needed=1),
    "concatenate": Function(elements.CONCATENATE, ("parts",), ("axis",), call=np.concatenate),
    "one_hot": Function(elements.ONE_HOT, ("y", "like")),
    "take": Function(elements.TAKE, ("x", "places"), ("axis",)),
}

OPERATORS: Mapping[str, Operation] = {
    "+": arithmetic.ADD,
    "-": arithmetic.SUBTRACT,
    "*": arithmetic.MULTIPLY,
    "/": arithmetic.DIVIDE,
    "**": arithmetic.POWER,
}

_OF_NUMPY = ("float16", "float32", "float64", "ones_like", "outer", "zeros_like")

_CALLED = (activations, arithmetic, elements, functions, half, losses)

LISTED: Mapping[str, Any] = {
    **{
        name: function
        for module in _CALLED
        for name, function in NAMESPACE.items()
        if vars(module).get(name) is function and name not in ("np", *FUNCTIONS)
    },
    **{name: getattr(np, name) for name in _OF_NUMPY},
    "int": int,
    "len": len,
}
"""What else the lines of a listing call, so that any of them can be typed."""
