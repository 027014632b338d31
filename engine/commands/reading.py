"""Reading the arguments of a command: expressions, cells, values and units, with columns."""

import re
from typing import TYPE_CHECKING

import numpy as np

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.language.evaluate import evaluate
from nnstep.engine.language.nodes import Index, Name
from nnstep.engine.language.parsed import constant, expression
from nnstep.engine.language.typed import Typed, blaming
from nnstep.engine.machine.clock import UNITS, Unit
from nnstep.engine.session.edits import checked_tensor
from nnstep.engine.text import did_you_mean, listed, outside, quoted

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session

_WRITTEN_DOWN = re.compile(r"[+-]?(nan|inf|[\d.,]+)", re.IGNORECASE)


def value_of(text: Typed, session: "Session") -> Array:
    """Return the present value of an expression."""
    expression(text, session.program.tensors)
    with blaming(text):
        return session.evaluate(text.text)


def check_fit(text: Typed, session: "Session") -> None:
    """Raise `TextError` for an expression that cannot be computed at any place of the run.

    It is tried with tensors of the shapes that there will be, also of those without a value yet.
    """
    from nnstep.engine.stops.trigger import values_at

    node = expression(text, session.program.tensors)
    live, data = session.values(), session.scenario.data
    types = {} if data is None else {"x": data.x.dtype, "y": data.y.dtype}
    tried = {}
    for name, tensor in session.program.tensors.items():
        array = live.get(name)
        dtype = types.get(name, np.dtype(float)) if array is None else array.dtype
        if array is None or array.shape != tensor.shape:
            array = np.broadcast_to(np.zeros((), dtype), tensor.shape)
        tried[name] = array
    with blaming(text):
        evaluate(node, values_at(session.program, session.clock, session.place, tried))


def cell(text: Typed, session: "Session") -> tuple[str, Shape]:
    """Read a cell of a live tensor, such as `W1[0, -1]` or `lr`; return its name and its index."""
    name, index = _name_and_index(text, session)
    with blaming(text):
        array = checked_tensor(name, session.program, session.values())
    return name, _in_range(text, name, index, array.shape)


def cell_of_program(text: Typed, session: "Session") -> tuple[str, Shape]:
    """Read a cell as `cell` does, also of a tensor that has no value yet."""
    name, index = _name_and_index(text, session)
    array = session.values().get(name)
    shape = session.program.tensors[name].shape if array is None else array.shape
    return name, _in_range(text, name, index, shape)


def _name_and_index(text: Typed, session: "Session") -> tuple[str, tuple[int | slice, ...]]:
    match expression(text, session.program.tensors, "a cell, such as W1[0, 1],"):
        case Name(name) if name in session.program.tensors:
            return name, ()
        case Index(Name(name), index) if name in session.program.tensors:
            return name, index
    raise text.error("that is no cell; write one as in W1[0, 1], or lr")


def _in_range(text: Typed, name: str, index: tuple[int | slice, ...], shape: Shape) -> Shape:
    """Return an index counted from the beginning of each axis."""
    example = f"{name}[{', '.join('0' * len(shape))}]" if shape else name
    if len(index) != len(shape) or any(isinstance(item, slice) for item in index):
        raise text.error(f"{name} has shape {shape}; write one of its cells as in {example}")
    cells = tuple(item for item in index if isinstance(item, int))
    for axis, (item, size) in enumerate(zip(cells, shape, strict=True)):
        if not -size <= item < size:
            raise text.error(outside(item, axis, name, size))
    return tuple(item % size for item, size in zip(cells, shape, strict=True))


def value(text: Typed, session: "Session") -> float:
    """Read a number: one that is written down, or computed from live tensors."""
    if not text:
        raise text.error("a value is missing, such as 0.5, nan or W1[0, 1] * 2")
    if _WRITTEN_DOWN.fullmatch(text.text):
        return constant(text)
    array = value_of(text, session)
    if array.size != 1:
        raise text.error(f"a cell holds one number, and this has shape {array.shape}")
    number = float(array.reshape(())[()])
    if not np.isfinite(number):
        raise text.error(f"that is {number}; type nan, inf or -inf if you mean it")
    return number


def unit(word: Typed) -> Unit:
    """Read a unit of stepping, in the singular or the plural."""
    for known in UNITS:
        if word.text in (known, f"{known}s"):
            return known
    hint = did_you_mean(word.text, UNITS)
    units = listed(UNITS, "or")
    raise word.error(f"there is no unit {quoted(word.text)}{hint}; a unit is {units}")
