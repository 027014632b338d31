"""The machine: named tensors and a program counter; it executes one instruction at a time.

Nothing here knows of history, breakpoints or screens. An instruction makes a new array, which is
marked read-only, and no array that was handed out ever changes.
"""

import contextvars
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter

import msgspec
import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.batches import Batches
from nnstep.engine.initial import initial_tensors
from nnstep.engine.program.instruction import Instruction, Phase, Program
from nnstep.engine.scenario.model import Scenario


class Step(msgspec.Struct, frozen=True, gc=False):
    """One executed instruction.

    `index` counts all steps of the run from 0; `writes` maps names to the arrays written.
    """

    index: int
    iteration: int
    epoch: int
    instruction: Instruction
    writes: Mapping[str, Array]

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
    def reads(self) -> tuple[str, ...]:
        """The names of the tensors read."""
        return self.instruction.reads


Fetch = Callable[[Mapping[str, Array]], tuple[Array, ...]]


class Machine:
    """Executes the program of a scenario, pass after pass.

    `place` is the number of instructions executed so far, `position` the index in the program of
    the one next to run, and `tensors` what is live.
    """

    def __init__(self, scenario: Scenario, program: Program, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.program = program
        self.tensors = initial_tensors(scenario, program, generator)
        self.place = 0
        self.position = 0
        self.iteration = 0
        self.batches_per_epoch = scenario.data.batches_per_epoch if scenario.data else 1
        self._batches = Batches(scenario.data, generator) if scenario.data else None
        self._prepared = [
            (instruction, _fetch(instruction.arguments)) for instruction in program.instructions
        ]
        self._run = _silent_context().run

    @property
    def epoch(self) -> int:
        """The pass through the data that the next instruction belongs to."""
        return self.iteration // self.batches_per_epoch

    def step(self) -> Step:
        """Execute the next instruction.

        NaN and infinity are values like any other: NumPy's warnings are off while it runs, in a
        context of the machine's own, so the caller's error state is never touched.
        """
        instruction, fetch = self._prepared[self.position]
        kernel = instruction.kernel
        if kernel is None:
            writes = self._next_batch()
        else:
            array = np.asarray(self._run(kernel, *fetch(self.tensors)))
            array.setflags(write=False)
            writes = {instruction.writes[0]: array}
        iteration = self.iteration
        step = Step(self.place, iteration, iteration // self.batches_per_epoch, instruction, writes)
        self.tensors.update(writes)
        self.place += 1
        self.position += 1
        if self.position == len(self._prepared):
            self.position = 0
            self.iteration += 1
        return step

    def steps(self) -> Iterator[Step]:
        """Execute instructions for ever, one each time the next step is asked for."""
        while True:
            yield self.step()

    def _next_batch(self) -> dict[str, Array]:
        assert self._batches is not None, "a batch instruction is compiled for a scenario with data"
        x, y = self._batches.batch(self.iteration)
        return {"x": x, "y": y}


def _silent_context() -> contextvars.Context:
    """Return a context in which NumPy says nothing of overflow, division by zero or NaN.

    NumPy keeps its error state in a context variable, and entering a context costs a tenth of an
    `errstate` block.
    """
    context = contextvars.copy_context()
    context.run(np.seterr, all="ignore")
    return context


def _fetch(names: tuple[str, ...]) -> Fetch:
    """Return a function that looks up tensors by their names, as a tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    if not names:
        return lambda tensors: ()
    name = names[0]
    return lambda tensors: (tensors[name],)


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
