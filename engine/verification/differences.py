"""Difference quotients of the loss, at steps that shrink until they settle, and kinks in the way.

Central differences (Press et al., Numerical Recipes, 5.7), one-sided at a kink.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.operations.losses import LOSSES
from nnstep.engine.program.program import Instruction, Phase, Program, run

from .verdict import (
    GOOD,
    PASS_BELOW,
    SMALLEST_SCALE,
    STEP,
    SUSPICIOUS_BELOW,
    Cell,
    Verdict,
    by_error,
    relative_error,
)

ROUNDINGS = 8
"""How often the loss is computed with rounding errors put in, to see how far they move it."""

EPSILON = float(np.finfo(np.float64).eps)


class Point:
    """The values of a program's forward pass, its loss and its gradients, all in float64.

    `tensors` has what was given and what the forward pass computes, and `gradients` the program's
    own result for each of its parameters. `noise` is by how much rounding errors move `loss`, inf
    where they make it infinite or NaN.

    `given` are live tensors: at least the parameters, constants and, where the program takes them
    from data, `x` and `y`. They stay as they are.
    """

    def __init__(self, program: Program, given: Mapping[str, Array], seed: int) -> None:
        self.program = program
        self.forward = tuple(_lines(program, Phase.FORWARD, Phase.LOSS))
        backward = tuple(_lines(program, Phase.BACKWARD))
        self.given = _copied(given, program.parameters, (*self.forward, *backward))
        self.tensors = run(self.forward, self.given, as_float64)
        self.loss = float(self.tensors[program.loss])
        self.noise = self._noise(np.random.default_rng(seed))
        tensors, of = run(backward, self.tensors, as_float64), program.gradients
        self.gradients = {name: tensors[of[name]] for name in program.parameters}

    def leading_from(self, name: str) -> tuple[Instruction, ...]:
        """Return the instructions through which a tensor has an influence on the loss."""
        influenced, lines = {name}, []
        for line in self.forward:
            if influenced.intersection(line.reads):
                influenced.update(line.writes)
                lines.append(line)
        needed, leading = {self.program.loss}, []
        for line in reversed(lines):
            if needed.intersection(line.writes):
                needed.update(line.reads)
                leading.append(line)
        return tuple(reversed(leading))

    def _noise(self, generator: np.random.Generator) -> float:
        """Return by how much the loss moves when every number loses up to its last bit.

        That is Monte Carlo arithmetic (Parker 1997, Computer Science Technical Report CSD-970002,
        UCLA): unlike `eps * |L|` it sees digits cancel on the way to the loss. Numbers move towards
        zero only, so that none leaves the domain of a logarithm. Within an instruction, such as a
        softmax, numbers near 1 are rounded too, so the result is at least that rounding.
        """
        moves = [abs(self._rounded_loss(generator) - self.loss) for _ in range(ROUNDINGS)]
        return max(EPSILON, *moves) if np.isfinite(moves).all() else np.inf

    def _rounded_loss(self, generator: np.random.Generator) -> float:
        given = {name: _rounded(array, generator) for name, array in self.given.items()}
        tensors = run(self.forward, given, lambda array: _rounded(as_float64(array), generator))
        return float(tensors[self.program.loss])


def _lines(program: Program, *phases: Phase) -> Iterable[Instruction]:
    return (line for line in program.instructions if line.phase in phases)


def _copied(
    given: Mapping[str, Array], parameters: Iterable[str], lines: Sequence[Instruction]
) -> dict[str, Array]:
    """Return, in float64, the parameters and all that is read before it is written."""
    names = dict.fromkeys(parameters)
    written: set[str] = set()
    for line in lines:
        names |= dict.fromkeys(name for name in line.reads if name not in written)
        written.update(line.writes)
    copies = {name: as_float64(given[name]) for name in names}
    for line in lines:
        if line.phase is Phase.LOSS and line.operation in _ON_PROBABILITIES:
            y = line.names["y"]
            copies[y] = _probabilities(copies[y], given[y].dtype)
    return copies


_ON_PROBABILITIES = {
    operation.name
    for row in LOSSES.values()
    if row.targets == "classes"
    for operation in (row.operation, row.logits)
    if operation
}


def as_float64(array: Array) -> Array:
    """Return an array of numbers in float64; whole numbers stay what they are.

    The constants of a program are of the run's dtype, which a result can inherit: what a line
    computes is handed on in float64.
    """
    return array.astype(np.float64, copy=False) if array.dtype.kind == "f" else array


def _probabilities(y: Array, dtype: np.dtype[Any]) -> Array:
    """Return target rows that sum to 1, where in a smaller dtype they did up to its rounding.

    The derivative `a - y` is that of the cross-entropy for such rows only.
    """
    if dtype.kind != "f" or dtype == np.float64:
        return y
    total = y.sum(axis=-1, keepdims=True)
    rounding = y.shape[-1] * float(np.finfo(dtype).eps)
    return y / total if np.all(np.abs(total - 1) <= rounding) else y


def _rounded(array: Array, generator: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return array
    lost = np.spacing(array) * generator.random(array.shape)
    return np.where(np.isfinite(array) & (array != 0), array - lost, array)


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
        self._array[index] = value
        tensors = run(self._lines, self._tensors, as_float64)
        crossed = any(bool((side(tensors) != before).any()) for side, before in self._sides)
        return float(tensors[self._loss]), crossed


Tensors = Mapping[str, Array]
Sides = Callable[[Tensors], Array]
"""Gives an array that is the same for two points if no kink lies between them."""


def sides(instruction: Instruction) -> Sides | None:
    """Return the function that tells the sides of an instruction's numbers; None if it is smooth.

    What is read and written by the instruction has to be among the tensors given to the function.
    """
    rule = instruction.sides
    return rule.over({name: name for name in rule.parameters}) if rule else None


FACTOR = 4
"""From each step that is tried to the next."""

WIDENED = 5
NARROWED = 8
"""How often the step is multiplied or divided: from h = 1e-5 up to 1e-2, and down to 1.5e-10."""

MUCH_NOISE = 0.01
"""The share of noise in a quotient from which on one agreement might be luck."""

MOSTLY_NOISE = 4
"""Quotients that differ by up to so many times their noise do so because of it."""

CAUTION = 2
"""By how much the uncertainty of an estimate is made larger than it seems to be."""


class Estimate(Struct, frozen=True, gc=False):
    """A numeric gradient, and how far from the true one it can be."""

    value: float
    uncertainty: float


def compared(probe: Probe, index: Shape, analytic: float) -> Cell | None:
    """Return the verdict on one cell's gradient; None if the cell is at a kink."""
    step, first = _first(probe, index)
    if not (math.isfinite(analytic) and math.isfinite(first.value)):
        return Cell(index, analytic, first.value, Verdict.NOT_FINITE)
    if first.crossed:
        return None
    if _agrees(analytic, first):
        return Cell(index, analytic, first.value, Verdict.PASS)
    best = Estimate(first.value, math.inf)
    for estimate in _estimates(probe, index, step, first):
        if estimate.uncertainty < best.uncertainty:
            best = estimate
        if judged(analytic, best) in {Verdict.PASS, Verdict.SUSPICIOUS, Verdict.FAIL}:
            break
    return Cell(index, analytic, best.value, judged(analytic, best))


def _first(probe: Probe, index: Shape) -> tuple[float, Quotient]:
    """Return the widest step for which the loss is finite at both probes, and its quotient.

    Beside a point where the loss ends, such as the logarithm's at 0, h = 1e-5 can be too much.
    """
    step = STEP * probe.scale(index)
    if not probe.defined:
        return step, Quotient(math.nan, math.nan, crossed=False)
    for power in range(NARROWED + 1):
        narrowed = step / FACTOR**power
        quotient = probe.quotient(index, narrowed)
        if math.isfinite(quotient.value):
            break
    return narrowed, quotient


def judged(analytic: float, estimate: Estimate) -> Verdict:
    """Return the verdict on a gradient, given how uncertain the numeric one is.

    It is good only if a mistake of 1 % would have been noticed, and bad only if the uncertainty
    cannot account for the difference; else it is undecided.
    """
    numeric, uncertainty = estimate.value, estimate.uncertainty
    difference = abs(analytic - numeric)
    scale = max(abs(analytic), abs(numeric))
    if difference + uncertainty < SUSPICIOUS_BELOW * scale:
        verdict = by_error(relative_error(analytic, numeric))
        if verdict in GOOD:
            return verdict
    least = max(difference - uncertainty, 0.0) / max(scale, SMALLEST_SCALE)
    verdict = by_error(least)
    return Verdict.UNDECIDED if verdict in GOOD else verdict


def _agrees(analytic: float, quotient: Quotient) -> bool:
    """Tell an agreement that is not luck; a loss that does not move has the gradient zero."""
    if analytic == quotient.value:
        return True
    scale = max(abs(analytic), abs(quotient.value))
    certain = quotient.noise < MUCH_NOISE * scale
    return certain and relative_error(analytic, quotient.value) < PASS_BELOW


def _estimates(probe: Probe, index: Shape, step: float, first: Quotient) -> Iterator[Estimate]:
    """Yield estimates from wider steps, as long as rounding errors are what they suffer from.

    If that is not so from the start, the loss bends too much: they come from narrower steps.
    """
    fine, power = first, 1
    while power <= WIDENED and _usable(wider := probe.quotient(index, step * FACTOR**power)):
        yield from _extrapolated(fine, wider)
        if abs(fine.value - wider.value) > MOSTLY_NOISE * fine.noise:
            break
        fine, power = wider, power + 1
    if power > 1:
        return
    coarse = first
    for power in range(1, NARROWED + 1):
        narrower = probe.quotient(index, step / FACTOR**power)
        yield from _extrapolated(narrower, coarse)
        coarse = narrower


def _usable(quotient: Quotient) -> bool:
    return not quotient.crossed and math.isfinite(quotient.value)


def _extrapolated(fine: Quotient, coarse: Quotient) -> Iterator[Estimate]:
    """Yield what two steps say together, by Richardson's extrapolation, if they agree at all.

    The error of a central difference goes with the square of its step, so that it is mostly far
    less than the difference between the two.
    """
    spread = abs(fine.value - coarse.value)
    if spread <= 0.1 * abs(fine.value) + MOSTLY_NOISE * fine.noise:
        value = fine.value + (fine.value - coarse.value) / (FACTOR**2 - 1)
        yield Estimate(value, CAUTION * (spread + fine.noise))
