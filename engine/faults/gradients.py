"""Gradients: lost, vanished on the way to the first layer, or exploded.

What is judged is the part of a gradient that comes from the data: a penalty adds l2 · W to it,
which would hide that nothing else is left.
"""

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.program.program import Phase

from .columns import Columns
from .parameters import Parameters, before
from .passes import Measure, Passes, Written
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
    """The gradient of a parameter, of so many `units`, after phase backward.

    The parameter is the one at a number of some `parameters` that are measured together. Of its
    gradient the part that comes from the data is meant, without that of a penalty.
    """

    parameters: Parameters
    at: int
    name: str
    layer: int | None
    position: int
    units: int

    @property
    def parameter(self) -> str:
        """The parameter's name."""
        return self.parameters.names[self.at]

    @property
    def index(self) -> int:
        """The index of the gradient in the record of a pass."""
        return self.parameters.gradients[self.at]

    def of(self, passes: Passes) -> Array:
        """Return it, stacked; 0 where it is no more than the rounding of the penalty."""
        some, at = self.parameters.of(passes, self.at)
        return passes.once(slopes, some).array(at)

    def before(self, passes: Passes) -> Array:
        """Return the parameter before each pass, stacked."""
        some, at = self.parameters.of(passes, self.at)
        return passes.once(before, some).array(at)

    def size(self, passes: Passes) -> Array:
        """Return its mean absolute value."""
        return self.parameters.row(sizes, passes, self.at)

    def norm(self, passes: Passes) -> Array:
        """Return its norm."""
        return self.parameters.row(norms_of_slopes, passes, self.at)


def slopes(some: Parameters, passes: Passes) -> Columns:
    """Return the gradients of some parameters, without that of the penalty."""
    whole = passes.columns(some.gradients)
    if not some.l2:
        return whole
    penalty = some.l2 * passes.once(before, some).numbers
    rest = whole.numbers - penalty
    rounding = ROUNDED * np.finfo(passes.dtype(some.gradients[0])).eps
    return Columns(np.where(np.abs(rest) <= rounding * np.abs(penalty), 0.0, rest), whole.shapes)


def sizes(some: Parameters, passes: Passes) -> Array:
    """Return their mean absolute values."""
    return passes.once(slopes, some).means_of_absolute()


def norms_of_slopes(some: Parameters, passes: Passes) -> Array:
    """Return their norms."""
    return passes.once(slopes, some).norms()


def gradients_of(
    written: Written, names: Sequence[str], l2: float = 0.0, axis: int = 0
) -> list[Gradient]:
    """Return the gradients of parameters, whose units lie along an axis, after phase backward."""
    program = written.program
    gradients = program.gradients
    places = [written.at(gradients[name], Phase.BACKWARD) for name in names]
    numbers = sum(prod(program.tensors[name].shape) for name in names)
    parameters = Parameters(names, [index for _, index in places], numbers, l2)
    found = []
    for at, (name, (position, _)) in enumerate(zip(names, places, strict=True)):
        tensor = program.tensors[name]
        units = tensor.shape[axis] if tensor.shape else 1
        found.append(Gradient(parameters, at, gradients[name], tensor.layer, position, units))
    return found


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
        slack = 1.0 if passes.whole or not passes.is_excerpt(first.index) else 4.0
        if first.size(passes).min() >= slack * VANISHING_NORM:  # its norm is no less
            return nothing(passes)
        small = first.norm(passes)
        telling = (small > 0) & (small < slack * VANISHING_NORM)
        if not telling.any():
            return nothing(passes)
        large = last.norm(passes)
        telling &= large > 0
        return np.where(telling, small / large, np.nan)

    return measure
