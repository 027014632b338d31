"""The session: what every front end talks to."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.limits import HISTORY_BYTES
from nnstep.engine.machine import Step, run_length
from nnstep.engine.program.compile import compile_scenario
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.snapshot import Snapshot
from nnstep.engine.stops.points import Breakpoint, Logged, Stop

from .branches import Branches
from .changes import Changes
from .edits import PlaceError, checked_edit
from .inspection import Inspection
from .stopping import Stops
from .units import Unit, end_of, start_of
from .views import snapshot_of

if TYPE_CHECKING:
    from .origin import Change

Until = str | Callable[[Step], bool]
Target = Unit | Literal["run"] | int


class Session(Inspection):
    """A scenario being stepped. The scenario itself never changes.

    `iterations` overrides the scenario's own end of the run, and `history` is how many bytes of the
    past are kept; what does not fit is computed again when it is asked for. With None nothing is
    kept, and faults are not looked for.

    `stops` are its breakpoints and watchpoints, `branches` the courses of its run, and `watches`
    the expressions to show.
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
        program, length = compile_scenario(scenario), run_length(scenario, iterations)
        total = None if length is None else length * len(program)
        super().__init__(Timeline(scenario, program, scenario.seed, history), scenario, total)
        self._changes = Changes(self._timeline)
        self.branches = Branches(self._timeline, self._changes, self._examination)
        self.stops = Stops(self._timeline)
        for point in scenario.breakpoints:
            after = max(0, point.hits - 1)
            self.stops.add(Breakpoint(0, point.at, point.when, after, log=point.log))
        self.watches: list[str] = [watch.text for watch in scenario.watches]
        self.log: list[Logged] = []
        self.file: Path | None = None

    def snapshot(self, before: Mapping[str, Array] | None = None) -> Snapshot:
        """Return everything there is to show; `before` holds the tensors to compare with."""
        self._examination.examine()
        return snapshot_of(self._timeline, self.stops, self.watches, self.total, before or {})

    # Going on

    def steps(self) -> Iterator[Step]:
        """Execute to the end of the run, one step each time the next is asked for."""
        return self._machine.steps(math.inf if self.total is None else self.total)

    def step(self, unit: Unit = "op") -> Step | None:
        """Execute to the end of a unit; return its last step, None if the run was at its end."""
        end = self._end_of(unit)
        return self.run(lambda step: self.place >= end)

    def run(self, until: Until | None = None) -> Step | None:
        """Execute until a condition holds after a step, or to the end of the run.

        `until` is a condition such as `"L < 0.1"` or a function of the step. Returns the last step,
        None if the run was at its end. Nothing else stops it. Raises `GrammarError` for a condition
        that does not parse, and `ConditionError` for one that names, calls or combines what there
        is not.
        """
        reached = self._reached(until)
        step = None
        for step in self.steps():
            if reached(step):
                break
        return step

    def _end_of(self, unit: Unit) -> int:
        return end_of(unit, self.program, self._machine.clock, self.place)

    def _reached(self, until: Until | None) -> Callable[[Step], bool]:
        if until is None:
            return lambda step: False
        if callable(until):
            return until
        from nnstep.engine.conditions import holds
        from nnstep.engine.stops.trigger import parsed, values_at

        condition, machine = parsed(until, self.program), self._machine
        return lambda step: holds(
            condition, values_at(self.program, machine.clock, step.index, machine.tensors)
        )

    def advance(self, target: Target, budget: float | None = None) -> Stop | None:
        """Execute towards a place, the end of a unit or ("run") of the run, until something stops.

        That is a breakpoint, a watchpoint, or a value that is not finite for the first time. Ends
        after at most `budget` seconds, or by `interrupt`, and then returns None: another call goes
        on. What logpoints print is added to `log`.
        """
        from .advance import advance

        self._interrupted.clear()
        deadline = math.inf if budget is None else time.monotonic() + budget
        stop, logged = advance(
            self._timeline,
            self._examination,
            self.stops,
            self._place_of(target),
            math.inf if self.total is None else self.total,
            lambda: self._interrupted.is_set() or time.monotonic() >= deadline,
        )
        self.log.extend(logged)
        branch = self._timeline.current
        if stop and stop.kind == "point" and stop.place not in branch.hits:
            branch.hits = (*branch.hits, stop.place)
        return stop

    def _place_of(self, target: Target) -> float:
        total = math.inf if self.total is None else self.total
        if target == "run":
            return total
        return min(total, target if isinstance(target, int) else self._end_of(target))

    def interrupt(self) -> None:
        """Make what was called from another thread return after its present instruction."""
        self._interrupted.set()

    # Going back

    def seek(self, place: int) -> None:
        """Go to a place, back or on; raise `PlaceError` if the run has none such.

        All tensors, buffers and the data cursor are as they were there, bit for bit.
        """
        if type(place) is not int or place < 0 or (self.total is not None and place > self.total):
            last = "" if self.total is None else f" to {self.total}"
            raise PlaceError(f"the steps are counted from 0{last}, not {place!r}")
        self._examination.leave()
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
        from .advance import alarms

        self._interrupted.clear()
        self._examination.leave()
        stop = self.stops.previous(self._interrupted.is_set)
        if self._interrupted.is_set():
            return None
        for fault in alarms(self._timeline.current):
            if stop.place < fault.place < self.place:
                stop = Stop(fault.place, "fault", f"{fault}.")
        self._timeline.seek(stop.place)
        return stop

    def go_to_last_change(self, name: str, index: Shape) -> "Change | None":
        """Go to where a cell got its value, and return what gave it; None goes nowhere."""
        change = self.last_change(name, index)
        if change is not None:
            self.seek(change.place)
        return change

    def restart(self, seed: int | None = None) -> None:
        """Go to step 0 of a run without edits, with the same seed or another one.

        A run that was edited, or left for another seed, stays as a branch.
        """
        self._examination.leave()
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
        self._examination.leave()
        self._changes.make(edit)

    def undo(self) -> str:
        """Go back to where the last edit was made, without it; return the cell that it changed.

        Raises `UndoError` if there is nothing to undo.
        """
        self._examination.leave()
        return self._changes.undo().cell

    def redo(self) -> str:
        """Make the edit that was undone last once more; return its cell.

        What was run after it is still there. Raises `UndoError` if there is nothing to make again.
        """
        self._examination.leave()
        return self._changes.redo().cell

    def save(self, path: str | Path) -> Path:
        """Write the session to a file that `nnstep` opens, and return its path, `.session` added.

        Raises `SessionFileError` if it cannot be written, and if there is a file already that is
        not this session's own, from an earlier `save` or from where it was opened.
        """
        from nnstep.engine.saving.errors import SessionFileError
        from nnstep.engine.saving.files import SUFFIX, write_session
        from nnstep.engine.saving.reference import reference_to
        from nnstep.engine.saving.state import save

        target = Path(path)
        if target.name and target.suffix.lower() != SUFFIX:
            target = target.with_name(target.name + SUFFIX)
        if target.exists() and target.resolve() != self.file:
            problem = "there is such a file already; choose another name, or delete it first"
            raise SessionFileError(problem, str(path))
        write_session(target, save(self), reference_to(self.scenario))
        self.file = target.resolve()
        return target

    # Watching

    def watch(self, expression: str) -> None:
        """Have an expression shown at every place; raise as `evaluate` does for a wrong one."""
        from nnstep.engine.stops.trigger import parsed

        parsed(expression, self.program)
        if self._watched(expression) is None:
            self.watches.append(expression)

    def toggle_watch(self, expression: str) -> bool:
        """Have an expression shown, or no longer; return whether it is."""
        if watched := self._watched(expression):
            self.watches.remove(watched)
        else:
            self.watch(expression)
        return watched is None

    def _watched(self, expression: str) -> str | None:
        """Return a watched expression that is the same but for blanks."""
        wanted = expression.replace(" ", "")
        return next((text for text in self.watches if text.replace(" ", "") == wanted), None)

    def unwatch(self, expression: str) -> None:
        """Show an expression no longer; raise `ValueError` if it is not shown."""
        self.watches.remove(self._watched(expression) or expression)
