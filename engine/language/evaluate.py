"""The value of an expression: conditions, watches, typed numbers, texts with {expressions}."""

import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array, Kernel, Shape
from nnstep.engine.limits import MAX_COUNT, MAX_ELEMENTS, MAX_WORK
from nnstep.engine.operations import catalogue
from nnstep.engine.operations.arithmetic import matmul
from nnstep.engine.operations.catalogue import LISTED, Function
from nnstep.engine.operations.formula import Constant
from nnstep.engine.operations.functions import global_norm
from nnstep.engine.operations.operation import Operation, ShapeError
from nnstep.engine.text import did_you_mean, outside, quoted

from .nodes import (
    Attribute,
    Binary,
    Call,
    Compare,
    Conditional,
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


class ConditionError(ValueError):
    """An expression that cannot be evaluated; the message says why."""


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


class Work:
    """How much may still be computed, in numbers that an operation takes or gives.

    It is known from shapes before anything is computed, and so the same on every machine.
    """

    def __init__(self, most: int = MAX_WORK) -> None:
        self._most = self._left = most

    def take(self, amount: int) -> None:
        """Take a part of it; raise `ConditionError` if there is not so much left."""
        if amount > self._left:
            raise ConditionError(
                f"this would take too long: it works through more than {self._most:,} numbers"
            )
        self._left -= amount


_work: ContextVar[Work] = ContextVar("work")

# So many products of a matrix product take about as long as one number of another operation.
_PRODUCTS = 10


def evaluate(node: Node, values: Mapping[str, Any], work: Work | None = None) -> Any:
    """Return the value of an expression over named values, computed as a listing would.

    Numbers that are written down take the type of the arrays that they meet, as in Python. Raises
    `KeyError` for a name that has no value, and `ConditionError` where shapes or indices do not
    fit, and where it would take more than the `work` that is left.
    """
    before = _work.set(work or Work())
    try:
        with np.errstate(all="ignore"):
            value = _value(node, values)
            return np.float64(value) if _is_number(value) else value
    except (IndexError, ValueError, TypeError, ZeroDivisionError, OverflowError) as error:
        raise ConditionError(str(error)) from None
    finally:
        _work.reset(before)


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
            return -_value(operand, values)
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
    if _is_number(left) and _is_number(right):
        return _of_numbers(node.operator, left, right)
    one, other = np.shape(left), np.shape(right)
    if node.operator == "@" or (one != other and one and other):
        shape = _fitting(node, one, other)
        if prod(shape) > MAX_ELEMENTS:
            size = f"{_operation(node, one, other)} would have {prod(shape):,} numbers"
            raise ConditionError(f"{size}, more than {MAX_ELEMENTS:,}")
        products = prod(shape) * one[-1] // _PRODUCTS if node.operator == "@" else 0
        _work.get().take(max(prod(shape), products))
    else:
        _work.get().take(max(prod(one), prod(other)))
    return _BINARY[node.operator](left, right)


def _is_number(value: Any) -> bool:
    """Tell a number that is written down, or computed from such, from a value of a tensor."""
    return type(value) in (int, float)


def _of_numbers(sign: str, left: float, right: float) -> Any:
    """Return what an operator gives for two numbers: without a limit to size, or an exception."""
    if type(left) is type(right) is int and sign in ("+", "-", "*"):
        whole = _BINARY[sign](left, right)
        if abs(whole) <= MAX_COUNT:
            return whole
    result = _BINARY[sign](np.float64(left), np.float64(right))
    return float(result) if isinstance(result, np.floating) else result


def _fitting(node: Binary | Compare, left: Shape, right: Shape) -> Shape:
    """Return the shape of the result; raise `ConditionError` where the operands' do not fit."""
    try:
        if node.operator != "@":
            return np.broadcast_shapes(left, right)
        return matmul(left, right).shape(left, right)
    except (ShapeError, ValueError):
        hint = _hint(node, left, right)
        raise ConditionError(f"{_operation(node, left, right)} does not fit{hint}") from None


def _operation(node: Binary | Compare, left: Shape, right: Shape) -> str:
    """Write an operation with the shapes of its operands: `x (4, 3) @ W1 (2, 2)`."""
    first, second = _operand(node.left, "…"), _operand(node.right, "…")
    return f"{first} {left} {node.operator} {second} {right}"


def _operand(node: Node, otherwise: str) -> str:
    match node:
        case Name(name):
            return name
        case Transpose(operand):
            return f"{_operand(operand, otherwise)}.T"
        case _:
            return otherwise


def _hint(node: Binary | Compare, left: Shape, right: Shape) -> str:
    """Say what would fit, or what has to."""
    if node.operator != "@":
        return ": from the right, each axis must be as long as the other's, or 1"
    if not left or not right:
        return ": @ takes no single numbers, write *"
    first, second = _operand(node.left, ""), _operand(node.right, "")
    turned = [
        (left, right[::-1], f"{first} @ {_turned(second)}"),
        (left[::-1], right, f"{_turned(first)} @ {second}"),
    ]
    if first and second:
        for one, other, written in turned:
            if len(one) == len(other) == 2 and one[-1] == other[0]:
                return f"; {written} does"
    return f": the last axis of the first, {left[-1]}, meets {right[0]} of the second"


def _turned(name: str) -> str:
    return name.removesuffix(".T") if name.endswith(".T") else f"{name}.T"


def _outside(operand: Node, index: tuple[int | slice, ...], shape: Shape) -> str:
    """Say which index a tensor of this shape does not have."""
    name = _operand(operand, "this")
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
        _check_together(node, [np.shape(argument) for argument in arguments[:count]])
    given = dict(zip(function.settings, arguments[count:], strict=False))
    settings = {name: _setting(name, value) for name, value in given.items()}
    _check_growth(node, arguments)
    if function.call is not None:
        return function.call(*arguments[:count], **settings, **node.options)
    in_half = any(getattr(each, "dtype", None) == np.float16 for each in arguments[:count])
    given_settings = (*settings.items(), *node.options.items())
    parameters, compute = _compiled(node.function, given_settings, in_half)
    inputs: Mapping[str, Array] = dict(zip(function.inputs, arguments, strict=False))
    result = compute(*(inputs[parameter] for parameter in parameters))
    return float(result) if of_numbers and np.size(result) == 1 else result


def _listed(node: Call, values: Mapping[str, Any]) -> Any:
    """Call a function of listings that is not among those of programs."""
    arguments = [_value(argument, values) for argument in node.arguments]
    _check_growth(node, arguments)
    try:
        return LISTED[node.function](*arguments, **node.options)
    except (TypeError, AttributeError):
        raise ConditionError(f"{node.function} cannot be called like this") from None


def _check_growth(node: Call, arguments: list[Any]) -> None:
    """Raise `ConditionError` for a call that would give more numbers than a tensor may have.

    Functions that are not named here give no more numbers than they take.
    """
    sizes = [np.size(argument) for argument in arguments if not isinstance(argument, tuple)]
    match node.function, arguments:
        case "outer", _:
            size = prod(sizes)
        case "concatenate", [tuple() as members, *_]:
            size = sum(np.size(member) for member in members)
        case "take", [x, places, *_]:
            size = np.size(places) * (np.size(x) // max(1, min(np.shape(x), default=1)))
        case "spread", [_, tuple() as shape, *_]:
            size = prod(shape) if all(map(_is_number, shape)) else 0
        case "stretch", [_, start, stop, *_] if _is_number(start) and _is_number(stop):
            size = int(abs(stop - start))
        case _:
            size = max(sizes, default=0)
    if size > MAX_ELEMENTS:
        raise ConditionError(
            f"{node.function}(…) would have {size:,} numbers, more than {MAX_ELEMENTS:,}"
        )
    _work.get().take(max(size, sum(sizes)))


def _check_together(node: Call, shapes: list[Shape]) -> None:
    """Raise `ConditionError` unless arrays of these shapes can be taken element by element."""
    names = ", ".join(
        f"{_operand(argument, '…')} {shape}"
        for argument, shape in zip(node.arguments, shapes, strict=False)
    )
    try:
        size = prod(np.broadcast_shapes(*shapes))
    except ValueError:
        message = f"{node.function}({names}) does not fit: from the right, each axis must be as "
        raise ConditionError(f"{message}long as the other's, or 1") from None
    if size > MAX_ELEMENTS:
        message = f"{node.function}({names}) would have {size:,} numbers"
        raise ConditionError(f"{message}, more than {MAX_ELEMENTS:,}")


@lru_cache(maxsize=256)
def _compiled(
    name: str, settings: tuple[tuple[str, Constant], ...], in_half: bool
) -> tuple[tuple[str, ...], Kernel]:
    """Return the parameters of a function with its settings, and the function itself.

    Of arrays in float16 it is the one that a run of float16 has.
    """
    formula = FUNCTIONS[name].operation.with_settings(**dict(settings)).value_formula
    if in_half:
        formula = formula.in_half()
    return tuple(formula.parameters), formula.function


def _setting(name: str, value: Any) -> float | tuple[int, ...]:
    """Return a setting that was given by position; an axis is a whole number, or several."""
    if isinstance(value, tuple):
        return tuple(map(int, value))
    number = float(value)
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
