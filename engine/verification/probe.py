"""Probes: the loss with one cell of a parameter moved to either side, and their quotient."""

import math

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Shape

from .kinks import sides
from .point import Point, computed


class Quotient(Struct, frozen=True, gc=False):
    """A central difference quotient; `noise` is what rounding errors of the loss can do to it.

    `crossed` says that there is a kink between the probes.
    """

    value: float
    noise: float
    crossed: bool


class Probe:
    """Takes difference quotients of the loss by the cells of one parameter.

    `defined` tells whether the loss at the point itself is a finite number.

    Only the instructions through which the parameter has an influence on the loss are run again.
    The parameter's array is a copy that is written to; nothing computed from it outlives a probe.
    """

    def __init__(self, point: Point, name: str) -> None:
        self.defined = math.isfinite(point.loss)
        self._noise = point.noise
        self._loss = point.program.loss
        self._lines = point.leading_from(name)
        found = ((line, sides(line)) for line in self._lines)
        self._sides = [(side, side(point.tensors)) for line, side in found if side]
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
        tensors = self._tensors
        self._array[index] = value
        for line in self._lines:
            tensors[line.writes[0]] = computed(line, tensors)
        crossed = any(bool((side(tensors) != before).any()) for side, before in self._sides)
        return float(tensors[self._loss]), crossed
