"""Questions about the past: an expression over all iterations, and what last changed a cell."""

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape, has_cell, sealed
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.language.computing import Compute, computing
from nnstep.engine.language.evaluate import evaluated, holds, names_in
from nnstep.engine.language.nodes import ConditionError, Name, Node
from nnstep.engine.machine.edit import Edit
from nnstep.engine.machine.machine import Machine
from nnstep.engine.machine.step import Record
from nnstep.engine.program.program import Program
from nnstep.engine.stops.points import Breakpoint, Watchpoint
from nnstep.engine.stops.records import reads_at, values_of
from nnstep.engine.stops.scan import Scan, previous_stop
from nnstep.engine.stops.trigger import Trigger, Values, counts_at, parsed, values_at
from nnstep.engine.text import cell_name

from .edits import checked_index, checked_tensor


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
    if _is_loss(node, timeline):
        count = timeline.machine.losses_until(timeline.newest)
        return Series(text, timeline.current.losses.view(count), True)
    machine = timeline.ghost(0)
    measured = _Measured(text, node, timeline.program, machine)
    machine.go(timeline.newest, measured, lambda: not cancelled())
    values = sealed(np.array(measured.values, dtype=np.float64))
    return Series(text, values, machine.place >= timeline.newest)


class _Measured:
    """Looks at the way of a machine, and notes the value of an expression in every pass."""

    def __init__(self, text: str, node: Node, program: Program, machine: Machine) -> None:
        self.values: list[float] = []
        self._machine, self._compute = machine, computing(node)
        self._length = len(program)
        trigger = Trigger(Watchpoint(text), program)
        # What no line writes is looked at before the last one: an edit after that is the next
        # pass's.
        self._position = max(trigger.after, default=len(program) - 2) + 1
        self._reads = reads_at(trigger.names, program, self._position)

    def here(self) -> bool:
        """Note the value where all that it reads has been written; never stop."""
        machine = self._machine
        if (machine.place - self._position) % self._length == 0:
            step = machine.place - 1
            values = values_at(machine.program, machine.clock, step, machine.tensors)
            self.values.append(_number(self._compute, values))
        return False

    def passes(self, first: int, records: Sequence[Record]) -> int | None:
        """Note the values in passes that are computed ahead."""
        clock, live, before = self._machine.clock, self._machine.tensors, None
        for iteration, record in enumerate(records, first):
            step = iteration * self._length + self._position - 1
            values = counts_at(clock, step) | values_of(self._reads, record, before, live)
            self.values.append(_number(self._compute, values))
            before = record
        return None


def _is_loss(node: Node, timeline: Timeline) -> bool:
    """Tell whether an expression is the loss alone as it was computed: all its values are kept."""
    loss, tensors = timeline.program.loss, timeline.program.tensors
    names = {loss} if "loss" in tensors else {loss, "loss"}
    edited = any(edit.name == loss for edit in timeline.current.edits)
    return isinstance(node, Name) and node.name in names and not edited


def _number(compute: Compute, named: Values) -> float:
    """Return the value of an expression as a number, NaN if it has none yet."""
    try:
        with np.errstate(all="ignore"):
            array = np.asarray(evaluated(compute, named))
    except KeyError:
        return np.nan
    if array.ndim:
        raise ConditionError(
            f"a curve has one number an iteration, and this has shape {array.shape}; "
            "take a cell, or norm, mean or max"
        )
    return float(array)


def first_time(timeline: Timeline, text: str, cancelled: Callable[[], bool]) -> int | None:
    """Return the first place at which a condition holds, None if nowhere up to the newest.

    Raises `GrammarError` or `ConditionError` if it does not fit the program.
    """
    node = parsed(text, timeline.program)
    machine = timeline.ghost(0)
    named = values_at(timeline.program, machine.clock, 0, machine.tensors)
    with np.errstate(all="ignore"):
        if names_in(node) <= named.keys() and holds(computing(node), named):
            return 0
    trigger = Trigger(Breakpoint(when=text), timeline.program)
    scan = Scan(machine, [trigger], timeline.current.edits, None, timeline.tensors_at)
    if not machine.go(timeline.newest, scan, lambda: not cancelled()):
        return None
    if trigger.problem:
        raise ConditionError(trigger.problem)
    return machine.place


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
        edit = f"an edit before step {self.place}"
        by = edit if self.code is None else f"{self.code}, step {self.place - 1}"
        return f"{self.cell} {was}, and became {self.after!r} by {by}"


def last_change(
    timeline: Timeline, name: str, index: Shape, cancelled: Callable[[], bool]
) -> Change | None:
    """Return what last changed a cell up to this place, None if it is as it was at step 0.

    Raises `EditError` for a tensor or a cell that there is not.
    """
    array = checked_tensor(name, timeline.program, timeline.machine.tensors)
    index = checked_index(array, name, index)
    cell = cell_name(name, index)
    trigger = Trigger(Watchpoint(cell), timeline.program)
    found = previous_stop(timeline, [trigger], timeline.place + 1, None, cancelled)
    if found is None:
        return None
    place = found[0]
    before = timeline.tensors_at(place - 1).get(name)
    had_it = before is not None and has_cell(before.shape, index)
    after = timeline.tensors_at(place)[name]
    edited = any(
        isinstance(edit, Edit) and (edit.place, edit.name, edit.index) == (place, name, index)
        for edit in timeline.current.edits
    )
    line = timeline.line_of(place - 1)
    return Change(
        cell=cell,
        place=place,
        code=None if edited else line.code,
        before=_shortest(before[index]) if before is not None and had_it else None,
        after=_shortest(after[index]),
    )


def _shortest(value: np.generic) -> float:
    """Return a cell as the number with the digits that are enough in its dtype: 0.1 of float32."""
    number: float = value.item()
    return float(str(value)) if isinstance(number, float) else number
