"""Gradients: lost, vanished on the way to the first layer, or exploded.

What is judged is the part of a gradient that comes from the data: a penalty adds l2 · W to it,
which would hide that nothing else is left.
"""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.program.program import Phase

from .passes import Measure, Passes, Written, means_of_absolute, norms
from .rule import Rule, nothing
from .yardstick import WHILE_HIGH, Gates

VANISHING_RATIO, VANISHING_NORM = 1e-3, 1e-4
"""AUTOTRAINER's thresholds (Zhang et al. 2021, ICSE)."""

NO_GRADIENT = 1e-7
"""The mean absolute value below which there is no gradient (SageMaker Debugger)."""

EXPLODING = 1e6
"""The mean absolute value above which a gradient explodes (DeepChecker)."""

ROUNDED = 4
"""How many roundings of l2 · W may be left of a gradient that is nothing else."""


class Gradient(Struct, frozen=True, eq=False):
    """The gradient of a parameter, without that of a penalty with the factor `l2`.

    The parameter is that of so many `units`.
    """

    parameter: str
    name: str
    layer: int | None
    position: int
    index: int
    units: int
    l2: float = 0.0

    def of(self, passes: Passes) -> Array:
        """Return it, stacked; 0 where it is no more than the rounding of the penalty."""
        if not self.l2:
            return passes.array(self.index)
        return passes.once(("gradient", self.index), self._without_penalty)

    def size(self, passes: Passes) -> Array:
        """Return its mean absolute value."""
        return passes.once(
            ("size", self.index, self.l2), lambda passes: means_of_absolute(self.of(passes))
        )

    def _without_penalty(self, passes: Passes) -> Array:
        whole = passes.array(self.index)
        penalty = self.l2 * passes.tensor(self.parameter)
        rest = whole - penalty
        rounding = ROUNDED * np.finfo(passes.dtype(self.index)).eps
        return np.where(np.abs(rest) <= rounding * np.abs(penalty), 0.0, rest)


def gradient(written: Written, parameter: str, l2: float = 0.0, axis: int = 0) -> Gradient:
    """Return the gradient of a parameter, whose units lie along an axis, after phase backward."""
    program = written.program
    name, tensor = program.gradients[parameter], program.tensors[parameter]
    place = written.at(name, Phase.BACKWARD)
    units = tensor.shape[axis] if tensor.shape else 1
    return Gradient(parameter, name, tensor.layer, *place, units, l2)


def lost_or_exploded(one: Gradient, has_optimizer: bool) -> Iterator[Rule]:
    """Yield the rules for one gradient."""
    yield Rule(
        name="no gradient",
        layer=one.layer,
        tensor=one.name,
        position=one.position,
        indices=(one.index,),
        measure=one.size,
        threshold=NO_GRADIENT,
        below=True,
        quantity=f"mean|{one.name}|",
        gates=Gates(until_learned=True),
        on_sample=True,
        advice="Look for where it is lost: units that are off, saturated or all alike, weights of "
        "0, a loss that does not depend on them; or it is at its best already.",
    )
    smaller = "start from smaller weights, or scale the inputs down."
    yield Rule(
        name="exploding gradient",
        layer=one.layer,
        tensor=one.name,
        position=one.position,
        indices=(one.index,),
        measure=one.size,
        threshold=EXPLODING,
        quantity=f"mean|{one.name}|",
        gates=WHILE_HIGH,
        advice=f"Clip the gradients, lower the learning rate, {smaller.replace(', or', ' or')}"
        if has_optimizer
        else f"{smaller[:1].upper()}{smaller[1:]}",
    )


def vanishing(first: Gradient, last: Gradient) -> Rule:
    """Return the rule that the first layer's gradient is small beside the last's.

    A gradient of exactly 0 has not become small on its way: that is "no gradient". The layers are
    those whose weights are trained.
    """
    return Rule(
        name="vanishing gradient",
        layer=first.layer,
        tensor=first.name,
        position=first.position,
        indices=(first.index, last.index),
        measure=_ratio(first, last),
        threshold=VANISHING_RATIO,
        below=True,
        quantity=f"‖{first.name}‖/‖{last.name}‖",
        gates=WHILE_HIGH,
        on_sample=True,
        advice="Use relu or tanh in place of sigmoid, fewer layers, or larger initial weights.",
    )


def _ratio(first: Gradient, last: Gradient) -> Measure:
    def measure(passes: Passes) -> Array:
        small = norms(first.of(passes))
        slack = 1.0 if passes.whole or not passes.is_excerpt(first.index) else 4.0
        telling = (small > 0) & (small < slack * VANISHING_NORM)
        if not telling.any():
            return nothing(passes)
        large = norms(last.of(passes))
        telling &= large > 0
        with np.errstate(all="ignore"):
            return np.where(telling, small / large, np.nan)

    return measure
