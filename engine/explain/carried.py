"""A parameter over its updates: how far back its own value before an update is the most of it.

A weight is the weight before its update and a small change. To ask why it has its value is to ask
the same of it before, and so on through all updates, which are passed over here together.
"""

from typing import TYPE_CHECKING

import numpy as np

from nnstep.engine.arrays import Shape
from nnstep.engine.program.program import Role

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline

# So many passes are looked at one by one, fewer where a pass computes many numbers.
_MOST_PASSES, _MOST_NUMBERS = 512, 1 << 22


def carried_from(timeline: "Timeline", name: str, index: Shape, step: int) -> tuple[int, int]:
    """Return the place at which to go on asking for a cell that an update has carried over.

    That is before the first update, going back from the one of `step`, of which the change is the
    larger part; else after the last edit of the cell, or before the first update. With it comes how
    many updates lie between. Beyond some hundreds of passes, updates of a parameter are passed over
    unseen: its value is the first one and the sum of its changes. Anything else than a parameter
    goes on at `step`.
    """
    program = timeline.program
    if program.tensors[name].role is not Role.PARAMETER:
        return step, 0
    length, position = len(program), step % len(program)
    if program.last_writer(name, step) != step - length:
        return step, 0  # several lines of one pass update it
    start = _start(timeline, name, index, step, position)
    place, updates = step, 0
    passes = min(_MOST_PASSES, _MOST_NUMBERS // max(1, _numbers(timeline)))
    first = max(start, step - passes * length)
    first += (position - first) % length
    values = _values(timeline, name, index, first, step)
    for before, after in zip(values[-2::-1], values[:0:-1], strict=True):
        if abs(before) < abs(after - before):
            return place, updates
        place, updates = place - length, updates + 1
    if place - length >= start:
        updates += (place - start) // length
        place = start + (position - start) % length
    return place, updates


def _start(timeline: "Timeline", name: str, index: Shape, step: int, position: int) -> int:
    """Return the last place up to a step at which the cell was edited or the line was another."""
    branch = timeline.current
    edits = branch.edits_of(name, index, step)
    overrides = [each for each in branch.overrides_until(step) if each.position == position]
    places = [edit.place for edit in edits[-1:]] + [each.place for each in overrides[-1:]]
    return max(places, default=0)


def _numbers(timeline: "Timeline") -> int:
    return sum(int(np.prod(tensor.shape)) for tensor in timeline.program.tensors.values())


def _values(timeline: "Timeline", name: str, index: Shape, first: int, step: int) -> "list[float]":
    """Return the values of a cell before each of its updates, from one step to another."""
    length = len(timeline.program)
    if first >= step:
        return [float(timeline.tensors_at(step)[name][index])]
    machine = timeline.ghost(first)
    values = [float(machine.tensors[name][index])]
    # The update alone writes it: before the line it is what it was where the pass began, and whole
    # passes are run at once.
    for begin in range(first + length - first % length, step + 1, length):
        machine.go(begin)
        values.append(float(machine.tensors[name][index]))
    return values
