"""The machine: named tensors, a program counter, and one loop that executes instructions."""

import contextvars
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from nnstep.engine.arrays import Array, Kernel
from nnstep.engine.program.program import Instruction, Phase, Program
from nnstep.engine.scenario.model import Scenario

from .batches import Batches, Cursor
from .clock import Clock
from .edit import Change, Override
from .initial import Draws, initial_tensors


class LossHistory:
    """An array that grows by one number an iteration; what was handed out never changes.

    A pass that is run again puts the same number in the same place.
    """

    def __init__(self, losses: Array | None = None) -> None:
        self._values = np.empty(1024)
        self._count = 0
        if losses is not None:
            self._values = np.concatenate([losses, self._values])
            self._count = len(losses)

    def put(self, iteration: int, loss: float) -> None:
        """Note the loss of an iteration, the next one or one that is known."""
        if iteration < self._count:
            return
        if iteration == len(self._values):
            self._values = np.concatenate([self._values, np.empty_like(self._values)])
        self._values[iteration] = loss
        self._count = iteration + 1

    def view(self, count: int | None = None) -> Array:
        """Return the first `count` losses, or all, shape `(iterations,)`, read-only."""
        losses = self._values[: self._count if count is None else min(count, self._count)]
        losses.setflags(write=False)
        return losses

    def forget(self, count: int) -> None:
        """Keep only the first `count` losses."""
        if count < self._count:
            self._values, self._count = self._values.copy(), count


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


class State(msgspec.Struct, frozen=True):
    """Where a run is, and all that going on from there depends on.

    `written` are the arrays written in the pass under way, in the order of the program.
    """

    place: int
    tensors: Mapping[str, Array]
    written: Sequence[Array] = ()
    cursor: Cursor | None = None


Record = tuple[Array, ...]
"""All arrays that one pass wrote, in the order of the program's instructions and their writes."""


class Machine:
    """Executes the program of a scenario, pass after pass.

    `place` is the number of instructions executed so far, `tensors` holds what is live, `written`
    what the pass under way has written, and `losses` the loss of every iteration. `program` is the
    one that runs at this place, overrides included. `finished_pass`, if there is one, is handed the
    record of every pass.
    """

    def __init__(self, scenario: Scenario, program: Program) -> None:
        self.program = self._first_program = program
        self.clock = Clock(len(program), scenario.data.batches_per_epoch if scenario.data else 1)
        self.tensors: dict[str, Array] = {}
        self.written: list[Array] = []
        self.losses = LossHistory()
        self.finished_pass: Callable[[Record], None] | None = None
        self.place = 0
        self._edits: Sequence[Change] = ()
        self._moves = 0
        self._batches = Batches(scenario.data, Draws(scenario.seed)) if scenario.data else None
        self._prepared = _prepared(program)
        loss = next(i for i, line in enumerate(program.instructions) if program.loss in line.writes)
        self._after_loss = loss + 1
        self._context = _silent_context()

    @property
    def position(self) -> int:
        """The index in the program of the instruction next to run."""
        return self.clock.position(self.place)

    def losses_until(self, place: int) -> int:
        """Return how many losses have been computed at a place."""
        return (place - self._after_loss) // len(self.program) + 1

    @property
    def cursor(self) -> Cursor | None:
        """Where the shuffling of the data stands, None if they are not shuffled."""
        return self._batches.cursor if self._batches else None

    def restore(self, state: State, losses: LossHistory, edits: Sequence[Change] = ()) -> None:
        """Go to another state; `edits` are all of the course, in order of their places.

        Those from the state's own place on are still to be made, one there at once.
        """
        self.place = state.place
        self.tensors.clear()
        self.tensors.update(state.tensors)
        self.written = list(state.written)
        self.losses = losses
        self._edits = [edit for edit in edits if edit.place >= state.place]
        before = [edit for edit in edits if edit.place < state.place]
        self._run(self._first_program.with_lines(_lines_of(before)))
        self._moves += 1
        if self._batches:
            self._batches.restore(state.cursor)
        self._make_edits()

    def edit(self, edit: Change) -> None:
        """Make an edit here and now; none of those that were to come will be made."""
        self._edits = ()
        self._moves += 1
        edit.apply(self.tensors)
        self._run(self.program.with_lines(_lines_of([edit])))

    def _run(self, program: Program) -> None:
        """Run a program from here on; one with the very same lines stays the one that it was."""
        pairs = zip(program.instructions, self.program.instructions, strict=True)
        if program is not self.program and any(new is not old for new, old in pairs):
            self.program = program
            self._prepared = _prepared(program)
            self._moves += 1

    def steps(self, end: float) -> Iterator[Step]:
        """Execute instructions, one each time the next step is asked for; the last before `end`.

        NaN and infinity are values like any other: NumPy's warnings are off while an instruction
        runs, in a context of the machine's own, so the caller's error state is never touched.
        """
        tensors, clock, run, asarray = self.tensors, self.clock, self._context.run, np.asarray
        while self.place < end:
            place, moves, record = self.place, self._moves, self.written.append
            start = place - self.position
            after_loss, after_pass = start + self._after_loss, start + clock.steps_per_iteration
            due = self._before_edit(after_loss if place < after_loss else after_pass)
            last = None if end == math.inf else int(end) - start
            for instruction, kernel, target in self._prepared[place - start : last]:
                if kernel is None:
                    arrays = self._next_batch()
                else:
                    array = asarray(run(kernel, tensors))
                    array.setflags(False)  # type: ignore[call-arg] # half the time of write=False
                    tensors[target] = array
                    record(array)
                    arrays = (array,)
                self.place = after = place + 1
                if after == due:
                    if after == after_loss:
                        self.losses.put(clock.iteration(start), float(array))
                    if after == after_pass:
                        self._finish_pass()
                    due = after_loss if after < after_loss else after_pass
                    if self._edits:
                        self._make_edits()
                        due = self._before_edit(due)
                yield Step(place, instruction, arrays, clock)
                if self.place != after or self._moves != moves:
                    break  # somebody else has moved the machine in the meantime
                place = after

    @property
    def rows_taken(self) -> tuple[int, ...]:
        """The numbers of the rows of the data that the last batch line took."""
        return self._batches.taken if self._batches else ()

    def _next_batch(self) -> tuple[Array, ...]:
        assert self._batches is not None, "a batch instruction is compiled for a scenario with data"
        x, y = self._batches.batch(self.clock.iteration(self.place))
        self.tensors["x"], self.tensors["y"] = x, y
        self.written += (x, y)
        return x, y

    def _before_edit(self, place: int) -> int:
        """Return the place, or that of the next edit if it comes before."""
        return min(place, self._edits[0].place) if self._edits else place

    def _finish_pass(self) -> None:
        """Hand the record of the pass over, and begin the next one."""
        record, self.written = tuple(self.written), []
        if self.finished_pass:
            self.finished_pass(record)

    def _make_edits(self) -> None:
        """Make the edits that belong at this place."""
        while self._edits and self._edits[0].place == self.place:
            # From a keyframe on, what a pass writes is not there yet: its edit will be replaced.
            edit, self._edits = self._edits[0], self._edits[1:]
            if edit.name in self.tensors:
                edit.apply(self.tensors)
            self._run(self.program.with_lines(_lines_of([edit])))


def _prepared(program: Program) -> list[tuple[Instruction, Kernel | None, str]]:
    """Return of each line what executing it takes."""
    return [(line, line.kernel, line.writes[0]) for line in program.instructions]


def _lines_of(edits: Sequence[Change]) -> Mapping[int, Instruction]:
    """Return the lines that edits put in place of others, by position; the last one counts."""
    lines: dict[int, Instruction] = {}
    for edit in edits:
        own = ((edit.position, edit.instruction),) if isinstance(edit, Override) else edit.lines
        lines.update(own)
    return lines


def initial_state(scenario: Scenario, program: Program, seed: int) -> State:
    """Return the state at place 0, with parameters and batches drawn from `seed`."""
    draws = Draws(seed)
    tensors = _silent_context().run(initial_tensors, program, scenario.dtype, draws)
    batches = Batches(scenario.data, draws) if scenario.data else None
    return State(0, tensors, cursor=batches.cursor if batches else None)


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
