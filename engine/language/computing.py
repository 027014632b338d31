"""What an expression computes: a function of named values, made once and called as often as asked.

Each part is made a function of its own. It computes as a listing would, and sees before that
whether the shapes fit and that it is not too much.
"""

import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array, Kernel, Shape
from nnstep.engine.limits import MAX_COUNT
from nnstep.engine.operations import catalogue, half
from nnstep.engine.operations.catalogue import LISTED, Function
from nnstep.engine.operations.elements import are_places
from nnstep.engine.operations.formula import Constant
from nnstep.engine.operations.functions import global_norm
from nnstep.engine.operations.operation import Operation
from nnstep.engine.text import outside

from .nodes import (
    Attribute,
    Binary,
    Call,
    Compare,
    Conditional,
    ConditionError,
    Group,
    Index,
    Logical,
    Name,
    Negation,
    Node,
    Not,
    Number,
    Selection,
    Transpose,
)
from .work import check_call, check_operator, check_together, take, written


def _test(name: str, value: Kernel) -> Function:
    return Function(Operation(name=name, value=value, gradients={}), ("x",))


FUNCTIONS: Mapping[str, Function] = {
    **catalogue.FUNCTIONS,
    "norm": _test("norm", lambda x: global_norm(x)),
    "isnan": _test("isnan", lambda x: np.isnan(x)),
    "isinf": _test("isinf", lambda x: np.isinf(x)),
    "isfinite": _test("isfinite", lambda x: np.isfinite(x)),
    "any": _test("any", lambda x: np.any(x)),
    "all": _test("all", lambda x: np.all(x)),
}
"""What conditions and watches may call: all that programs may, and some tests."""

_BINARY: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "@": operator.matmul,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "&": operator.and_,
    "|": operator.or_,
}

Compute = Callable[[Mapping[str, Any]], Any]
"""Computes a part of an expression from named values; raises `KeyError` for a name without one."""

_NUMBERS = (int, float)
"""The types of what is written down, or computed from such, and is no value of a tensor."""


def computing(node: Node) -> Compute:
    """Return the function that computes an expression."""
    match node:
        case Number(value):
            return lambda values: value
        case Name(name):
            return itemgetter(name)
        case Negation(operand):
            return _negated(computing(operand))
        case Not() | Logical() | Conditional():
            return _decided(node)
        case Binary() | Compare():
            return _binary(node)
        case Transpose() | Index() | Attribute():
            return _part(node)
        case Selection(index):
            return lambda values: index
        case Group(members):
            parts = [computing(member) for member in members]
            return lambda values: tuple(part(values) for part in parts)
        case Call():
            return _listed(node) if node.function in LISTED else _call(node)


def is_true(value: Any) -> bool:
    """Tell whether a truth value holds; an array holds if all its elements do."""
    return bool(value) if type(value) in (bool, np.bool_) else bool(np.all(value))


def _negated(operand: Compute) -> Compute:
    def compute(values: Mapping[str, Any]) -> Any:
        value = operand(values)
        if _is_truth(value):
            raise ConditionError("- takes numbers; of truth values, 'not' gives the opposite")
        take(np.size(value))
        return -value

    return compute


def _decided(node: Not | Logical | Conditional) -> Compute:
    """Return what computes what truth values lead to."""
    match node:
        case Not(operand):
            inner = computing(operand)
            return lambda values: not is_true(inner(values))
        case Logical("and", left, right):
            one, other = computing(left), computing(right)
            return lambda values: is_true(one(values)) and is_true(other(values))
        case Logical(_, left, right):
            one, other = computing(left), computing(right)
            return lambda values: is_true(one(values)) or is_true(other(values))
        case Conditional():
            return _chosen(*map(computing, (node.value, node.test, node.otherwise)))


def _chosen(value: Compute, test: Compute, otherwise: Compute) -> Compute:
    def compute(values: Mapping[str, Any]) -> Any:
        chosen = np.asarray(test(values))
        if chosen.size != 1:
            message = "what stands behind 'if' is one truth value, not an array of shape"
            raise ConditionError(f"{message} {chosen.shape}")
        return value(values) if chosen.reshape(()) else otherwise(values)

    return compute


def _part(node: Transpose | Index | Attribute) -> Compute:
    """Return what computes the transpose, some elements, the size or the shape of an array."""
    operand = computing(node.operand)
    match node:
        case Transpose():
            return lambda values: np.asarray(operand(values)).T
        case Attribute(_, name):
            return lambda values: getattr(np.asarray(operand(values)), name)
        case Index(_, index):
            return lambda values: _element(node, index, np.asarray(operand(values)))


def _element(node: Index, index: tuple[int | slice, ...], array: Array) -> Any:
    try:
        return array[index]
    except IndexError:
        raise ConditionError(_outside(node.operand, index, array.shape)) from None


def _binary(node: Binary | Compare) -> Compute:
    """Return what computes an operator, having seen that its operands fit and are not too many."""
    sign, operate = node.operator, _BINARY[node.operator]
    first, second = computing(node.left), computing(node.right)

    def compute(values: Mapping[str, Any]) -> Any:
        left, right = first(values), second(values)
        is_number, other_is = type(left) in _NUMBERS, type(right) in _NUMBERS
        if is_number and other_is and sign != "@":
            return _of_numbers(sign, left, right)
        check_operator(node, _shape(left), _shape(right))
        if sign == "-" and _is_truth(left) and _is_truth(right):
            raise ConditionError("- takes numbers; two truth values are compared with !=")
        if is_number and _is_beyond_half(left, right):
            return half.to_float16(operate(left, half.to_float32(right)))
        if other_is and _is_beyond_half(right, left):
            return half.to_float16(operate(half.to_float32(left), right))
        return operate(left, right)

    return compute


def _shape(value: Any) -> Shape:
    """Return the shape of an array, of a number, or of several numbers, as `x.shape` is."""
    if type(value) in _NUMBERS:
        return ()
    return value.shape if isinstance(value, np.ndarray | np.generic) else np.shape(value)


def _is_beyond_half(number: float, other: Any) -> bool:
    """Tell whether a number meets a float16 that is beyond it: it is computed with in float32."""
    return getattr(other, "dtype", None) == np.float16 and half.BEYOND <= abs(number) < np.inf


def is_number(value: Any) -> bool:
    """Tell a number that is written down, or computed from such, from a value of a tensor."""
    return type(value) in _NUMBERS


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or getattr(value, "dtype", np.dtype(float)).kind == "b"


def _of_numbers(sign: str, left: float, right: float) -> Any:
    """Return what an operator gives for two numbers: without a limit to size, or an exception."""
    if type(left) is type(right) is int and sign in ("+", "-", "*"):
        whole = _BINARY[sign](left, right)
        if abs(whole) <= MAX_COUNT:
            return whole
    result = _BINARY[sign](np.float64(left), np.float64(right))
    return float(result) if isinstance(result, np.floating) else result


def _outside(operand: Node, index: tuple[int | slice, ...], shape: Shape) -> str:
    """Say which index a tensor of this shape does not have."""
    name = written(operand, "this")
    if len(index) > len(shape):
        return f"{name} has shape {shape} and takes at most {len(shape)} indices"
    for axis, (item, size) in enumerate(zip(index, shape, strict=False)):
        if not isinstance(item, slice) and not -size <= item < size:
            return outside(item, axis, name, size)
    return f"{name} has no such element: its shape is {shape}"


def _failing(message: str) -> Compute:
    def compute(values: Mapping[str, Any]) -> Any:
        raise ConditionError(message)

    return compute


def _call(node: Call) -> Compute:
    function = FUNCTIONS.get(node.function)
    if function is None:
        return _failing(f"there is no function '{node.function}'")
    if problem := function.misuse(len(node.arguments), node.options):
        return _failing(problem)
    parts = [computing(argument) for argument in node.arguments]
    inputs, count, operation = function.inputs, len(function.inputs), function.operation
    names = function.settings[: len(parts) - count]
    wrong = function.wrong_setting(node.options)

    def compute(values: Mapping[str, Any]) -> Any:
        arguments = [part(values) for part in parts]
        # What is computed from numbers that are written down is one again: it has no dtype.
        of_numbers = function.call is None and all(map(is_number, arguments[:count]))
        if function.call is None and (of_numbers or not operation.broadcasts):
            arguments[:count] = [np.asarray(argument) for argument in arguments[:count]]
        if operation.broadcasts:
            check_together(node, [_shape(argument) for argument in arguments[:count]])
        settings = {
            name: _setting(name, value)
            for name, value in zip(names, arguments[count:], strict=True)
        }
        problem = function.wrong_setting({**settings, **node.options}) if settings else wrong
        if problem:
            raise ConditionError(problem)
        check_call(node, arguments)
        if node.function == "take":
            axis = {"axis": 0, **settings, **node.options}["axis"]
            _check_places(written(node.arguments[0], "this"), arguments[0], arguments[1], axis)
        if function.call is not None:
            return function.call(*arguments[:count], **settings, **node.options)
        in_half = any(getattr(each, "dtype", None) == np.float16 for each in arguments[:count])
        given = (*settings.items(), *node.options.items())
        parameters, kernel = _compiled(node.function, given, in_half)
        try:
            result = kernel(*[arguments[inputs.index(parameter)] for parameter in parameters])
        except (ValueError, TypeError, IndexError):
            # What is wrong with the shapes is said in our words, and only looked for where it is.
            shapes = [np.shape(argument) for argument in arguments[:count]]
            operation.shape(*shapes, **settings, **node.options)
            raise ConditionError(f"{node.function} cannot be called like this") from None
        is_one = of_numbers and np.size(result) == 1 and not _is_truth(result)
        return float(result) if is_one else result

    return compute


def _check_places(name: str, array: Any, places: Any, axis: Any) -> None:
    """Raise `ConditionError` for a place that there is not: in a program, NaN comes of it."""
    shape = np.shape(array)
    if 0 <= axis < len(shape) and not (known := are_places(places, shape[axis])).all():
        place = float(np.asarray(places)[~known].flat[0])
        whole = int(place) if place.is_integer() else place
        raise ConditionError(outside(whole, axis, name, shape[axis]))


def _listed(node: Call) -> Compute:
    """Return what calls a function of listings that is not among those of programs."""
    parts = [computing(argument) for argument in node.arguments]

    def compute(values: Mapping[str, Any]) -> Any:
        arguments = [part(values) for part in parts]
        check_call(node, arguments)
        try:
            return LISTED[node.function](*arguments, **node.options)
        except (TypeError, AttributeError, ValueError, IndexError):
            raise ConditionError(f"{node.function} cannot be called like this") from None

    return compute


@lru_cache(maxsize=256)
def _compiled(
    name: str, settings: tuple[tuple[str, Constant], ...], in_half: bool
) -> tuple[tuple[str, ...], Kernel]:
    """Return the parameters of a function with its settings, and the function itself.

    Of arrays in float16 it is the one that a run of float16 has.
    """
    formula = FUNCTIONS[name].operation.with_settings(**dict(settings)).value_formula
    if in_half:
        formula = half.in_half(formula)
    return tuple(formula.parameters), formula.function


def _setting(name: str, value: Any) -> float | tuple[int, ...]:
    """Return a setting that was given by position; an axis is a whole number, or several."""
    if isinstance(value, tuple):
        return tuple(map(int, value))
    if np.size(value) != 1:
        raise ConditionError(f"'{name}' is a number, not an array of shape {np.shape(value)}")
    number = float(np.asarray(value).item())
    if name not in ("axis", "shape"):
        return number
    if not number.is_integer():
        raise ConditionError(f"'{name}' is a whole number, not {number:g}")
    return int(number)
