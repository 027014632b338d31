"""The machine: named tensors, a program counter, and one loop that executes instructions."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, count, repeat
from operator import length_hint
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array, sealed
from nnstep.engine.program.code import MOST_TOGETHER, is_made, passes_of, passes_together
from nnstep.engine.program.program import Instruction, Program
from nnstep.engine.scenario.model import Scenario

from .batches import Batches, Cursor
from .clock import Clock
from .edit import Change, Coming, edited_copies, lines_of
from .initial import Draws
from .live import Live, live
from .losses import LossHistory
from .start import silent_context
from .step import Finished, Look, Record, State, Step


class Machine:
    """Executes the program of a scenario, pass after pass.

    `place` is the number of instructions executed so far, `tensors` holds what is live, and
    `losses` the loss of every iteration. `program` is the one that runs here, overrides included.
    A pass of few numbers is computed as a whole: what lies ahead of the place shows nowhere, and is
    dropped when something changes. Which of the steps that are handed out has been taken is looked
    up when somebody asks for the place.

    `finished`, if there is one, is handed the first iteration and the records of passes that the
    machine has come to the end of; they never go past a multiple of `stride`.
    """

    def __init__(self, scenario: Scenario, program: Program) -> None:
        self.program = self._first_program = program
        self.clock = Clock(len(program), scenario.data.batches_per_epoch if scenario.data else 1)
        self.losses = LossHistory()
        self.finished: Finished | None = None
        self.stride = MOST_TOGETHER
        # The place that all else here is about; the steps that are handed out from there on, what
        # does it, and how many of them had not been taken when that was looked up last.
        self._at = 0
        self._steps: list[Step] = []
        self._handed = iter(self._steps)
        self._waiting = 0
        # Where somebody has been given what is live, it is copied before it changes.
        self._live = Live({})
        self._is_given = False
        # What the pass under way has written and what is computed ahead, that of so many lines;
        # how many of these arrays are live; what the last pass wrote; and which program ran last.
        self._record: list[Array] = []
        self._computed = 0
        self._shown = 0
        # The passes computed ahead that are to come, the next one last; where the shuffling stood
        # before them; and how many may be computed together: more, as long as nothing is dropped.
        self._later: list[Record] = []
        self._began: Cursor | None = None
        self._trusted = 1
        self._last_record: Record = ()
        # What it has left behind, from an index of its record on, until somebody asks.
        self._left: tuple[int, Record] | None = None
        self._executed = program
        self._coming = Coming()
        self._batches = Batches(scenario.data, Draws(scenario.seed)) if scenario.data else None
        self._names, self._counts = program.written, program.counts
        loss = next(i for i, line in enumerate(program.instructions) if program.loss in line.writes)
        self._after_loss = loss + 1
        self._together = passes_together(program)
        self._context = silent_context()

    @property
    def place(self) -> int:
        """The number of instructions executed so far."""
        if length_hint(self._handed) != self._waiting:
            self._take_note()
        return self._at

    @property
    def position(self) -> int:
        """The index in the program of the instruction next to run."""
        return self.place % self.clock.steps_per_iteration

    @property
    def tensors(self) -> Live:
        """What is live at this place."""
        here, shown = self._counts[self.position], self._shown
        if self._left is not None:
            start, record = self._left
            self._own().update(zip(self._names[start:], record[start:], strict=True))
            self._left = None
        if shown != here:
            self._own().update(zip(self._names[shown:here], self._record[shown:here], strict=True))
            self._shown = here
        return self._live

    def _own(self) -> Live:
        """Return what is live to be changed: nobody else has it."""
        if self._is_given:
            self._live, self._is_given = self._live.again(), False
        return self._live

    def give(self) -> Live:
        """Return what is live at this place; it does not change as the machine goes on."""
        tensors = self.tensors
        self._is_given = True
        return tensors

    @property
    def written(self) -> Record:
        """What the pass under way has written, then what is computed ahead; read it at once."""
        return self._record

    @property
    def last(self) -> Step:
        """The step that was executed last."""
        step = self.place - 1
        position = self.clock.position(step)
        record = self._record if self.position else self._last_record
        arrays = record[self._counts[position] : self._counts[position + 1]]
        return Step(step, self._executed.instructions[position], tuple(arrays), self.clock)

    def losses_until(self, place: int) -> int:
        """Return how many losses have been computed at a place."""
        return (place - self._after_loss) // len(self.program) + 1

    @property
    def cursor(self) -> Cursor | None:
        """Where the shuffling of the data stands, None if they are not shuffled."""
        self._drop_later()
        return self._batches.cursor if self._batches else None

    @property
    def rows_taken(self) -> tuple[int, ...]:
        """The numbers of the rows of the data that the last batch line took."""
        self._drop_later()
        return self._batches.taken if self._batches else ()

    # Going elsewhere

    def restore(
        self,
        state: State,
        losses: LossHistory,
        edits: Sequence[Change] = (),
        lines: Mapping[int, Instruction] | None = None,
    ) -> None:
        """Go to another state, where some lines of the first program are others, by position.

        `edits` are still to be made, in order of their places, one at the state's own at once.
        """
        self._stop_handing_out()
        self._later, self._trusted = [], 1  # the batches go back with the cursor
        self._at = state.place
        self._live, self._is_given, self._left = live(state.tensors), True, None
        self._computed, self._shown = self.position, self._counts[self.position]
        if state.written is not self._record:
            self._record = [*state.written]
        del self._record[self._shown :]
        self.losses = losses
        self._coming = Coming(edits)
        self._run(self._first_program.with_lines(lines or {}))
        if self._batches:
            self._batches.restore(state.cursor)
        self._make_edits()

    def begin_with(self, program: Program) -> None:
        """Have another program of the same lines run from step 0 on, and from here."""
        changed = enumerate(
            zip(program.instructions, self._first_program.instructions, strict=True)
        )
        lines = {at: new for at, (new, old) in changed if new is not old}
        self._first_program = program
        self._run(self.program.with_lines(lines))

    def edit(self, edit: Change) -> None:
        """Make an edit here and now; none of those that were to come will be made."""
        self._coming = Coming()
        self._make([edit])

    def _make(self, edits: Sequence[Change]) -> None:
        """Make edits; what was computed ahead is dropped."""
        self._drop_later()
        tensors = self.tensors
        del self._record[self._shown :]
        self._computed = self.position
        # From a keyframe on, what a pass writes is not there yet: its edit will be replaced.
        changed = edited_copies([edit for edit in edits if edit.name in tensors], tensors)
        self._own().update(changed)
        self._run(self.program.with_lines(lines_of(edits)))

    def _run(self, program: Program) -> None:
        """Run a program from here on; one with the very same lines stays the one that it was."""
        pairs = zip(program.instructions, self.program.instructions, strict=True)
        if program is not self.program and any(new is not old for new, old in pairs):
            self._drop_later()
            self.program = program

    def ahead(self, finished: Finished) -> "Machine":
        """Return another machine one line further, which tells `finished` of a pass that ends."""
        self._drop_later()
        if self._computed == self.position:
            self._compute_line()
        self.give()
        other = copy.copy(self)
        other._record, other._steps, other._handed = [*self._record], [], iter(())
        other.losses, other.finished = self.losses.forked(len(self.losses.view())), finished
        other._go_to(self.place + 1)
        return other

    # Going on

    def steps(self, end: float) -> Iterator[Step]:
        """Execute instructions, one each time the next step is asked for; the last before `end`.

        NaN and infinity are values like any other: NumPy's warnings are off while an instruction
        runs, in a context of the machine's own, so the caller's error state is never touched.
        """
        while self.place < end:
            self._stop_handing_out()
            if self._computed == self.position:
                self._compute(end)
            self._steps = self._ahead(end)
            self._handed, self._waiting = iter(self._steps), len(self._steps)
            yield from self._handed  # as long as nobody else moves or changes the machine
        self._stop_handing_out()

    def _take_note(self) -> None:
        """Go past the steps that have been taken of those that are handed out."""
        waiting = length_hint(self._handed)
        taken, self._waiting = self._waiting - waiting, waiting
        place, length = self._at + taken, len(self.program)
        try:
            while self._at < place:
                passes = min((place - self._at) // length, len(self._later))
                if passes and not self._at % length:
                    records = self._later[: -passes - 1 : -1]
                    del self._later[-passes:]
                    self._go_past(self._at // length, records)
                    continue
                if self._computed == self._at % length:
                    self._record, self._computed = [*self._later.pop()], length
                self._go_to(min(place, self._at - self._at % length + self._computed))
        except BaseException:
            self._steps.clear()
            self._waiting = 0
            raise

    def _stop_handing_out(self) -> None:
        """Go past what has been taken of the steps handed out, and hand out no more of them."""
        self._take_note()
        self._steps.clear()
        self._waiting = 0

    def go(
        self,
        end: float,
        look: Look | None = None,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Execute up to a place, unless `look` stops it; tell whether it has.

        `goes_on` is asked from time to time, and ends it too.
        """
        self._drop_later()
        while self._at < end:
            if self._computed > self.position:
                stop = self._pass_ahead(end, look)
            elif passes := self._whole_passes(end):
                stop = self._run_passes(passes, look)
            else:
                self._compute_line()
                stop = self._pass_ahead(end, look)
            if stop:
                return True
            if not goes_on():
                break
        return False

    def _pass_ahead(self, end: float, look: Look | None) -> bool:
        """Go past what is computed ahead; tell whether to stop there."""
        stop = min(self._at - self.position + self._computed, end)
        while self._at < stop:
            self._go_to(self._at + 1 if look else int(stop))
            if look and look.here():
                return True
        return False

    def _go_to(self, place: int) -> None:
        """Go past what is computed ahead, up to a place in the pass or at its end."""
        self._executed = self.program
        while self._at < place:
            mark = self._next_mark(self._at)
            self._at = min(mark, place)
            if self._at == mark:
                self._come_to_mark()

    def _ahead(self, end: float) -> list[Step]:
        """Return the steps that are computed ahead, up to an end."""
        counts, instructions, clock = self._counts, self.program.instructions, self.clock
        parts: list[tuple[Sequence[Array], int, int]] = []
        if self._computed > self.position:
            parts.append((self._record, self.position, self._computed))
        parts += [(record, 0, len(instructions)) for record in reversed(self._later)]
        steps: list[Step] = []
        for record, first, stop in parts:
            lines = instructions[first:stop]
            arrays: Iterator[tuple[Array, ...]] = zip(record[counts[first] : counts[stop]])
            if len(lines[0].writes) > 1:
                arrays = chain([(next(arrays) + next(arrays))], arrays)
            steps += map(Step, count(self._at + len(steps)), lines, arrays, repeat(clock))
        if self._at + len(steps) > end:
            del steps[int(end) - self._at :]
        return steps

    def _next_mark(self, place: int) -> int:
        """Return the next place at which there is more to do: the loss, the end, an edit."""
        start = place - place % self.clock.steps_per_iteration
        after = start + self._after_loss
        mark = after if place < after else start + self.clock.steps_per_iteration
        return int(min(mark, self._coming.place))

    def _come_to_mark(self) -> None:
        """Do what there is to do besides executing lines."""
        position = self._at % len(self.program)
        if position == self._after_loss % len(self.program):
            at = self._counts[self._after_loss] - 1
            self.losses.put((self._at - 1) // len(self.program), [float(self._record[at])])
        if not position:
            self._finish([tuple(self._record)])
        self._make_edits()

    def _finish(self, records: Sequence[Record]) -> None:
        """Begin the pass after some that the machine has just come to the end of."""
        self._last_record = last = records[-1]
        # What is live already may have been edited since.
        self._left = self._shown, last
        self._record, self._computed, self._shown = [], 0, 0
        if self.finished:
            self.finished(self.clock.iteration(self._at) - len(records), records)

    def _make_edits(self) -> None:
        """Make the edits that belong at this place."""
        if self._coming.place == self._at:
            edits, self._coming = self._coming.due(self._at)
            self._make(edits)

    # Computing

    def _whole_passes(self, end: float) -> int:
        """Return how many passes can be computed together here."""
        steps = self.clock.steps_per_iteration
        if not self._together or self.position:
            return 0
        # What an edit changes is looked at where it is made: a line before it at the latest.
        until = min(end, self._coming.place - 1)
        iteration = self._at // steps
        within = math.inf if until == math.inf else int(until - self._at) // steps
        if within < 2 and not is_made(self.program):  # to make it takes longer than it saves
            return 0
        return int(min(self._together, self.stride - iteration % self.stride, within))

    def _compute(self, end: float) -> None:
        """Compute some passes ahead, or else the next line."""
        if not self._later and (passes := min(self._whole_passes(end), self._trusted)):
            self._began, self._trusted = self.cursor, 2 * self._trusted
            with suppress(Exception):  # its line will raise it when its turn comes
                self._later = self._computed_passes(passes)[::-1]
        if not self._later:
            self._compute_line()

    def _drop_later(self) -> None:
        """Drop the passes computed ahead that are to come."""
        self._stop_handing_out()
        if not self._later:
            return
        self._later, self._trusted = [], 1
        if self._batches and self._at:
            self._batches.restore(self._began)
            self._batches.batch((self._at - 1) // len(self.program))

    def _computed_passes(self, passes: int) -> list[Record]:
        """Compute passes ahead; what an error leaves of them is returned.

        Where not even the first is left, or somebody interrupts it, the batches are where they
        were.
        """
        records: list[Record] = []
        cursor = self._batches.cursor if self._batches else None
        first = self.clock.iteration(self._at)
        batches: Iterable[Any] = range(passes)
        if self._batches:
            batches = self._batches.those_from(first, passes)
        try:
            self._context.run(passes_of(self.program), self.tensors, batches, records.append)
        except BaseException as error:
            if not records or not isinstance(error, Exception):
                if self._batches:
                    self._batches.restore(cursor)
                raise
        return records

    def _run_passes(self, most: int, look: Look | None) -> bool:
        """Compute passes and go past them; tell whether to stop at a place in them."""
        cursor, steps = self.cursor, self.clock.steps_per_iteration
        first = self.clock.iteration(self._at)
        try:
            records = self._computed_passes(most)
        except Exception:
            self._compute_line()  # what follows raises it at its place
            return self._pass_ahead(self._at + 1, look)
        stop = look.passes(first, records) if look else None
        if stop is None:
            self._go_past(first, records)
            return False
        passes = (stop - 1) // steps - first
        if passes:
            self._go_past(first, records[:passes])
        if self._batches and len(records) > passes + 1:
            self._batches.restore(cursor)
            self._batches.batch(first + passes)
        self._record, self._computed = [*records[passes]], steps
        self._go_to(stop)
        return True

    def _go_past(self, first: int, records: Sequence[Record]) -> None:
        """Go past whole passes, from the iteration of this place on."""
        self._executed = self.program
        at = self._counts[self._after_loss] - 1
        self.losses.put(first, [float(record[at]) for record in records])
        self._at += len(records) * self.clock.steps_per_iteration
        self._finish(records)
        self._make_edits()

    def _compute_line(self) -> None:
        """Compute the next line."""
        line = self.program.instructions[self.position]
        if line.kernel is None:
            assert self._batches is not None, "there is a batch line for a scenario with data"
            self._record += self._batches.batch(self.clock.iteration(self.place))
        else:
            self._record.append(sealed(np.asarray(self._context.run(line.kernel, self.tensors))))
        self._computed += 1
