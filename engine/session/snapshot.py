"""A snapshot: all there is to show of a session at one place, frozen; and what in it is stale."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.faults.examination import Examination
from nnstep.engine.faults.fault import Fault
from nnstep.engine.history.branch import Branch
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.limits import MAX_WORK_AT_ONCE
from nnstep.engine.machine.edit import Change, Edit
from nnstep.engine.program.program import Instruction, Phase, Program
from nnstep.engine.stops.stops import Stops


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

    Without a value, `problem` says why there is none.
    """

    text: str
    value: Array | None
    before: Array | None
    problem: str = ""


class Snapshot(Struct, frozen=True):
    """The state of a session at one place.

    `place` counts the instructions executed so far, and `total` those of the whole run (None if it
    goes on for ever). `position` is the index in the program of the instruction next to run;
    `iteration` and `epoch` are those of that instruction. `last` is the instruction executed last.
    `tensors` holds every live tensor, `before` the tensors as they stood when the last command was
    given, and `stale` the names whose values were computed from something edited since.
    `losses` has shape `(iterations so far,)`: the loss of every iteration, in order.
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
    stale: frozenset[str]
    losses: Array
    branch: BranchView
    branches: tuple[BranchView, ...]
    left: str | None
    breakpoints: Mapping[int, bool]
    watches: tuple[Watched, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that have shown up to this place."""
        return tuple(fault for fault in self.branch.faults if fault.place <= self.place)

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


Version = tuple[str, int]


def stale_tensors(program: Program, place: int, edits: Sequence[Version]) -> frozenset[str]:
    """Return the names of the tensors that are stale at a place.

    `edits` holds the name of each edited tensor and the place at which it was edited, in order. A
    value goes back to all that was read to compute it, but a new parameter or buffer, which an
    update makes, stands for itself.
    """
    recent = [(name, at) for name, at in edits if at > place - 2 * len(program)]
    if not recent:
        return frozenset()
    by_place: dict[int, list[str]] = defaultdict(list)
    for name, at in recent:
        by_place[at].append(name)
    edited = {name for name, _ in recent}
    version: dict[str, int] = defaultdict(int)
    sources: dict[str, frozenset[Version]] = {}
    replaced: set[Version] = set()
    for now in range(max(0, recent[0][1] - len(program)), place + 1):
        for name in by_place[now]:
            replaced.add((name, version[name]))
            version[name] += 1
            sources[name] = frozenset()
        if now < place:
            _follow(program, now, edited, version, sources)
    return frozenset(name for name, read in sources.items() if not read.isdisjoint(replaced))


def _follow(
    program: Program,
    place: int,
    edited: set[str],
    version: dict[str, int],
    sources: dict[str, frozenset[Version]],
) -> None:
    """Note what the instruction at a place wrote, and which versions that goes back to."""
    instruction = program.instructions[place % len(program)]
    read = _read(instruction.reads, edited, version, sources)
    for name in instruction.writes:
        version[name] += 1
        sources[name] = frozenset() if instruction.phase is Phase.UPDATE else read


def _read(
    names: Sequence[str],
    edited: set[str],
    version: Mapping[str, int],
    sources: Mapping[str, frozenset[Version]],
) -> frozenset[Version]:
    direct = frozenset((name, version[name]) for name in names if name in edited)
    return direct.union(*(sources.get(name, frozenset()) for name in names))


def snapshot_of(
    timeline: Timeline,
    examination: Examination,
    stops: Stops,
    watches: Sequence[str],
    total: int | None,
    before: Mapping[str, Array],
) -> Snapshot:
    """Return everything there is to show at the place of a timeline."""
    machine, current = timeline.machine, timeline.current
    place = machine.place
    views = {branch: _view(timeline, examination, stops, branch) for branch in timeline.branches}
    edits = [(e.name, e.place) for e in current.edits_until(place) if isinstance(e, Edit)]
    return Snapshot(
        program=timeline.program,
        place=place,
        total=total,
        position=machine.position,
        iteration=machine.clock.iteration(place),
        epoch=machine.clock.epoch(place),
        finished=total is not None and place >= total,
        last=timeline.line_of(place - 1) if place else None,
        tensors=dict(machine.tensors),
        before=before,
        stale=stale_tensors(timeline.program, place, edits),
        losses=machine.losses.view(machine.losses_until(place)),
        branch=views[current],
        branches=tuple(views.values()),
        left=timeline.left.name if timeline.left else None,
        breakpoints={line: point.enabled for line, point in stops.lines.items()},
        watches=_watched(timeline, watches, before) if watches else (),
    )


def _view(timeline: Timeline, examination: Examination, stops: Stops, branch: Branch) -> BranchView:
    newest = timeline.reached(branch)
    return BranchView(
        name=branch.name,
        parent=branch.parent.name if branch.parent else None,
        fork=branch.fork,
        newest=newest,
        seed=branch.seed,
        edits=branch.edits,
        faults=examination.faults_of(branch),
        losses=branch.losses.view(timeline.machine.losses_until(newest)),
        hits=stops.places_on(branch),
    )


def _watched(
    timeline: Timeline, watches: Sequence[str], before: Mapping[str, Array]
) -> tuple[Watched, ...]:
    """Evaluate the watched expressions, with the counts of the next step.

    One that would take too long is not, and says so.
    """
    from nnstep.engine.language.evaluate import ConditionError, Work, evaluate
    from nnstep.engine.language.parser import parse_condition
    from nnstep.engine.stops.trigger import values_at

    machine = timeline.machine
    now = values_at(timeline.program, machine.clock, machine.place, machine.tensors)
    then = values_at(timeline.program, machine.clock, machine.place, before)

    work = Work(MAX_WORK_AT_ONCE)

    def watched(text: str) -> Watched:
        node = parse_condition(text)
        try:
            value = np.asarray(evaluate(node, now, work))
        except KeyError as error:
            return Watched(text, None, None, f"{error.args[0]} has no value yet")
        except ConditionError as error:
            return Watched(text, None, None, str(error))
        try:
            return Watched(text, value, np.asarray(evaluate(node, then, work)))
        except (KeyError, ConditionError):
            return Watched(text, value, None)

    return tuple(map(watched, watches))
