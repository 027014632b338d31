"""What a part of a formula is to one who writes it on paper: a tensor, a sum of terms, a choice."""

import ast
from collections.abc import Iterable, Iterator, Mapping

from .calculation import MINUS, OVER, PLUS, TIMES
from .parts import Parts, called, is_fixed, is_number, tensors_in

_SIGNS: Mapping[type[ast.AST], str] = {
    ast.Add: PLUS,
    ast.Sub: MINUS,
    ast.Mult: TIMES,
    ast.Div: OVER,
}
# A constant so small that it only keeps something from being 0.
_TINY = 1e-4


def tensor_of(node: ast.expr) -> str | None:
    """Return the tensor that a part is, as it is stored or turned."""
    match node:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id=name), attr="T"):
            return name
        case ast.Call(func=ast.Name(id="int"), args=[ast.Name(id=name)]):
            return name
    return None


def is_stored(node: ast.expr) -> bool:
    """Tell whether a part is a tensor as it is stored or turned, not a number of the formula."""
    return tensor_of(node) is not None and not is_number(node)


def is_product(node: ast.AST) -> bool:
    """Tell whether a part is a product of matrices."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult)


def classes_of(node: ast.expr) -> str | None:
    """Return the stored classes that a part writes as rows with a 1."""
    if called(node) == "one_hot" and isinstance(node, ast.Call):
        return tensor_of(node.args[0])
    return None


def is_plain(node: ast.expr) -> bool:
    """Tell whether one row shows a part whole: a stored tensor, rows of classes, a number."""
    return is_stored(node) or is_fixed(node) or classes_of(node) is not None


def share_tensors(terms: Iterable[ast.expr]) -> bool:
    """Tell whether several parts are computed from the same tensors."""
    names = [name for term in terms for name in tensors_in(term)]
    return len(names) > len(set(names))


def is_light(node: ast.expr) -> bool:
    """Tell whether a part is so little more than its operand that one row shows both."""
    match node:
        case ast.UnaryOp():
            return True
        case ast.BinOp(op=ast.Mult(), left=left, right=right):
            return is_number(left) or is_number(right)
        case ast.BinOp(op=ast.Div() | ast.Pow(), right=right):
            return is_number(right)
        case ast.BinOp(op=ast.Add(), right=ast.Constant(value=float() as tiny)):
            return abs(tiny) < _TINY
    return False


def terms_of(node: ast.expr, *signs: type[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """Yield the terms of a sum, or the factors of a product, each with the sign before it."""
    match node:
        case ast.BinOp(left=left, op=sign, right=right) if isinstance(sign, signs):
            yield from terms_of(left, *signs)
            yield _SIGNS[type(sign)], right
        case _:
            yield "", node


def chain_of(node: ast.expr) -> list[tuple[str, ast.expr]]:
    """Return the terms or factors that the outermost signs of a part connect."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return list(terms_of(node, ast.Add, ast.Sub))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        return list(terms_of(node, ast.Mult, ast.Div))
    return [("", node)]


def numbers_last(chain: list[tuple[str, ast.expr]], parts: Parts) -> list[tuple[str, ast.expr]]:
    """Put a single number that a product begins with behind its first array."""
    first = next((at for at, (_, term) in enumerate(chain) if parts.shape(term)), 0)
    if first and chain[first][0] == TIMES:
        numbers = [(sign or TIMES, term) for sign, term in chain[:first]]
        return [("", chain[first][1]), *chain[first + 1 :], *numbers]
    return chain


def choice_in(node: ast.expr) -> tuple[ast.expr, ast.expr, ast.expr] | None:
    """Return the test of a choice, and what it chooses between; None if it is none."""
    match node:
        case ast.IfExp(test=test, body=first, orelse=second):
            return test, first, second
        case ast.Call(args=[test, first, second]) if called(node) == "where":
            return test, first, second
    return None


def is_inverse(chain: list[tuple[str, ast.expr]]) -> bool:
    """Tell whether a number is divided by something."""
    return is_number(chain[0][1]) and len(chain) > 1 and chain[1][0] == OVER


def tested(node: ast.expr) -> Iterator[ast.expr]:
    """Yield what a test compares."""
    match node:
        case ast.Compare(left=left, comparators=[right]):
            yield left
            yield right
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr(), right=right):
            yield from tested(left)
            yield from tested(right)
        case _:
            yield node
