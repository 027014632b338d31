"""What can be asked of a run: expressions over it, and where its numbers come from and go to."""

import math
import threading
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING

from msgspec.structs import replace

from nnstep.engine.arrays import Array, Shape, frozen
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.limits import MAX_WORK_AT_ONCE
from nnstep.engine.machine.machine import Machine
from nnstep.engine.program.program import Instruction, Program
from nnstep.engine.scenario.model import Scenario

from .edits import EditError, PlaceError, checked_edit, checked_index, checked_tensor

if TYPE_CHECKING:
    from nnstep.engine.explain.calculation import Calculation
    from nnstep.engine.explain.explanation import Explanation, Reader
    from nnstep.engine.explain.factors import Factors
    from nnstep.engine.explain.questions import Offered
    from nnstep.engine.explain.tree import Tree
    from nnstep.engine.explain.unchanged import Unchanged
    from nnstep.engine.explain.what_if import WhatIf
    from nnstep.engine.explain.why import Why
    from nnstep.engine.override.hunt import Hunt
    from nnstep.engine.verification.verdict import Verification

    from .queries import Change, Series


class Asked:
    """A run that can be asked about; no answer changes its place or any of its branches.

    `total` is the place of its end, None for none. `hunt` is the mistake that is hidden, if one is.
    """

    def __init__(self, scenario: Scenario, timeline: Timeline, total: int | None) -> None:
        self.scenario = scenario
        self.total = total
        self.hunt: Hunt | None = None
        self._timeline = timeline
        self._interrupted = threading.Event()

    @property
    def _machine(self) -> Machine:
        return self._timeline.machine

    @property
    def program(self) -> Program:
        """The program that runs here, overrides included."""
        return self._timeline.program

    @property
    def place(self) -> int:
        """The number of instructions executed so far."""
        return self._timeline.place

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.total is not None and self.place >= self.total

    def evaluate(self, expression: str) -> Array:
        """Return the value of an expression over the live tensors and the counts of the next step.

        Raises `GrammarError` or `ConditionError` for one that does not fit.
        """
        from nnstep.engine.language.evaluate import evaluate
        from nnstep.engine.language.nodes import ConditionError
        from nnstep.engine.language.work import Work
        from nnstep.engine.stops.trigger import parsed, values_at

        node, machine = parsed(expression, self.program), self._machine
        try:
            values = values_at(self.program, machine.clock, self.place, machine.tensors)
            return frozen(evaluate(node, values, Work(MAX_WORK_AT_ONCE)))
        except KeyError as error:
            raise ConditionError(f"{error.args[0]} has no value yet") from None

    def last_change(self, name: str, index: Shape) -> "Change | None":
        """Return what gave a cell its value; None if it is as at step 0, or if interrupted."""
        from .queries import last_change

        self._interrupted.clear()
        return last_change(self._timeline, name, index, self._interrupted.is_set)

    def first_time(self, condition: str) -> int | None:
        """Return the first place of the branch at which a condition holds, None if nowhere so far.

        None also if interrupted. Raises as `run` does for a condition that does not fit.
        """
        from .queries import first_time

        self._interrupted.clear()
        return first_time(self._timeline, condition, self._interrupted.is_set)

    def values_at(self, place: int) -> Mapping[str, Array]:
        """Return all tensors that were live at a place that the branch has reached, by name."""
        return self._timeline.tensors_at(place)

    def line_of(self, step: int) -> Instruction:
        """Return the line that a step of the branch executes, or has executed."""
        return self._timeline.line_of(step)

    def explain(self, name: str, index: Shape, at: int | None = None) -> "Explanation":
        """Return how a cell got the value that it has here, or just after the step `at`.

        Neither the place nor any branch changes by it. Raises `EditError` for a tensor or a cell
        that there is not, or that has no value there, and `PlaceError` for a step that the run does
        not have.
        """
        from nnstep.engine.explain.explain import explained

        place = self._place_after(at)
        found = explained(self._timeline, name, self._index(name, index, place), place)
        size = len(self.program)
        is_old = self.program.renewed.get(name, -1) >= place % size and place != self.total
        if found.origin != "step" or found.step is None or not is_old:
            return found
        return replace(found, old=found.step // size)

    def why(self, name: str, index: Shape, at: int | None = None) -> "Why":
        """Return why a cell has the value that it has here, or just after the step `at`.

        What it was computed from is followed, a cell a hop, to the cause: `Why` says how. Neither
        the place nor any branch changes by it. Raises as `explain` does.
        """
        from nnstep.engine.explain.why import why

        place = self._place_after(at)
        return why(self._timeline, name, self._index(name, index, place), place)

    def questions(self, name: str, index: Shape) -> "tuple[Offered, ...]":
        """Return the questions that apply to a cell here, each with the command that answers it.

        Raises `EditError` for a tensor or a cell that there is not, or that has no value here.
        """
        from nnstep.engine.explain.questions import questions_about

        return questions_about(
            self._timeline, name, self._index(name, index, self.place), self.place
        )

    def unchanged(self, name: str, index: Shape) -> "Unchanged | None":
        """Return why the last update left a parameter's cell as it was; None if it did not.

        Raises as `questions` does.
        """
        from nnstep.engine.explain.unchanged import unchanged

        index = self._index(name, index, self.place)
        return unchanged(self._timeline, name, index, self.place)

    def factors(self, name: str, index: Shape) -> "Factors":
        """Return what a gradient or a value is multiplied by on its way, cell by cell.

        Raises as `questions` does. If interrupted, it is not the whole way.
        """
        from nnstep.engine.explain.factors import factors_of

        self._interrupted.clear()
        index = self._index(name, index, self.place)
        return factors_of(self._timeline, name, index, self.place, self._interrupted.is_set)

    def what_if(self, name: str, index: Shape, value: float) -> "WhatIf":
        """Return what another value of a cell does to the loss of the pass under way.

        That is the pass of the line next to run. A parameter, a buffer or `lr` changes at its
        start, any other tensor as its line writes it. Neither the run nor any branch changes by it.
        Raises `EditError` as `edit` does, and for a tensor that the pass has not written yet, and
        `GivenUpError` if it is interrupted.
        """
        from nnstep.engine.explain.what_if import NotYetError, Pass, what_if

        self._interrupted.clear()
        tensors = self._machine.tensors
        edit = checked_edit(self.scenario, self.program, tensors, self.place, name, index, value)
        passed = Pass(self._timeline, self.finished, self._interrupted.is_set)
        try:
            moment = passed.moment(name, edit.index)
        except NotYetError as error:
            raise EditError(str(error)) from None
        array = moment.tensors[name]
        checked_index(array, name, edit.index)
        return what_if(passed, moment, edit)

    def calculation(self) -> "Calculation | None":
        """Return the line that has just run, laid out as on paper; None at the start."""
        from nnstep.engine.explain.just_run import calculation_at

        return calculation_at(self._timeline, self.place) if self.place else None

    @property
    def tree(self) -> "Tree":
        """What finds the nodes of trees over this branch: where from, and where to."""
        from nnstep.engine.explain.tree import Tree

        return Tree(self._timeline, self.scenario.data, self.total)

    def readers(self, name: str, index: Shape) -> "tuple[Reader, ...]":
        """Return the cells that are computed from the value that a cell has here, and will be.

        Raises `EditError` for a tensor or a cell that there is not. If interrupted, not all.
        """
        from nnstep.engine.explain.readers import readers_of

        self._interrupted.clear()
        index = self._index(name, index, self.place)
        found = readers_of(self._timeline, self.scenario.data, self.total, name, index)
        return tuple(takewhile(lambda _: not self._interrupted.is_set(), found))

    def _index(self, name: str, index: Shape, place: int) -> Shape:
        """Return the index of a cell, if it has a value at a place; raise `EditError` if not."""
        array = checked_tensor(name, self.program, self._timeline.tensors_at(place))
        return checked_index(array, name, index)

    def _place_after(self, step: int | None) -> int:
        """Return the place just after a step, this one for None."""
        if step is None:
            return self.place
        if type(step) is not int or step < 0 or (self.total is not None and step >= self.total):
            last = "" if self.total is None else f" to {self.total - 1}"
            raise PlaceError(f"the steps are counted from 0{last}, not {step!r}")
        return step + 1

    def series(self, expression: str) -> "Series":
        """Return the value of an expression in every iteration of the branch, up to the newest.

        Raises `GrammarError` or `ConditionError` for one that does not fit or is not one number. An
        interrupted series is not complete.
        """
        from .queries import series_of

        self._interrupted.clear()
        return series_of(self._timeline, expression, self._interrupted.is_set)

    def verify(
        self, progress: Callable[[int, int], None] | None = None, *, sample: int | None = None
    ) -> "Verification":
        """Compare the gradients of the loss at this place with difference quotients.

        They are those of the parameters as they are here, for the batch of the pass under way; at
        the beginning of a pass, for its batch, which is next. Gradients that this pass has written
        count as they stand, before they are clipped; those that do not belong to these parameters
        and this batch are computed anew. `progress` is told how many cells are done, and of how
        many. Where there are so many cells that not all are tried, it is as many as usual, or
        `sample`. What is interrupted is not complete.
        """
        from nnstep.engine.verification.standing import standing_at
        from nnstep.engine.verification.verify import DEFAULT_CELLS, verify

        if self.hunt is not None and not self.hunt.is_over:
            self.hunt.looks += 1
        self._interrupted.clear()
        here = standing_at(self._timeline, finished=self.finished)
        tensors = self.program.tensors
        size = sum(math.prod(tensors[name].shape) for name in self.program.parameters)
        return verify(
            self.program,
            here.tensors,
            standing=here.gradients,
            earlier=here.before,
            anew=here.anew,
            edited=here.edited,
            cells=sample if sample is not None and size > DEFAULT_CELLS else DEFAULT_CELLS,
            progress=progress,
            cancelled=self._interrupted.is_set,
        )
