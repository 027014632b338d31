"""The data cursor: which rows each iteration takes."""

import numpy as np

from nnstep.engine.arrays import Array, sealed
from nnstep.engine.draws import Draws
from nnstep.engine.scenario.model import Data


class Batches:
    """Hands out one batch an iteration, for ever.

    With `shuffle`, the rows are put in a new order at the start of every epoch, drawn from
    `draws`.
    """

    def __init__(self, data: Data, draws: Draws) -> None:
        self._data = data
        self._draws = draws
        self._order: Array | None = None

    def batch(self, iteration: int) -> tuple[Array, Array]:
        """Return the inputs and targets of an iteration; iterations come in order."""
        data = self._data
        turn = iteration % data.batches_per_epoch
        if data.batches is not None:
            return self._rows(np.array(data.batches[turn]))
        if data.shuffle and turn == 0:
            self._order = self._draws.generator.permutation(len(data.x))
        start = turn * data.batch_size
        if self._order is not None:
            return self._rows(self._order[start : start + data.batch_size])
        if data.batch_size >= len(data.x):
            return data.x, data.y
        return data.x[start : start + data.batch_size], data.y[start : start + data.batch_size]

    def _rows(self, rows: Array) -> tuple[Array, Array]:
        return sealed(self._data.x[rows]), sealed(self._data.y[rows])
