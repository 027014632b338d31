"""The expression of one cell, over cells of tensors: what is left of a formula in index space.

Indices are whole numbers, letters, or expressions of them. A letter is a free one, of the cell that
is asked for, or one that a sum or a maximum runs over.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.operations.functions import sign


class Node(Struct, frozen=True, eq=False):
    """A part of an expression."""


Environment = Mapping[Any, Any]
"""What an expression is evaluated with: numbers in place of letters, and the tensors by name."""


class Number(Node, frozen=True, eq=False):
    """A constant: a number of the code, or one that follows from shapes alone."""

    value: Any


class Letter(Node, frozen=True, eq=False):
    """An index that runs from 0 to before `size`."""

    size: int


class Cell(Node, frozen=True, eq=False):
    """A cell of a tensor of a shape; without a name, of an array of constants, which is `given`."""

    name: str
    shape: Shape
    index: tuple["int | Node", ...]
    given: Array | None = None

    def array(self, where: "Environment") -> Array:
        """Return the tensor, or the constants."""
        array: Array = where[self.name] if self.given is None else self.given
        return array


class Apply(Node, frozen=True, eq=False):
    """An operator or a function, one of `FUNCTIONS`, and what it is applied to."""

    sign: str
    operands: tuple[Node, ...]


class Reduce(Node, frozen=True, eq=False):
    """A sum (`sum`), a maximum (`max`) or a minimum (`min`) of `body` over letters."""

    sign: str
    letters: tuple[Letter, ...]
    body: Node

    @property
    def count(self) -> int:
        """How many terms there are."""
        return prod(letter.size for letter in self.letters)


class Choose(Node, frozen=True, eq=False):
    """One of two branches, by a test."""

    test: Node
    yes: Node
    no: Node


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
    "neg": np.negative,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "sin": np.sin,
    "cos": np.cos,
    "abs": np.abs,
    "sign": lambda x: sign(x)[()],
    "max": np.maximum,
    "min": np.minimum,
    "floor": np.floor,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "&": np.logical_and,
    "|": np.logical_or,
    "isfinite": np.isfinite,
    "//": np.floor_divide,
    "%": np.remainder,
}
"""What the sign of an `Apply` computes."""

CASTS = frozenset({"float64", "float32", "float16", "int64", "int32", "int"})
"""The signs of an `Apply` that only changes the type of a number; `int` is Python's."""

_REDUCTIONS: Mapping[str, Callable[..., Any]] = {"sum": np.sum, "max": np.max, "min": np.min}

_WEAK = (bool, int, float)


def applied(sign: str, values: tuple[Any, ...]) -> Any:
    """Compute an operation as NumPy does, which lets plain numbers of Python take any type."""
    if sign == "int":
        return int(values[0]) if np.ndim(values[0]) == 0 else values[0].astype(int)
    if sign in CASTS:
        return np.asarray(values[0]).astype(sign)[()]
    result = FUNCTIONS[sign](*values)
    if sign == "erf":
        return np.asarray(result, getattr(values[0], "dtype", None))[()]
    for value in values:
        if type(value) not in _WEAK:
            return result
    return result.item()


def value_of(node: "int | Node", where: Environment, axes: int = 0) -> Any:
    """Return the value of an expression for numbers, or arrays of numbers, in place of letters.

    The arrays have `axes` axes, and broadcast together; so does the result.
    """
    match node:
        case int():
            return node
        case Number(value):
            return value
        case Letter():
            return where[node]
        case Cell(_, _, index):
            return _cell_of(node.array(where), tuple(value_of(each, where, axes) for each in index))
        case Apply(sign, operands):
            return applied(sign, tuple(value_of(each, where, axes) for each in operands))
        case Choose(test, yes, no):
            return _chosen(test, yes, no, where, axes)
        case Reduce():
            return _reduced(node, where, axes)
    raise TypeError(node)


def _cell_of(array: Array, index: tuple[Any, ...]) -> Any:
    """Return cells of an array; an index beyond it is that of a branch that is not taken."""
    try:
        return array[index]
    except IndexError:
        inside = (np.clip(each, 0, size - 1) for each, size in zip(index, array.shape, strict=True))
        return array[tuple(inside)]


def _chosen(test: Node, yes: Node, no: Node, where: Environment, axes: int) -> Any:
    decided = value_of(test, where, axes)
    if np.ndim(decided) == 0:
        return value_of(yes if decided else no, where, axes)
    return np.where(decided, value_of(yes, where, axes), value_of(no, where, axes))


def values_of_terms(node: Reduce, where: Environment) -> Array:
    """Return the values of all terms, in the order of `indices`; letters stand for numbers."""
    return _terms(node, where, 0).reshape(-1)


def _terms(node: Reduce, where: Environment, axes: int) -> Array:
    """Compute all terms together, along new last axes."""
    added = len(node.letters)
    inner = {
        key: each
        if isinstance(each, int) or isinstance(key, str)
        else np.expand_dims(each, tuple(range(-added, 0)))
        for key, each in where.items()
    }
    for place, letter in enumerate(node.letters):
        inner[letter] = np.arange(letter.size).reshape(
            (1,) * (axes + place) + (-1,) + (1,) * (added - place - 1)
        )
    sizes = (1,) * axes + tuple(letter.size for letter in node.letters)
    terms = np.asarray(value_of(node.body, inner, axes + added))
    return np.broadcast_to(terms, np.broadcast_shapes(terms.shape, sizes))


def _reduced(node: Reduce, where: Environment, axes: int) -> Any:
    return reduced(node.sign, _terms(node, where, axes), len(node.letters))


def reduced(sign: str, terms: Array, over: int | None = None) -> Any:
    """Return the sum, the maximum or the minimum of terms, over all axes or the last so many."""
    axes = tuple(range(-(terms.ndim if over is None else over), 0))
    result = np.asarray(_REDUCTIONS[sign](terms, axis=axes))
    return result[(0,) * result.ndim] if all(size == 1 for size in result.shape) else result


def indices(letters: tuple[Letter, ...]) -> Iterator[tuple[int, ...]]:
    """Yield all indices that letters run over, the last one fastest."""
    return product(*(range(letter.size) for letter in letters))


def numbers_in(node: "int | Node") -> int:
    """Count the numbers that the expression has when all its sums are written out."""
    match node:
        case Apply(_, operands):
            return sum(map(numbers_in, operands))
        case Reduce(_, _, body):
            return node.count * numbers_in(body)
        case Choose(_, yes, no):
            return max(numbers_in(yes), numbers_in(no))
    return 1


def letters_in(node: "int | Node") -> Iterator[Letter]:
    """Yield the letters of an expression as they are met, those of sums included."""
    match node:
        case Letter():
            yield node
        case Cell(_, _, operands) | Apply(_, operands):
            for each in operands:
                yield from letters_in(each)
        case Reduce(_, over, body):
            yield from letters_in(body)
            yield from over
        case Choose(test, yes, no):
            for each in (test, yes, no):
                yield from letters_in(each)


def cells_in(node: "int | Node") -> Iterator[Cell]:
    """Yield the cells of an expression as they are met, those in indices and tests included."""
    match node:
        case Cell(_, _, index):
            yield node
            for each in index:
                yield from cells_in(each)
        case Apply(_, operands):
            for each in operands:
                yield from cells_in(each)
        case Reduce(_, _, body):
            yield from cells_in(body)
        case Choose(test, yes, no):
            for each in (test, yes, no):
                yield from cells_in(each)


def has_choice(node: "int | Node") -> bool:
    """Tell whether an expression has branches, or a maximum, which need not read all its cells."""
    match node:
        case Choose():
            return True
        case Apply(sign, operands):
            return sign in ("max", "min") or any(map(has_choice, operands))
        case Reduce(sign, _, body):
            return sign != "sum" or has_choice(body)
    return False
