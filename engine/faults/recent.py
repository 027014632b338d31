"""How high the loss has been lately: what is odd at a low loss is no fault."""

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.scenario.model import Data, Scenario

LOW = 0.05
"""The loss below which a run has learned enough not to be warned of anything."""

LEARNED = 0.9
"""The share of its first loss below which a run has begun to learn."""

MOST_PASSES = 64
"""The most passes that a mean is taken over; else those of an epoch."""


class Yardstick(Struct, frozen=True):
    """What the losses of a scenario are measured by: the iterations of an epoch, and a low loss.

    A loss that is a sum over many rows is `low` while it is above `LOW`.
    """

    epoch: int = 1
    low: float = LOW


def yardstick(scenario: Scenario) -> Yardstick:
    """Return the yardstick of a scenario; where the loss is a sum over rows, low is `LOW` a row."""
    data, network = scenario.data, scenario.network
    if data is None:
        return Yardstick()
    is_sum = network is not None and network.loss.reduction == "sum"
    return Yardstick(data.batches_per_epoch, LOW * _rows(data) if is_sum else LOW)


def _rows(data: Data) -> float:
    """Return the mean number of rows in a batch."""
    rows = len(data.x) if data.batches is None else sum(map(len, data.batches))
    return rows / data.batches_per_epoch


class Recent:
    """The mean loss of the last iterations: those of an epoch, or as many as there have been.

    `losses` are those of all iterations so far, and `first` the one that is looked at first.
    """

    def __init__(self, losses: Array, first: int, measured_by: Yardstick) -> None:
        window = min(measured_by.epoch, MOST_PASSES)
        lately = losses[max(0, first - window) :]
        missing = np.zeros(max(0, window - first))
        windows = np.lib.stride_tricks.sliding_window_view(
            np.concatenate([missing, lately]), window
        )
        counts = np.arange(first, first + len(windows))
        # Before the first loss this is not a number, and neither low nor high.
        self._means = windows.sum(axis=1) / np.minimum(counts, window)
        self._low = measured_by.low
        at_first = losses[:window].sum() / window
        self._learned = np.where(counts < window, -np.inf, LEARNED * at_first)

    def is_low(self, start: int, count: int) -> Array:
        """Tell it of `count` iterations, each with the losses up to `start` iterations later.

        A sum over rows has to have fallen, too: at first it may be low for small targets alone.
        """
        means = self._means[start : start + count]
        return (means < LOW) | ((means < self._low) & self.has_fallen(start, count))

    def has_fallen(self, start: int, count: int) -> Array:
        """Tell whether the mean is well below that of the first iterations."""
        part = slice(start, start + count)
        return self._means[part] < self._learned[part]
