"""How much an expression may compute: known from shapes, before anything is computed."""

from contextvars import ContextVar
from math import prod
from typing import Any

import numpy as np

from nnstep.engine.arrays import Shape
from nnstep.engine.limits import MAX_ELEMENTS, MAX_WORK
from nnstep.engine.operations.arithmetic import matmul
from nnstep.engine.operations.operation import ShapeError

from .nodes import Binary, Call, Compare, ConditionError, Name, Node, Transpose


class Work:
    """How much may still be computed, in numbers that an operation takes or gives.

    It is known from shapes before anything is computed, and so the same on every machine.
    """

    def __init__(self, most: int = MAX_WORK) -> None:
        self._most = self._left = most

    @property
    def left(self) -> int:
        """How much of it is left."""
        return self._left

    def take(self, amount: int) -> None:
        """Take a part of it; raise `ConditionError` if there is not so much left."""
        if amount > self._left:
            raise ConditionError(
                f"this would take too long: it works through more than {self._most:,} numbers"
            )
        self._left -= amount


_left: ContextVar[Work] = ContextVar("work")

# So many products of a matrix product take about as long as one number of another operation.
_PRODUCTS = 10


class Counted:
    """Take what is computed in here from this work, or from as much as one expression may do."""

    def __init__(self, work: Work | None) -> None:
        self._work = work or Work()

    def __enter__(self) -> None:
        self._before = _left.set(self._work)

    def __exit__(self, *error: object) -> None:
        _left.reset(self._before)


def take(amount: int) -> None:
    """Take a part of the work that is left; raise `ConditionError` if there is not so much."""
    _left.get().take(amount)


def check_operator(node: Binary | Compare, one: Shape, other: Shape) -> None:
    """Raise `ConditionError` where operands do not fit, or the result would be too large."""
    if node.operator == "@" or (one != other and one and other):
        shape = _fitting(node, one, other)
        _check_size(_operation(node, one, other), prod(shape))
        products = prod(shape) * one[-1] // _PRODUCTS if node.operator == "@" else 0
        take(max(prod(shape), products))
    else:
        take(max(prod(one), prod(other)))


def _check_size(written: str, size: int) -> None:
    if size > MAX_ELEMENTS:
        raise ConditionError(f"{written} would have {size:,} numbers, more than {MAX_ELEMENTS:,}")


def _fitting(node: Binary | Compare, left: Shape, right: Shape) -> Shape:
    """Return the shape of the result; raise `ConditionError` where the operands' do not fit."""
    try:
        if node.operator != "@":
            return np.broadcast_shapes(left, right)
        return matmul(left, right).shape(left, right)
    except (ShapeError, ValueError):
        hint = _hint(node, left, right)
        raise ConditionError(f"{_operation(node, left, right)} does not fit{hint}") from None


def _operation(node: Binary | Compare, left: Shape, right: Shape) -> str:
    """Write an operation with the shapes of its operands: `x (4, 3) @ W1 (2, 2)`."""
    first, second = written(node.left, "…"), written(node.right, "…")
    return f"{first} {left} {node.operator} {second} {right}"


def written(node: Node, otherwise: str) -> str:
    """Return a name, or its transpose, as it is written; `otherwise` for all else."""
    match node:
        case Name(name):
            return name
        case Transpose(operand):
            return f"{written(operand, otherwise)}.T"
        case _:
            return otherwise


def _hint(node: Binary | Compare, left: Shape, right: Shape) -> str:
    """Say what would fit, or what has to."""
    if node.operator != "@":
        return ": from the right, each axis must be as long as the other's, or 1"
    if not left or not right:
        return ": @ takes no single numbers, write *"
    first, second = written(node.left, ""), written(node.right, "")
    turned = [
        (left, right[::-1], f"{first} @ {_turned(second)}"),
        (left[::-1], right, f"{_turned(first)} @ {second}"),
    ]
    if first and second:
        for one, other, product in turned:
            if len(one) == len(other) == 2 and one[-1] == other[0]:
                return f"; {product} does"
    return f": the last axis of the first, {left[-1]}, meets {right[0]} of the second"


def _turned(name: str) -> str:
    return name.removesuffix(".T") if name.endswith(".T") else f"{name}.T"


def check_call(node: Call, arguments: list[Any]) -> None:
    """Raise `ConditionError` for a call that would give more numbers than a tensor may have.

    Functions that are not named here give no more numbers than they take.
    """
    sizes = [
        argument.size if isinstance(argument, np.ndarray) else np.size(argument)
        for argument in arguments
        if not isinstance(argument, tuple)
    ]
    match node.function, arguments:
        case "outer", _:
            size = prod(sizes)
        case "concatenate", [tuple() as members, *_]:
            size = sum(np.size(member) for member in members)
        case "take", [x, places, *_]:
            size = np.size(places) * (np.size(x) // max(1, min(np.shape(x), default=1)))
        case "spread", [_, tuple() as shape, *_]:
            size = prod(shape) if all(type(length) is int for length in shape) else 0
        case "stretch", [_, int() | float() as start, int() | float() as stop, *_]:
            size = int(abs(stop - start))
        case _:
            size = max(sizes, default=0)
    _check_size(f"{node.function}(…)", size)
    take(max(size, sum(sizes)))


def check_together(node: Call, shapes: list[Shape]) -> None:
    """Raise `ConditionError` unless arrays of these shapes can be taken element by element."""
    names = ", ".join(
        f"{written(argument, '…')} {shape}"
        for argument, shape in zip(node.arguments, shapes, strict=False)
    )
    call = f"{node.function}({names})"
    try:
        size = prod(np.broadcast_shapes(*shapes))
    except ValueError:
        message = f"{call} does not fit: from the right, each axis must be as long as the other's"
        raise ConditionError(f"{message}, or 1") from None
    _check_size(call, size)
