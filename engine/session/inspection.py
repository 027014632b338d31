"""What can be asked of a session without changing it."""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from nnstep.engine.arrays import Array, Shape, frozen
from nnstep.engine.clock import Clock
from nnstep.engine.faults.fault import Fault
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.machine import Machine
from nnstep.engine.scenario.model import Scenario

from .examination import Examination
from .staleness import stale_tensors

if TYPE_CHECKING:
    from nnstep.engine.verification.verdict import Verification

    from .origin import Change
    from .series import Series


class Inspection:
    """A timeline looked at: its place, its tensors, its past. `total` is the place of its end."""

    def __init__(self, timeline: Timeline, scenario: Scenario, total: int | None) -> None:
        self.scenario = scenario
        self.program = timeline.program
        self.total = total
        self._timeline = timeline
        self._examination = Examination(timeline, scenario)
        timeline.finished_pass = self._examination.finished_pass
        self._interrupted = threading.Event()

    @property
    def _machine(self) -> Machine:
        return self._timeline.machine

    @property
    def place(self) -> int:
        """The number of instructions executed so far."""
        return self._timeline.place

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
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.total is not None and self.place >= self.total

    @property
    def stale(self) -> frozenset[str]:
        """The tensors whose values were computed from something edited since."""
        edits = [(e.name, e.place) for e in self._timeline.current.edits_until(self.place)]
        return stale_tensors(self.program, self.place, edits)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All faults found on the branch, in order of the places where they first show."""
        self._examination.examine()
        return tuple(f for f in self._timeline.current.faults if f.place <= self.newest)

    def value(self, name: str) -> Array:
        """Return the present value of a tensor, read-only; raise `KeyError` if it is not live."""
        return self._machine.tensors[name]

    def values(self) -> Mapping[str, Array]:
        """Return all live tensors by name."""
        return dict(self._machine.tensors)

    @property
    def memory(self) -> int:
        """How many bytes of the past are kept, the losses apart."""
        return self._timeline.store.bytes

    def is_near(self, place: int) -> bool:
        """Tell whether a place is reached at once, without running anything again."""
        return self._timeline.is_near(place)

    def evaluate(self, expression: str) -> Array:
        """Return the value of an expression over the live tensors and the counts of the next step.

        Raises `GrammarError` or `ConditionError` for one that does not fit.
        """
        from nnstep.engine.conditions import ConditionError, evaluate
        from nnstep.engine.stops.trigger import parsed, values_at

        node, machine = parsed(expression, self.program), self._machine
        try:
            values = values_at(self.program, machine.clock, self.place, machine.tensors)
            return frozen(evaluate(node, values))
        except KeyError as error:
            raise ConditionError(f"{error.args[0]} has no value yet") from None

    @property
    def interrupted(self) -> bool:
        """Whether the last call that can be interrupted was."""
        return self._interrupted.is_set()

    def last_change(self, name: str, index: Shape) -> "Change | None":
        """Return what gave a cell its value; None if it is as at step 0, or if interrupted."""
        from .origin import last_change

        self._interrupted.clear()
        return last_change(self._timeline, name, index, self._interrupted.is_set)

    def series(self, expression: str) -> "Series":
        """Return the value of an expression in every iteration of the branch, up to the newest.

        Raises `GrammarError` or `ConditionError` for one that does not fit or is not one number. An
        interrupted series is not complete.
        """
        from .series import series_of

        self._interrupted.clear()
        return series_of(self._timeline, expression, self._interrupted.is_set)

    def verify(self, progress: Callable[[int, int], None] | None = None) -> "Verification":
        """Compare the gradients of the loss at this place with difference quotients.

        They are those of the parameters as they are here, for the batch of the pass under way; at
        the beginning of a pass, for its batch, which is next. `progress` is told how many cells are
        done, and of how many. What is interrupted is not complete.
        """
        from nnstep.engine.verification.verify import verify

        self._interrupted.clear()
        machine = self._machine
        if machine.position == 0:
            machine = self._timeline.ghost(self.place)
            next(machine.steps(self.place + 1))
        return verify(
            self.program, machine.tensors, progress=progress, cancelled=self._interrupted.is_set
        )
