"""Kinks: where an operation changes from one formula to another, and differences say nothing.

A central difference across a kink is the mean of two slopes, whatever the gradient's rule. So every
kinked operation has a function here that tells on which side each of its numbers is; where the
sides at the two probes are not those at the point, the cell is skipped.
"""

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.operations.functions import spread
from nnstep.engine.program.instruction import Instruction

Tensors = Mapping[str, Array]
Sides = Callable[[Tensors], Array]
"""Gives an array that is the same for two points if no kink lies between them."""

SOFTPLUS_THRESHOLD = 20
SATURATED = 1e-12
"""The least a (1 - a) that the derivative of the binary cross-entropy tells from zero."""


def sides(instruction: Instruction) -> Sides | None:
    """Return the function that tells the sides of an instruction's numbers; None if it is smooth.

    What is read and written by the instruction has to be among the tensors given to the function.
    NaN stands for a number that is at a kink itself, as it differs from everything.
    """
    find = _SIDES.get(instruction.operation)
    return find(instruction) if find else None


def _of_zero(instruction: Instruction) -> Sides:
    name = instruction.reads[0]
    return lambda tensors: np.sign(tensors[name])


def _of_elu(instruction: Instruction) -> Sides | None:
    alpha = ast.literal_eval(_call(instruction).args[-1])
    return None if alpha == 1 else _of_zero(instruction)


def _of_threshold(instruction: Instruction) -> Sides:
    """Sides of the threshold of softplus, where its value jumps by 2e-9."""
    name = instruction.reads[0]
    return lambda tensors: np.sign(tensors[name] - SOFTPLUS_THRESHOLD)


def _of_operands(instruction: Instruction) -> Sides:
    """Tell which operands a maximum or minimum is equal to."""
    reads, out = instruction.reads, instruction.writes[0]
    return lambda tensors: np.array([tensors[name] == tensors[out] for name in reads])


def _of_elements(instruction: Instruction) -> Sides:
    """Tell which elements a maximum or minimum along an axis is equal to."""
    name, out = instruction.reads[0], instruction.writes[0]
    options = {k.arg: ast.literal_eval(k.value) for k in _call(instruction).keywords if k.arg}

    def attained(tensors: Tensors) -> Array:
        x = tensors[name]
        return x == spread(tensors[out], x.shape, **options)

    return attained


def _of_error(instruction: Instruction) -> Sides:
    a, y = instruction.reads[:2]
    return lambda tensors: np.sign(tensors[a] - tensors[y])


def _of_clamp(instruction: Instruction) -> Sides:
    """Tell where the binary cross-entropy is clamped, in its logarithm or in its derivative.

    Only a wrong activation counts: the clamp of one that is right, `a = 0` for the target 0, takes
    nothing from a gradient that is zero to all digits.
    """
    a_name, y_name = instruction.reads[:2]

    def clamped(tensors: Tensors) -> Array:
        a, y = tensors[a_name], tensors[y_name]
        wrong = ((a < SATURATED) & (y > SATURATED)) | ((1 - a < SATURATED) & (1 - y > SATURATED))
        return np.where(wrong, np.nan, 0)

    return clamped


def _call(instruction: Instruction) -> Any:
    """Return the right-hand side of an instruction's line, where its settings can be read."""
    assignment: Any = ast.parse(instruction.code).body[0]
    return assignment.value


_SIDES: Mapping[str, Callable[[Instruction], Sides | None]] = {
    "relu": _of_zero,
    "leaky_relu": _of_zero,
    "elu": _of_elu,
    "softplus": _of_threshold,
    "abs": _of_zero,
    "maximum": _of_operands,
    "minimum": _of_operands,
    "max": _of_elements,
    "min": _of_elements,
    "mae": _of_error,
    "binary_cross_entropy": _of_clamp,
}
"""The operations with kinks. The Huber loss and elu at alpha 1 have none: their slopes meet."""
