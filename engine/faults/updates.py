"""Updates: too small or too large beside the weights, or lost to rounding."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.program.program import Phase, run
from nnstep.engine.program.update import RATE

from .columns import Columns, norms
from .gradients import NO_GRADIENT, Gradient, sizes, slopes
from .parameters import Measured, Parameters, around
from .passes import Passes, Written
from .rule import Rule
from .yardstick import WHILE_HIGH, Gates

SMALLEST, LARGEST = 1e-4, 1.0
"""The norm of an update over that of the weights before it."""

FAR = 1.0
"""By how much, on the average, an update may move a unit's weights if it lowers the loss."""

NOTHING = 1e-150
"""The norm of weights below which they count as 0: their squares are hardly numbers any more."""

MOST_LOST = 0.5
"""The share of the cells with a gradient that an update may leave as they are."""

TRIED, GAINED = 0.01, 1e-4
"""The part of the weights' norm that a step down the gradient goes, and the share of the loss that
it has to take away."""


class Updated(Struct, frozen=True, eq=False):
    """A parameter that is updated: the position of its last update line, and the index there."""

    gradient: Gradient
    position: int
    index: int

    @property
    def parameter(self) -> str:
        """Its name."""
        return self.gradient.parameter

    def move(self, single: Passes) -> Array:
        """Return what all instructions of an update do to it in a single pass."""
        some, at = self.gradient.parameters.of(single, self.gradient.at)
        return single.once(moves, some).array(at)[0]

    def measured(self, measure: Measured, passes: Passes) -> Array:
        """Return what is measured of it and others, of it alone."""
        return self.gradient.parameters.row(measure, passes, self.gradient.at)


def moves(some: Parameters, passes: Passes) -> Columns:
    """Return what all instructions of an update do to some parameters."""
    start, left = passes.once(around, some)
    return Columns(left.numbers - start.numbers, left.shapes)


def lengths(some: Parameters, passes: Passes) -> Array:
    """Return the norms of what they do to them."""
    return passes.once(moves, some).norms()


def lengths_before(some: Parameters, passes: Passes) -> Array:
    """Return the norms of the parameters before the pass."""
    start, _ = passes.once(around, some)
    return start.norms()


def ratios(some: Parameters, passes: Passes) -> Array:
    """Return the norms of the updates over those of the parameters before."""
    move, before = passes.once(lengths, some), passes.once(lengths_before, some)
    return np.where(before >= NOTHING, move / before, np.nan)


def shares_lost(some: Parameters, passes: Passes) -> Array:
    """Return the share of the cells with a gradient that are the same after the update."""
    all_moves = passes.once(moves, some)
    still = all_moves.numbers == 0
    if not still.any():
        return np.zeros((len(some.names), len(passes)))
    sloping = passes.once(slopes, some).numbers != 0
    telling = (passes.once(sizes, some) >= NO_GRADIENT) & (passes.tensor(RATE) != 0)
    shares = all_moves.counts(still & sloping) / all_moves.counts(sloping)
    return np.where(telling, shares, np.nan)


def updated(written: Written, gradient: Gradient) -> Updated:
    """Return a parameter as the update leaves it."""
    return Updated(gradient, *written.at(gradient.parameter, Phase.UPDATE))


def too_large(one: Updated, settled: int) -> Rule:
    """Return the rule that the update of a layer's weights is larger than the weights.

    Weights that are all 0 have no scale to compare with, and those that started so have to grow
    first: iterations before `settled` are not judged. Small weights may take a step of their own
    size that lowers the loss: it is confirmed by a step that is far, too, or by a loss that rises.
    """

    def hurts(single: Passes) -> bool:
        far = float(one.measured(lengths, single)[0]) > FAR * one.gradient.units**0.5
        return far or _rises(single, one.position)

    return Rule(
        name="update too large",
        layer=one.gradient.layer,
        tensor=one.parameter,
        position=one.position,
        indices=(one.index,),
        measure=lambda passes: one.measured(ratios, passes),
        threshold=LARGEST,
        quantity=f"‖update of {one.parameter}‖/‖{one.parameter}‖",
        gates=WHILE_HIGH,
        settled=settled,
        confirm=hurts,
        advice="Lower the learning rate, or clip the gradients.",
    )


def too_small(all_weights: Sequence[Updated], settled: int) -> Rule:
    """Return the rule that the updates of all weights are below a ten-thousandth of the weights.

    A single layer's would say more of its gradient than of the learning rate; and where no weights
    have a gradient, that is the fault. Momentum has to gather first: iterations before `settled`
    are not judged. It is confirmed by a longer step down the gradient, which has to lower the loss:
    at a minimum it does not, and a higher rate would not help.
    """
    together, numbers = all_weights[0].gradient.parameters, [w.gradient.at for w in all_weights]

    def ratio(passes: Passes) -> Array:
        moved, before, slope = (
            together.rows(measure, passes, numbers) for measure in (lengths, lengths_before, sizes)
        )
        move, weights = norms(moved.T), norms(before.T)
        telling = (slope.max(axis=0) >= NO_GRADIENT) & (weights >= NOTHING)
        return np.where(telling, move / weights, np.nan)

    last = max(all_weights, key=lambda one: one.position)
    return Rule(
        name="update too small",
        layer=None,
        tensor=last.parameter,
        position=last.position,
        indices=tuple(one.index for one in all_weights),
        measure=ratio,
        threshold=SMALLEST,
        below=True,
        quantity="‖update of all weights‖/‖all weights‖",
        gates=Gates(gated=True, until_learned=True),
        on_sample=True,
        settled=settled,
        confirm=lambda single: _would_help(single, all_weights),
        advice="Raise the learning rate.",
    )


def _would_help(single: Passes, weights: Sequence[Updated]) -> bool:
    """Tell whether a step of a hundredth of the weights down the gradient lowers the loss."""
    before, tensors = single.before[0], _at_start(single)
    directions = {one.parameter: one.gradient.of(single)[0] for one in weights}
    length = _norm(directions)
    if not (np.isfinite(length) and length > 0):
        return False
    scale = TRIED * _norm({name: before[name] for name in directions}) / length
    for name, direction in directions.items():
        tensors[name] = before[name].astype(np.float64) - scale * direction
    loss = _loss(single)
    return _loss_with(single, tensors) < loss - GAINED * abs(loss)


def _rises(single: Passes, position: int) -> bool:
    """Tell whether the loss of the batch is higher with what has been updated up to a position."""
    written, tensors = single.written, _at_start(single)
    for name in written.program.parameters:
        place = written.last(name, Phase.UPDATE)
        if place and place[0] <= position:
            tensors[name] = single.records[0][place[1]]
    return not _loss_with(single, tensors) <= _loss(single)


def _at_start(single: Passes) -> dict[str, Array]:
    """Return the tensors before a pass, with its batch."""
    batch = single.written.names[: single.written.computed]
    return {**single.before[0], **dict(zip(batch, single.records[0], strict=False))}


def _loss(single: Passes) -> float:
    return float(single.records[0][single.written.counts[single.written.loss]])


def _loss_with(single: Passes, tensors: Mapping[str, Array]) -> float:
    """Return the loss of a pass's batch with other parameters."""
    program = single.written.program
    lines = [line for line in program.instructions if line.phase in (Phase.FORWARD, Phase.LOSS)]
    return float(run(lines, tensors)[program.loss])


def _norm(arrays: Mapping[str, Array]) -> float:
    each = [float(norms(array[np.newaxis].astype(np.float64))[0]) for array in arrays.values()]
    return float(np.linalg.norm(each))


def lost(one: Updated, dtype: str) -> Rule:
    """Return the rule that most cells with a gradient are the same after the update.

    Their step is below half of the distance to the next number of the dtype. With a rate of 0
    nothing is lost: there is no step.
    """
    wider = "a wider dtype, such as float64" if dtype == "float32" else "float32 or float64"
    return Rule(
        name="update lost",
        layer=one.gradient.layer,
        tensor=one.parameter,
        position=one.position,
        indices=(one.index,),
        measure=lambda passes: one.measured(shares_lost, passes),
        threshold=MOST_LOST,
        quantity=f"share of cells of {one.parameter} with a gradient and no change",
        gates=Gates(gated=True, until_learned=True),
        slack=2.0,
        advice=f"The step is below half the distance to the next {dtype}: take {wider}, or raise "
        "the learning rate."
        if dtype != "float64"
        else "The step is lost to rounding: raise the learning rate.",
    )
