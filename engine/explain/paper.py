"""How a part of a formula is written on paper: ½ (a2 − y)² for 0.5 * (a2 - y) ** 2."""

import ast
from collections.abc import Mapping

from .parts import called, reduced

_SUM, _PRODUCT, _SIGN, _POWER, _WHOLE = range(5)
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_COMPARISONS: Mapping[type[ast.AST], str] = {
    ast.Gt: ">",
    ast.GtE: "≥",
    ast.Lt: "<",
    ast.LtE: "≤",
    ast.Eq: "=",
    ast.NotEq: "≠",
}
_FUNCTIONS = {"maximum": "max", "minimum": "min"}


def number(value: float) -> str:
    """Write a constant of a formula: 2, 0.9, 1e-8."""
    text = f"{value:g}" if float(f"{value:g}") == value else repr(value)
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else text


def written(node: ast.AST) -> str:
    """Write a part as one would on paper, with as few parentheses as that takes."""
    return _written(node)[0]


def _within(node: ast.AST, least: int) -> str:
    """Write a part inside another one that binds as strongly as `least`."""
    text, strength = _written(node)
    return f"({text})" if strength < least else text


def _written(node: ast.AST) -> tuple[str, int]:
    """Write a part, and say how strongly its outermost sign binds."""
    match node:
        case ast.Name(id=name):
            return name, _WHOLE
        case ast.Constant(value=bool() | None):
            return str(node.value), _WHOLE
        case ast.Constant(value=float() | int() as value):
            return number(value), _WHOLE
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"−{_within(operand, _SIGN)}", _SIGN
        case ast.BinOp():
            return _binary(node)
        case ast.Compare(left=left, ops=[sign], comparators=[right]):
            compared = _COMPARISONS.get(type(sign), "?")
            return f"{_within(left, _SUM)} {compared} {_within(right, _SUM)}", _SUM - 1
        case ast.IfExp(test=test, body=body, orelse=other):
            return f"{written(body)} if {written(test)} else {written(other)}", _SUM - 1
        case ast.Attribute(value=ast.Name(id="np"), attr=name):
            return {"pi": "π"}.get(name, name), _WHOLE
        case ast.Attribute(value=value, attr=name):
            return f"{_within(value, _WHOLE)}.{name}", _WHOLE
        case ast.Call():
            return _call(node)
    return ast.unparse(node), _WHOLE


def _binary(node: ast.BinOp) -> tuple[str, int]:
    left, right = node.left, node.right
    match node.op:
        case ast.Add():
            return f"{_within(left, _SUM)} + {_within(right, _SUM)}", _SUM
        case ast.Sub():
            return f"{_within(left, _SUM)} − {_within(right, _PRODUCT)}", _SUM
        case ast.Mult():
            if isinstance(left, ast.Constant) and left.value == 0.5:
                return f"½ {_within(right, _SIGN)}", _PRODUCT
            dot = " · " if _divides(left) else "·"
            return f"{_within(left, _PRODUCT)}{dot}{_within(right, _SIGN)}", _PRODUCT
        case ast.Div():
            return f"{_within(left, _PRODUCT)} / {_within(right, _SIGN)}", _PRODUCT
        case ast.MatMult():
            return f"{_within(left, _PRODUCT)} @ {_within(right, _SIGN)}", _PRODUCT
        case ast.Pow():
            return _power(left, right)
        case ast.BitAnd():
            return f"{_within(left, _PRODUCT)} and {_within(right, _PRODUCT)}", _SUM - 1
        case ast.BitOr():
            return f"{_within(left, _PRODUCT)} or {_within(right, _PRODUCT)}", _SUM - 1
    return ast.unparse(node), _SUM - 1


def _divides(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)


_CASTS = ("int", "float64", "float32", "float16", "asarray", "to_float32", "to_float16")


def _power(base: ast.expr, exponent: ast.expr) -> tuple[str, int]:
    if isinstance(exponent, ast.Constant) and exponent.value == 0.5:
        return f"√{_within(base, _WHOLE)}", _WHOLE
    text = _within(base, _WHOLE)
    if isinstance(exponent, ast.Constant) and isinstance(exponent.value, int):
        return text + str(exponent.value).translate(_SUPERSCRIPTS), _POWER
    return f"{text}^{_within(exponent, _WHOLE)}", _POWER


def _call(node: ast.Call) -> tuple[str, int]:
    name = called(node)
    if found := reduced(node):
        operand, _, _ = found
        if name == "sum":
            return f"Σ {_within(operand, _PRODUCT)}", _SIGN
        return f"{name}({written(operand)})", _WHOLE
    match name, node.args:
        case (_, [only]) if name in _CASTS:
            return _written(only)
        case "abs", [only]:
            return f"|{written(only)}|", _WHOLE
        case "sqrt", [only]:
            return f"√{_within(only, _WHOLE)}", _WHOLE
        case "one_hot", [classes, _]:
            return f"one_hot({written(classes)})", _WHOLE
        case "where", [test, value, other]:
            return f"{written(value)} if {written(test)} else {written(other)}", _SUM - 1
    owner = node.func
    arguments = list(node.args)
    if isinstance(owner, ast.Attribute) and not _is_numpy(owner.value):
        arguments.insert(0, owner.value)
    listed = ", ".join(written(each) for each in arguments)
    return f"{_FUNCTIONS.get(name, name)}({listed})", _WHOLE


def _is_numpy(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "np"
