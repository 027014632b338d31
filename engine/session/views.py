"""Snapshots: what there is to show of a session, gathered at one place."""

from collections.abc import Mapping, Sequence

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.history.branch import Branch
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.snapshot import BranchView, Snapshot, Watched

from .staleness import stale_tensors
from .stopping import Stops


def snapshot_of(
    timeline: Timeline,
    stops: Stops,
    watches: Sequence[str],
    total: int | None,
    before: Mapping[str, Array],
) -> Snapshot:
    """Return everything there is to show at the place of a timeline."""
    machine, current = timeline.machine, timeline.current
    place = machine.place
    views = {branch: _view(timeline, branch) for branch in timeline.branches}
    edits = [(edit.name, edit.place) for edit in current.edits_until(place)]
    return Snapshot(
        program=timeline.program,
        place=place,
        total=total,
        position=machine.position,
        iteration=machine.clock.iteration(place),
        epoch=machine.clock.epoch(place),
        finished=total is not None and place >= total,
        last=timeline.program.instructions[machine.position - 1] if place else None,
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


def _view(timeline: Timeline, branch: Branch) -> BranchView:
    newest = timeline.reached(branch)
    return BranchView(
        name=branch.name,
        parent=branch.parent.name if branch.parent else None,
        fork=branch.fork,
        newest=newest,
        seed=branch.seed,
        edits=branch.edits,
        faults=tuple(fault for fault in branch.faults if fault.place <= newest),
        losses=branch.losses.view(timeline.machine.losses_until(newest)),
        hits=branch.hits,
    )


def _watched(
    timeline: Timeline, watches: Sequence[str], before: Mapping[str, Array]
) -> tuple[Watched, ...]:
    """Evaluate the watched expressions, with the counts of the next step."""
    from nnstep.engine.conditions import ConditionError, evaluate
    from nnstep.engine.grammar import parse_condition
    from nnstep.engine.stops.trigger import values_at

    machine = timeline.machine
    now = values_at(timeline.program, machine.clock, machine.place, machine.tensors)
    then = values_at(timeline.program, machine.clock, machine.place, before)

    def watched(text: str) -> Watched:
        node = parse_condition(text)
        try:
            value = np.asarray(evaluate(node, now))
        except KeyError as error:
            return Watched(text, None, None, f"{error.args[0]} has no value yet")
        except ConditionError as error:
            return Watched(text, None, None, str(error))
        try:
            return Watched(text, value, np.asarray(evaluate(node, then)))
        except (KeyError, ConditionError):
            return Watched(text, value, None)

    return tuple(map(watched, watches))
