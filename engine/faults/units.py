"""Faults of a layer's units: off for every row, too far out to learn, or all alike."""

import numpy as np

from nnstep.engine.arrays import Array

from .block import Block, Pass
from .measures import flattened
from .rule import Finding, Rule
from .together import SMALL

SATURATED = 5.0
"""The |z| from which on a sigmoid or tanh is flat."""

MOST_SATURATED = 0.5
MOST_DEAD, MOST_DEAD_OF_FEW = 0.5, 0.7

FEW = 16


class Saturation(Rule):
    """A sigmoid or tanh layer with |z| ≥ 5 in more than half of its cells.

    An output that is fused with its cross-entropy is left out: its gradient, a - y, does not pass
    through the flat part of the sigmoid.
    """

    name = "saturation"
    on_sample = True
    advice = "Start from smaller weights (such as xavier_uniform), or normalise the inputs."

    def suspects(self, block: Block) -> Array:
        return block.above(self.index, MOST_SATURATED * SATURATED**2)

    def judge(self, case: Pass) -> Finding | None:
        share = float(np.mean(np.abs(case.record[self.index]) >= SATURATED))
        if share <= MOST_SATURATED:
            return None
        return Finding(share, MOST_SATURATED, f"share of |{self.tensor}| >= {SATURATED:g}")


class DeadUnits(Rule):
    """A ReLU layer in which more than half of the units are 0 for every row of the batch.

    The fewer rows there are, the more units of a healthy layer are off for all of them: with fewer
    than 16 rows of data it takes 70 % of the units, and with one row all of them.
    """

    name = "dead ReLU"
    on_sample = True
    advice = "Use leaky_relu, raise the biases, or lower the learning rate."

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, rows_of_data: int
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._few = (
            MOST_DEAD if rows_of_data >= FEW else MOST_DEAD_OF_FEW if rows_of_data > 1 else 1.0
        )

    def suspects(self, block: Block) -> Array:
        activations = [record[self.index] for record in block.records]
        if activations[0].size > SMALL:
            highest = np.array([a.max(axis=0) for a in activations])
        else:
            counts = np.array([len(a) for a in activations])
            rows = flattened(activations).reshape(counts.sum(), -1)
            highest = np.maximum.reduceat(rows, counts.cumsum() - counts, axis=0)
        return (highest == 0).mean(axis=1) > MOST_DEAD

    def judge(self, case: Pass) -> Finding | None:
        share = float(np.mean(~case.record[self.index].any(axis=0)))
        if share <= MOST_DEAD or share < self._few:
            return None
        return Finding(share, self._few, f"share of units off for every row in {self.tensor}")


class Symmetry(Rule):
    """Units of a hidden layer with equal weights, bias and gradients: they never come apart.

    `axis` is that of the weights along which units lie; the value is the number of such units.
    """

    name = "symmetry"
    advice = "Draw the weights at random, or edit those of one of the units."

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, axis: int
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._axis = axis

    def suspects(self, block: Block) -> Array:
        weights = block.before_each(self.tensor[1:])
        ordered = np.sort([W[:, 0] if self._axis == 0 else W[0] for W in weights], axis=1)
        return (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)

    def judge(self, case: Pass) -> Finding | None:
        name = self.tensor[1:]
        parts = [case.before[name], case.record[self.index]]
        units = [np.moveaxis(part, self._axis, 0) for part in parts]
        if (bias := case.before.get(f"b{self.layer}")) is not None:
            units.append(bias[:, np.newaxis])
        counts = np.unique(np.concatenate(units, axis=1), axis=0, return_counts=True)[1]
        alike = int(counts.max())
        return Finding(alike, 1, f"units alike in {name} and {self.tensor}") if alike > 1 else None
