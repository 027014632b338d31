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
from nnstep.engine.initial import initial_tensors
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

    `place` is the number of instructions executed so far, and `tensors` holds what is live.
    """

    def __init__(self, scenario: Scenario, program: Program, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.program = program
        self.clock = Clock(len(program), scenario.data.batches_per_epoch if scenario.data else 1)
        self.tensors = initial_tensors(scenario, program, generator)
        self.place = 0
        self._batches = Batches(scenario.data, generator) if scenario.data else None
        self._prepared = [
            (instruction, instruction.kernel, instruction.writes[0])
            for instruction in program.instructions
        ]
        self._context = _silent_context()

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
            for instruction, kernel, target in self._prepared[self.position :]:
                if kernel is None:
                    arrays = self._next_batch()
                else:
                    array = asarray(run(kernel, tensors))
                    array.setflags(False)  # type: ignore[call-arg] # half the time of write=False
                    tensors[target] = array
                    arrays = (array,)
                self.place = after = place + 1
                yield Step(place, instruction, arrays, clock)
                place = after
                if self.place != after:
                    break  # somebody else has stepped the machine in the meantime

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
