"""The slope of an activation, as the factor that it is in a line of the backward pass."""

import ast
from functools import cache

import numpy as np
from msgspec import Struct

from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.formula import variable
from nnstep.engine.operations.half import without_casts
from nnstep.engine.program.program import Phase, Program

from .calculation import Calculation, Row, Values
from .paper import written

# From where to where a slope is looked at for its bound.
_FAR = 10.0


class Slope(Struct, frozen=True, eq=False):
    """What the gradient that comes from above is multiplied by: the slope of `of` at `at`.

    `bound` is the largest that it can be, None if it has no bound.
    """

    row: Row
    of: str
    at: str
    bound: float | None


def slope_in(calculation: Calculation, program: Program) -> Slope | None:
    """Return the slope that a line multiplies a gradient by; None if it does nothing like that."""
    line = calculation.line
    target = program.tensors[line.writes[0]].of
    if line.phase is not Phase.BACKWARD or line.formula is None or target is None:
        return None
    if line.operation not in ACTIVATIONS or "da" not in line.names:
        return None
    named = {p: variable(name) for p, name in line.names.items()}
    rest = _without(without_casts(line.formula.on(**named).tree), line.names["da"])
    if rest is None:
        return None
    result = calculation.result
    parts = calculation.operands[0].values.parts
    row = Row("", written(rest), result.shape, result.axes, Values(parts, rest))
    return Slope(row, line.operation, target, largest_slope(line.operation))


def _without(node: ast.expr, name: str) -> ast.expr | None:
    """Return a product without its first factor, if that is a tensor of this name."""
    match node:
        case ast.BinOp(left=ast.Name(id=first), op=ast.Mult(), right=right) if first == name:
            return right
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            rest = _without(left, name)
            return None if rest is None else ast.BinOp(rest, ast.Mult(), right)
    return None


@cache
def largest_slope(name: str) -> float | None:
    """Return the largest slope of an activation between -10 and 10; None if it is at an end."""
    operation = ACTIVATIONS[name].operation
    gradient = operation.gradient_formula("z")
    z = np.linspace(-_FAR, _FAR, 4001)
    known = {"z": z, "da": np.ones_like(z), "a": operation.value_formula.function(z)}
    slopes = gradient.function(*(known[each] for each in gradient.parameters))
    at = int(np.argmax(slopes))
    return float(slopes[at]) if 0 < at < len(z) - 1 else None
