"""The operators and functions of expressions: the one list that the compiler and the help use."""

from collections.abc import Mapping

from msgspec import Struct

from . import activations, elementwise, reductions
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


_UNARY = ("exp", "log", "sqrt", "abs", "sin", "cos")
_BINARY = ("maximum", "minimum")
_REDUCTIONS = ("sum", "mean", "max", "min")

FUNCTIONS: Mapping[str, Function] = {
    **{name: Function(getattr(elementwise, name.upper()), ("x",)) for name in _UNARY},
    **{
        name: Function(operation, ("z",), tuple(operation.settings))
        for name, operation in activations.ACTIVATIONS.items()
        if name != "identity"
    },
    **{name: Function(getattr(elementwise, name.upper()), ("a", "b")) for name in _BINARY},
    **{
        name: Function(getattr(reductions, name.upper()), ("x",), ("axis", "keepdims"))
        for name in _REDUCTIONS
    },
}

OPERATORS: Mapping[str, Operation] = {
    "+": elementwise.ADD,
    "-": elementwise.SUBTRACT,
    "*": elementwise.MULTIPLY,
    "/": elementwise.DIVIDE,
    "**": elementwise.POWER,
}
