"""Why the last update left a weight as it was: frozen, no rate, no gradient, clipped, rounded."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Shape
from nnstep.engine.program.program import Instruction, Phase, Program, Role
from nnstep.engine.text import cell_name

from .explain import Walk
from .follow import change_in
from .sentences import number
from .why import Why, why

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline

Reason = Literal["frozen", "override", "rate", "gradient", "clipped", "rounded", "the same"]


class Unchanged(Struct, frozen=True):
    """Why an update has not changed a cell; `step` is that update, None where there is none.

    `chain` follows what is 0, the rate or the gradient, to its cause.
    """

    reason: Reason
    cell: str
    step: int | None
    text: str
    chain: Why | None = None


def unchanged(timeline: "Timeline", name: str, index: Shape, place: int) -> Unchanged | None:
    """Return why the last update before a place left a parameter's cell as it was.

    None if it has changed it, or no update has run, or the tensor is no parameter.
    """
    tensor, cell = timeline.program.tensors[name], cell_name(name, index)
    if tensor.role is not Role.PARAMETER:
        return None
    if tensor.frozen:
        return Unchanged("frozen", cell, None, f"{name} is frozen: no update changes it.")
    step = timeline.program.last_writer(name, place)
    if step is None:
        return None
    before = timeline.tensors_at(step)[name][index]
    if before != timeline.tensors_at(step + 1)[name][index]:
        return None
    with np.errstate(all="ignore"):
        return _Update(timeline, name, index, step).reason()


class _Update:
    """An update that has left a cell as it was."""

    def __init__(self, timeline: "Timeline", name: str, index: Shape, step: int) -> None:
        self._timeline, self._name, self._index, self._step = timeline, name, index, step
        self._line: Instruction = timeline.line_of(step)
        self._before = timeline.tensors_at(step)
        self._value: Any = self._before[name][index]

    def reason(self) -> Unchanged:
        """Return the first reason that holds."""
        if self._line.rule is not None:
            return self._said("override", f"{self._line.code}, a line of your own, leaves it.")
        if rate := self._rate():
            chain = why(self._timeline, rate, (), self._step)
            return self._said("rate", f"{rate} is 0. {chain.cause.text}", chain)
        gradient = _gradient_of(self._timeline.program, self._name)
        change = self._change()
        if gradient is not None and gradient in self._before:
            if self._was_clipped(gradient):
                return self._clipped(gradient)
            if self._before[gradient][self._index] == 0 and not change:
                return self._no_gradient(gradient)
        if change and abs(change) <= self._spacing / 2:
            kind = self._value.dtype
            return self._said(
                "rounded",
                f"The update adds {number(change)}, at most half the distance from "
                f"{number(self._value)} to the next number of {kind}, {number(self._spacing)}: "
                "rounding leaves it as it was.",
            )
        return self._said("the same", f"{self._line.code} gives the number that was there before.")

    def _said(self, reason: Reason, text: str, chain: Why | None = None) -> Unchanged:
        return Unchanged(reason, cell_name(self._name, self._index), self._step, text, chain)

    @property
    def _spacing(self) -> float:
        return float(np.spacing(np.abs(self._value)))

    def _rate(self) -> str | None:
        """Return the learning rate, where the update has it and it is 0."""
        roles = self._timeline.program.tensors
        rates = [name for name in self._line.reads if roles[name].role is Role.RATE]
        return next((name for name in rates if np.all(self._before[name] == 0)), None)

    def _change(self) -> float:
        """Return what the update adds to the cell, before it is rounded."""
        walk = Walk(self._timeline, self._name, self._index, self._value, self._step, self._before)
        return change_in(walk.node, walk.where, (self._name, self._index))

    def _no_gradient(self, gradient: str) -> Unchanged:
        chain = why(self._timeline, gradient, self._index, self._step)
        cell = cell_name(gradient, self._index)
        return self._said("gradient", f"{cell} is 0. {chain.cause.text}", chain)

    def _was_clipped(self, gradient: str) -> bool:
        """Tell whether the same line would have changed the cell, had nothing been clipped."""
        clip = self._timeline.program.last_writer(gradient, self._step)
        if clip is None or gradient not in self._line.reads or self._line.kernel is None:
            return False
        line = self._timeline.line_of(clip)
        if line.phase is not Phase.UPDATE or line.operation != "clip":
            return False
        full = self._timeline.tensors_at(clip)[gradient]
        after = np.asarray(self._line.kernel({**self._before, gradient: full}))
        return bool(after[self._index] != self._value)

    def _clipped(self, gradient: str) -> Unchanged:
        clip = self._timeline.program.last_writer(gradient, self._step)
        assert clip is not None
        full = self._timeline.tensors_at(clip)[gradient][self._index]
        now = self._before[gradient][self._index]
        return self._said(
            "clipped",
            f"Clipping made {cell_name(gradient, self._index)} {number(now)} of {number(full)}: "
            "so small a step is lost in rounding.",
        )


def _gradient_of(program: Program, name: str) -> str | None:
    return next(
        (
            tensor.name
            for tensor in program.tensors.values()
            if tensor.role is Role.GRADIENT and tensor.of == name
        ),
        None,
    )
