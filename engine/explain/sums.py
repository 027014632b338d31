"""A calculation as a sum: its terms, the factors of each, how many are 0."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.text import cell_name

from .expansion import Expansion, Part, is_constant
from .explanation import Factor, Term
from .nodes import CASTS, Apply, Environment, Node, Number, Reduce, values_of_terms

MOST_TERMS = 1000


class Scaled(Struct, frozen=True, eq=False):
    """A term of a sum: a part, and what the sum is multiplied with."""

    part: Part
    scale: float = 1.0

    @property
    def value(self) -> float:
        """The value of the term."""
        return float(self.part.value) * self.scale if self.scale != 1 else float(self.part.value)


def is_sum(part: Part) -> bool:
    """Tell whether a calculation is a sum, perhaps divided by or multiplied with a constant."""
    match part.sign, part.parts:
        case ("sum" | "+", _):
            return True
        case ("neg", (only,)):
            return is_sum(only)
        case ("-" | "/", (left, right)):
            return is_sum(left) and (part.sign == "-" or _divides(right))
        case ("*", (left, right)):
            return (is_constant(left) and is_sum(right)) or (is_sum(left) and is_constant(right))
    return False


def _divides(part: Part) -> bool:
    """Tell whether a part is a number by which each term of a sum can be divided."""
    return is_constant(part) and float(part.value) != 0


def terms_of(part: Part, scale: float = 1.0, nested: bool = False) -> Iterator[Scaled]:
    """Yield the terms of a sum, in the order of the calculation."""
    if not is_sum(part) or (nested and part.sign == "sum"):
        yield Scaled(part, scale)
        return
    match part.sign, part.parts:
        case ("sum", parts):
            for each in parts:
                yield Scaled(each, scale)
        case ("+", (left, right)):
            yield from terms_of(left, scale)
            yield from terms_of(right, scale)
        case ("-", (left, right)):
            yield from terms_of(left, scale)
            yield from terms_of(right, -scale)
        case ("neg", (only,)):
            yield from terms_of(only, -scale)
        case ("/", (left, right)):
            yield from terms_of(left, scale / float(right.value))
        case ("*", (left, right)):
            outer, inner = (left, right) if is_constant(left) else (right, left)
            yield from terms_of(inner, scale * float(outer.value))


def factors_of(part: Part) -> Iterator[Part]:
    """Yield the factors of a product; a part that is none is its own only factor."""
    if part.sign == "*":
        for each in part.parts:
            yield from factors_of(each)
    else:
        yield part


def factor(part: Part) -> Factor:
    """Return a factor by its cell, if it is one."""
    return Factor(cell_name(*part.cell) if part.cell else None, float(part.value))


class Sum(Struct, frozen=True, eq=False):
    """The terms of a sum, the largest first, and what there is to say of those left out.

    `zeros` of all the `count` terms are 0; `rest` is the sum of those left out, and `absolute` that
    of all absolute values. A sum that is divided as a whole, as a mean is, has its `divisor`, by
    which all of these are divided already.
    """

    terms: tuple[Scaled, ...]
    count: int
    zeros: int
    rest: float
    absolute: float
    divisor: float = 1.0

    @property
    def described(self) -> tuple[Term, ...]:
        """The terms with their shares and factors."""
        return tuple(_described(term, self.absolute) for term in self.terms)


def summed(part: Part) -> Sum | None:
    """Return a calculation as a sum, None if it is none."""
    if not is_sum(part):
        return None
    divisor = float(part.parts[1].value) if part.sign == "/" else 1.0
    return _sum_of(list(terms_of(part)), divisor=divisor)


def _sum_of(
    terms: list[Scaled], count: int = 0, values: Array | None = None, divisor: float = 1.0
) -> Sum:
    """Return the sum of terms; of `count` whose `values` are known, these are the largest."""
    if values is None:
        values = np.array([term.value for term in terms], dtype=np.float64)
    ordered = largest_first(terms)
    shown = ordered[:MOST_TERMS]
    rest = 0.0
    if max(count, len(terms)) > len(shown):
        rest = float(values.sum() - sum(term.value for term in shown))
    return Sum(
        terms=tuple(shown),
        count=max(count, len(terms)),
        zeros=int(np.count_nonzero(values == 0)),
        rest=rest,
        absolute=float(np.abs(values).sum()),
        divisor=divisor if divisor and np.isfinite(divisor) else 1.0,
    )


def summed_at_large(node: Node, where: Environment) -> Sum | None:
    """Return a sum of too many numbers to write out, with its largest terms alone.

    None if the expression is no sum over letters, perhaps with constants around it.
    """
    scale, divisor, reduction = 1.0, 1.0, node
    while not isinstance(reduction, Reduce):
        match reduction:
            case Apply("neg", (inner,)):
                scale, reduction = -scale, inner
            case Apply("/", (inner, Number(value))) if value:
                divisor = float(value) if scale == 1 else divisor
                scale, reduction = scale / float(value), inner
            case Apply("*", (Number(value), inner)):
                scale, reduction = scale * float(value), inner
            case Apply(sign, (inner,)) if sign in CASTS:
                reduction = inner
            case _:
                return None
    if reduction.sign != "sum":
        return None
    values = values_of_terms(reduction, where).astype(np.float64) * scale
    sizes = np.where(np.isnan(values), np.inf, np.abs(values))
    largest = np.argsort(-sizes, kind="stable")[:MOST_TERMS]
    expansion, shape = Expansion(), [letter.size for letter in reduction.letters]
    places = zip(*(each.tolist() for each in np.unravel_index(largest, shape)), strict=True)
    terms = [
        Scaled(
            expansion.part(
                reduction.body, {**where, **dict(zip(reduction.letters, at, strict=True))}, True
            ),
            scale,
        )
        for at in places
    ]
    return _sum_of(terms, len(values), values, divisor)


def _described(term: Scaled, absolute: float) -> Term:
    """Return a term with its share in the sum of absolute values."""
    factors = [factor(part) for part in factors_of(term.part)]
    if term.scale != 1:
        factors.insert(0, Factor(None, term.scale))
    share = abs(term.value) / absolute if absolute else 0.0
    return Term(term.value, share, tuple(factors))


def largest_first(terms: list[Scaled]) -> list[Scaled]:
    """Return terms in order of their absolute values; what is not a number comes first."""

    def size(term: Scaled) -> Any:
        return np.inf if np.isnan(term.value) else abs(term.value)

    return sorted(terms, key=size, reverse=True)
