"""The lines of a run in half precision: where float16 would give out, they go through float32.

A float16 ends at 65504, and 1 + 1 + … stops at 2048. Hardware adds up in float32 and rounds once,
and so does a line that adds up, counts or raises to a power on the way to its result: it computes
in float32 and rounds its result to float16, both in its text: `to_float16(to_float32(x) … )`.
Other lines round after each operation, as float16 tensors do anywhere: `a * b - a / b` thrice.
"""

import ast
from functools import lru_cache

import numpy as np

from nnstep.engine.arrays import Array

from .formula import Filled, Formula, listed

BEYOND = 65520.0
"""From here on a number rounds to inf in float16, whose largest is 65504."""

_ADDS_UP = ("sum", "var")
_ABOUT_SHAPE = ("one_hot", "extreme_share", "len", "zeros_like", "ones_like")


@listed
def to_float32(x: Array) -> Array:
    """Return `x` in float32 if it is in float16, where squares and sums soon overflow or stand."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


@listed
def to_float16(x: Array) -> Array:
    """Return `x` in float16 if it is in float32: what was computed from `to_float32` is rounded."""
    return x.astype(np.float16) if x.dtype == np.float32 else x


def rounded_like(z: Array, x: Array) -> Array:
    """Return what a function has computed from `to_float32(z)` in float16 if `z` is."""
    return x.astype(np.float16) if z.dtype == np.float16 else x


@listed
def sum_in_float32(
    x: Array, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> Array:
    """Return the sum of `x` as hardware for half precision has it: rounded to its dtype once.

    `x.sum(axis=0)` rounds after every addition: in float16, 1 + 1 + … stops at 2048.
    """
    return to_float32(x).sum(axis=axis, keepdims=keepdims).astype(x.dtype)


@lru_cache(maxsize=4096)
def in_half(formula: Formula) -> Formula:
    """Return a formula as a run of float16 has it; most are the same."""
    match formula.tree:
        case ast.Call(func=ast.Attribute(value=summed, attr="sum"), args=args, keywords=keywords):
            call = ast.Call(ast.Name("sum_in_float32", ast.Load()), [summed, *args], keywords)
            return Formula(formula.parameters, call)
    if not any(_gives_out(each, formula.tree) for each in ast.walk(formula.tree)):
        return formula
    wide: ast.expr = _InSingle(formula.parameters).visit(formula.tree)
    return Formula(formula.parameters, ast.Call(ast.Name("to_float16", ast.Load()), [wide], []))


def without_casts(tree: ast.expr) -> ast.expr:
    """Return the expression that a run of another type has in place of this one."""
    plain: ast.expr = _WithoutCasts({}).visit(tree)
    return plain


def _gives_out(node: ast.AST, whole: ast.expr) -> bool:
    """Tell whether a part of a formula is one that float16 may not hold, though it does the result.

    A power that is the whole formula is a result; so is a count.
    """
    match node:
        case ast.Call(func=ast.Attribute(value=of, attr=name)):
            return name in _ADDS_UP and not (isinstance(of, ast.Name) and of.id == "np")
        case ast.BinOp(left=base, op=ast.Pow()):
            return node is not whole and not isinstance(base, ast.Constant)
        case ast.BinOp(op=ast.Div(), right=divisor):
            return any(map(_is_count, ast.walk(divisor)))
    return False


def _is_count(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr="size") | ast.Call(func=ast.Name("len")):
            return True
    return False


class _InSingle(Filled):
    """Copies an expression, with `to_float32(x)` in place of the arrays that it computes with."""

    def __init__(self, parameters: tuple[str, ...]) -> None:
        name = ast.Name("to_float32", ast.Load())
        super().__init__({p: ast.Call(name, [ast.Name(p, ast.Load())], []) for p in parameters})

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self.generic_visit(node) if node.attr in (*_METHODS, "T") else node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        about_shape = isinstance(node.func, ast.Name) and node.func.id in _ABOUT_SHAPE
        return node if about_shape else super().visit_Call(node)


class _WithoutCasts(Filled):
    """Copies an expression, with `x` in place of `to_float32(x)` and of `to_float16(x)`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        match node:
            case ast.Call(func=ast.Name("to_float32" | "to_float16"), args=[only]):
                return self._copy(only)
        return super().visit_Call(node)


_METHODS = ("sum", "mean", "var", "max", "min")
