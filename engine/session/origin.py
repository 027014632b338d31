"""Who last changed a cell: the step or the edit that gave it the value which it has."""

from collections.abc import Callable

from msgspec import Struct

from nnstep.engine.arrays import Shape
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.stops.points import Watchpoint
from nnstep.engine.stops.scan import previous_stop
from nnstep.engine.stops.trigger import Trigger
from nnstep.engine.text import cell_name

from .edits import checked_index, checked_tensor


class Change(Struct, frozen=True):
    """What gave a cell its value: `place` is the one just after, `code` the instruction.

    An edit has no code. `before` is None if the cell had no value before.
    """

    cell: str
    place: int
    code: str | None
    before: float | None
    after: float

    def __str__(self) -> str:
        was = "had no value" if self.before is None else f"was {self.before!r}"
        by = "an edit" if self.code is None else self.code
        return f"{self.cell} {was}, and became {self.after!r} by {by}, step {self.place}"


def last_change(
    timeline: Timeline, name: str, index: Shape, cancelled: Callable[[], bool]
) -> Change | None:
    """Return what last changed a cell up to this place, None if it is as it was at step 0.

    Raises `EditError` for a tensor or a cell that there is not.
    """
    array = checked_tensor(name, timeline.program, timeline.machine.tensors)
    index = checked_index(array, name, index)
    cell = cell_name(name, index)
    trigger = Trigger(Watchpoint(0, cell), timeline.program)
    found = previous_stop(timeline, [trigger], timeline.place + 1, None, cancelled)
    if found is None:
        return None
    place = found[0]
    before = timeline.tensors_at(place - 1).get(name)
    had_it = before is not None and all(
        i < size for i, size in zip(index, before.shape, strict=True)
    )
    after = timeline.tensors_at(place)[name]
    edited = any(
        edit.place == place and (edit.name, edit.index) == (name, index)
        for edit in timeline.current.edits
    )
    line = timeline.program.instructions[(place - 1) % len(timeline.program)]
    return Change(
        cell=cell,
        place=place,
        code=None if edited else line.code,
        before=before[index].item() if before is not None and had_it else None,
        after=after[index].item(),
    )
