"""The parts of a formula: how each is written on paper, its shape, and its numbers where one looks.

A part is a node of the tree that a line's formula is, its names those of tensors. What is looked at
is a window; only the numbers in it are computed, so that a line over large tensors costs little.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.operations.catalogue import FUNCTIONS
from nnstep.engine.operations.formula import NAMESPACE, Formula
from nnstep.engine.operations.operation import same_shape

Window = tuple[slice, ...]
"""What of an array is looked at: a slice for each of its axes."""

_APPLIED: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.USub: operator.neg,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}

# So few numbers of a part are computed at once, however small the window is.
_FEW = 256

REDUCTIONS = ("sum", "mean", "max", "min", "var")


def called(node: ast.AST) -> str:
    """Return the name of the function or method that a call calls, `np.` left out; else ''."""
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name
    return ""


def reduced(node: ast.AST) -> tuple[ast.expr, tuple[int, ...] | None, bool] | None:
    """Return what a sum, mean, maximum … is over, its axes and whether they are kept.

    None for anything else; the axes are None where all are meant.
    """
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np")), args=[operand]):
            pass
        case ast.Call(func=ast.Attribute(value=operand), args=[]):
            pass
        case _:
            return None
    if called(node) not in REDUCTIONS:
        return None
    options = {each.arg: ast.literal_eval(each.value) for each in node.keywords}
    axis = options.get("axis")
    return operand, (axis,) if isinstance(axis, int) else axis, bool(options.get("keepdims"))


def is_elementwise(node: ast.AST) -> bool:
    """Tell whether each number of a part is computed from those at the same index of its inputs."""
    match node:
        case ast.BinOp(op=sign):
            return not isinstance(sign, ast.MatMult)
        case ast.UnaryOp() | ast.Compare():
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=name)):
            return name in ("where", "clip") or isinstance(getattr(np, name), np.ufunc)
        case ast.Call(func=ast.Name(id=name)):
            return name in _BY_ELEMENT
    return False


_BY_ELEMENT = {
    *(name for name, each in FUNCTIONS.items() if each.operation.shape is same_shape),
    *("normal_cdf", "normal_pdf", "gelu_tanh_slope"),
}


def inputs_of(node: ast.AST) -> list[ast.expr]:
    """Return the parts that an elementwise part is computed from, in their order."""
    match node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.Compare(left=left, comparators=[right]):
            return [left, right]
        case ast.Call(args=arguments):
            return arguments
    return []


def children_of(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a part, the names of functions and of NumPy left out."""
    match node:
        case ast.Attribute(value=ast.Name(id="np")):
            return []
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"))) | ast.Call(func=ast.Name()):
            return [*node.args, *(each.value for each in node.keywords)]
    return list(ast.iter_child_nodes(node))


def is_number(node: ast.AST) -> bool:
    """Tell whether a part has no tensor in it: a constant of the formula."""
    return not isinstance(node, ast.Name) and all(map(is_number, children_of(node)))


def is_count(node: ast.AST) -> bool:
    """Tell whether a part takes of a tensor only how many numbers or rows it has, or its shape."""
    match node:
        case ast.Attribute(attr="size" | "shape") | ast.Call(func=ast.Name(id="len")):
            return True
        case ast.Subscript(value=value):
            return is_count(value)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=name), args=[only]):
            return name.endswith("_like") or is_count(only)
        case ast.BinOp(left=left, right=right):
            parts = (left, right)
            return all(map(is_fixed, parts)) and any(map(is_count, parts))
    return False


def is_fixed(node: ast.AST) -> bool:
    """Tell whether a part is the same whatever numbers the tensors hold."""
    return is_number(node) or is_count(node)


_SHAPED_LIKE = ("one_hot", "scatter", "put_back")


def arguments_of(node: ast.AST) -> list[ast.AST]:
    """Return the parts whose numbers a part takes, not only their shape."""
    if isinstance(node, ast.Call) and called(node) in _SHAPED_LIKE:
        return list(node.args[:-1])
    return children_of(node)


def tensors_in(node: ast.AST) -> list[str]:
    """Return the tensors whose numbers a part takes, each once, in order."""
    if is_count(node):
        return []
    if isinstance(node, ast.Name):
        return [node.id]
    found = (name for child in arguments_of(node) for name in tensors_in(child))
    return list(dict.fromkeys(found))


class Parts:
    """The shapes and numbers of parts, from the tensors that a line read.

    They have the shapes of the parts that they are `like`, of the same nodes.
    """

    def __init__(self, tensors: Mapping[str, Array], like: "Parts | None" = None) -> None:
        self._tensors = tensors
        self._whole: dict[int, tuple[ast.AST, Array]] = {}
        self._few: dict[int, tuple[ast.AST, Array]] = {}
        self._shapes: dict[int, tuple[ast.AST, Shape]] = like._shapes if like else {}

    def shape(self, node: ast.expr) -> Shape:
        """Return the shape of a part."""
        if id(node) not in self._shapes:
            self._shapes[id(node)] = node, self._shape(node)
        return self._shapes[id(node)][1]

    def _shape(self, node: ast.expr) -> Shape:
        if isinstance(node, ast.Name):
            return self._tensors[node.id].shape
        if is_number(node):
            return ()
        if is_elementwise(node):
            return np.broadcast_shapes(*map(self.shape, inputs_of(node)))
        if isinstance(node, ast.Attribute) and node.attr == "T":
            return self.shape(node.value)[::-1]
        if isinstance(node, ast.BinOp):
            return self.shape(node.left)[:-1] + self.shape(node.right)[1:]
        if found := reduced(node):
            operand, axes, kept = found
            shape = self.shape(operand)
            gone = places(axes, len(shape))
            sizes = [1 if at in gone else n for at, n in enumerate(shape) if kept or at not in gone]
            return tuple(sizes)
        return self._value(node).shape

    def values(self, node: ast.expr, window: Window) -> Array:
        """Return the numbers of a part that are in a window of it."""
        if isinstance(node, ast.Name):
            return self._tensors[node.id][window]
        shape = self.shape(node)
        if prod(shape) > _FEW:
            return self._seen(node, window)
        if id(node) not in self._few:
            self._few[id(node)] = node, self._seen(node, (slice(None),) * len(shape))
        return self._few[id(node)][1][window]

    def _seen(self, node: ast.expr, window: Window) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self._values(node, window))

    def _values(self, node: ast.expr, window: Window) -> Any:
        if isinstance(node, ast.Name):
            return self._tensors[node.id][window]
        if not is_number(node):
            if is_elementwise(node):
                inputs = [
                    self._values(each, self._within(each, window)) for each in inputs_of(node)
                ]
                return _apply(node, inputs)
            if isinstance(node, ast.Attribute) and node.attr == "T":
                return np.transpose(self._values(node.value, window[::-1]))
            if found := reduced(node):
                return self._reduced(node, *found, window)
        return self._value(node)[window]

    def _within(self, node: ast.expr, window: Window) -> Window:
        """Return the window of an input that is broadcast to what is looked at."""
        shape = self.shape(node)
        own = window[len(window) - len(shape) :]
        return tuple(slice(None) if n == 1 else part for n, part in zip(shape, own, strict=True))

    def _reduced(
        self,
        node: ast.expr,
        operand: ast.expr,
        axes: tuple[int, ...] | None,
        kept: bool,
        window: Window,
    ) -> Any:
        count = len(self.shape(operand))
        gone, given = places(axes, count), iter(window)
        whole: list[slice] = []
        for at in range(count):
            if at in gone:
                whole.append(slice(None))
                if kept:
                    next(given)
            else:
                whole.append(next(given))
        values = np.asarray(self._values(operand, tuple(whole)))
        return getattr(values, called(node))(axis=tuple(sorted(gone)), keepdims=kept)

    def _value(self, node: ast.expr) -> Array:
        """Return all numbers of a part, computed once."""
        if id(node) not in self._whole:
            names = tuple(name for name in _names(node) if name in self._tensors)
            with np.errstate(all="ignore"):
                value = Formula(names, node).function(*(self._tensors[name] for name in names))
            self._whole[id(node)] = node, np.asarray(value)
        return self._whole[id(node)][1]


def _names(node: ast.expr) -> dict[str, None]:
    return {each.id: None for each in ast.walk(node) if isinstance(each, ast.Name)}


def _apply(node: ast.AST, inputs: list[Any]) -> Any:
    match node:
        case ast.BinOp(op=sign) | ast.UnaryOp(op=sign) | ast.Compare(ops=[sign]):
            return _APPLIED[type(sign)](*inputs)
        case ast.Call(func=ast.Name(id=name)):
            return NAMESPACE[name](*inputs)
    return getattr(np, called(node))(*inputs)


def places(axes: tuple[int, ...] | None, count: int) -> frozenset[int]:
    """Return the axes of an array of so many that a reduction takes away, counted from 0."""
    return frozenset(range(count) if axes is None else (axis % count for axis in axes))
