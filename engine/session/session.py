"""A session, what every front end talks to: a run with a history, stops, watches and checks."""

from collections.abc import Collection, Iterator, Mapping, Set
from types import MappingProxyType

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.faults.examination import Examination
from nnstep.engine.faults.fault import Fault
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.language.typed import on_one_line
from nnstep.engine.limits import HISTORY_BYTES, MAX_WORK_OF_A_LINE_AT_ONCE
from nnstep.engine.machine.clock import Clock, Unit, start_of
from nnstep.engine.machine.edit import Override
from nnstep.engine.machine.start import run_length
from nnstep.engine.machine.step import Step
from nnstep.engine.program.code import work_of_lines
from nnstep.engine.program.compile import program_of
from nnstep.engine.program.program import Program
from nnstep.engine.scenario.model import Expectation, Scenario
from nnstep.engine.stops.points import Logged, Stop, breakpoint_of
from nnstep.engine.stops.stops import Stops

from .asked import Asked
from .branches import Branches
from .edits import Changes, PlaceError, checked_edit
from .going import Condition, Going, Target
from .old import OldTensors, of_iteration, old_tensors
from .question import Question
from .snapshot import BranchViews, Snapshot, snapshot_ahead, snapshot_of
from .trail import Trail


class Session(Asked):
    """A scenario being stepped. The scenario itself never changes.

    `iterations` overrides the scenario's own end of the run, and `history` is how many bytes of the
    past are kept; what does not fit is computed again when it is asked for. With None nothing is
    kept, and faults are not looked for.

    `total` is the place of its end, `stops` are its breakpoints and watchpoints, `branches` the
    courses of its run, `watches` the expressions to show, and `expectations` the printed
    numbers to compare with. `hunt` is the mistake that is hidden, if one is. `question` says
    which cell is asked about. Answers to commands write numbers with so many `digits`; with
    None, `print` writes all.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        iterations: int | None = None,
        history: int | None = HISTORY_BYTES,
    ) -> None:
        if iterations is not None and (type(iterations) is not int or iterations < 0):
            raise ValueError(f"iterations is a whole number from 0, not {iterations!r}")
        program, length = _first_program(scenario), run_length(scenario, iterations)
        total = None if length is None else length * len(program)
        super().__init__(scenario, Timeline(scenario, program, scenario.seed, history), total)
        self._examination = Examination(self._timeline, scenario)
        self._timeline.finished = self._examination.finished
        self._changes = Changes(self._timeline)
        self.branches = Branches(self._timeline, self._changes, self._examination)
        self.stops = Stops(self._timeline)
        self._views = BranchViews(self._timeline, self._examination, self.stops)
        for table in scenario.breakpoints:
            self.stops.add(breakpoint_of(table))
        self.watches: list[str] = [on_one_line(show) for show in scenario.watches]
        self.expectations: list[Expectation] = list(scenario.expectations)
        self.log: list[Logged] = []
        self._going = Going(
            self._timeline, self._examination, self.stops, total, self._interrupted, self.log
        )
        self.trail = Trail()
        self.digits: int | None = None
        self.question = Question()

    def snapshot(self, before: Mapping[str, Array] | None = None) -> Snapshot:
        """Return everything there is to show; `before` holds the tensors to compare with."""
        self._examination.examine()
        return snapshot_of(
            self._timeline,
            self._views,
            self.stops,
            self.watches,
            self.expectations,
            self.total,
            {} if before is None else before,
        )

    def ahead(self, here: Snapshot) -> tuple[Asked, Snapshot]:
        """Return the run as it is after the next line, and what of `here` is other then.

        Watches, and the losses of branches, are still those of here. Neither the place nor any
        branch changes by it.
        """
        timeline = self._timeline.ahead()
        snapshot = snapshot_ahead(here, timeline, self.expectations, self.total)
        return Asked(self.scenario, timeline, self.total), snapshot

    @property
    def first_program(self) -> Program:
        """The program that the run begins with: only the overrides of the file are in it."""
        return self._timeline.first_program

    @property
    def clock(self) -> Clock:
        """What turns places into positions, iterations and epochs."""
        return self._machine.clock

    @property
    def newest(self) -> int:
        """The furthest place that the branch has reached."""
        return self._timeline.newest

    @property
    def seed(self) -> int:
        """What parameters and batches are drawn from."""
        return self._timeline.current.seed

    @property
    def stale(self) -> Set[str]:
        """The tensors whose values were computed from something edited since."""
        return self._timeline.stale

    @property
    def old(self) -> OldTensors:
        """The live tensors that this iteration has not written yet: they are of the last one."""
        machine = self._machine
        position, finished = machine.position, self.finished
        return old_tensors(self.program, position, machine.give(), finished=finished)

    def of_iteration(self, names: Collection[str]) -> str:
        """Say which of some tensors are of the last iteration: `of iteration 0`; "" if none is."""
        return of_iteration(self._timeline, names, finished=self.finished)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All faults found on the branch, in order of the places where they first show."""
        self._examination.examine()
        return self._examination.faults_of(self._timeline.current)

    def value(self, name: str) -> Array:
        """Return the present value of a tensor, read-only; raise `KeyError` if it is not live."""
        return self._machine.tensors[name]

    def values(self) -> Mapping[str, Array]:
        """Return all live tensors by name, as they are at this place."""
        return MappingProxyType(self._machine.give())

    @property
    def memory(self) -> int:
        """How many bytes of the past are kept, the losses apart."""
        return self._timeline.store.bytes

    def is_near(self, place: int) -> bool:
        """Tell whether a place is reached at once: little or nothing has to be run again for it."""
        return self._timeline.is_near(place)

    def is_quick(self, place: int | None) -> bool:
        """Tell whether every line from here to a place, or to the end, takes a moment at most."""
        lines, at = work_of_lines(self.program), self._machine.position
        count = len(lines) if place is None else min(place - self.place, len(lines))
        return max((2 * lines)[at : at + count], default=0) <= MAX_WORK_OF_A_LINE_AT_ONCE

    # Going on

    def steps(self) -> Iterator[Step]:
        """Execute to the end of the run, one step each time the next is asked for."""
        return self._going.steps()

    def step(self, unit: Unit = "op") -> Step | None:
        """Execute to the end of a unit; return its last step, None if the run was at its end."""
        end = self._going.end_of(unit)
        return self.run(lambda step: self.place >= end)

    def run(self, until: Condition | None = None) -> Step | None:
        """Execute until a condition holds after a step, or to the end of the run.

        `until` is a condition such as `"L < 0.1"` or a function of the step. A condition is looked
        at where the pass under way has written all that it reads. Returns the last step, None if
        the run was at its end. Nothing else stops it. Raises `GrammarError` for a condition
        that does not parse, and `ConditionError` for one that names, calls or combines what there
        is not.
        """
        return self._going.run(until)

    def advance(self, target: Target, budget: float | None = None) -> Stop | None:
        """Execute towards a place, the end of a unit or ("run") of the run, until something stops.

        That is a breakpoint, a watchpoint, or a value that is not finite for the first time. Ends
        after at most `budget` seconds, or by `interrupt`, and then returns None: another call goes
        on. What logpoints print is added to `log`. Faults are found in arrears: if one that stops
        shows before the place reached, the run is taken back to it.
        """
        return self._going.advance(target, budget)

    def interrupt(self) -> None:
        """Make what was called from another thread return soon.

        That is after the present instruction, or after the few small passes that are computed
        together: some hundredths of a second, unless one instruction takes longer by itself.
        """
        self._interrupted.set()

    # Going back

    def seek(self, place: int) -> None:
        """Go to a place, back or on; raise `PlaceError` if the run has none such.

        All tensors, buffers and the data cursor are as they were there, bit for bit.
        """
        if type(place) is not int or place < 0 or (self.total is not None and place > self.total):
            last = "" if self.total is None else f" to {self.total}"
            raise PlaceError(f"the steps are counted from 0{last}, not {place!r}")
        self._examination.examine()
        self._timeline.seek(place)

    def back(self, unit: Unit = "op") -> int:
        """Go back to where the last unit begins, and return that place."""
        self.seek(self.place_before(unit))
        return self.place

    def place_before(self, unit: Unit) -> int:
        """Return the last place before this one at which a unit begins."""
        return start_of(unit, self.program, self._machine.clock, self.place)

    def back_to_stop(self) -> Stop | None:
        """Go back to the last place before this one at which something stops, or else to step 0.

        Returns None, and goes nowhere, if it is interrupted.
        """
        self._interrupted.clear()
        self._examination.examine()
        stop = self.stops.previous(self._interrupted.is_set)
        if self._interrupted.is_set():
            return None
        for fault in self._examination.alarms:
            if stop.place < fault.place < self.place:
                stop = Stop(fault.place, "fault", f"{fault}.")
        self._timeline.seek(stop.place)
        return stop

    def restart(self, seed: int | None = None) -> None:
        """Go to step 0 of a run without edits, with the same seed or another one.

        A run that was edited, or left for another seed, stays as a branch.
        """
        self._examination.examine()
        self._changes.clear()
        self._timeline.begin_again(self.seed if seed is None else seed)

    # Changing things

    def edit(self, name: str, index: Shape, value: float) -> None:
        """Give one cell of a live tensor another value, from here on.

        In the past this starts a branch, and the old future stays on its own. Raises `EditError`
        for a name, an index or a value that does not fit. What was computed from the old value is
        stale until it is computed again.
        """
        tensors = self._machine.tensors
        edit = checked_edit(self.scenario, self.program, tensors, self.place, name, index, value)
        self._examination.examine()
        self._changes.make(edit)

    def override(self, line: str) -> Override:
        """Run a person's own line in place of the program's, from here on; return it.

        `line` is such as `dW1 = dz1.T @ x / 3`; where several lines write the tensor, one behind it
        says which: `W1 = W1 - lr in update 2`. The first of phase backward is meant, else the only
        one. In the past this starts a branch, as an edit does. Raises `OverrideError`.
        """
        from nnstep.engine.override.override import overriding

        return self._changed(overriding(self.scenario, self.program, line, self.place))

    def override_off(self, name: str) -> Override:
        """Run the program's own line for a tensor again, from here on; return it.

        Raises `OverrideError` if no line of the tensor is overridden here.
        """
        from nnstep.engine.override.override import switched_off

        return self._changed(switched_off(self.program, name, self.place))

    def _changed(self, change: Override) -> Override:
        self._examination.examine()
        self._changes.make(change)
        return change

    @property
    def overrides(self) -> "tuple[Override, ...]":
        """The overrides that are in force here, in the order of the program."""
        from nnstep.engine.override.override import in_force

        return in_force(self.program, self._timeline.current.edits_until(self.place))

    def begin_hunt(self, seed: int) -> None:
        """Hide a classic mistake, drawn with a seed, in the program; `hunt` knows which it is.

        Raises `ValueError` if anything has run or been changed, or if a mistake is hidden already,
        and `MistakeError` if none fits.
        """
        from nnstep.engine.override.hunt import hunt

        if self.newest or self._timeline.current.edits or len(self._timeline.branches) > 1:
            raise ValueError("a mistake is hidden before the first step, and nothing was changed")
        if self.hunt is not None:
            raise ValueError("a mistake is hidden already")
        self.hunt = hunt(self.scenario, seed)
        self._timeline.begin_with(self.hunt.program)

    def end_hunt(self) -> None:
        """Show the hidden mistake as an override, from step 0 on."""
        assert self.hunt is not None, "somebody has looked for it"
        self.hunt.is_over = True
        self._timeline.begin_with(self.hunt.shown)

    def undo(self) -> str:
        """Go back to where the last edit was made, without it; return the cell that it changed.

        Raises `UndoError` if there is nothing to undo.
        """
        self._examination.examine()
        return self._changes.undo().cell

    def redo(self) -> str:
        """Make the edit that was undone last once more; return its cell.

        What was run after it is still there. Raises `UndoError` if there is nothing to make again.
        """
        self._examination.examine()
        return self._changes.redo().cell

    @property
    def interrupted(self) -> bool:
        """Whether the last call that can be interrupted was."""
        return self._interrupted.is_set()

    # Watching

    def watch(self, expression: str) -> str:
        """Have an expression shown at every place, and return it as it is in `watches`.

        Raises as `evaluate` does for a wrong one.
        """
        from nnstep.engine.stops.trigger import parsed

        parsed(expression, self.program)
        expression = on_one_line(expression)
        if watched := self.watched(expression):
            return watched
        self.watches.append(expression)
        return expression

    def watched(self, expression: str) -> str | None:
        """Return what is watched and the same but for blanks, None if nothing is."""
        wanted = expression.replace(" ", "")
        return next((text for text in self.watches if text.replace(" ", "") == wanted), None)

    def unwatch(self, expression: str) -> None:
        """Show an expression no longer; raise `ValueError` if it is not shown."""
        self.watches.remove(self.watched(expression) or expression)


def _first_program(scenario: Scenario) -> Program:
    """Return the program that the run begins with."""
    if not scenario.overrides:
        return program_of(scenario)
    from nnstep.engine.override.override import first_program

    return first_program(scenario)
