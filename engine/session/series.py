"""An expression over the whole history of a branch, as if it had always been logged."""

from collections.abc import Callable

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, sealed
from nnstep.engine.conditions import ConditionError, evaluate
from nnstep.engine.grammar import Node
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.stops.points import Watchpoint
from nnstep.engine.stops.trigger import Trigger, Values, parsed, values_at


class Series(Struct, frozen=True):
    """The values of an expression, shape `(iterations,)`: NaN where it had none.

    It is not `complete` if somebody did not want to wait for the end.
    """

    text: str
    values: Array
    complete: bool


def series_of(timeline: Timeline, text: str, cancelled: Callable[[], bool]) -> Series:
    """Evaluate an expression once in every iteration, when all that it reads has been written.

    Raises `GrammarError` or `ConditionError` if it does not fit the program, or is not one number.
    """
    node = parsed(text, timeline.program)
    lines = Trigger(Watchpoint(0, text), timeline.program).after
    # What no line writes is looked at before the last one: an edit after that is the next pass's.
    position = max(lines, default=len(timeline.program) - 2) + 1
    steps, values = len(timeline.program), []
    machine = timeline.ghost(0)
    for place in range(position, timeline.newest + 1, steps):
        for _ in machine.steps(place):
            pass
        if cancelled():
            break
        named = values_at(timeline.program, machine.clock, place - 1, machine.tensors)
        values.append(_number(node, named))
    complete = position + len(values) * steps > timeline.newest
    return Series(text, sealed(np.array(values, dtype=np.float64)), complete)


def _number(node: Node, named: Values) -> float:
    """Return the value of an expression as a number, NaN if it has none yet."""
    try:
        array = np.asarray(evaluate(node, named))
    except KeyError:
        return np.nan
    if array.ndim:
        raise ConditionError(
            f"a curve has one number an iteration, and this has shape {array.shape}; "
            "take a cell, or norm, mean or max"
        )
    return float(array)
