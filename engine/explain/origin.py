"""Who gave a cell its value: a step, the data, the scenario, or an edit."""

from typing import TYPE_CHECKING

from msgspec import Struct

from nnstep.engine.arrays import Shape
from nnstep.engine.machine.edit import Edit
from nnstep.engine.program.program import Phase, Program

from .explanation import Origin

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline


class Written(Struct, frozen=True):
    """What a cell has its value from; `step` is the last that wrote its tensor, if one has."""

    origin: Origin
    step: int | None
    edit: Edit | None = None


def last_writer(program: Program, name: str, place: int) -> int | None:
    """Return the last step before a place that writes a tensor, None if there is none."""
    length = len(program)
    steps = (
        (place - 1 - position) // length * length + position
        for position, line in enumerate(program.instructions)
        if name in line.writes
    )
    return max((step for step in steps if step >= 0), default=None)


def origin_of(timeline: "Timeline", name: str, index: Shape, place: int) -> Written:
    """Return what gave a cell the value that it has at a place of the branch."""
    step = last_writer(timeline.program, name, place)
    edits = [
        edit
        for edit in timeline.current.edits_until(place)
        if (edit.name, edit.index) == (name, index)
    ]
    if edits and edits[-1].place > (-1 if step is None else step):
        return Written("edit", step, edits[-1])
    if step is None:
        return Written("first", None)
    line = timeline.program.instructions[step % len(timeline.program)]
    return Written("data" if line.phase is Phase.BATCH else "step", step)
