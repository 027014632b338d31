"""Writing calculations: as code that can be evaluated, and as one writes them on paper."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from .expansion import Part
from .nodes import CASTS, Apply, Cell, Choose, Letter, Node, Number, Reduce, cells_in, letters_in

_BIG = 0.5  # a sum over letters takes in the product behind it
_SUM, _PRODUCT, _SIGNED, _POWER, _ATOM = range(5)
"""How tightly the outermost sign of a text binds."""

_QUOTIENT = 0.75  # on paper a / b·c is read as a / (b·c)

_TIGHTNESS = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "**": _POWER, "neg": _SIGNED}

_COMPARED = {"<", "<=", ">", ">=", "==", "!=", "&", "|"}


class Style(Struct, frozen=True):
    """How signs are written, and functions whose own sign stands around what they take."""

    signs: Mapping[str, str]
    around: Mapping[str, tuple[str, str]]
    superscripts: bool


CODE = Style(
    signs={"+": " + ", "-": " - ", "*": " * ", "/": " / ", "**": " ** ", "neg": "-"},
    around={},
    superscripts=False,
)
PAPER = Style(
    signs={
        "+": " + ",
        "-": " − ",
        "*": "·",
        "/": " / ",
        "**": "^",
        "neg": "−",
        "<=": " ≤ ",
        ">=": " ≥ ",
        "==": " = ",
        "!=": " ≠ ",
        "&": " and ",
        "|": " or ",
    },
    around={"abs": ("|", "|")},
    superscripts=True,
)
NUMBERS = Style({**PAPER.signs, "*": " × ", "neg": "-"}, PAPER.around, superscripts=True)


class Written(Struct, frozen=True):
    """A text, and how tightly its outermost sign binds."""

    text: str
    binds: float = _ATOM

    def inside(self, least: float) -> str:
        """Return the text, in parentheses if it binds less tightly than what stands around it."""
        return self.text if self.binds >= least else f"({self.text})"


_SUPERSCRIPTS = str.maketrans("-0123456789t", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹ᵗ")


def combined(sign: str, parts: Sequence[Written], style: Style) -> Written:
    """Write what a sign makes of texts."""
    if sign in CASTS:
        return parts[0]
    parts = _with_halves(sign, parts)
    match sign, parts:
        case ("sum", _):
            return Written(style.signs["+"].join(each.inside(_SUM) for each in parts), _SUM)
        case ("*", (Written("½"), right)):
            return Written(f"½ {right.inside(_PRODUCT + 1)}", _PRODUCT)
        case ("neg", (only,)):
            return Written(style.signs["neg"] + only.inside(_SIGNED + 1), _SIGNED)
        case ("**", (base, exponent)):
            if style.superscripts and (exponent.text.lstrip("-").isdigit() or exponent.text == "t"):
                return Written(base.inside(_ATOM) + exponent.text.translate(_SUPERSCRIPTS), _POWER)
            if style.superscripts and exponent.text == "½":
                return Written("√" + base.inside(_ATOM), _POWER)
            return Written(base.inside(_ATOM) + style.signs["**"] + exponent.inside(_ATOM), _POWER)
        case ("+" | "-" | "*" | "/", (left, right)):
            return _of_two(sign, left, right, style)
        case ("sqrt", (only,)) if style.superscripts:
            return Written("√" + only.inside(_ATOM), _POWER)
    if sign in _COMPARED or sign in ("//", "%"):
        between = style.signs.get(sign, f" {sign} ")
        return Written(between.join(each.inside(_SUM) for each in parts), _SUM - 1)
    before, after = style.around.get(sign, (f"{sign}(", ")"))
    return Written(before + ", ".join(each.text for each in parts) + after)


def _of_two(sign: str, left: Written, right: Written, style: Style) -> Written:
    """Write a sign between two texts; on paper a quotient before a product is in parentheses."""
    binds: float = _TIGHTNESS[sign]
    if not style.superscripts:
        return Written(left.inside(binds) + style.signs[sign] + right.inside(binds + 1), binds)
    if sign == "/":
        text = left.inside(_QUOTIENT) + style.signs[sign] + right.inside(binds + 1)
        return Written(text, _QUOTIENT)
    tighter = _QUOTIENT if sign == "-" else min(binds, _QUOTIENT)
    return Written(left.inside(binds) + style.signs[sign] + right.inside(tighter), binds)


def _with_halves(sign: str, parts: Sequence[Written]) -> list[Written]:
    """Write a half as ½ before what it is of, and as 0.5 elsewhere, before a number too."""
    is_of = sign == "*" and not (parts[1].binds > _PRODUCT and parts[1].text[:1].isdigit())
    places = {0} if is_of else {1} if sign == "**" else set[int]()
    return [
        Written("0.5") if each.text == "½" and place not in places else each
        for place, each in enumerate(parts)
    ]


# Numbers


def literal(value: Any) -> Written:
    """Write a number as code, with the digits that are enough in its own dtype."""
    if isinstance(value, bool | np.bool_):
        return Written(str(int(value)))
    text = str(value) if isinstance(value, np.generic) else repr(value)
    return Written(text, _SUM - 1) if text.startswith("-") else Written(text)


def arithmetic(part: Part, folds: bool) -> str:
    """Write a calculation as code.

    With `folds`, what Python computes in double precision on the way stands there as its value,
    since it would be another number in the dtype of the run.
    """
    return _code(part, folds).text


# So many terms are added one after the other; more are added in groups, as NumPy does.
_GROUP = 8


def _code(part: Part, folds: bool) -> Written:
    if not part.parts or (folds and type(part.value) in (bool, int, float)):
        return literal(part.value)
    if part.sign == "sum":
        terms = [_code(each, folds) for each in part.parts]
        is_number = len(terms) == 1 and not part.parts[0].parts
        return terms[0] if is_number else _grouped(terms, folds)
    return combined(part.sign, [_code(each, folds) for each in part.parts], CODE)


def _grouped(terms: list[Written], grouped: bool) -> Written:
    while grouped and len(terms) > _GROUP:
        groups = [terms[start : start + _GROUP] for start in range(0, len(terms), _GROUP)]
        terms = [
            Written(f"({combined('sum', group, CODE).text})") if len(group) > 1 else group[0]
            for group in groups
        ]
    return combined("sum", terms, CODE)


# Letters

_BATCH, _OTHERS = "nmqr", "ijklpstuvw"
_SUBSCRIPTS = str.maketrans("ijklmnprstuv", "ᵢⱼₖₗₘₙₚᵣₛₜᵤᵥ")


def lettered(
    node: Node, free: Sequence[Letter], target: str, rows: Callable[[str, int], bool]
) -> dict[Letter, str]:
    """Name the letters of an expression, those of the cell asked for among them.

    `rows` tells whether an axis of a tensor runs over the rows of the batch: its letter is n. The
    others have the letters of a matrix of parameters, i and j, where there is one.
    """
    cells = [(target, tuple(free)), *((each.name, each.index) for each in cells_in(node))]
    names: dict[Letter, str] = {}
    batch, others = iter(_BATCH), iter(_OTHERS)
    for name, index in cells:
        for axis, letter in enumerate(index):
            if isinstance(letter, Letter) and letter not in names and rows(name, axis):
                names[letter] = next(batch, None) or next(others, "z")
    matrices = [each for each in cells if len(each[1]) > 1 and not rows(each[0], 0)]
    for _, index in (*matrices, *cells):
        for letter in index:
            if isinstance(letter, Letter) and letter not in names:
                names[letter] = next(others, "z")
    for letter in letters_in(node):
        if letter not in names:
            names[letter] = next(others, "z")
    return names


def symbols(node: "int | Node", letters: Mapping[Letter, str | int]) -> str:
    """Write an expression on paper, with names or numbers for its letters."""
    return _symbols(node, letters).text


def _symbols(node: "int | Node", letters: Mapping[Letter, str | int]) -> Written:
    match node:
        case int():
            return Written(str(node))
        case Number(value):
            return constant(value)
        case Letter():
            return Written(str(letters[node]))
        case Cell(name, _, index):
            places = ", ".join(_symbols(each, letters).text for each in index)
            return Written(f"{name}[{places}]" if index else name)
        case Apply("+", (Letter() as letter, Number(int(value)))):
            at = letters[letter]
            if isinstance(at, int):
                return Written(str(at + value))
            sign = "-" if value < 0 else "+"
            return combined(sign, [Written(at), constant(abs(value))], PAPER)
        case Apply(sign, operands):
            return combined(sign, [_symbols(each, letters) for each in operands], PAPER)
        case Reduce(sign, over, body):
            names = "".join(str(letters[each]) for each in over)
            if sign == "sum":
                inner = _symbols(body, letters).inside(_PRODUCT)
                return Written(f"Σ{names.translate(_SUBSCRIPTS)} {inner}", _BIG)
            inner = _symbols(body, letters).text
            return Written(f"{sign}{names.translate(_SUBSCRIPTS)}({inner})")
        case Choose(test, yes, no):
            return _either(test, yes, no, letters)
    raise TypeError(node)


def _either(test: Node, yes: Node, no: Node, letters: Mapping[Letter, str | int]) -> Written:
    if not any(True for _ in cells_in(test)) and all(
        isinstance(letters[each], int) for each in letters_in(test)
    ):
        from .nodes import value_of

        where = {each: letters[each] for each in letters_in(test)}
        return _symbols(yes if value_of(test, where) else no, letters)
    parts = [_symbols(each, letters).text for each in (yes, test, no)]
    return Written("{} if {}, else {}".format(*parts), _SUM - 1)


def constant(value: Any) -> Written:
    """Write a constant of the code on paper: `1e-8`, not `1e-08`, and ½."""
    text = "½" if value == 0.5 else short(str(value)).removesuffix(".0")
    return Written(text, _SUM - 1) if text.startswith("-") else Written(text)


def short(text: str) -> str:
    """Write an exponent without leading zeros and plus."""
    mantissa, mark, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if mark else text
