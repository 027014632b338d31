"""Units that have stopped to differ or to answer: saturated, dead, all alike."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.program.program import Instruction, Phase

from .gradients import Gradient
from .passes import Passes, Written
from .rule import Rule, nothing
from .yardstick import WHILE_HIGH, Gates

SATURATED, MOST_SATURATED = 5.0, 0.5
"""The |z| from which on a sigmoid or tanh is flat, and the share of a layer that may be there."""

FEW = 16
"""The rows of data of which fewer are few."""

MOST_DEAD, MOST_DEAD_OF_FEW = 0.5, 0.7
"""The share of a layer's units that may be off for every row, of many rows and of few."""

NEARLY_ALL, FAR_OFF = 0.8, 1.0
"""The share of units from which on all count, and how many times the spread of its z is far."""

OF_SHARE = 1.25
"""The factor by which a share of the cells of an excerpt may be off."""


class Slopes(Struct, frozen=True, eq=False):
    """The layers whose activation is flat far out: the indices of their z in the record of a pass.

    An output that is fused with its cross-entropy is none of them: its gradient, a - y, does not
    pass through the flat part of the sigmoid.
    """

    indices: tuple[int, ...]

    def shares(self, passes: Passes, index: int) -> Array:
        """Return the share of the cells of one z, by its index, that are on the flat part."""
        if passes.one_by_one:
            return flat(Slopes((index,)), passes)[0]
        return passes.once(flat, self)[self.indices.index(index)]


def flat(layers: Slopes, passes: Passes) -> Array:
    """Return the share of the cells of each z of some layers with |z| >= 5, in each pass."""
    if passes.reach(layers.indices) < SATURATED:
        return np.zeros((len(layers.indices), len(passes)))
    z = passes.columns(layers.indices)
    return z.shares(np.abs(z.numbers) >= SATURATED)


def saturation(line: Instruction, written: Written, layers: Slopes) -> Rule:
    """Return the rule for a sigmoid or tanh layer: |z| >= 5 in more than half of its cells.

    A layer that is far out as it has learned is right.
    """
    z = line.names["z"]
    position, index = written.at(z, Phase.FORWARD)
    return Rule(
        name="saturation",
        layer=line.layer,
        tensor=z,
        position=position,
        indices=(index,),
        measure=lambda passes: layers.shares(passes, index),
        threshold=MOST_SATURATED,
        quantity=f"share of |{z}| >= {SATURATED:g}",
        gates=Gates(until_seen=True),
        on_sample=True,
        slack=OF_SHARE,
        advice="Start from smaller weights, such as xavier_uniform gives, or normalise the inputs.",
    )


def dead_units(line: Instruction, written: Written, rows_of_data: int, has_optimizer: bool) -> Rule:
    """Return the rule for a ReLU layer: more than half of its units are 0 for every row.

    The fewer rows of data there are, the more units of a healthy layer are off for all of them: of
    less than 16 it takes 70 % of the units, and of a single row all.

    A run that learns can do without those units. Where it is not nearly all, only units count that
    are far off, beyond the spread of their z: a healthy layer of few units has some that are just
    off, and come back.

    The share of zeros among the cells of dz is no measure: it is above 70 % in a third of healthy
    runs, where each row has units of its own.
    """
    z, a = line.names["z"], line.writes[0]
    position, index = written.at(a, Phase.FORWARD)
    below = written.at(z, Phase.FORWARD)[1]
    few = rows_of_data < FEW
    threshold = MOST_DEAD_OF_FEW if few else MOST_DEAD

    def share(passes: Passes) -> Array:
        off: Array = passes.array(index).max(axis=1) == 0
        shares = off.mean(axis=1)
        for number in np.flatnonzero((shares > MOST_DEAD) & (shares < NEARLY_ALL)):
            rows = passes.array(below)[number]
            far = rows.max(axis=0) < -FAR_OFF * rows.std(axis=0)
            shares[number] = np.mean(off[number] & far)
        return shares

    return Rule(
        name="dead ReLU",
        layer=line.layer,
        tensor=a,
        position=position,
        indices=(index,),
        measure=share,
        threshold=1.0 if rows_of_data == 1 else threshold,
        at_least=few,
        quantity=f"share of units off for every row in {a}",
        gates=Gates(until_seen=True),
        on_sample=True,
        slack=1.0,
        advice="Use leaky_relu, raise the biases, or lower the learning rate."
        if has_optimizer
        else "Use leaky_relu, or raise the biases.",
    )


class Units(Struct, frozen=True, eq=False):
    """The units of a layer: its weights' gradient, along whose `axis` they lie, and its biases."""

    gradient: Gradient
    axis: int
    biases: Sequence[str]

    def most_alike(self, passes: Passes) -> Array:
        """Return the size of the largest group of units with equal weights, biases and gradients.

        Units whose first weights differ are not compared any further: NaN where all do.
        """
        weights = self.gradient.before(passes)
        ordered = (weights[:, :, 0] if self.axis == 0 else weights[:, 0]).copy()
        ordered.sort(axis=1)
        near = ordered[:, 1:] == ordered[:, :-1]
        result = nothing(passes)
        if near.any():
            units = np.moveaxis(weights, self.axis + 1, 1)
            for number in np.flatnonzero(near.any(axis=1)):
                result[number] = self._largest_group(passes, units, int(number))
        return result

    def _largest_group(self, passes: Passes, weights: Array, number: int) -> float:
        gradient = np.moveaxis(passes.array(self.gradient.index)[number], self.axis, 0)
        columns = [weights[number], gradient]
        columns += [passes.tensor(bias)[number][:, np.newaxis] for bias in self.biases]
        units = np.concatenate([c[: len(gradient)] for c in columns], axis=1)
        if not np.isfinite(units).all():
            return 1.0
        return float(np.unique(units, axis=0, return_counts=True)[1].max())


def symmetry(units: Units) -> Rule:
    """Return the rule for units that are alike: they never come apart."""
    one = units.gradient
    return Rule(
        name="symmetry",
        layer=one.layer,
        tensor=one.name,
        position=one.position,
        indices=(one.index,),
        measure=units.most_alike,
        threshold=1.0,
        quantity=f"units alike in {one.parameter} and {one.name}",
        gates=WHILE_HIGH,
        slack=1.0,
        advice="Draw the weights at random, or edit those of one of the units.",
    )
