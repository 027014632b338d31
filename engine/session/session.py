"""The session: what every front end talks to."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.machine import Machine, Step, run_length
from nnstep.engine.program.compile import compile_scenario
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.snapshot import Snapshot

from .edits import Edit, UndoError, checked_tensor, edited
from .staleness import stale_tensors
from .units import Unit, end_of

Until = str | Callable[[Step], bool]


class Session:
    """A scenario being stepped. The scenario itself never changes.

    `iterations` overrides the scenario's own end of the run.
    """

    def __init__(self, scenario: Scenario, *, iterations: int | None = None) -> None:
        if iterations is not None and (type(iterations) is not int or iterations < 0):
            raise ValueError(f"iterations is a whole number from 0, not {iterations!r}")
        self.scenario = scenario
        self.program = compile_scenario(scenario)
        length = run_length(scenario, iterations)
        self.total = None if length is None else length * len(self.program)
        self.seed = scenario.seed
        self._machine = Machine(scenario, self.program, self.seed)
        self._edits: list[Edit] = []
        self._interrupted = threading.Event()

    def restart(self, seed: int | None = None) -> None:
        """Go back to step 0, with the same seed or another one."""
        self.seed = self.seed if seed is None else seed
        self._machine.restart(self.seed)
        self._edits.clear()

    # Where the session is

    @property
    def place(self) -> int:
        """The number of instructions executed so far."""
        return self._machine.place

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.total is not None and self._machine.place >= self.total

    @property
    def stale(self) -> frozenset[str]:
        """The tensors whose values were computed from something edited since."""
        edits = [(edit.name, edit.place) for edit in self._edits]
        return stale_tensors(self.program, self.place, edits)

    def value(self, name: str) -> Array:
        """Return the present value of a tensor, read-only; raise `KeyError` if it is not live."""
        return self._machine.tensors[name]

    def values(self) -> Mapping[str, Array]:
        """Return all live tensors by name."""
        return dict(self._machine.tensors)

    def snapshot(self, before: Mapping[str, Array] | None = None) -> Snapshot:
        """Return everything there is to show; `before` holds the tensors to compare with."""
        machine = self._machine
        return Snapshot(
            program=self.program,
            place=machine.place,
            total=self.total,
            position=machine.position,
            iteration=machine.clock.iteration(machine.place),
            epoch=machine.clock.epoch(machine.place),
            finished=self.finished,
            last=machine.program.instructions[machine.position - 1] if machine.place else None,
            tensors=dict(machine.tensors),
            before=before or {},
            stale=self.stale,
            losses=machine.losses.view(),
        )

    # Going on

    def steps(self) -> Iterator[Step]:
        """Execute to the end of the run, one step each time the next is asked for."""
        return self._machine.steps(math.inf if self.total is None else self.total)

    def step(self, unit: Unit = "op") -> Step | None:
        """Execute to the end of a unit; return its last step, None if the run was at its end."""
        end = end_of(unit, self._machine)
        return self.run(lambda step: self.place >= end)

    def run(self, until: Until | None = None) -> Step | None:
        """Execute until a condition holds after a step, or to the end of the run.

        `until` is a condition such as `"L < 0.1"` or a function of the step. Returns the last step,
        None if the run was at its end. Raises `GrammarError` for a condition that does not parse,
        and `ConditionError` for one that names, calls or combines what there is not.
        """
        reached = self._reached(until)
        step = None
        for step in self.steps():
            if reached(step):
                break
        return step

    def advance(self, unit: Unit | Literal["run"], budget: float | None = None) -> bool:
        """Execute towards the end of a unit, or of the run, for at most `budget` seconds.

        Returns whether the end was reached; if not, another call goes on. `interrupt` stops it
        after the instruction under way.
        """
        self._interrupted.clear()
        end = None if unit == "run" else end_of(unit, self._machine)
        deadline = None if budget is None else time.monotonic() + budget
        for _ in self.steps():
            if end is not None and self.place >= end:
                return True
            if self._interrupted.is_set() or (deadline and time.monotonic() >= deadline):
                return self.finished
        return True

    def interrupt(self) -> None:
        """Make `advance`, called from another thread, return after its present instruction."""
        self._interrupted.set()

    def _reached(self, until: Until | None) -> Callable[[Step], bool]:
        if until is None:
            return lambda step: False
        if callable(until):
            return until
        from nnstep.engine.conditions import check_names, holds
        from nnstep.engine.grammar import parse_condition

        condition = parse_condition(until)
        check_names(condition, self.program.tensors)
        return lambda step: holds(condition, self._names(step))

    def _names(self, step: Step) -> Mapping[str, Any]:
        tensors = self._machine.tensors
        counts = {"iteration": step.iteration, "epoch": step.epoch, "step": step.index}
        loss = {"loss": tensors[self.program.loss]} if self.program.loss in tensors else {}
        return {**counts, **loss, **tensors}

    # Changing things

    def edit(self, name: str, index: Shape, value: float) -> None:
        """Give one cell of a live tensor another value, from here on.

        Raises `EditError` for a name, an index or a value that does not fit. What was computed from
        the old value is stale until it is computed again.
        """
        machine = self._machine
        before = checked_tensor(name, self.program, machine.tensors)
        after = edited(before, name, index, value, self._classes(name, before))
        self._edits.append(Edit(machine.place, name, index, before))
        machine.tensors[name] = after

    def undo(self) -> str:
        """Take back the last edit, if nothing has run since; return the cell that it had changed.

        Raises `UndoError` saying why there is nothing to undo.
        """
        if not self._edits:
            raise UndoError("nothing has been edited")
        last = self._edits[-1]
        if last.place != self.place:
            ran = self.place - last.place
            steps = "1 step has" if ran == 1 else f"{ran} steps have"
            raise UndoError(f"{steps} run since {last.cell} was edited; restart or edit it back")
        self._edits.pop()
        self._machine.tensors[last.name] = last.before
        return last.cell

    def _classes(self, name: str, array: Array) -> int | None:
        network = self.scenario.network
        if name == "y" and network is not None and array.dtype.kind == "i":
            return network.layers[-1].units
        return None
