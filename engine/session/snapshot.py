"""A snapshot: all there is to show of a session at one place, frozen."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.expectations import Judgement, judged, stands_at
from nnstep.engine.faults.examination import Examination
from nnstep.engine.faults.fault import Fault
from nnstep.engine.history.branch import Branch
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.limits import MAX_WORK_AT_ONCE
from nnstep.engine.machine.edit import Change
from nnstep.engine.program.program import Instruction, Program
from nnstep.engine.scenario.model import Expectation
from nnstep.engine.stops.stops import Stops

from .old import OldTensors, of_iteration, old_tensors


class BranchView(Struct, frozen=True):
    """A branch of the run, as there is to show of it.

    It left `parent` at place `fork` (the first branch left none). `newest` is the furthest place
    that it has reached, and `edits` all that lead there. `losses` has shape `(iterations,)`: the
    loss of every iteration of the branch. `hits` are the places where something has stopped it.
    """

    name: str
    parent: str | None
    fork: int
    newest: int
    seed: int
    edits: tuple[Change, ...]
    faults: tuple[Fault, ...]
    losses: Array
    hits: tuple[int, ...] = ()


class Watched(Struct, frozen=True):
    """A watched expression: its value here, and the one that it had when the last command came.

    Without a value, `problem` says why there is none. `of` says which of what it reads is of the
    last iteration: `of iteration 0`, or `L of iteration 0`.
    """

    text: str
    value: Array | None
    before: Array | None
    problem: str = ""
    of: str = ""


class Snapshot(Struct, frozen=True, eq=False):
    """The state of a session at one place.

    `place` counts the instructions executed so far, and `total` those of the whole run (None if it
    goes on for ever). `position` is the index in the program of the instruction next to run;
    `iteration` and `epoch` are those of that instruction. `last` is the instruction executed last.
    `tensors` holds every live tensor, `before` the tensors as they stood when the last command was
    given, and `stale` the names whose values were computed from something edited since.
    `losses` has shape `(iterations so far,)`: the loss of every iteration, in order.
    `unmet` are the printed numbers of which a tensor has the value here, and another one.
    `branch` is the branch of the run that this is a place of, one of `branches`, and `left` the
    name of the one that was left last, if there is one, to compare with. `breakpoints` has the
    positions of the lines with a breakpoint, and whether it is enabled.
    """

    program: Program
    place: int
    total: int | None
    position: int
    iteration: int
    epoch: int
    finished: bool
    last: Instruction | None
    tensors: Mapping[str, Array]
    before: Mapping[str, Array]
    stale: Set[str]
    losses: Array
    branch: BranchView
    branches: tuple[BranchView, ...]
    left: str | None
    breakpoints: Mapping[int, bool]
    watches: tuple[Watched, ...]
    unmet: tuple[Judgement, ...] = ()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that have shown up to this place."""
        return tuple(fault for fault in self.branch.faults if fault.place <= self.place)

    @property
    def old(self) -> OldTensors:
        """The live tensors that this iteration has not written yet: they are of the last one."""
        return old_tensors(self.program, self.position, self.tensors, finished=self.finished)

    @property
    def newest(self) -> int:
        """The furthest place that the branch has reached."""
        return self.branch.newest

    @property
    def current(self) -> Instruction:
        """The instruction next to run (after the end of the run, the one that would be)."""
        return self.program.instructions[self.position]

    @property
    def written(self) -> tuple[str, ...]:
        """The names that the last step wrote."""
        return self.last.writes if self.last else ()

    @property
    def read(self) -> tuple[str, ...]:
        """The names that the last step read."""
        return self.last.reads if self.last else ()


class BranchViews:
    """The branches of a timeline as there is to show of them; one that was left stays as it was."""

    def __init__(self, timeline: Timeline, examination: Examination, stops: Stops) -> None:
        self._timeline = timeline
        self._examination = examination
        self._stops = stops
        # By branch: how often the run had come to it when it was left, and the view.
        self._known: dict[Branch, tuple[int, BranchView]] = {}
        self._views: list[BranchView] = []
        self._branching: object = None

    def all(self) -> tuple[BranchView, ...]:
        """Return those of all branches, in the order in which they began."""
        timeline = self._timeline
        if self._branching is timeline.branching:
            self._views[timeline.branches.index(timeline.current)] = self._made(timeline.current)
        else:
            self._branching = timeline.branching
            self._known = {branch: self._of(branch) for branch in timeline.branches}
            self._views = [view for _, view in self._known.values()]
        return tuple(self._views)

    def _of(self, branch: Branch) -> tuple[int, BranchView]:
        if branch is self._timeline.current:
            return -1, self._made(branch)
        if known := self._known.get(branch):
            visits, view = known
            parent = branch.parent.name if branch.parent else None
            if visits == branch.visits and view.name == branch.name and view.parent == parent:
                return known
        return branch.visits, self._made(branch)

    def _made(self, branch: Branch) -> BranchView:
        timeline = self._timeline
        newest = timeline.reached(branch)
        return BranchView(
            name=branch.name,
            parent=branch.parent.name if branch.parent else None,
            fork=branch.fork,
            newest=newest,
            seed=branch.seed,
            edits=branch.edits,
            faults=self._examination.faults_of(branch),
            losses=branch.losses.view(timeline.machine.losses_until(newest)),
            hits=self._stops.places_on(branch),
        )


def snapshot_of(
    timeline: Timeline,
    views: BranchViews,
    stops: Stops,
    watches: Sequence[str],
    expectations: Sequence[Expectation],
    total: int | None,
    before: Mapping[str, Array],
) -> Snapshot:
    """Return everything there is to show at the place of a timeline."""
    machine, branches = timeline.machine, views.all()
    place = machine.place
    return Snapshot(
        **_moment(timeline, expectations, total),
        total=total,
        before=before,
        losses=machine.losses.view(machine.losses_until(place)),
        branch=branches[timeline.branches.index(timeline.current)],
        branches=branches,
        left=timeline.left.name if timeline.left else None,
        breakpoints=stops.lines,
        watches=_watched(timeline, watches, before, finished=place == total) if watches else (),
    )


def snapshot_ahead(
    here: Snapshot, timeline: Timeline, expectations: Sequence[Expectation], total: int | None
) -> Snapshot:
    """Return a snapshot with the moment of a timeline that is further than it."""
    machine, place = timeline.machine, timeline.place
    branch = replace(here.branch, newest=max(here.newest, place))
    losses = machine.losses.view(machine.losses_until(place))
    moment = _moment(timeline, expectations, total)
    return replace(here, before=here.tensors, branch=branch, losses=losses, **moment)


def _moment(
    timeline: Timeline, expectations: Sequence[Expectation], total: int | None
) -> dict[str, Any]:
    """Return what there is to show of a place by itself, by the fields of a snapshot."""
    machine, place = timeline.machine, timeline.place
    return {
        "program": timeline.program,
        "place": place,
        "position": machine.position,
        "iteration": machine.clock.iteration(place),
        "epoch": machine.clock.epoch(place),
        "finished": total is not None and place >= total,
        "last": timeline.line_of(place - 1) if place else None,
        "tensors": machine.give(),
        "stale": timeline.stale,
        "unmet": tuple(_unmet(timeline, expectations)),
    }


def _unmet(timeline: Timeline, expectations: Sequence[Expectation]) -> Iterator[Judgement]:
    """Judge what is printed of the values that tensors have here; yield what is not as it says."""
    machine = timeline.machine
    for expectation in expectations:
        array = machine.tensors.get(expectation.at)
        if array is not None and stands_at(expectation, timeline.program, machine.place):
            yield from (one for one in judged(expectation, array) if not one.ok)


def _watched(
    timeline: Timeline,
    watches: Sequence[str],
    before: Mapping[str, Array],
    *,
    finished: bool,
) -> tuple[Watched, ...]:
    """Compute the watched expressions, with the counts of the next step.

    They are made ready once, as conditions are. One that would take too long is not computed, and
    says so.
    """
    from nnstep.engine.language.evaluate import ready
    from nnstep.engine.language.nodes import ConditionError
    from nnstep.engine.language.work import Work
    from nnstep.engine.stops.trigger import tensors_named, values_at

    machine, program = timeline.machine, timeline.program
    now, then = (
        values_at(program, machine.clock, machine.place, tensors)
        for tensors in (machine.tensors, before)
    )
    work = Work(MAX_WORK_AT_ONCE)

    def watched(text: str) -> Watched:
        expression, left = ready(text), work.left
        try:
            value = np.asarray(expression.value(now, work))
        except KeyError as error:
            return Watched(text, None, None, f"{error.args[0]} has no value yet")
        except ConditionError as error:
            return Watched(text, None, None, str(error))
        read = tensors_named(expression.names, program)
        of = of_iteration(timeline, read, finished=finished)
        used = left - work.left
        if used <= work.left and all(now.get(n) is then.get(n) for n in expression.names):
            work.take(used)  # as if it were computed again
            return Watched(text, value, value, of=of)
        try:
            return Watched(text, value, np.asarray(expression.value(then, work)), of=of)
        except (KeyError, ConditionError):
            return Watched(text, value, None, of=of)

    with np.errstate(all="ignore"):
        return tuple(map(watched, watches))
