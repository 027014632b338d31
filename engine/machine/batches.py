"""The data cursor: which rows each iteration takes."""

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, sealed
from nnstep.engine.scenario.model import Data

from .initial import Draws


class Cursor(Struct, frozen=True):
    """Where the shuffling stood before the rows of an epoch were put in order.

    `state` is that of the draws. Every later epoch follows from it.
    """

    epoch: int
    state: int | Mapping[str, Any]


class Batches:
    """Hands out one batch an iteration, for ever.

    With `shuffle`, the rows are put in a new order at the start of every epoch, drawn from the
    generator of `draws`. To go back, restore a cursor.
    """

    def __init__(self, data: Data, draws: Draws) -> None:
        self._data = data
        self._draws = draws
        self._order: Array | None = None
        self._epoch = -1
        self._taken: Iterable[int] = ()  # as handed out last
        # The batch of every iteration, where there is but one.
        is_one = data.batches is None and not data.shuffle and data.batch_size >= len(data.x)
        self._only = (data.x, data.y) if is_one else None
        self.cursor = Cursor(0, draws.state) if data.shuffle else None

    def restore(self, cursor: Cursor | None) -> None:
        """Go back (or on) to a cursor; None is that of data that are not shuffled."""
        if cursor is not None and cursor != self.cursor:
            self._draws.state = cursor.state
            self._epoch = cursor.epoch - 1
            self.cursor = cursor

    def those_from(self, iteration: int, count: int) -> Iterable[tuple[Array, Array]]:
        """Return the batches of so many iterations, from one on."""
        if self._only is not None:
            return repeat(self.batch(iteration), count)
        return map(self.batch, range(iteration, iteration + count))

    def batch(self, iteration: int) -> tuple[Array, Array]:
        """Return the inputs and targets of an iteration; iterations come in order."""
        data = self._data
        if self._only is not None:
            self._taken = range(len(data.x))
            return self._only
        epoch, turn = divmod(iteration, data.batches_per_epoch)
        if data.batches is not None:
            return self._rows(np.array(data.batches[turn]))
        if data.shuffle:
            self._shuffle_until(epoch)
        start = turn * data.batch_size
        if self._order is not None:
            return self._rows(self._order[start : start + data.batch_size])
        self._taken = range(len(data.x))[start : start + data.batch_size]
        return data.x[start : start + data.batch_size], data.y[start : start + data.batch_size]

    @property
    def taken(self) -> tuple[int, ...]:
        """The numbers of the rows handed out last."""
        return tuple(int(row) for row in self._taken)

    def _shuffle_until(self, epoch: int) -> None:
        """Put the rows in the order of an epoch; each epoch's order is drawn after the last's."""
        while self._epoch < epoch:
            self._epoch += 1
            self.cursor = Cursor(self._epoch, self._draws.state)
            self._order = self._draws.generator.permutation(len(self._data.x))

    def _rows(self, rows: Array) -> tuple[Array, Array]:
        self._taken = rows
        return sealed(self._data.x[rows]), sealed(self._data.y[rows])
