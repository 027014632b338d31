"""A formula is a Python function of one expression, and its text is that very expression.

`lambda da, a: da * a * (1 - a)` is what the machine calls and, its names filled in, what the
listing shows: `dz2 = da2 * a2 * (1 - a2)`. So no formula is ever written down twice.
"""

import ast
import functools
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from nnstep.engine.arrays import Kernel

Constant = float | bool | str | None | tuple[float | slice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """An expression over named arrays, both as a function and as a syntax tree.

    `function` takes one array for each of `parameters`, in that order.
    """

    parameters: tuple[str, ...]
    function: Kernel
    tree: ast.expr

    def text(self, names: Mapping[str, str]) -> str:
        """Return the expression with `names` in place of the parameters."""
        fill = {parameter: ast.Name(names[parameter]) for parameter in self.parameters}
        return ast.unparse(_Filled(fill).visit(self.tree))

    def bind(self, **constants: Constant) -> "Formula":
        """Return the formula with constants in place of some of its parameters.

        A keyword argument that is bound to None or False, its default, is left out of the text.
        """
        bound = {name: value for name, value in constants.items() if name in self.parameters}
        if not bound:
            return self
        rest = tuple(name for name in self.parameters if name not in bound)
        fill = {name: _literal(value) for name, value in bound.items()}
        tree = _Filled(fill).visit(self.tree)
        if rest == self.parameters[: len(rest)]:
            last = tuple(bound[name] for name in self.parameters[len(rest) :])
            return Formula(rest, _bound_last(self.function, last), tree)
        return Formula(rest, _bound_between(self.function, self.parameters, bound), tree)

    def on(self, **inner: "Formula") -> "Formula":
        """Return the formula with other formulas in place of some of its parameters.

        Parameters of the same name become one; those of the inner formulas come first.
        """
        whole = self
        for name, part in inner.items():
            whole = whole._with(name, part)
        return whole

    def _with(self, name: str, part: "Formula") -> "Formula":
        others = tuple(other for other in self.parameters if other != name)
        added = tuple(other for other in others if other not in part.parameters)
        parameters = part.parameters + added
        places = tuple(
            None if other == name else parameters.index(other) for other in self.parameters
        )
        outer, inner, count = self.function, part.function, len(part.parameters)

        def composed(*arrays: Any) -> Any:
            value = inner(*arrays[:count])
            return outer(*[value if place is None else arrays[place] for place in places])

        return Formula(parameters, composed, _Filled({name: part.tree}).visit(self.tree))


def call(function: Kernel, parameters: tuple[str, ...], **constants: Constant) -> Formula:
    """Return the formula that calls one function on all of `parameters`, however many."""
    given = [*parameters, *(f"{name}={value!r}" for name, value in constants.items())]
    text = f"{function.__name__}({', '.join(given)})"
    tree = ast.parse(text, mode="eval").body
    return Formula(parameters, functools.partial(function, **constants), tree)


def variable(name: str) -> Formula:
    """Return the formula that is a single parameter."""
    return Formula((name,), lambda array: array, ast.Name(name))


def constant(value: float, dtype: str) -> Formula:
    """Return the formula that is a number, as a NumPy scalar of `dtype`."""
    scalar = np.dtype(dtype).type(value)
    tree = ast.parse(f"np.{dtype}({value!r})", mode="eval").body
    return Formula((), lambda: scalar, tree)


@functools.cache
def formula(function: Kernel) -> Formula:
    """Read the formula that a lambda expression of the operations' source files is."""
    if not isinstance(function, FunctionType):
        raise TypeError("a formula is a lambda expression")
    code = function.__code__
    node = _lambdas(function.__module__)[code.co_firstlineno]
    return Formula(code.co_varnames[: code.co_argcount], function, node.body)


@functools.cache
def _lambdas(module: str) -> Mapping[int, ast.Lambda]:
    """Map line numbers of a module to the lambda expression that starts there."""
    found: dict[int, ast.Lambda] = {}
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[module]))):
        if isinstance(node, ast.Lambda):
            if node.lineno in found:
                raise ValueError(f"{module}:{node.lineno}: two formulas on one line")
            found[node.lineno] = node
    return found


def _bound_last(function: Kernel, constants: tuple[Constant, ...]) -> Kernel:
    return lambda *arrays: function(*arrays, *constants)


def _bound_between(
    function: Kernel, order: tuple[str, ...], bound: Mapping[str, Constant]
) -> Kernel:
    def call(*arrays: Any) -> Any:
        given = iter(arrays)
        return function(*[bound[name] if name in bound else next(given) for name in order])

    return call


class _Filled(ast.NodeTransformer):
    """Copies an expression, putting other expressions in place of names."""

    def __init__(self, fill: Mapping[str, ast.expr]) -> None:
        self.fill = fill

    def generic_visit(self, node: ast.AST) -> ast.AST:
        fields = {name: self._copy(value) for name, value in ast.iter_fields(node)}
        return type(node)(**fields)

    def _copy(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._copy(item) for item in value]
        return self.visit(value) if isinstance(value, ast.AST) else value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.fill.get(node.id, node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        call = self.generic_visit(node)
        assert isinstance(call, ast.Call)
        call.keywords = [
            keyword
            for keyword in call.keywords
            if not (isinstance(keyword.value, ast.Constant) and keyword.value.value in _DEFAULTS)
        ]
        return call


class _Defaults:
    """None and False by identity, so that the number 0 is not taken for a default."""

    def __contains__(self, value: object) -> bool:
        return value is None or value is False


_DEFAULTS = _Defaults()


def _literal(value: Constant) -> ast.expr:
    """Write a constant as an expression; an index as one stands between brackets."""
    if isinstance(value, tuple) and any(isinstance(item, slice) for item in value):
        parts: list[ast.expr] = [_index_part(item) for item in value]
        return parts[0] if len(parts) == 1 else ast.Tuple(parts)
    return ast.parse(repr(value), mode="eval").body


def _index_part(item: float | slice) -> ast.expr:
    if not isinstance(item, slice):
        return ast.Constant(item)
    lower, upper, step = (
        None if part is None else ast.Constant(part) for part in (item.start, item.stop, item.step)
    )
    return ast.Slice(lower, upper, step)
