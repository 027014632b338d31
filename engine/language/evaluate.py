"""The value of an expression: conditions, watches, typed numbers, texts with {expressions}."""

import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
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
from nnstep.engine.text import did_you_mean, outside, quoted

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
    descendants,
)
from .parser import parse_condition
from .work import Work, check_call, check_operator, check_together, counted, take, written


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

COUNTS = frozenset({"iteration", "epoch", "step", "loss"})
"""The names that conditions may use besides those of tensors."""

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


def unknown(node: Node, tensors: Collection[str]) -> Iterator[tuple[Node, str]]:
    """Yield the parts of an expression that name or call what there is not, with a message."""
    for part in descendants(node):
        if isinstance(part, Name) and part.name not in tensors and part.name not in COUNTS:
            hint = did_you_mean(part.name, [*tensors, *COUNTS])
            yield part, f"the program has no tensor {quoted(part.name)}{hint}"
        elif isinstance(part, Call):
            function = FUNCTIONS.get(part.function)
            if part.function in LISTED:
                continue
            if function is None:
                hint = did_you_mean(part.function, [*FUNCTIONS, *LISTED])
                yield part, f"there is no function {quoted(part.function)}{hint}"
            elif problem := function.misuse(len(part.arguments), part.options):
                yield part, problem


def check_names(node: Node, tensors: Collection[str]) -> None:
    """Raise `ConditionError` for the first name or function that does not exist."""
    for part, message in unknown(node, tensors):
        raise ConditionError(f"column {part.start + 1}: {message}")


def evaluate(node: Node, values: Mapping[str, Any], work: Work | None = None) -> Any:
    """Return the value of an expression over named values, computed as a listing would.

    Numbers that are written down take the type of the arrays that they meet, as in Python. Raises
    `KeyError` for a name that has no value, and `ConditionError` where shapes or indices do not
    fit, and where it would take more than the `work` that is left.
    """
    try:
        with counted(work), np.errstate(all="ignore"):
            value = _value(node, values)
            return np.float64(value) if _is_number(value) else value
    except (IndexError, ValueError, TypeError, ZeroDivisionError, OverflowError) as error:
        raise ConditionError(str(error)) from None


def holds(node: Node, values: Mapping[str, Any]) -> bool:
    """Return whether a condition holds; an array holds if all its elements do.

    A condition on a tensor that is not live yet does not hold.
    """
    try:
        return bool(np.all(evaluate(node, values)))
    except KeyError:
        return False


def _value(node: Node, values: Mapping[str, Any]) -> Any:
    match node:
        case Number(value):
            return value
        case Name(name):
            return values[name]
        case Negation(operand):
            value = _value(operand, values)
            if _is_truth(value):
                raise ConditionError("- takes numbers; of truth values, 'not' gives the opposite")
            take(np.size(value))
            return -value
        case Not() | Logical() | Conditional():
            return _decided(node, values)
        case Binary() | Compare():
            return _binary(node, values)
        case Transpose() | Index() | Attribute():
            return _part(node, values)
        case Selection(index):
            return index
        case Group(members):
            return tuple(_value(member, values) for member in members)
        case Call():
            return _call(node, values)


def _decided(node: Not | Logical | Conditional, values: Mapping[str, Any]) -> Any:
    """Return what truth values lead to; an array is true if all its elements are."""
    match node:
        case Not(operand):
            return not np.all(_value(operand, values))
        case Logical(sign, left, right):
            first = bool(np.all(_value(left, values)))
            return first if first == (sign == "or") else bool(np.all(_value(right, values)))
        case Conditional(value, test, otherwise):
            chosen = np.asarray(_value(test, values))
            if chosen.size != 1:
                message = "what stands behind 'if' is one truth value, not an array of shape"
                raise ConditionError(f"{message} {chosen.shape}")
            return _value(value if chosen.reshape(()) else otherwise, values)


def _part(node: Transpose | Index | Attribute, values: Mapping[str, Any]) -> Any:
    """Return the transpose, some elements, the size or the shape of an array."""
    array = np.asarray(_value(node.operand, values))
    match node:
        case Transpose():
            return array.T
        case Attribute(_, name):
            return getattr(array, name)
        case Index(operand, index):
            try:
                return array[index]
            except IndexError:
                raise ConditionError(_outside(operand, index, array.shape)) from None


def _binary(node: Binary | Compare, values: Mapping[str, Any]) -> Any:
    """Return what an operator gives, having seen that its operands fit and it is not too large."""
    left, right = _value(node.left, values), _value(node.right, values)
    if _is_number(left) and _is_number(right) and node.operator != "@":
        return _of_numbers(node.operator, left, right)
    check_operator(node, np.shape(left), np.shape(right))
    if node.operator == "-" and _is_truth(left) and _is_truth(right):
        raise ConditionError("- takes numbers; two truth values are compared with !=")
    operate = _BINARY[node.operator]
    if _beyond_half(left, right):
        return half.to_float16(operate(left, half.to_float32(right)))
    if _beyond_half(right, left):
        return half.to_float16(operate(half.to_float32(left), right))
    return operate(left, right)


def _beyond_half(number: Any, other: Any) -> bool:
    """Tell whether a number meets a float16 that is beyond it: it is computed with in float32."""
    meets = _is_number(number) and getattr(other, "dtype", None) == np.float16
    return meets and half.BEYOND <= abs(number) < np.inf


def _is_number(value: Any) -> bool:
    """Tell a number that is written down, or computed from such, from a value of a tensor."""
    return type(value) in (int, float)


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


def _call(node: Call, values: Mapping[str, Any]) -> Any:
    if node.function in LISTED:
        return _listed(node, values)
    function = FUNCTIONS.get(node.function)
    if function is None:
        raise ConditionError(f"there is no function '{node.function}'")
    if problem := function.misuse(len(node.arguments), node.options):
        raise ConditionError(problem)
    arguments = [_value(argument, values) for argument in node.arguments]
    count = len(function.inputs)
    # What is computed from numbers that are written down is such a number again: it has no dtype.
    of_numbers = function.call is None and all(map(_is_number, arguments[:count]))
    if function.call is None and (of_numbers or not function.operation.broadcasts):
        arguments[:count] = [np.asarray(argument) for argument in arguments[:count]]
    if function.operation.broadcasts:
        check_together(node, [np.shape(argument) for argument in arguments[:count]])
    given = dict(zip(function.settings, arguments[count:], strict=False))
    settings = {name: _setting(name, value) for name, value in given.items()}
    if problem := function.wrong_setting({**settings, **node.options}):
        raise ConditionError(problem)
    check_call(node, arguments)
    if node.function == "take":
        axis = {"axis": 0, **settings, **node.options}["axis"]
        _check_places(written(node.arguments[0], "this"), arguments[0], arguments[1], axis)
    if function.call is not None:
        return function.call(*arguments[:count], **settings, **node.options)
    in_half = any(getattr(each, "dtype", None) == np.float16 for each in arguments[:count])
    given_settings = (*settings.items(), *node.options.items())
    parameters, compute = _compiled(node.function, given_settings, in_half)
    inputs: Mapping[str, Array] = dict(zip(function.inputs, arguments, strict=False))
    try:
        result = compute(*(inputs[parameter] for parameter in parameters))
    except (ValueError, TypeError, IndexError):
        # What is wrong with the shapes is said in our words, and only looked for where it is.
        shapes = [np.shape(argument) for argument in arguments[:count]]
        function.operation.shape(*shapes, **settings, **node.options)
        raise ConditionError(f"{node.function} cannot be called like this") from None
    is_one = of_numbers and np.size(result) == 1 and not _is_truth(result)
    return float(result) if is_one else result


def _check_places(name: str, array: Any, places: Any, axis: Any) -> None:
    """Raise `ConditionError` for a place that there is not: in a program, NaN comes of it."""
    shape = np.shape(array)
    if 0 <= axis < len(shape) and not (known := are_places(places, shape[axis])).all():
        place = float(np.asarray(places)[~known].flat[0])
        whole = int(place) if place.is_integer() else place
        raise ConditionError(outside(whole, axis, name, shape[axis]))


def _listed(node: Call, values: Mapping[str, Any]) -> Any:
    """Call a function of listings that is not among those of programs."""
    arguments = [_value(argument, values) for argument in node.arguments]
    check_call(node, arguments)
    try:
        return LISTED[node.function](*arguments, **node.options)
    except (TypeError, AttributeError, ValueError, IndexError):
        raise ConditionError(f"{node.function} cannot be called like this") from None


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


_BRACED = re.compile(r"\{([^{}]+)\}")


def braced(text: str) -> list[tuple[int, str]]:
    """Return the expressions in braces of a text, each with its offset in the text."""
    return [(match.start(1), match[1]) for match in _BRACED.finditer(text)]


def with_braced(text: str, change: Callable[[str], str]) -> str:
    """Return a text in which each expression in braces is changed."""
    return _BRACED.sub(lambda match: f"{{{change(match[1])}}}", text)


def filled(text: str, values: Mapping[str, Any]) -> str:
    """Return a text with its expressions replaced by their values."""
    return _BRACED.sub(lambda match: value_text(match[1], values), text)


def value_text(expression: str, values: Mapping[str, Any]) -> str:
    """Evaluate an expression and write its value, in up to six digits, on one line."""
    try:
        value = np.asarray(evaluate(parse_condition(expression), values))
    except KeyError as error:
        return f"({error.args[0]} has no value yet)"
    except ConditionError as error:
        return f"({error})"
    return one_line(value)


DIGITS = 6
"""How many digits there are on a line, unless somebody wants another number of them."""


def one_line(value: np.ndarray[Any, Any], digits: int = DIGITS) -> str:
    """Write an array on one line, long ones with an ellipsis."""
    if value.ndim == 0:
        return f"{value[()]:.{digits}g}" if value.dtype.kind == "f" else str(value[()])
    text = np.array2string(value, precision=digits, threshold=20, edgeitems=2, max_line_width=10**6)
    return " ".join(text.split())


class NumberError(ValueError):
    """Text that is no number; `message` says why, and is fit to show.

    `start` counts the characters before the mistake.
    """

    def __init__(self, message: str, start: int = 0) -> None:
        self.message = message
        self.start = start
        super().__init__(f"column {start + 1}: {message}" if start else message)


_NON_FINITE = {"nan", "-nan", "inf", "-inf"}
_WITH_COMMA = re.compile(r"-?\d+,\d+")


def parse_value(text: str) -> float:
    """Return the number that a person typed: `0.5`, `-1e-3`, `1/3`, `nan`, `-inf`.

    Raises `NumberError` with a message fit to show.
    """
    from .nodes import GrammarError
    from .parser import parse_expression

    word = text.strip().removeprefix("+")
    if word.lower() in _NON_FINITE:
        return float(word)
    if _WITH_COMMA.match(word):
        raise NumberError("write the decimals after a point, as in 1.5")
    if not word:
        raise NumberError("type a number, such as 0.5, -1e-3 or 1/3")
    try:
        value = float(evaluate(parse_expression(word), {}))
    except GrammarError as error:
        raise NumberError(error.message, text.index(word) + error.start) from None
    except KeyError as error:
        raise NumberError(f"{quoted(str(error.args[0]))} is not a number") from None
    except (ConditionError, TypeError, ValueError) as error:
        raise NumberError(str(error)) from None
    if not np.isfinite(value):
        raise NumberError(f"that is {value}; type nan, inf or -inf if you mean it")
    return value
