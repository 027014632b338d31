"""What if a cell had another value: the loss of the pass as it is, as predicted, as it comes out.

The lines of the pass are run again on the side, once as they are and once with the change; the run
itself, its history and its stops know nothing of it. The prediction is the gradient's: the loss and
the derivative of the loss by the cell times the change, which is what a derivative is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.machine.edit import Edit
from nnstep.engine.program.program import Instruction, Phase, Program, Role, run
from nnstep.engine.text import listed

from .digits import to_digits
from .sentences import number
from .writing import short

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline

_STEP, _DIGITS = 1e-3, 11
"""The step of the difference quotient, for a cell of about 1, and the digits that it has then."""


class WhatIf(Struct, frozen=True):
    """What another value of a cell does to the loss of a pass.

    `before` is the loss as it is, `exact` as it comes out, and `predicted` is before + slope ·
    (value - old); it and the `slope` are None where there is no derivative, by a class index.
    """

    cell: str
    old: float
    value: float
    before: float
    predicted: float | None
    exact: float
    slope: float | None
    iteration: int
    sentence: str


class Moment(Struct, frozen=True):
    """Where a cell gets its value in a pass: from this place on it is another.

    `tensors` are those at that place before any edit there, `value` is the cell's, and `is_edited`
    says that an edit at this place has given it.
    """

    place: int
    tensors: Mapping[str, Array]
    value: Any
    is_edited: bool = False


class NotYetError(ValueError):
    """A tensor has not been written in this pass; the message says so, and is fit to show."""


class GivenUpError(Exception):
    """Somebody did not want to wait for the end of a pass."""


class Pass:
    """The pass that the line next to run belongs to, to be run again on the side.

    Of a run that is `finished` and whose pass changes no parameter it is the last one. A pass that
    is `cancelled` raises `GivenUpError` after a line.
    """

    def __init__(self, timeline: "Timeline", finished: bool, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled
        self.program = timeline.program
        length, self._place = len(self.program), timeline.place
        updates = any(line.phase is Phase.UPDATE for line in self.program.instructions)
        last = self._place - 1 if finished and self._place and not updates else self._place
        self.iteration = last // length
        self.start = self.iteration * length
        self.end = self.start + length
        self.lines = [timeline.line_of(step) for step in range(self.start, self.end)]
        edits = [edit for edit in timeline.current.edits if isinstance(edit, Edit)]
        self._edits = [edit for edit in edits if self.start < edit.place <= self.end]
        machine = timeline.ghost(self.start)
        self._first, self._begins = self.start, machine.tensors.copy()
        if self.lines[0].phase is Phase.BATCH:
            step = next(iter(machine.steps(self.start + 1)))
            self._first, self._begins = self.start + 1, {**self._begins, **step.writes}

    def moment(self, name: str, index: Shape) -> Moment:
        """Return where in this pass a cell has its value from; raise `NotYetError` if nowhere yet.

        What is there from the start, as parameters, buffers and the rate are, has it from there.
        """
        edits = [edit for edit in self._edits if edit.place <= self._place]
        edits = [edit for edit in edits if (edit.name, edit.index) == (name, index)]
        place = self._written(name)
        if edits and edits[-1].place >= place:
            place = edits[-1].place
            tensors = self.run(place)
            value = tensors[name].dtype.type(edits[-1].value)
            return Moment(place, tensors, value, is_edited=True)
        tensors = self.run(place)
        return Moment(place, tensors, tensors[name][index])

    def _written(self, name: str) -> int:
        """Return the place at which a tensor has been written in this pass, or was there."""
        writers = [step for step, line in enumerate(self.lines, self.start) if name in line.writes]
        if self.program.tensors[name].start is not None or not writers:
            return self.start
        done = [step for step in writers if step < self._place]
        if not done:
            line = self.lines[writers[0] - self.start]
            raise NotYetError(
                f"{name} has not been written yet in this pass: {line.code} will do so"
            )
        return done[-1] + 1

    def run(
        self,
        end: int,
        start: Moment | None = None,
        without: tuple[str, Shape] | None = None,
        wide: bool = False,
    ) -> dict[str, Array]:
        """Return the tensors at a place of the pass, before any edit there.

        They are run from a moment on, or from the start; the edits of one cell can be left out.
        With `wide`, all is computed in float64.
        """
        tensors = dict(self._begins if start is None else start.tensors)
        first = self._first if start is None else max(self._first, start.place)
        edits = [edit for edit in self._edits if first <= edit.place < end]
        with np.errstate(all="ignore"):
            for edit in edits:
                tensors = self._go(tensors, first, edit.place, wide)
                first = edit.place
                if (edit.name, edit.index) != without:
                    edit.apply(tensors)
            return self._go(tensors, first, end, wide)

    def _go(
        self, tensors: Mapping[str, Array], first: int, end: int, wide: bool
    ) -> dict[str, Array]:
        def kept(array: Array) -> Array:
            if self._cancelled():
                raise GivenUpError
            return _wide(array) if wide else array

        return run(self.lines[first - self.start : max(first, end) - self.start], tensors, kept)


def what_if(passed: Pass, moment: Moment, edit: Edit) -> WhatIf:
    """Return what a change of a cell, at the moment when it gets its value, does to the loss."""
    program, loss = passed.program, passed.program.loss
    old, cell = moment.value, (edit.name, edit.index)
    changed = dict(moment.tensors)
    edit.apply(changed)
    value = changed[edit.name][edit.index]
    before = float(passed.run(passed.end)[loss])
    texts = (edit.cell, old.item(), value.item(), before)
    moves = _influenced(program, passed.lines, edit.name, max(0, moment.place - passed.start))
    if loss not in moves.in_pass:
        said = _later(passed, edit, moves)
        return WhatIf(*texts, before, before, 0.0, passed.iteration, said)
    after = passed.run(passed.end, replace(moment, tensors=changed), cell)
    exact = float(after[loss])
    if old.dtype.kind != "f":
        said = f"If {edit.cell} were {value}, {loss} would be {_told(exact)}, not {_told(before)}."
        return WhatIf(*texts, None, exact, None, passed.iteration, said)
    slope = _slope(passed, moment, edit)
    predicted = before + slope * (float(value) - float(old))
    said = (
        f"If {edit.cell} were {to_digits(value, 6)}, {loss} would be {_told(exact)}, not "
        f"{_told(before)}; its gradient, {number(slope)}, predicts {_told(predicted)}."
    )
    if _told(exact) == _told(before):
        said = (
            f"If {edit.cell} were {to_digits(value, 6)}, {loss} would change by "
            f"{short(f'{exact - before:+.4g}')}; its gradient, {number(slope)}, predicts "
            f"{short(f'{predicted - before:+.4g}')}."
        )
    if value == old:
        said = f"{edit.cell} is {to_digits(value, 6)}: there is no change to predict yet."
    return WhatIf(*texts, predicted, exact, slope, passed.iteration, said)


def _told(value: float) -> str:
    return to_digits(value, 6)


def _slope(passed: Pass, moment: Moment, edit: Edit) -> float:
    """Return the derivative of the loss by a cell, as a line has it, or else computed."""
    if edit.name == passed.program.loss:
        return 1.0
    gradient = passed.program.gradients.get(edit.name)
    own = [
        step
        for step, line in enumerate(passed.lines, passed.start)
        if line.phase is Phase.BACKWARD and gradient in line.writes
    ]
    if gradient is None or not own or moment.is_edited:
        return _computed(passed, moment, edit)
    return float(passed.run(own[-1] + 1)[gradient][edit.index])


def _computed(passed: Pass, moment: Moment, edit: Edit) -> float:
    """Return the derivative by a difference quotient of fourth order, computed in float64.

    (8 (L(+h) - L(-h)) - (L(+2h) - L(-2h))) / 12h: Abramowitz and Stegun, 25.3.6.
    """
    wide = {name: _wide(array) for name, array in moment.tensors.items()}
    centre, cell = float(moment.value), (edit.name, edit.index)
    step = _STEP * max(1.0, abs(centre))
    end = 1 + max(at for at, line in enumerate(passed.lines) if passed.program.loss in line.writes)

    def loss(value: float) -> float:
        tensors = dict(wide)
        replace(edit, value=value).apply(tensors)
        at = replace(moment, tensors=tensors)
        found = passed.run(passed.start + end, at, cell, wide=True)
        return float(found[passed.program.loss])

    near = loss(centre + step) - loss(centre - step)
    far = loss(centre + 2 * step) - loss(centre - 2 * step)
    return float(f"{(8 * near - far) / (12 * step):.{_DIGITS}g}")


def _wide(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


# What moves, and when


class _Influenced(Struct, frozen=True):
    """The tensors that a cell has an influence on: in its pass, and parameters for the next."""

    in_pass: frozenset[str]
    parameters: tuple[str, ...]
    by_line: Instruction | None


def _influenced(
    program: Program, lines: Sequence[Instruction], name: str, position: int
) -> _Influenced:
    moved, first = {name}, None
    loss_moved = {name}
    for line in lines[position:]:
        if moved.intersection(line.reads):
            first = first or line
            moved.update(line.writes)
            if line.phase in (Phase.FORWARD, Phase.LOSS):
                loss_moved.update(line.writes)
        else:
            moved.difference_update(line.writes)
    own = {each.name for each in program.with_role(Role.PARAMETER)}
    written = [n for line in lines[position:] for n in line.writes if line.phase is Phase.UPDATE]
    changed = tuple(n for n in dict.fromkeys(written) if n in own and n in moved)
    return _Influenced(frozenset(loss_moved), changed, first)


def _later(passed: Pass, edit: Edit, moves: _Influenced) -> str:
    """Say when a cell that cannot move the loss of this pass will move one."""
    loss, later = passed.program.loss, passed.iteration + 1
    said = f"{edit.cell} does not move the {loss} of iteration {passed.iteration}"
    if moves.parameters:
        some = listed(moves.parameters[:3])
        more = len(moves.parameters) - 3
        some = f"{some} and {more} more" if more > 0 else some
        return f"{said}: it moves {some} in the update, and so the {loss} of iteration {later}."
    if edit.name in passed.program.parameters and moves.by_line is None:
        return f"{said}: nothing reads it any more in this pass, but from iteration {later} on."
    return f"{said}, and no update reads it: it moves no later one either."
