"""From the syntax tree of an expression to one formula: what a listing prints and the machine runs.

The expression is never compiled as it was typed. Each part of it becomes the code of the operation
that it stands for, the same that `evaluate` computes with; names of tensors are the formula's
parameters.
"""

import ast

import numpy as np

from nnstep.engine.operations.catalogue import LISTED, Function
from nnstep.engine.operations.formula import NAMESPACE, Constant, Formula, literal

from .computing import FUNCTIONS
from .evaluate import evaluate
from .nodes import (
    Attribute,
    Binary,
    Call,
    Compare,
    Conditional,
    ConditionError,
    GrammarError,
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

_OPERATORS: dict[str, type[ast.operator]] = {
    "+": ast.Add,
    "-": ast.Sub,
    "*": ast.Mult,
    "/": ast.Div,
    "**": ast.Pow,
    "@": ast.MatMult,
    "&": ast.BitAnd,
    "|": ast.BitOr,
}
_COMPARISONS: dict[str, type[ast.cmpop]] = {
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
    "==": ast.Eq,
    "!=": ast.NotEq,
}
_EXACT = 2**53
"""Below it a whole number is the same as a float."""

# Their results are as large as the numbers that they are given say.
_SIZED_BY_NUMBERS = ("spread", "stretch", "reshape")


def formula_of(node: Node) -> Formula:
    """Return the formula of an expression; its parameters are the names in it, in their order.

    Raises `GrammarError` for what has no place in a line of a listing.
    """
    names = (part.name for part in descendants(node) if isinstance(part, Name))
    return Formula(tuple(dict.fromkeys(names)), _tree(node))


def _tree(node: Node) -> ast.expr:
    number = _number(node)
    if number is not None and not _as_typed(node, number):
        return literal(number)
    match node:
        case Number(value):
            return literal(value)
        case Name(name):
            return ast.Name(name, ast.Load())
        case Negation(operand):
            return ast.UnaryOp(ast.USub(), _tree(operand))
        case Binary(sign, left, right):
            return ast.BinOp(_tree(left), _OPERATORS[sign](), _tree(right))
        case Compare(sign, left, right):
            return ast.Compare(_tree(left), [_COMPARISONS[sign]()], [_tree(right)])
        case Conditional(value, test, otherwise):
            return ast.IfExp(_tree(test), _tree(value), _tree(otherwise))
        case Group(members):
            return ast.Tuple([_tree(member) for member in members], ast.Load())
        case Call():
            return _call(node)
        case Not() | Logical():
            message = "'and', 'or' and 'not' belong in conditions; write & or | between comparisons"
            raise GrammarError(message, node.start, node.end)
        case _:
            return _part(node)


def _part(node: Transpose | Attribute | Index | Selection) -> ast.expr:
    match node:
        case Transpose(operand):
            return ast.Attribute(_tree(operand), "T", ast.Load())
        case Attribute(operand, name):
            return ast.Attribute(_tree(operand), name, ast.Load())
        case Index(operand, index):
            return ast.Subscript(_tree(operand), literal(index), ast.Load())
        case Selection(index):
            return ast.Subscript(_of_numpy("s_"), literal(index), ast.Load())


def _number(node: Node) -> float | None:
    """Return what an expression of numbers alone comes to; None if there is something else in it.

    Worked out as `evaluate` does: whole numbers of Python have no limit to their size.
    """
    parts = descendants(node)
    if not all(isinstance(part, Number | Negation | Binary) for part in parts):
        return None
    if isinstance(node, Number):
        value = node.value
    else:
        try:
            value = np.asarray(evaluate(node, {})).item()
        except ConditionError as error:
            raise GrammarError(str(error), node.start, node.end) from None
    if not np.isfinite(value):
        raise GrammarError(f"this constant is {value}, not a finite number", node.start, node.end)
    return value


def _as_typed(node: Node, value: float) -> bool:
    """Tell whether Python gives the same for numbers: without powers, and where all are small."""
    powers = (isinstance(part, Binary) and part.operator == "**" for part in descendants(node))
    return abs(value) < _EXACT and not any(powers)


def _call(node: Call) -> ast.expr:
    function = FUNCTIONS.get(node.function)
    if node.function in _SIZED_BY_NUMBERS:
        _check_size_is_known(node)
    if function is None or function.call is not None:
        arguments = [_tree(argument) for argument in node.arguments]
        keywords = [ast.keyword(name, literal(option)) for name, option in node.options.items()]
        return ast.Call(_callee(node.function), arguments, keywords)
    inner = node.arguments[: len(function.inputs)]
    arrays = {name: _array(a, function) for name, a in zip(function.inputs, inner, strict=True)}
    formula = function.operation.with_settings(**_settings(node, function)).value_formula
    return formula.on(**{name: arrays[name] for name in formula.parameters}).tree


def _array(node: Node, function: Function) -> Formula:
    """Return an argument; a number becomes an array where the function calls what arrays have."""
    tree = _tree(node)
    if not function.operation.broadcasts and _is_of_python(node):
        tree = ast.Call(_of_numpy("float64"), [tree], [])
    return Formula((), tree)


def _is_of_python(node: Node) -> bool:
    """Tell whether the value may be a number of Python: written down, or counted, or of such."""
    match node:
        case Number() | Attribute(_, "size"):
            return True
        case Call(name):
            return name in ("int", "len")
        case Negation(operand):
            return _is_of_python(operand)
        case Binary(_, left, right) | Compare(_, left, right):
            return _is_of_python(left) and _is_of_python(right)
        case Conditional(value, _, otherwise):
            return _is_of_python(value) or _is_of_python(otherwise)
        case _:
            return False


def _settings(node: Call, function: Function) -> dict[str, Constant]:
    """Return the settings of a call, given after the arrays or by name."""
    settings: dict[str, Constant] = dict(node.options)
    given = node.arguments[len(function.inputs) :]
    for name, argument in zip(function.settings, given, strict=False):
        members = argument.members if isinstance(argument, Group) else (argument,)
        numbers = [_number(member) for member in members]
        if any(number is None for number in numbers):
            message = f"'{name}' is a number; the call is {function.usage}"
            raise GrammarError(message, argument.start, argument.end)
        known = tuple(_whole(number) for number in numbers if number is not None)
        settings[name] = known if isinstance(argument, Group) else known[0]
    if problem := function.wrong_setting(settings):
        raise GrammarError(problem, node.start, node.end)
    return settings


def _whole(number: float) -> float:
    """Return a number as a whole one, if it is that."""
    return int(number) if float(number).is_integer() else number


def _check_size_is_known(node: Call) -> None:
    """Refuse a size that is computed from a tensor: it could be any, at any step."""
    for argument in node.arguments[1:]:
        for part in descendants(argument):
            if isinstance(part, Attribute):
                break
            if isinstance(part, Name):
                message = f"the size that {node.function} gives is a number or a tensor's .shape"
                raise GrammarError(message, argument.start, argument.end)


def _callee(name: str) -> ast.expr:
    """Write a function as listings do: ours by its name, NumPy's behind `np.`."""
    if name in NAMESPACE and LISTED.get(name) is NAMESPACE[name]:
        return ast.Name(name, ast.Load())
    return _of_numpy(name)


def _of_numpy(name: str) -> ast.expr:
    return ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load())
