"""A sample of the data, for what is common in a few rows and not in many."""

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.program.program import Phase, run
from nnstep.engine.scenario.model import Data, Scenario

from .passes import Passes, Written

ROWS = 64
"""The most rows of a sample, and those of a batch that speaks for all the data."""


class Sample:
    """Rows of the data, and what a pass would have written for them in place of its batch."""

    def __init__(self, scenario: Scenario, written: Written, data: Data) -> None:
        self._written = written
        self._of = len(data.x)
        rows = np.random.default_rng(0).permutation(len(data.x))[:ROWS]
        self._batch = data.x[rows], data.y[rows]
        network = scenario.network
        self._sums = network is not None and network.loss.reduction == "sum"
        gradients, parameters = written.program.gradients, written.program.parameters
        found = (written.last(gradients[name], Phase.BACKWARD) for name in parameters)
        self._gradients = {place[1] for place in found if place}

    def is_wanted(self, single: Passes) -> bool:
        """Tell whether the batch of a single pass has few of the rows that there are."""
        return len(single.records[0][0]) < min(ROWS, self._of)

    def pass_like(self, single: Passes, position: int) -> Passes | None:
        """Return a pass with the sample for its batch, up to the instruction at a position.

        A gradient that is a sum over rows is brought to the rows of the batch. None if an
        expression cannot be computed for as many rows.
        """
        batch, *lines = self._written.program.instructions[: position + 1]
        rows = len(single.records[0][0])
        scale = rows / len(self._batch[0]) if self._sums else 1.0
        tensors = {**single.before[0], **dict(zip(batch.writes, self._batch, strict=True))}
        record: list[Array] = list(self._batch)

        def recorded(array: Array) -> Array:
            if len(record) in self._gradients and scale != 1:
                array = (array * scale).astype(array.dtype)
            record.append(array)
            return array

        try:
            run(lines, tensors, recorded)
        except (ValueError, IndexError):
            return None
        return single.with_record(tuple(record))
