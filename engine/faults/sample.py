"""A second look at more rows: what is common in a few of them need not be so in the data."""

import numpy as np
from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.program.instruction import Phase
from nnstep.engine.scenario.model import Data, Scenario

from .block import Pass
from .written import Written

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
        gradients = (
            written.last(f"d{name}", Phase.BACKWARD) for name in written.program.parameters
        )
        self._gradients = {found[0] for found in gradients if found}

    def is_wanted(self, case: Pass) -> bool:
        """Tell whether the batch of a pass has few of the rows that there are."""
        return len(case.record[0]) < min(ROWS, self._of)

    def pass_like(self, case: Pass, position: int) -> Pass | None:
        """Return a pass with the sample for its batch, up to the instruction at a position.

        A gradient that is a sum over rows is brought to the rows of the batch. None if an
        expression cannot be computed for as many rows.
        """
        rows = len(self._batch[0])
        scale = len(case.record[0]) / rows if self._sums else 1.0
        tensors = {**case.before, **dict(zip(("x", "y"), self._batch, strict=True))}
        record: list[Array] = list(self._batch)
        for at, line in enumerate(self._written.program.instructions[1 : position + 1], start=1):
            assert line.kernel is not None, "only the batch instruction has none"
            try:
                array = np.asarray(line.kernel(tensors))
            except (ValueError, IndexError):
                return None
            if at in self._gradients and scale != 1:
                array = (array * scale).astype(array.dtype)
            tensors[line.writes[0]] = array
            record.append(array)
        return replace(case, record=record)
