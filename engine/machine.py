"""The machine: named tensors and a program counter; it executes one instruction at a time.

Nothing here knows of history, breakpoints or screens. An instruction makes a new array, which is
marked read-only, and no array that was handed out ever changes.
"""

import contextvars
from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.batches import Batches
from nnstep.engine.clock import Clock
from nnstep.engine.draws import Draws
from nnstep.engine.initial import initial_tensors
from nnstep.engine.loss_history import LossHistory
from nnstep.engine.program.instruction import Instruction, Phase, Program
from nnstep.engine.scenario.model import Scenario


class Step(msgspec.Struct, frozen=True, gc=False):
    """One executed instruction; `index` counts all steps of the run from 0.

    `arrays` are those written, in the order of the instruction's `writes`.
    """

    index: int
    instruction: Instruction
    arrays: tuple[Array, ...]
    clock: Clock

    @property
    def iteration(self) -> int:
        """The pass through the program, counted from 0."""
        return self.clock.iteration(self.index)

    @property
    def epoch(self) -> int:
        """The pass through the data, counted from 0."""
        return self.clock.epoch(self.index)

    @property
    def phase(self) -> Phase:
        """The part of the iteration: batch, forward, loss, backward or update."""
        return self.instruction.phase

    @property
    def layer(self) -> int | None:
        """The layer, counted from 1; None for what belongs to no layer."""
        return self.instruction.layer

    @property
    def code(self) -> str:
        """The line of the listing."""
        return self.instruction.code

    @property
    def writes(self) -> Mapping[str, Array]:
        """The arrays written, by name."""
        return dict(zip(self.instruction.writes, self.arrays, strict=True))

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of the tensors read."""
        return self.instruction.reads


class Machine:
    """Executes the program of a scenario, pass after pass.

    `place` is the number of instructions executed so far, `tensors` holds what is live, and
    `losses` the loss of every iteration.
    """

    def __init__(self, scenario: Scenario, program: Program, seed: int) -> None:
        self.program = program
        self.clock = Clock(len(program), scenario.data.batches_per_epoch if scenario.data else 1)
        self.tensors: dict[str, Array] = {}
        self._scenario = scenario
        self._prepared = [
            (line, line.kernel, line.writes[0], program.loss in line.writes)
            for line in program.instructions
        ]
        self._context = _silent_context()
        self.restart(seed)

    def restart(self, seed: int) -> None:
        """Go back to place 0, with parameters and batches drawn from `seed`."""
        scenario, draws = self._scenario, Draws(seed)
        self.tensors.clear()
        self.tensors.update(self._context.run(initial_tensors, scenario, self.program, draws))
        self.losses = LossHistory()
        self.place = 0
        self._batches = Batches(scenario.data, draws) if scenario.data else None

    @property
    def position(self) -> int:
        """The index in the program of the instruction next to run."""
        return self.clock.position(self.place)

    def steps(self, end: float) -> Iterator[Step]:
        """Execute instructions, one each time the next step is asked for.

        The last is that before place `end`, the beginning of a pass, or infinity.

        NaN and infinity are values like any other: NumPy's warnings are off while an instruction
        runs, in a context of the machine's own, so the caller's error state is never touched.
        """
        tensors, clock, run, asarray = self.tensors, self.clock, self._context.run, np.asarray
        while self.place < end:
            place = self.place
            for instruction, kernel, target, is_loss in self._prepared[self.position :]:
                if kernel is None:
                    arrays = self._next_batch()
                else:
                    array = asarray(run(kernel, tensors))
                    array.setflags(False)  # type: ignore[call-arg] # half the time of write=False
                    tensors[target] = array
                    arrays = (array,)
                    if is_loss:
                        self.losses.append(float(array))
                self.place = after = place + 1
                yield Step(place, instruction, arrays, clock)
                if self.place != after:
                    break  # somebody else has moved the machine in the meantime
                place = after

    def _next_batch(self) -> tuple[Array, ...]:
        assert self._batches is not None, "a batch instruction is compiled for a scenario with data"
        x, y = self._batches.batch(self.clock.iteration(self.place))
        self.tensors["x"], self.tensors["y"] = x, y
        return x, y


def _silent_context() -> contextvars.Context:
    """Return a context in which NumPy says nothing of overflow, division by zero or NaN.

    NumPy keeps its error state in a context variable, and entering a context costs a tenth of an
    `errstate` block.
    """
    context = contextvars.copy_context()
    context.run(np.seterr, all="ignore")
    return context


def run_length(scenario: Scenario, iterations: int | None = None) -> int | None:
    """Return the iterations of a run, None for one without end; `iterations` overrides the file."""
    if iterations is not None:
        return iterations
    if scenario.optimizer is None:
        return 1
    if scenario.run.epochs is not None:
        per_epoch = scenario.data.batches_per_epoch if scenario.data else 1
        return scenario.run.epochs * per_epoch
    return scenario.run.iterations
