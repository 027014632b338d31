"""Runs until a condition holds: it is looked at after every step that can make a difference."""

from collections.abc import Sequence

import numpy as np

from nnstep.engine.language.computing import computing
from nnstep.engine.language.evaluate import holds, names_in
from nnstep.engine.language.nodes import ConditionError
from nnstep.engine.machine.machine import Machine
from nnstep.engine.machine.step import Record
from nnstep.engine.program.program import Program

from .records import reads_at, values_of
from .trigger import Values, counts_at, parsed, tensors_in, values_at, written_at


class Until:
    """Looks at the way of a machine for the first step after which a condition holds.

    A pass counts only from where it has written all that the condition reads; what it writes later
    would be of the pass before. Raises `GrammarError` for a condition that does not parse, and
    `ConditionError` for one that names or calls what there is not. For one that combines what does
    not fit, the machine stops, and the reason is in `error`.
    """

    def __init__(self, text: str, program: Program, machine: Machine) -> None:
        self.error: ConditionError | None = None
        condition = parsed(text, program)
        self._condition = computing(condition)
        self._machine = machine
        self._length = len(program)
        self._first = max(0, written_at(tensors_in([condition], program), program))
        # The lines of a pass after which it can begin to hold, and what it reads there.
        names = names_in(condition)
        reads = tensors_in([condition], program)
        tensors = [name for name in names if name in program.tensors or name == "loss"]
        self._looks = [
            (line, reads_at(tensors, program, line + 1))
            for line in range(self._first, self._length)
            if line == self._first
            or "step" in names
            or not reads.isdisjoint(program.instructions[line].writes)
        ]

    def here(self) -> bool:
        """Tell whether the condition holds after the step just executed."""
        machine = self._machine
        step = machine.place - 1
        if machine.clock.position(step) < self._first:
            return False
        return self._holds(values_at(machine.program, machine.clock, step, machine.tensors))

    def passes(self, first: int, records: Sequence[Record]) -> int | None:
        """Return the first place in passes that are computed ahead at which the condition holds."""
        clock, live, before = self._machine.clock, self._machine.tensors, None
        for iteration, record in enumerate(records, first):
            for line, reads in self._looks:
                step = iteration * self._length + line
                values = counts_at(clock, step) | values_of(reads, record, before, live)
                if self._holds(values):
                    return step + 1
            before = record
        return None

    def _holds(self, values: Values) -> bool:
        """Tell whether the condition holds, or cannot be evaluated."""
        try:
            with np.errstate(all="ignore"):
                return holds(self._condition, values)
        except ConditionError as error:
            self.error = error
            return True
