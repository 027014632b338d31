"""Who gave a cell its value: a step, the data, the scenario, or an edit."""

from typing import TYPE_CHECKING

from msgspec import Struct

from nnstep.engine.arrays import Shape
from nnstep.engine.machine.edit import Edit
from nnstep.engine.program.program import Phase

from .explanation import Origin

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline


class Written(Struct, frozen=True):
    """What a cell has its value from; `step` is the last that wrote its tensor, if one has."""

    origin: Origin
    step: int | None
    edit: Edit | None = None


def origin_of(timeline: "Timeline", name: str, index: Shape, place: int) -> Written:
    """Return what gave a cell the value that it has at a place of the branch."""
    return Origins(timeline, place).of(name, index)


class Origins:
    """What cells have the values from that they have at a place of the branch."""

    def __init__(self, timeline: "Timeline", place: int) -> None:
        self._program, self._branch, self._place = timeline.program, timeline.current, place
        self._tensors: dict[str, Written] = {}

    def of(self, name: str, index: Shape) -> Written:
        """Return what gave a cell its value."""
        written = self._tensors.get(name)
        if written is None:
            written = self._tensors[name] = self._of_tensor(name)
        step = -1 if written.step is None else written.step
        edits = self._branch.edits_of(name, index, self._place, after=step)
        return Written("edit", written.step, edits[-1]) if edits else written

    def _of_tensor(self, name: str) -> Written:
        step = self._program.last_writer(name, self._place)
        if step is None:
            return Written("first", None)
        line = self._program.instructions[step % len(self._program)]
        return Written("data" if line.phase is Phase.BATCH else "step", step)
