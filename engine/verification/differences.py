"""Difference quotients of the loss, at steps that shrink until they settle.

Central differences (Press et al., Numerical Recipes, 5.7), one-sided at a kink.
"""

import math
from collections.abc import Iterator

from msgspec import Struct

from nnstep.engine.arrays import Shape

from .probe import Probe, Quotient
from .verdict import (
    BAD,
    GOOD,
    NEAR,
    PASS_BELOW,
    SMALLEST_SCALE,
    STEP,
    SUSPICIOUS_BELOW,
    Cell,
    Kinked,
    Verdict,
    by_error,
    relative_error,
)

FACTOR = 4
"""From each step that is tried to the next."""

WIDENED = 5
NARROWED = 8
"""How often the step is multiplied or divided: from h = 1e-5 up to 1e-2, and down to 1.5e-10."""

MUCH_NOISE = 0.01
"""The share of noise in a quotient from which on one agreement might be luck."""

MOSTLY_NOISE = 4
"""Quotients that differ by up to so many times their noise do so because of it."""

EXACT = NEAR / 4
"""The relative uncertainty at which a wrong gradient is told by its ratio to the numeric one."""

CAUTION = 2
"""By how much the uncertainty of an estimate is made larger than it seems to be."""


class Estimate(Struct, frozen=True, gc=False):
    """A numeric gradient, and how far from the true one it can be."""

    value: float
    uncertainty: float

    @property
    def is_exact(self) -> bool:
        """Whether it has digits enough to tell which mistake a wrong gradient looks like."""
        return self.uncertainty < EXACT * abs(self.value)


def compared(probe: Probe, index: Shape, analytic: float) -> Cell | Kinked:
    """Return the verdict on one cell's gradient, or its kink if there is no one slope."""
    step, first = _first(probe, index)
    if not (math.isfinite(analytic) and math.isfinite(first.value)):
        return Cell(index, analytic, first.value, Verdict.NOT_FINITE)
    if first.crossed:
        slope = probe.of_convention(index)
        if slope is None:
            return probe.kink(index, analytic, step)
        if _agrees(analytic, slope):
            return Cell(index, analytic, slope.value, Verdict.PASS)
        one_sided = Estimate(slope.value, slope.noise)
        return Cell(index, analytic, slope.value, judged(analytic, one_sided))
    if _agrees(analytic, first):
        return Cell(index, analytic, first.value, Verdict.PASS)
    best = Estimate(first.value, math.inf)
    for estimate in _estimates(probe, index, step, first):
        if estimate.uncertainty < best.uncertainty:
            best = estimate
        verdict = judged(analytic, best)
        if verdict is Verdict.PASS or (verdict in BAD and best.is_exact):
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
    """Tell an agreement that is not luck; a loss that does not move has the gradient zero.

    However small a gradient is, it agrees by its own size: the least scale of the relative error is
    for those that rounding errors drown.
    """
    if analytic == quotient.value:
        return True
    scale = max(abs(analytic), abs(quotient.value))
    certain = quotient.noise < MUCH_NOISE * scale
    return certain and abs(analytic - quotient.value) < PASS_BELOW * scale


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
