"""What may be edited: a live tensor, a cell that it has, a value that it can hold."""

import operator
from collections.abc import Mapping

import numpy as np

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.edit import Edit
from nnstep.engine.program.instruction import Program
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import did_you_mean, quoted

_WANTED = "{}[…] = … takes whole numbers and a number"


class EditError(ValueError):
    """An edit that makes no sense; the message says why, and is fit to show."""


class UndoError(ValueError):
    """There is nothing to undo, or to make again; the message says so, and is fit to show."""


class PlaceError(ValueError):
    """A place that the run does not have; the message says which ones it has."""


def checked_edit(
    scenario: Scenario,
    program: Program,
    tensors: Mapping[str, Array],
    place: int,
    name: str,
    index: Shape,
    value: float,
) -> Edit:
    """Return the edit that gives a cell a value; raise `EditError` if any of them does not fit."""
    array = checked_tensor(name, program, tensors)
    below = None
    if name == "y" and scenario.network is not None and array.dtype.kind == "i":
        below = scenario.network.layers[-1].units
    return Edit(place, name, *_cell(array, name, index, value, below))


def checked_tensor(name: str, program: Program, tensors: Mapping[str, Array]) -> Array:
    """Return a live tensor by its name, or raise `EditError` saying why there is none."""
    if name in tensors:
        return tensors[name]
    if name in program.tensors:
        writer = next(i for i in program.instructions if name in i.writes)
        part = writer.phase if writer.layer is None else f"{writer.phase}, layer {writer.layer}"
        raise EditError(f"{name} has no value yet; it gets one in {part}: {writer.code}")
    hint = did_you_mean(name, program.tensors)
    raise EditError(f"there is no tensor {quoted(name)}{hint}")


def _cell(
    array: Array, name: str, index: Shape, value: float, below: int | None
) -> tuple[Shape, float]:
    """Return the index and the value of an edit; raise `EditError` if they do not fit.

    A tensor of whole numbers counts from 0; `below` limits one that holds class indices.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise EditError(_WANTED.format(name)) from None
    whole = array.dtype.kind == "i"
    cell = checked_index(array, name, index)
    return cell, _counted(name, number, below) if whole else _fitting(array, number)


def checked_index(array: Array, name: str, index: Shape) -> Shape:
    """Return the index of a cell, counted from 0; raise `EditError` if there is no such cell."""
    try:
        place = tuple(map(operator.index, index))
    except TypeError:
        raise EditError(_WANTED.format(name)) from None
    if len(place) != array.ndim:
        wanted = f"{array.ndim} indices" if array.ndim != 1 else "1 index"
        raise EditError(f"{name} has shape {array.shape} and takes {wanted}, not {len(place)}")
    for axis, (item, size) in enumerate(zip(place, array.shape, strict=True)):
        if not -size <= item < size:
            raise EditError(f"index {item} is outside axis {axis} of {name}, which has {size}")
    return tuple(item % size for item, size in zip(place, array.shape, strict=True))


def _counted(name: str, value: float, below: int | None) -> int:
    """Return a value for a tensor that counts, or that holds class indices."""
    if not value.is_integer() or not 0 <= value < 2**31:
        raise EditError(f"{name} holds whole numbers from 0, not {value:g}")
    if below is not None and value >= below:
        raise EditError(f"{name} holds classes from 0 to {below - 1}, not {value:g}")
    return int(value)


def _fitting(array: Array, value: float) -> float:
    with np.errstate(over="ignore"):
        if np.isfinite(value) and not np.isfinite(array.dtype.type(value)):
            raise EditError(f"{value:g} is too large for {array.dtype}")
    return value


_NON_FINITE = {"nan", "inf", "-inf"}


def parse_value(text: str) -> float:
    """Return the number that a person typed: `0.5`, `-1e-3`, `1/3`, `nan`, `-inf`.

    Raises `EditError` with a message fit to show.
    """
    from nnstep.engine.conditions import ConditionError, evaluate
    from nnstep.engine.grammar import GrammarError, parse_expression

    word = text.strip().lower().removeprefix("+")
    if word in _NON_FINITE:
        return float(word)
    if "," in word:
        raise EditError("write the decimals after a point, as in 1.5")
    if not word:
        raise EditError("type a number, such as 0.5, -1e-3 or 1/3")
    try:
        value = float(evaluate(parse_expression(word), {}))
    except GrammarError as error:
        raise EditError(f"column {error.start + 1}: {error.message}") from None
    except KeyError as error:
        raise EditError(f"{quoted(str(error.args[0]))} is not a number") from None
    except (ConditionError, TypeError, ValueError) as error:
        raise EditError(str(error)) from None
    if not np.isfinite(value):
        raise EditError(f"that is {value}; type nan, inf or -inf if you mean it")
    return value
