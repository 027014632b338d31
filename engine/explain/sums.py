"""A calculation as a sum: its terms, the factors of each, how many are 0."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from msgspec import Struct

from nnstep.engine.text import cell_name

from .expansion import Part, is_constant
from .explanation import Factor, Term

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
            return is_sum(left) and (part.sign == "-" or is_constant(right))
        case ("*", (left, right)):
            return (is_constant(left) and is_sum(right)) or (is_sum(left) and is_constant(right))
    return False


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


def described(term: Scaled, total: float) -> Term:
    """Return a term with its share in the sum of absolute values."""
    factors = [factor(part) for part in factors_of(term.part)]
    if term.scale != 1:
        factors.insert(0, Factor(None, term.scale))
    share = abs(term.value) / total if total else 0.0
    return Term(term.value, share, tuple(factors))


def largest_first(terms: list[Scaled]) -> list[Scaled]:
    """Return terms in order of their absolute values; what is not a number comes first."""

    def size(term: Scaled) -> Any:
        return np.inf if np.isnan(term.value) else abs(term.value)

    return sorted(terms, key=size, reverse=True)
