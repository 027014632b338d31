"""Probes: the loss at both sides of a number, and the kinks that lie between them."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.program.program import Instruction, run

from .point import Point, as_float64
from .verdict import Kinked


class Quotient(Struct, frozen=True, gc=False):
    """A central difference quotient; `noise` is what rounding errors of the loss can do to it.

    `crossed` says that there is a kink between the probes.
    """

    value: float
    noise: float
    crossed: bool


Tensors = Mapping[str, Array]
Sides = Callable[[Tensors], Array]
"""Gives an array that is the same for two points if no kink lies between them."""

ONE_SIDED = 1e-4
"""The step of a one-sided quotient, whose error goes with its square."""


class Probe:
    """Takes difference quotients of the loss by the cells of one tensor.

    `defined` tells whether the loss at the point itself is a finite number.

    Only the instructions through which the tensor has an influence on the loss are run again.
    The tensor's array is a copy that is written to; nothing computed from it outlives a probe.
    """

    def __init__(self, point: Point, name: str) -> None:
        self.defined = math.isfinite(point.loss)
        self._noise = point.noise
        self._loss = point.program.loss
        self._lines = point.leading_from(name)
        found = ((line, sides(line)) for line in self._lines)
        self._sides = [(line, side, side(point.tensors)) for line, side in found if side]
        self._before = point.tensors
        self._tensors = dict(point.tensors)
        self._array = self._tensors[name] = np.array(point.tensors[name])

    def quotient(self, index: Shape, step: float) -> Quotient:
        """Return (L(w + h) - L(w - h)) / 2h for one cell, at a step h."""
        array = self._array
        centre = float(array[index])
        above, below = centre + step, centre - step
        high, crossed_above = self._loss_with(index, above)
        low, crossed_below = self._loss_with(index, below)
        array[index] = centre
        return Quotient(
            value=(high - low) / (above - below),
            noise=self._noise / step,
            crossed=crossed_above or crossed_below,
        )

    def scale(self, index: Shape) -> float:
        """Return by what the step is to be multiplied: |w|, where that is more than 1."""
        return max(1.0, abs(float(self._array[index])))

    def _loss_with(self, index: Shape, value: float) -> tuple[float, bool]:
        tensors = self._moved(index, value)
        crossed = any(bool((side(tensors) != before).any()) for _, side, before in self._sides)
        return float(tensors[self._loss]), crossed

    def _moved(self, index: Shape, value: float) -> Tensors:
        self._array[index] = value
        return run(self._lines, self._tensors, as_float64)

    # Kinks

    def kink(self, index: Shape, analytic: float, step: float) -> Kinked:
        """Return what there is to say of a cell at a kink: where it is, and its two slopes."""
        centre = float(self._array[index])
        lines = [
            line
            for value in (centre - step, centre + step)
            for line in self._crossed_by(self._moved(index, value))
        ]
        self._array[index] = centre
        below, above = (self._slope(index, sign * step) for sign in (-1, 1))
        first = lines[0] if lines else None
        return Kinked(
            index=index,
            analytic=analytic,
            operation=first.operation if first else "",
            tensor=first.writes[0] if first else "",
            below=below,
            above=above,
        )

    def _crossed_by(self, tensors: Tensors) -> list[Instruction]:
        return [line for line, side, before in self._sides if bool((side(tensors) != before).any())]

    def of_convention(self, index: Shape) -> Quotient | None:
        """Return the slope on the side that the convention takes, None if that is not clear.

        Numbers that are exactly at the kink of an activation count as below it: its derivative
        there is the slope below. So where such numbers, and they alone, cross a kink while others
        that the cell moves do not, the cell has the slope of the side on which they go down. A bias
        does so behind a row whose inputs are all 0.
        """
        centre = float(self._array[index])
        for sign in (-1, 1):
            moved = self._moved(index, centre + 2 * sign * ONE_SIDED)
            decided = self._go_down(moved)
            self._array[index] = centre
            if decided:
                slope = self._slope(index, sign * ONE_SIDED)
                return Quotient(slope, 4 * self._noise / ONE_SIDED, crossed=False)
        return None

    def _go_down(self, moved: Tensors) -> bool:
        """Tell whether all that crosses a kink leaves it downwards, beside others that do not."""
        crossing = False
        for line, side, before in self._sides:
            now = side(moved)
            changed = np.asarray(now != before)
            if not changed.any():
                continue
            if line.operation not in ACTIVATIONS or changed.shape != before.shape:
                return False
            if not (np.all(before[changed] == 0) and np.all(now[changed] == -1)):
                return False
            z = line.names["z"]
            others = (moved[z] != self._before[z]) & ~changed
            if not others.any():
                return False
            crossing = True
        return crossing

    def _slope(self, index: Shape, step: float) -> float:
        """Return the one-sided slope (4 (L(w + h) - L(w)) - (L(w + 2h) - L(w))) / 2h; h has a sign.

        Written so, it is 0 to the last bit where the loss does not move.
        """
        centre = float(self._array[index])
        at = [float(self._moved(index, centre + times * step)[self._loss]) for times in range(3)]
        self._array[index] = centre
        return (4 * (at[1] - at[0]) - (at[2] - at[0])) / (2 * step)


def sides(instruction: Instruction) -> Sides | None:
    """Return the function that tells the sides of an instruction's numbers; None if it is smooth.

    What is read and written by the instruction has to be among the tensors given to the function.
    """
    rule = instruction.sides
    return rule.over({name: name for name in rule.parameters}) if rule else None
