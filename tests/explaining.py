"""Evaluating what an explanation says: its arithmetic as code, its printed digits by calculator."""

import ast
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

FUNCTIONS: dict[str, Any] = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "erf": lambda x: type(x)(math.erf(x)) if np.isfinite(x) else np.sign(x),
    "sin": np.sin,
    "cos": np.cos,
    "abs": np.abs,
    "sign": np.sign,
    "max": lambda *all: np.max(np.array(all)),
    "min": lambda *all: np.min(np.array(all)),
    "floor": np.floor,
}
OPERATORS: dict[type[ast.operator], Any] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}


class Evaluation:
    """Evaluates arithmetic in a dtype; with `wide`, sums of float16 in float32, rounded once."""

    def __init__(self, dtype: str, wide: bool = False) -> None:
        self.dtype = np.dtype(dtype).type
        self.wide = wide
        self.largest = 0.0

    def __call__(self, text: str) -> Any:
        with np.errstate(all="ignore"):
            return self._seen(self.value(ast.parse(text, mode="eval").body, self.dtype))

    def _seen(self, value: Any) -> Any:
        if np.isfinite(value):
            self.largest = max(self.largest, abs(float(value)))
        return value

    def value(self, node: ast.expr, kind: Any) -> Any:
        return self._seen(self._value(node, kind))

    def _value(self, node: ast.expr, kind: Any) -> Any:
        match node:
            case ast.Constant(int() | float() as value):
                return kind(value)
            case ast.Name("inf" | "nan" as name):
                return kind(name)
            case ast.UnaryOp(ast.USub(), operand):
                return -self.value(operand, kind)
            case ast.BinOp(_, ast.Add(), _) if kind is np.float16 and self.wide:
                terms = [self.value(term, np.float32) for term in summands(node)]
                return np.float16(np.sum(np.array(terms)))
            case ast.BinOp(left, operator, right):
                return OPERATORS[type(operator)](self.value(left, kind), self.value(right, kind))
            case ast.Call(ast.Name(name), arguments):
                return kind(FUNCTIONS[name](*(self.value(each, kind) for each in arguments)))
        raise AssertionError(ast.dump(node))


def summands(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.BinOp(left, ast.Add(), right):
            yield from summands(left)
            yield from summands(right)
        case _:
            yield node


def gives(text: str, value: float, dtype: str) -> bool:
    """Whether arithmetic gives a value, as closely as the dtype allows.

    The sums of a run of float16 are those of float32, but where a line has a plus between arrays.
    """
    return any(_gives(text, value, dtype, wide) for wide in {False, dtype == "float16"})


def _gives(text: str, value: float, dtype: str, wide: bool) -> bool:
    evaluation = Evaluation(dtype, wide)
    computed = float(evaluation(text))
    if not np.isfinite(value) or not np.isfinite(computed):
        return computed == value or (np.isnan(computed) and np.isnan(value))
    eps = float(np.finfo(dtype).eps)
    allowed = {"float64": 1e-12, "float32": 8 * eps, "float16": eps}[dtype]
    return abs(computed - value) <= allowed * max(evaluation.largest, abs(value), 0.0) + float(
        np.finfo(dtype).smallest_subnormal
    )


# Printed digits

_PAPER = {"^": "**", "−": "-", "×": "*", "·": "*", "÷": "/", "≤": "<=", "≥": ">="}
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_NUMBER = r"-?(?:\d[\d,]*\.?\d*(?:e-?\d+)?|inf|nan)"


def as_code(text: str) -> str:
    """Turn a calculation on paper into one in code."""
    for sign, code in _PAPER.items():
        text = text.replace(sign, code)
    text = re.sub(rf"[\d,]+ more (\(?{_NUMBER}\)?)", r"\1", text)
    text = re.sub(r"[\d,]+ zeros?", "0", text)
    text = re.sub(r"([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", lambda found: f"**{found[1].translate(_POWERS)}", text)
    text = re.sub(rf"√({_NUMBER})", r"sqrt(\1)", text).replace("√(", "sqrt(")
    text = re.sub(r"½ ?", "0.5*", text)
    return re.sub(r"\|([^|]*)\|", r"abs(\1)", text)


def check_printed(printed: str) -> None:
    """A pocket calculator that is given the printed operands prints the printed result."""
    assert printed.startswith("= "), printed
    if "≈" in printed:
        return
    *stages, result = printed[2:].split(" = ")
    if result == "0 but for rounding":
        return
    checked = 0
    for stage in stages:
        words = set(re.findall(r"[A-Za-z_]\w*", re.sub(_NUMBER, "", stage)))
        if "Σ" in stage or words - {*FUNCTIONS, "inf", "nan", "more", "zero", "zeros"}:
            continue  # the names
        computed = float(Evaluation("float64")(as_code(stage).strip()))
        assert rounds_to(computed, result), f"{computed} is not {result}: {printed}"
        checked += 1
    assert checked or len(stages) < 2, printed


def rounds_to(computed: float, result: str) -> bool:
    if result in ("nan", "inf", "-inf"):
        return str(computed) == result
    mantissa, _, exponent = result.partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return abs(computed - float(result)) < 0.5 * 10.0**-decimals * (1 - 1e-8)
