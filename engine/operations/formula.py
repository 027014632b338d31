"""A formula is a Python function of one expression, and its text is that very expression.

`lambda da, a: da * a * (1 - a)` is read from its source once; from its syntax tree come both the
line of the listing, `dz2 = da2 * a2 * (1 - a2)`, and the function that the machine calls. So no
formula is ever written down twice, and what is shown is what runs.
"""

import ast
import functools
import inspect
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Kernel

Listed = TypeVar("Listed", bound=Callable[..., Any])
Constant = float | bool | str | None | tuple[float | slice, ...]


NAMESPACE: dict[str, Any] = {"np": np, "int": int, "len": len}
"""Every name, besides tensors, that a line of a listing can have."""


def listed(function: Listed) -> Listed:
    """Put a function among the names that formulas, and so listings, may call."""
    NAMESPACE[function.__name__] = function
    return function


class Formula(Struct, frozen=True, eq=False, weakref=True):
    """An expression over named arrays, `parameters`, as a syntax tree.

    Names of tensors and numbers of scenarios enter the tree as constants, never as source text.
    """

    parameters: tuple[str, ...]
    tree: ast.expr

    def text(self, names: Mapping[str, str]) -> str:
        """Return the expression with `names` in place of the parameters."""
        return self._with(names)

    def over(self, names: Mapping[str, str]) -> Kernel:
        """Return the function that computes the expression from a mapping of tensors by name."""
        taken = {parameter: f"tensors[{names[parameter]!r}]" for parameter in self.parameters}
        return _compiled(("tensors",), self._with(taken))

    def _with(self, texts: Mapping[str, str]) -> str:
        """Return the expression with the text of a name or a subscript for each parameter."""
        pieces = _pieces.get(self)
        if pieces is None:
            marked = {p: ast.Name(f"{_MARK}{p}{_MARK}") for p in self.parameters}
            pieces = _pieces[self] = ast.unparse(self._filled(marked)).split(_MARK)
        return "".join(texts[p] if i % 2 else p for i, p in enumerate(pieces))

    @property
    def is_variable(self) -> bool:
        """Whether the expression is one of its parameters, and nothing else."""
        return isinstance(self.tree, ast.Name) and self.parameters == (self.tree.id,)

    @property
    def function(self) -> Kernel:
        """The function that takes one array for each of the parameters, in their order."""
        return _compiled(self.parameters, self._with({each: each for each in self.parameters}))

    def bind(self, **constants: Constant) -> "Formula":
        """Return the formula with constants in place of some of its parameters.

        A keyword argument that is bound to None or False, its default, is left out.
        """
        bound = {name: c for name, c in constants.items() if name in self.parameters}
        if not bound:
            return self
        rest = tuple(name for name in self.parameters if name not in bound)
        return self._made(
            [(name, repr(constant)) for name, constant in bound.items()],
            lambda: (rest, {name: literal(constant) for name, constant in bound.items()}),
        )

    def on(self, **inner: "Formula") -> "Formula":
        """Return the formula with other formulas in place of some of its parameters.

        Parameters of the same name become one.
        """
        parameters: list[str] = []
        for name in self.parameters:
            parameters += inner[name].parameters if name in inner else (name,)
        return self._made(
            inner.items(),
            lambda: (
                tuple(dict.fromkeys(parameters)),
                {name: part.tree for name, part in inner.items()},
            ),
        )

    def _made(
        self,
        parts: Iterable[tuple[str, "str | Formula"]],
        filled: Callable[[], tuple[tuple[str, ...], Mapping[str, ast.expr]]],
    ) -> "Formula":
        """Return the formula with parts filled in, the one that was made from them before.

        To copy a tree, and to write it as text, takes long, and programs are full of the same ones.
        """
        key = (self, *parts)
        made = _made.get(key)
        if made is None:
            parameters, fill = filled()
            made = Formula(parameters, self._filled(fill))
            if len(_made) == _MOST_MADE:
                _made.clear()
            _made[key] = made
        return made

    def _filled(self, fill: Mapping[str, ast.expr]) -> ast.expr:
        filled: ast.expr = Filled(fill).visit(self.tree)
        return filled


_MOST_MADE = 4096
_made: dict[tuple[object, ...], Formula] = {}

_MARK = "\0"
_pieces: WeakKeyDictionary[Formula, list[str]] = WeakKeyDictionary()
"""What a formula's text is put together from: text, a parameter, text, a parameter, …, text.

To write a tree as text takes long, and the rows' formulas are those of many lines.
"""


def formula(function: Kernel) -> Formula:
    """Read the formula that a lambda expression of the operations' source files is."""
    if not isinstance(function, FunctionType):
        raise TypeError("a formula is a lambda expression")
    # A lambda in a function is another each time, and its code the same.
    written = function.__module__, function.__code__
    if written not in _read:
        code = function.__code__
        body = _body_by_positions(function) or _body_in_module(function)
        _read[written] = Formula(code.co_varnames[: code.co_argcount], body)
    return _read[written]


_read: dict[tuple[str, CodeType], Formula] = {}


@functools.cache
def variable(name: str) -> Formula:
    """Return the formula that is a single parameter."""
    return Formula((name,), ast.Name(name, ast.Load()))


def constant(value: float, dtype: str) -> Formula:
    """Return the formula that is a number, as a NumPy scalar of `dtype`."""
    scalar = ast.Attribute(ast.Name("np", ast.Load()), dtype, ast.Load())
    return Formula((), ast.Call(scalar, [literal(value)], []))


def call(function: Kernel, parameters: tuple[str, ...], **constants: Constant) -> Formula:
    """Return the formula that calls one function on all of `parameters`, however many."""
    arguments: list[ast.expr] = [ast.Name(name, ast.Load()) for name in parameters]
    keywords = [ast.keyword(name, literal(value)) for name, value in constants.items()]
    callee = ast.Name(function.__name__, ast.Load())
    return Formula(parameters, ast.Call(callee, arguments, keywords))


@functools.lru_cache(maxsize=4096)
def _compiled(parameters: tuple[str, ...], text: str) -> Kernel:
    """Compile an expression once, however many scenarios have it; tracebacks show its text.

    Names of tensors and numbers of scenarios stand in it as constants, written by `ast.unparse`.
    """
    source = f"lambda {', '.join(parameters)}: {text}"
    function: Kernel = eval(compile(source, f"<{text}>", "eval"), NAMESPACE)
    return function


def _body_by_positions(function: FunctionType) -> ast.expr | None:
    """Return the tree of a lambda's body, parsed by itself; None where that cannot be done.

    Python knows from where to where the instructions of a function were written. To parse only that
    much takes a tenth of the time that the whole module does, and every start waits for it.
    """
    lines = _lines(function.__module__)
    known = (place for place in function.__code__.co_positions() if None not in place)
    # To begin and to return is at column 0, and nowhere in the text.
    places = [place for place in known if place[2] != place[3]]
    if not places or not lines:
        return None
    starts = min((line, column) for line, _, column, _ in places)
    ends = max((line, column) for _, line, _, column in places)
    return _parsed(lines, starts, ends)


def _parsed(lines: list[bytes], starts: tuple[Any, Any], ends: tuple[Any, Any]) -> ast.expr | None:
    """Parse what stands between two places; lines count from 1, columns are bytes."""
    (first, begin), (last, end) = starts, ends
    rows = lines[first - 1 : last]
    rows[-1] = rows[-1][:end]
    rows[0] = rows[0][begin:]
    try:
        return ast.parse(b"(" + b"\n".join(rows) + b"\n)", mode="eval").body
    except SyntaxError:
        return None


@functools.cache
def _lines(module: str) -> list[bytes]:
    """Return the lines of a module's source; none if it is not in a file."""
    try:
        return Path(sys.modules[module].__file__ or "").read_bytes().splitlines()
    except OSError:
        return []


def _body_in_module(function: FunctionType) -> ast.expr:
    """Return the tree of a lambda's body, found on its line of the whole module."""
    module, line = function.__module__, function.__code__.co_firstlineno
    here = [node for node in _lambdas(module) if node.lineno == line]
    if len(here) != 1:
        raise ValueError(f"{module}:{line}: there must be one formula on a line")
    return here[0].body


@functools.cache
def _lambdas(module: str) -> list[ast.Lambda]:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]


class Filled(ast.NodeTransformer):
    """Copies an expression, putting other expressions in place of names."""

    def __init__(self, fill: Mapping[str, ast.expr]) -> None:
        self.fill = fill

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Copy a part, and what it is made of."""
        fields = {name: self._copy(value) for name, value in ast.iter_fields(node)}
        return type(node)(**fields)

    def _copy(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._copy(item) for item in value]
        return self.visit(value) if isinstance(value, ast.AST) else value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Put in what there is for the name."""
        return self.fill.get(node.id, node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leave out arguments that are a default."""
        call = self.generic_visit(node)
        assert isinstance(call, ast.Call)
        call.keywords = [keyword for keyword in call.keywords if not _is_default(keyword.value)]
        return call


def _is_default(value: ast.expr) -> bool:
    """Tell None and False, by identity: the number 0 is no default."""
    return isinstance(value, ast.Constant) and (value.value is None or value.value is False)


def literal(value: Constant) -> ast.expr:
    """Write a constant as an expression, an index as one that stands between brackets."""
    if isinstance(value, tuple):
        parts = [_index_part(item) for item in value]
        return parts[0] if len(parts) == 1 else ast.Tuple(parts, ast.Load())
    if isinstance(value, float) and math.isnan(value):
        return ast.Attribute(ast.Name("np", ast.Load()), "nan", ast.Load())
    if isinstance(value, float | int) and not isinstance(value, bool) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def _index_part(item: float | slice) -> ast.expr:
    if not isinstance(item, slice):
        return literal(item)
    return ast.Slice(
        *(None if part is None else literal(part) for part in (item.start, item.stop, item.step))
    )
