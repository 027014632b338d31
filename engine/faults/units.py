"""Faults of a layer's units: off for every row, too far out to learn, or all alike."""

import numpy as np

from nnstep.engine.arrays import Array

from .block import Block, Pass
from .measures import flattened
from .rule import Finding, Rule
from .together import SMALL

SATURATED, MOST_SATURATED = 5.0, 0.5
"""The |z| from which on a sigmoid or tanh is flat, and the share of a layer that may be there."""

FEW = 16
"""The rows of data of which fewer are few."""

MOST_DEAD, MOST_DEAD_OF_FEW = 0.5, 0.7
"""The share of a layer's units that may be off for every row, of many rows and of few."""


class Saturation(Rule):
    """A sigmoid or tanh layer with |z| >= 5 in more than half of its cells.

    An output that is fused with its cross-entropy has no such rule: its gradient, a - y, does not
    pass through the flat part of the sigmoid.
    """

    name = "saturation"
    on_sample = True
    advice = "Start from smaller weights, such as xavier_uniform gives, or normalise the inputs."

    def suspects(self, block: Block) -> Array | None:
        """Look at the mean of z², which is above half of 25."""
        return block.above(self.index, MOST_SATURATED * SATURATED**2)

    def judge(self, case: Pass) -> Finding | None:
        """Count the cells."""
        share = float(np.mean(np.abs(case.record[self.index]) >= SATURATED))
        if share <= MOST_SATURATED:
            return None
        return Finding(share, MOST_SATURATED, f"share of |{self.tensor}| >= {SATURATED:g}")


class DeadUnits(Rule):
    """A ReLU layer in which more than half of the units are 0 for every row of the batch.

    The fewer rows of data there are, the more units of a healthy layer are off for all of them: of
    less than 16 it takes 70 % of the units, and of a single row all.

    The share of zeros among the cells of dz is no measure: it is above 70 % in a third of healthy
    runs, where each row has units of its own.
    """

    name = "dead ReLU"
    on_sample = True
    advice = "Use leaky_relu, raise the biases, or lower the learning rate."

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, rows_of_data: int
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._threshold = MOST_DEAD if rows_of_data >= FEW else MOST_DEAD_OF_FEW
        if rows_of_data == 1:
            self._threshold = 1.0

    def suspects(self, block: Block) -> Array | None:
        """Look at the largest activation of each unit."""
        activations = [record[self.index] for record in block.records]
        if activations[0].size > SMALL:
            highest = np.array([a.max(axis=0) for a in activations])
        else:
            counts = np.array([len(a) for a in activations])
            rows = flattened(activations).reshape(counts.sum(), -1)
            highest = np.maximum.reduceat(rows, counts.cumsum() - counts, axis=0)
        return (highest == 0).mean(axis=1) > MOST_DEAD

    def judge(self, case: Pass) -> Finding | None:
        """Count the units."""
        share = float(np.mean(~case.record[self.index].any(axis=0)))
        if share <= MOST_DEAD or share < self._threshold:
            return None
        return Finding(share, self._threshold, f"share of units off for every row in {self.tensor}")


class Symmetry(Rule):
    """Units of a hidden layer with equal weights, biases and gradients: they never come apart.

    The value is the number of such units. `axis` is that of the weights along which units lie.
    """

    name = "symmetry"
    advice = "Draw the weights at random, or edit those of one of the units."

    def __init__(
        self, position: int, index: int, tensor: str, layer: int | None, axis: int
    ) -> None:
        super().__init__(position, index, tensor, layer)
        self._axis = axis
        self._weights = f"W{layer}"
        self._bias = f"b{layer}"

    def suspects(self, block: Block) -> Array | None:
        """Look for units whose first weights are equal."""
        ordered = np.sort(block.first_weights(self._weights, self._axis), axis=1)
        return (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)

    def judge(self, case: Pass) -> Finding | None:
        """Count the largest group of units that are alike."""
        both = case.before[self._weights], case.record[self.index]
        columns = [np.moveaxis(array, self._axis, 0) for array in both]
        if self._bias in case.before:
            columns.append(case.before[self._bias][:, np.newaxis])
        counts = np.unique(np.concatenate(columns, axis=1), axis=0, return_counts=True)[1]
        alike = float(counts.max())
        if alike == 1:
            return None
        return Finding(alike, 1.0, f"units alike in {self._weights} and {self.tensor}")
