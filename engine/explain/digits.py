"""A calculation with printed digits that a pocket calculator confirms."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from msgspec import Struct

from nnstep.engine.text import cell_name

from .expansion import Part, cells_of
from .nodes import FUNCTIONS
from .sums import Sum, summed, terms_of
from .writing import NUMBERS, PAPER, Written, combined, constant, short

ROUNDING = "0 but for rounding"
_FIRST_DIGITS, _MOST_DIGITS = 6, 12
_SMALLEST_FIXED = 1e-4
_LARGEST_FIXED = 1e7


class Printed(Struct, frozen=True):
    """A text and the number that a calculator gets from it."""

    written: Written
    value: float

    @property
    def text(self) -> str:
        """The text alone."""
        return self.written.text


def added(numbers: Sequence[float]) -> float:
    """Return an exact sum; what infinities and NaN come to, and what is too large on the way."""
    if all(map(math.isfinite, numbers)):
        with suppress(OverflowError):
            return math.fsum(numbers)
    with np.errstate(all="ignore"):
        return float(np.sum(numbers))


Form = Callable[[Any], str]
"""How a number is printed."""


def magnitude(value: float) -> int:
    """Return the power of ten of a number's first digit."""
    return math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0


def shortest(value: Any) -> str:
    """Write a number with the digits that its dtype has, and none that rounding has left."""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, np.floating) and value.dtype.itemsize < 8:
        number = float(str(value))
    else:
        number = float(f"{float(value):.15g}")
    text = repr(number)
    return short(text.removesuffix(".0"))


def _decimals(text: str) -> int:
    mantissa, _, exponent = text.partition("e")
    return max(0, len(mantissa.partition(".")[2]) - int(exponent or 0))


def _significant(text: str) -> int:
    return len(text.partition("e")[0].replace(".", "").lstrip("-0")) or 1


def to_digits(value: Any, digits: int) -> str:
    """Print a number with so many significant digits, or fewer if those are all."""
    exact = shortest(value)
    number = float(value)
    if not math.isfinite(number) or _significant(exact) <= digits:
        return exact
    if _SMALLEST_FIXED <= abs(number) < _LARGEST_FIXED:
        return f"{number:.{max(0, digits - 1 - magnitude(number))}f}"
    return short(f"{number:.{digits - 1}e}")


def to_decimals(value: Any, decimals: int) -> str:
    """Print a number with so many decimals, or fewer if those are all; a small one in full.

    Where these would begin with zeros, it has an exponent, and the digits up to that decimal.
    """
    exact = shortest(value)
    number = float(value)
    if not math.isfinite(number) or _decimals(exact) <= decimals:
        return exact
    if abs(number) < 10.0 ** (2 - decimals) or abs(number) >= _LARGEST_FIXED:
        return short(f"{number:.3e}")
    if abs(number) < _SMALLEST_FIXED:
        return short(f"{number:.{decimals + magnitude(number)}e}")
    return f"{number:.{decimals}f}"


def printed(part: Part, form: Form) -> Printed:
    """Print a calculation, each of its numbers in a form."""
    if not part.parts:
        text = (
            form(part.value)
            if part.cell or not _is_plain(part.value)
            else constant(part.value).text
        )
        return Printed(Written(text, -1 if text.startswith("-") else 4), _number(text))
    parts = [printed(each, form) for each in part.parts]
    if part.sign in ("sum", "+", "-"):
        parts = [_ZERO if each.text == "-0" else each for each in parts]
    return Printed(
        combined(part.sign, [each.written for each in parts], NUMBERS),
        _calculated(part.sign, [each.value for each in parts]),
    )


_ZERO = Printed(Written("0"), 0.0)


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _number(text: str) -> float:
    return 0.5 if text == "½" else float(text)


def _calculated(sign: str, values: Sequence[float]) -> float:
    if sign == "sum":
        return added(values)
    if sign in ("max", "min"):
        return float(getattr(np, sign)(values))
    return float(FUNCTIONS[sign](*map(np.float64, values)))


def names(part: Part) -> Written:
    """Write a calculation with the names of its cells."""
    if part.cell:
        return Written(cell_name(*part.cell))
    if not part.parts:
        return constant(part.value)
    return combined(part.sign, [names(each) for each in part.parts], PAPER)


class Forms(Sequence[str]):
    """Texts that differ, each made when it is first asked for."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self._made: list[str] = []

    def __iter__(self) -> Iterator[str]:
        at = 0
        while at < len(self._made) or self._make():
            yield self._made[at]
            at += 1

    def __getitem__(self, index: Any) -> Any:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> list[str]:
        while self._make():
            pass
        return self._made

    def _make(self) -> bool:
        """Make the next text, if there is one."""
        with np.errstate(all="ignore"):
            made = next((text for text in self._texts if text not in self._made), None)
        if made is None:
            return False
        self._made.append(made)
        return True


def printings(part: Part, value: Any, opened: bool) -> Sequence[str]:
    """Return the calculation in printed numbers, from the longest form to the shortest.

    `opened` says that a named function stands there as its definition, which has no names.
    """
    while part.sign == "sum" and len(part.parts) == 1:
        (part,) = part.parts
    if part.cell and not part.sign:
        return (f"= {cell_name(*part.cell)} = {to_digits(value, _FIRST_DIGITS)}",)
    if not part.parts:
        return (f"= {shortest(value)}",)
    if total := summed(part):
        return of_sum(part, total, value)
    return Forms(_of_others(part, value, opened))


def _of_others(part: Part, value: Any, opened: bool) -> Iterator[str]:
    for digits in range(_FIRST_DIGITS, _MOST_DIGITS + 1):
        calculation = printed(part, partial(to_digits, digits=digits))
        operands = [to_digits(each, digits) for _, each in cells_of(part)]
        decimals = max((_decimals(text) for text in operands if "e" not in text), default=0)
        result = _result(value, max(decimals, _FIRST_DIGITS), digits)
        if _confirms(calculation.value, result):
            break
    else:
        yield f"= {calculation.text} ≈ {result}"
        return
    if calculation.text == result:
        yield f"= {names(part).text} = {result}"
        return
    if not opened and len({cell for cell, _ in cells_of(part)}) > 1:
        yield f"= {names(part).text} = {calculation.text} = {result}"
    yield f"= {calculation.text} = {result}"


def _result(value: Any, decimals: int, digits: int) -> str:
    """Print a result with so many decimals, but with no more digits than are meant."""
    exact = shortest(value)
    if _significant(exact) <= digits or not math.isfinite(float(value)):
        return exact
    first = magnitude(float(value))
    decimals = min(decimals, digits - 1 - first)
    if decimals + first + 1 < 4:
        return to_digits(value, digits - 1)
    return f"{float(value):.{max(0, decimals)}f}"


def _confirms(calculated: float, result: str) -> bool:
    """Tell whether a calculator's number, rounded to the digits of a result, is that result.

    Between two of them, calculators differ: more digits are printed then.
    """
    wanted = float(result)
    if not math.isfinite(wanted) or not math.isfinite(calculated):
        return math.isnan(wanted) == math.isnan(calculated) and (
            math.isnan(wanted) or wanted == calculated
        )
    return abs(calculated - wanted) < 0.5 * 10.0 ** -_decimals_signed(result) * (1 - 1e-7)


def _decimals_signed(text: str) -> int:
    mantissa, _, exponent = text.partition("e")
    return len(mantissa.partition(".")[2]) - int(exponent or 0)


# So many terms are written out with their factors; so many values are listed.
_WRITTEN_OUT, _LISTED = 32, 12


def of_sum(part: Part | None, total: Sum, value: Any) -> Sequence[str]:
    """Return a sum in printed numbers, from the longest form to the shortest.

    Without a `part` there are too many terms to write them out.
    """
    return Forms(_SumPrinter(part, total, value).forms())


def is_rounding(total: Sum, value: Any) -> bool:
    """Tell whether a sum is 0 but for what rounding leaves."""
    number = float(value)
    if number == 0 or not math.isfinite(number) or not total.terms:
        return False
    largest = abs(total.terms[0].value)
    eps = np.finfo(value.dtype).eps if isinstance(value, np.floating) else np.finfo(float).eps
    return bool(abs(number) <= 2 * total.count * eps * largest)


class _SumPrinter:
    """Prints a sum with as many decimals as it takes; all its numbers have the same."""

    def __init__(self, part: Part | None, total: Sum, value: Any) -> None:
        self.part, self.total, self.value = part, total, value
        self.is_rounding = is_rounding(total, value)
        self.counting = [term.value * total.divisor for term in total.terms if term.value != 0]
        finite = (abs(each) for each in self.counting if math.isfinite(each))
        self.first = max(_FIRST_DIGITS - 1 - magnitude(max(finite, default=0.0)), 0)
        # By decimals: what several forms begin with.
        self.texts: dict[int, list[str]] = {}
        self.calculations: dict[int, Printed] = {}

    def forms(self) -> Iterator[str]:
        """Yield the forms, from the longest to the shortest."""
        total = self.total
        if self.part is not None and total.count <= _WRITTEN_OUT:
            yield self._confirmed(partial(self._whole, True))
            yield self._confirmed(partial(self._whole, False))
        for most in (_WRITTEN_OUT, *range(_LISTED, 0, -1)):
            if most < total.count or (most == _WRITTEN_OUT and total.count <= most):
                yield self._confirmed(partial(self._listed, most, True))
                yield self._confirmed(partial(self._listed, most, False))

    def _confirmed(self, form: Callable[[int, int], tuple[str, bool]]) -> str:
        """Print a form with as many decimals as it takes; if nothing helps, with ≈.

        The result has as many as the operands, or, where these are multiplied with something large,
        as few as there may be.
        """
        text = ""
        most = max(self.first + _MOST_DIGITS - _FIRST_DIGITS, _MOST_DIGITS)
        for decimals in range(self.first, most + 1):
            for of_result in dict.fromkeys((decimals, self.first)):
                text, confirmed = form(decimals, of_result)
                if confirmed:
                    return text
        before, _, result = text.rpartition("=")
        return f"{before}≈{result}"

    def _confirms(self, calculated: float, result: str) -> bool:
        return self.is_rounding or _confirms(calculated, result)

    def _number(self, value: Any, decimals: int) -> str:
        """Print an operand: beside an infinite result its decimals say nothing."""
        if math.isfinite(float(self.value)):
            return to_decimals(value, decimals)
        return to_digits(value, _FIRST_DIGITS)

    def _divided(self, calculation: str) -> str:
        """Write what a sum is divided by as a whole behind it."""
        divisor = self.total.divisor
        if divisor == 1:
            return calculation
        dividend = f"({calculation})" if " " in calculation else calculation
        return f"{dividend} / {constant(divisor).text}"

    def _result(self, decimals: int) -> str:
        return ROUNDING if self.is_rounding else _unsigned_zero(to_decimals(self.value, decimals))

    def _whole(self, staged: bool, decimals: int, of_result: int) -> tuple[str, bool]:
        """Print a sum as it is calculated; then, if its terms are calculated, as their values."""
        assert self.part is not None
        if decimals not in self.calculations:
            self.calculations[decimals] = printed(
                self.part, partial(self._number, decimals=decimals)
            )
        calculation = self.calculations[decimals]
        result = self._result(of_result)
        stages = [calculation.text]
        confirmed = self._confirms(calculation.value, result)
        exact = _decimals(shortest(self.value)) <= decimals
        terms = list(terms_of(self.part))
        if staged and not exact and any(term.part.sign for term in terms):
            divisor = self.total.divisor
            values = [self._number(term.value * divisor, decimals) for term in terms]
            again = added([*map(float, values)]) / divisor
            confirmed = confirmed and self._confirms(again, result)
            if (added_up := self._divided(_plus(values))) != result:
                stages.append(added_up)
        return "= " + " = ".join([*stages, result]), confirmed

    def _listed(
        self, most: int, counts_zeros: bool, decimals: int, of_result: int
    ) -> tuple[str, bool]:
        """Print the values of the largest terms, and how many others there are."""
        total = self.total
        if decimals not in self.texts:
            shown = self.counting[:_WRITTEN_OUT]
            self.texts[decimals] = [self._number(each, decimals) for each in shown]
        values = self.texts[decimals][:most]
        numbers = [*map(float, values)]
        texts = [_plus(values)] if values else []
        if more := total.count - total.zeros - len(values):
            left = added([*self.counting[most:], total.rest * total.divisor])
            rest = self._number(left, decimals)
            numbers.append(float(rest))
            texts.append(f"{more:,} more {_plus([rest])}")
        if total.zeros and (counts_zeros or not texts):
            texts.append(f"{total.zeros:,} zero" + "s" * (total.zeros > 1))
        result = self._result(of_result)
        calculation = self._divided(" + ".join(texts) or "0")
        return f"= {calculation} = {result}", self._confirms(added(numbers) / total.divisor, result)


def _plus(values: Sequence[str]) -> str:
    texts = map(_unsigned_zero, values)
    return " + ".join(f"({each})" if each.startswith("-") else each for each in texts)


def _unsigned_zero(text: str) -> str:
    """Write a zero without the sign that a product has left on it: on paper there is one zero."""
    return "0" if text == "-0" else text
