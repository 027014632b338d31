"""Why a line has made a value that is not finite: the log of an exact 0, an exp that overflows."""

from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Instruction, Phase, Program
from nnstep.engine.text import cell_name, listed

MOST_STEPS = 12
"""How many lines back a 0 is followed."""


class Under(Struct, frozen=True):
    """The cell of an input that lies under the cell made, and its value."""

    name: str
    cell: Shape
    value: float

    def __str__(self) -> str:
        return cell_name(self.name, self.cell)


class Producer(Struct, frozen=True):
    """A line that has made a value that is not finite in a `cell` of what it wrote.

    `live` are the tensors that it read. `is_read` says that the value was not made here, but read:
    it was edited, or was there at the start.
    """

    program: Program
    line: Instruction
    array: Array
    cell: Shape
    live: Mapping[str, Array]
    is_read: bool = False

    def under(self, *parameters: str) -> Under | None:
        """Return the cell of the first of these parameters of the formula that there is."""
        for parameter in parameters:
            if (name := self.line.names.get(parameter)) and name in self.live:
                return _under(self.live[name], name, self.cell)
        return None

    def infinite(self) -> list[str]:
        """Return the tensors that the line read and that are not finite."""
        return [n for n in self.line.reads if n in self.live and not _is_finite(self.live[n])]


def _is_finite(array: Array) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _under(array: Array, name: str, cell: Shape) -> Under | None:
    """Return the cell of an array that broadcasting puts under another's; None if none is."""
    if array.ndim > len(cell):
        return None
    place = cell[len(cell) - array.ndim :]
    found = tuple(0 if size == 1 else at for at, size in zip(place, array.shape, strict=True))
    if any(at >= size for at, size in zip(found, array.shape, strict=True)):
        return None
    return Under(name, found, float(array[found]))


def advice(made: Producer, has_optimizer: bool) -> str:
    """Return what a value that is not finite comes of, and what to do about it."""
    line, infinite = made.line, made.infinite()
    if line.phase is Phase.BATCH:
        return "Fill in or leave out the rows of the data that have no finite number here."
    if made.is_read:
        return f"It was read: see what gave {listed(infinite) or 'it'} a value that is not finite."
    if infinite:
        names = listed(infinite)
        return f"NaN comes of 0 · inf or inf - inf: see what makes {names} infinite."
    if line.phase is Phase.UPDATE and (text := _of_eps(made)):
        return text
    backward = line.phase is Phase.BACKWARD
    special = (_BACKWARD if backward else _FORWARD).get(line.operation)
    return (special(made) if special else None) or _any_other(made, has_optimizer)


def _any_other(made: Producer, has_optimizer: bool) -> str:
    """Say what it comes of where nobody has looked at what the line computes on its way."""
    if np.isnan(made.array[made.cell]):
        return (
            "It is 0 / 0, the root or log of a negative number, or inf - inf on the way: "
            "its explanation shows the calculation."
        )
    dtype = made.array.dtype
    if made.line.rule is not None:
        return (
            f"It is a division by 0, the log of 0, or beyond the largest {dtype}: "
            "its explanation shows the calculation."
        )
    what = f"The result is beyond the largest {dtype}, {np.finfo(dtype).max:.2g}:"
    if has_optimizer:
        return f"{what} a lower learning rate, clipped gradients or smaller weights keep it finite."
    return f"{what} scale down what it is computed from."


def _of_eps(made: Producer) -> str | None:
    eps, dtype = made.line.settings.get("eps"), made.array.dtype
    if not isinstance(eps, float) or eps == 0 or dtype.type(eps) != 0:
        return None
    return f"eps = {eps:g} is 0 in {dtype}, and so the divisor: take a larger one."


def _of_log(made: Producer) -> str | None:
    x = made.under("x")
    if x is None:
        return None
    argument = x.value + (made.line.operation == "log1p")
    if argument < 0:
        return f"It is the log of a negative number: {x} is {x.value:.4g}."
    return None if argument > 0 else f"It is the log of an exact 0: {_zero(made, x)}"


def _of_loss(made: Producer) -> str | None:
    """Return the output that a loss takes the log of, where it is 0."""
    a = made.live.get(made.line.names.get("a", ""))
    if a is None or not (a == 0).any():
        return None
    name = cell_name(made.line.names["a"], tuple(int(i) for i in np.argwhere(a == 0)[0]))
    why = "is too small for its dtype; from_logits computes the loss from z, without it"
    return f"It is the log of an exact 0: {name} {why}."


def _of_divisor(made: Producer) -> str | None:
    """Return the divisor that is 0: of a quotient, and of the derivative of a log or a root."""
    if made.line.settings.get("b") == 0:
        return "It is a division by 0, which the line says itself."
    divisor = made.under("b", "x", "out", "a")
    if divisor is None or divisor.value != 0:
        return None
    return f"It is a division by an exact 0: {_zero(made, divisor)}"


def _of_exp(made: Producer) -> str | None:
    x = made.under("x")
    if x is None:
        return None
    what = f"exp({x.value:.5g}), of {x}, is beyond the largest {made.array.dtype}"
    return f"{what}: sigmoid, softmax, logsumexp and softplus compute without it."


def _of_root(made: Producer) -> str | None:
    x = made.under("x")
    if x is None or x.value >= 0:
        return None
    return f"It is the root of a negative number: {x} is {x.value:.4g}."


def _of_power(made: Producer) -> str | None:
    base = made.under("x", "a")
    if base is None or base.value > 0:
        return None
    if base.value == 0:
        return f"It is a negative power of an exact 0: {_zero(made, base)}"
    return f"It is a broken power of a negative number: {base} is {base.value:.4g}."


_Sentence = Callable[[Producer], str | None]

_FORWARD: Mapping[str, _Sentence] = {
    "log": _of_log,
    "log1p": _of_log,
    "divide": _of_divisor,
    "exp": _of_exp,
    "expm1": _of_exp,
    "sqrt": _of_root,
    "power": _of_power,
    "cross_entropy": _of_loss,
}
_BACKWARD: Mapping[str, _Sentence] = {
    "log": _of_divisor,
    "divide": _of_divisor,
    "sqrt": _of_divisor,
    "power": _of_power,
    "cross_entropy": _of_divisor,
}


def _zero(made: Producer, zero: Under) -> str:
    """Return which cell is 0, and where its digits were lost, if that is found."""
    lost = _lost(made, zero, MOST_STEPS)
    return f"{zero}, {lost}." if lost else f"{zero} is 0."


def _lost(made: Producer, zero: Under, steps: int) -> str | None:
    """Return which line has lost what is 0, by rounding or underflow; None if it was given so."""
    line = next((one for one in made.program.instructions if zero.name in one.writes), None)
    if line is None or steps == 0:
        return None
    inputs = [
        found
        for name in line.reads
        if name in made.live and (found := _under(made.live[name], name, zero.cell))
    ]
    if line.operation in ("softmax", "sigmoid", "exp"):
        return f"where {line.code} is too small for {made.array.dtype}"
    if line.operation == "subtract":
        what = " and ".join(f"{one} = {one.value:.17g}" for one in inputs)
        return f"as {line.code} has lost its digits by rounding, {what}"
    zeros = (one for one in inputs if one.value == 0)
    return next((text for one in zeros if (text := _lost(made, one, steps - 1))), None)
