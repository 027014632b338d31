"""Of all cells that a cell was computed from, the one to go on with when one asks why.

In a sum it is in the term of the largest absolute value; in a product it is the factor that is 0 or
not finite, or that somebody has changed, else the gradient before the value, else the factor that
is farthest, as a ratio, from the median of its tensor, else the first.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Program, Role
from nnstep.engine.text import cell_name

from .digits import to_digits
from .expansion import Place
from .nodes import (
    CASTS,
    Apply,
    Cell,
    Choose,
    Environment,
    Letter,
    Node,
    Number,
    Reduce,
    cells_in,
    letters_in,
    value_of,
    values_of_terms,
)
from .sentences import percent
from .writing import symbols

_LONGEST_TERM = 40


class Followed(Struct, frozen=True, eq=False):
    """A cell to go on with, its value, and in a few words why this one.

    `is_off` says that the calculation is the 0 of a branch, and that this is the cell that has
    decided for it, as the `z` of a ReLU does. `is_share` says that `why` tells how much of a sum a
    term is.
    """

    name: str
    index: Shape
    value: Any
    why: str = ""
    is_off: bool = False
    is_share: bool = False

    @property
    def cell(self) -> str:
        """The cell as a listing writes it."""
        return cell_name(self.name, self.index)


class _Terms(Struct, frozen=True, eq=False):
    """Terms of a sum: their values, of shape `(terms,)`, and the expression of each."""

    values: Array
    term: Callable[[int], tuple[Node, Environment]]
    is_constant: bool


class _Factor(Struct, frozen=True, eq=False):
    """A factor of a product, or a divisor of it, with the cell that it leads to."""

    value: float
    is_divisor: bool
    found: Followed


class Follower:
    """Follows the expression of a cell of a line that has run, to one of the cells it reads.

    `tensors` are those that the line read. `touched` says what somebody has done to a cell that it
    has its value from: `edited`, `overridden` or nothing.
    """

    def __init__(
        self,
        program: Program,
        tensors: Mapping[str, Array],
        touched: Callable[[Place], str],
    ) -> None:
        self._program = program
        self._tensors = tensors
        self._touched = touched

    def follow(self, node: "int | Node", where: Environment) -> Followed | None:
        """Return the cell to go on with, None if the expression reads none."""
        match node:
            case Cell():
                return self._cell(node, where)
            case Choose():
                return self._chosen(node, where)
            case Reduce("sum", _, _):
                return self._of_sum(node, where)
            case Reduce():
                return self._of_extreme(node, where)
            case Apply(sign, (only,)) if sign in CASTS:
                return self.follow(only, where)
            case Apply(sign, _) if _is_sum(node):
                return self._of_sum(node, where)
            case Apply("*" | "/", _):
                return self._of_product(node, where)
            case Apply("max" | "min", _):
                return self._held(node, where)
            case Apply(_, operands):
                return self._of_function(operands, where)
        return None

    def _cell(self, cell: Cell, where: Environment) -> Followed | None:
        if not cell.name:
            return None
        name, index = _place_of(cell, where)
        return Followed(name, index, cell.array(where)[index])

    def _chosen(self, node: Choose, where: Environment) -> Followed | None:
        """Follow the branch taken; of one that is a constant, what has decided for it."""
        taken = node.yes if value_of(node.test, where) else node.no
        found = self.follow(taken, where)
        if found or (decides := self.follow(node.test, where)) is None:
            return found
        is_zero = bool(value_of(taken, where) == 0)
        return replace(decides, why=_decided(decides), is_off=is_zero and _with_zero(node.test))

    def _held(self, node: Apply, where: Environment) -> Followed | None:
        """Follow the operand that a maximum or minimum is; of a constant, the one it is held at."""
        value = value_of(node, where)
        found = [(value_of(each, where), self.follow(each, where)) for each in node.operands]
        for own, followed in found:
            if followed and (own == value or np.isnan(own)):
                return followed
        held = next((followed for _, followed in found if followed), None)
        is_off = bool(value == 0) and node.sign == "max"
        return replace(held, why=_decided(held), is_off=is_off) if held else None

    def _of_extreme(self, node: Reduce, where: Environment) -> Followed | None:
        """Follow the term that the maximum or minimum of many is."""
        values = values_of_terms(node, where)
        at = int(np.argmax(values) if node.sign == "max" else np.argmin(values))
        body, inner = _term(node, where, at)
        found = self.follow(body, inner)
        return (
            replace(found, why=f"it is the {node.sign}imum of {len(values):,}") if found else None
        )

    def _of_function(self, operands: tuple[Node, ...], where: Environment) -> Followed | None:
        """Follow the first operand that reads a cell, one that is not finite before the others."""
        found = [
            (bool(np.isfinite(value_of(each, where))), followed)
            for each in operands
            if (followed := self.follow(each, where))
        ]
        found.sort(key=lambda pair: pair[0])
        return found[0][1] if found else None

    # Sums

    def _of_sum(self, node: Node, where: Environment) -> Followed | None:
        """Follow the term of the largest absolute value; NaN counts as larger than all."""
        groups = list(_terms(node, where, 1.0))
        with np.errstate(all="ignore"):
            total = sum(float(np.abs(group.values).sum()) for group in groups)
        count = sum(len(group.values) for group in groups)
        tried = [group for group in groups if not group.is_constant and len(group.values)]
        is_only = self._lead_to_one_cell(tried)
        for _, at, group in sorted(map(_largest, tried), key=lambda found: found[0], reverse=True):
            term, inner = group.term(at)
            found = self.follow(term, inner)
            if found is None:
                continue
            within = "" if found.is_share else found.why
            if is_only:
                return replace(found, why=within or f"on with {found.cell}; ", is_share=False)
            share = _share(term, inner, float(group.values[at]), total, count)
            return replace(found, why=share + within, is_share=bool(share))
        return None

    def _lead_to_one_cell(self, groups: list[_Terms]) -> bool:
        """Tell whether all terms read the same cell: which of them is larger says nothing then."""
        if any(len(group.values) != 1 for group in groups):
            return False
        places = set()
        for term, where in (group.term(0) for group in groups):
            for cell in cells_in(term):
                if not cell.name:
                    continue
                if any(letter not in where for letter in letters_in(cell)):
                    return False
                found = self._cell(cell, where)
                places.add((found.name, found.index) if found else None)
        return len(places) == 1

    # Products

    def _of_product(self, node: Node, where: Environment) -> Followed | None:
        factors = [
            _Factor(float(value_of(each, where)), is_divisor, found)
            for each, is_divisor in _factors(node)
            if (found := self.follow(each, where))
        ]
        cells = {(each.found.name, each.found.index) for each in factors}
        if len(cells) < 2:
            return factors[0].found if factors else None
        value = float(value_of(node, where))
        telling, why = _telling(factors, value)
        touched = [each for each in telling if self._touched_by(each)]
        if touched:
            changed = self._touched_by(touched[0])
            return replace(touched[0].found, why=f"{touched[0].found.cell} was {changed}; ")
        first = self._gradients(telling) or telling
        if why:
            return replace(first[0].found, why=f"{first[0].found.cell} {why}; {first[0].found.why}")
        if len(first) < len(telling):
            return replace(first[0].found, why="the gradient among its factors; ")
        return self._farthest([each for each in telling if not self._is_rate(each)] or telling)

    def _touched_by(self, factor: _Factor) -> str:
        return self._touched((factor.found.name, factor.found.index))

    def _gradients(self, factors: list[_Factor]) -> list[_Factor]:
        """Return the factors that are gradients of the loss, but for its own by itself."""
        roles, loss = self._program.tensors, self._program.loss
        return [
            each
            for each in factors
            if (tensor := roles[each.found.name]).role is Role.GRADIENT and tensor.of != loss
        ]

    def _is_rate(self, factor: _Factor) -> bool:
        """Tell whether a factor says nothing of this cell: a rate, a count, the loss by itself."""
        tensor = self._program.tensors[factor.found.name]
        own = tensor.role is Role.GRADIENT and tensor.of == self._program.loss
        return own or tensor.role is Role.RATE or (tensor.role is Role.BUFFER and tensor.of is None)

    def _farthest(self, factors: list[_Factor]) -> Followed:
        distances = [self._distance(each.found) for each in factors]
        at = int(np.argmax(distances))
        found = factors[at].found
        if len(factors) == 1 or distances[at] == 0:
            return replace(found, why=f"{found.cell} is its first factor; ")
        median = f"the median of {found.name}"
        return replace(found, why=f"of its factors, {found.cell} is farthest from {median}; ")

    def _distance(self, found: Followed) -> float:
        """Return how far a cell is from the median of its tensor, as a ratio, on a log scale."""
        median = float(np.median(np.abs(self._tensors[found.name])))
        size = abs(float(found.value))
        if median == size:
            return 0.0
        return abs(math.log(size / median)) if size and median else math.inf


def _telling(factors: list[_Factor], value: float) -> tuple[list[_Factor], str]:
    """Return the factors that make a product 0 or not finite, and what they are; else all."""
    if value == 0:
        zeros = [each for each in factors if each.value == 0 and not each.is_divisor]
        return (zeros, "is 0") if zeros else (factors, "")
    if not math.isfinite(value):
        bad = [each for each in factors if not math.isfinite(each.value)]
        bad.sort(key=lambda each: not math.isnan(each.value))
        if bad:
            return bad, f"is {bad[0].value}"
        zeros = [each for each in factors if each.is_divisor and each.value == 0]
        return (zeros, "is a divisor of 0") if zeros else (factors, "")
    return factors, ""


def _largest(group: _Terms) -> tuple[tuple[bool, float], int, _Terms]:
    """Return how large the largest term of a group is, to compare it by, and where it stands."""
    nan = np.isnan(group.values)
    if nan.any():
        return (True, 0.0), int(np.argmax(nan)), group
    at = int(np.argmax(np.abs(group.values)))
    return (False, float(np.abs(group.values[at]))), at, group


def _decided(found: "Followed | None") -> str:
    return f"{found.cell} = {to_digits(found.value, 4)} decides; " if found else ""


def _share(node: Node, where: Environment, value: float, total: float, count: int) -> str:
    """Say how much of a sum a term is; nothing where it is the only one."""
    if count < 2:
        return ""
    letters: dict[Letter, str | int] = dict.fromkeys(letters_in(node), "k")
    places = {each: int(at) for each, at in where.items() if isinstance(each, Letter)}
    text = symbols(node, letters | places)
    terms = f"{count:,} terms"
    is_long = len(text) > _LONGEST_TERM
    if total and math.isfinite(value) and math.isfinite(total):
        share = percent(abs(value) / total)
        return f"{'the largest' if is_long else text} is {share} of {terms}; "
    if is_long:
        text = f"the largest of {terms}"
    if total == 0:
        return f"all {terms} are 0, {text} is followed; "
    return f"{text} is {to_digits(value, 4)}; "


def change_in(node: Node, where: Environment, own: Place) -> float:
    """Return what an update adds to a cell: the sum of its terms without the cell itself.

    NaN if the cell itself is none of the terms.
    """
    change, has_own = 0.0, False
    for group in _terms(node, where, 1.0):
        if len(group.values) == 1:
            term, inner = group.term(0)
            if isinstance(term, Cell) and _place_of(term, inner) == own:
                has_own = True
                continue
        change += float(group.values.sum())
    return change if has_own else math.nan


def _place_of(cell: Cell, where: Environment) -> Place:
    places = (int(value_of(each, where)) for each in cell.index)
    return cell.name, tuple(at % size for at, size in zip(places, cell.shape, strict=True))


def is_constant(node: "int | Node") -> bool:
    """Tell whether an expression reads no cell of a tensor."""
    return not any(cell.name for cell in cells_in(node))


def _is_sum(node: Node) -> bool:
    """Tell whether an expression is a sum, perhaps divided by or multiplied with a constant."""
    match node:
        case Apply("+", _) | Reduce("sum", _, _):
            return True
        case Apply("neg", (only,)):
            return _is_sum(only)
        case Apply("-", _):
            return True
        case Apply("/", (left, right)):
            return _is_sum(left) and is_constant(right)
        case Apply("*", (left, right)):
            return (is_constant(left) and _is_sum(right)) or (_is_sum(left) and is_constant(right))
        case Apply(sign, (only,)) if sign in CASTS:
            return _is_sum(only)
    return False


def _terms(node: Node, where: Environment, scale: float) -> Iterator[_Terms]:
    """Yield the terms of a sum, those of one over letters together."""
    match node:
        case Reduce("sum", _, body):
            values = values_of_terms(node, where).astype(np.float64) * scale
            yield _Terms(values, lambda at: _term(node, where, at), is_constant(body))
        case Apply("+", (left, right)):
            yield from _terms(left, where, scale)
            yield from _terms(right, where, scale)
        case Apply("-", (left, right)):
            yield from _terms(left, where, scale)
            yield from _terms(right, where, -scale)
        case Apply("neg", (only,)):
            yield from _terms(only, where, -scale)
        case Apply("/", (left, right)) if _is_sum(left) and is_constant(right):
            with np.errstate(all="ignore"):
                divisor = np.float64(value_of(right, where))
                yield from _terms(left, where, float(np.float64(scale) / divisor))
        case Apply("*", (left, right)) if _is_sum(node):
            outer, inner = (left, right) if is_constant(left) else (right, left)
            yield from _terms(inner, where, scale * float(value_of(outer, where)))
        case Apply(sign, (only,)) if sign in CASTS:
            yield from _terms(only, where, scale)
        case _:
            value = np.array([float(value_of(node, where)) * scale])
            yield _Terms(value, lambda at: (node, where), is_constant(node))


def _term(node: Reduce, where: Environment, at: int) -> tuple[Node, Environment]:
    """Return one term of a sum, a maximum or a minimum over letters, with numbers for these."""
    places = np.unravel_index(at, [letter.size for letter in node.letters])
    own: dict[Letter, int] = dict(zip(node.letters, map(int, places), strict=True))
    return node.body, {**where, **own}


def _factors(node: Node, is_divisor: bool = False) -> Iterator[tuple[Node, bool]]:
    """Yield the factors of a product, and whether it is divided by them."""
    match node:
        case Apply("*", operands):
            for each in operands:
                yield from _factors(each, is_divisor)
        case Apply("/", (left, right)):
            yield from _factors(left, is_divisor)
            yield from _factors(right, not is_divisor)
        case Apply("neg", (only,)) if not _is_sum(only):
            yield from _factors(only, is_divisor)
        case Apply(sign, (only,)) if sign in CASTS:
            yield from _factors(only, is_divisor)
        case _:
            yield node, is_divisor


def _with_zero(test: Node) -> bool:
    """Tell whether a test compares something with 0."""
    match test:
        case Apply("<" | "<=" | ">" | ">=", operands):
            return any(isinstance(each, Number) and each.value == 0 for each in operands)
    return False
