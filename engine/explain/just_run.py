"""The line that led to a place of a run, laid out with the numbers that it read there."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from nnstep.engine.override.comparison import compared

from .calculation import Calculation
from .layout import calculation_of

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline


def calculation_at(timeline: "Timeline", place: int) -> Calculation:
    """Lay out the line that ran last before a place above 0 that the branch has reached.

    What it read is as it was before it: an edit made since, at this very place, is not in it.
    """
    line = timeline.line_of(place - 1)
    after = timeline.tensors_at(place)
    if line.formula is None:
        machine = timeline.ghost(place - 1)
        next(iter(machine.steps(place)))
        return calculation_of(line, {}, after, machine.rows_taken)
    before = timeline.tensors_at(place - 1)
    calculation = calculation_of(line, before, after)
    if line.rule is None:
        return calculation
    own = compared(timeline.scenario, timeline.program, line, before)
    return replace(calculation, comparison=own)
