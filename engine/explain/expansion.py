"""The expression of one cell with its numbers: sums written out, branches taken, letters gone."""

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Shape

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
    applied,
    indices,
    letters_in,
    reduced,
)

Place = tuple[str, Shape]
"""A cell by the name of its tensor and its index."""


class Part(Struct, frozen=True, eq=False, gc=False):
    """A part of a calculation and its value.

    It is a number, of a `cell` or a constant, or what `sign` makes of other parts; `sum`, `max` and
    `min` are of any number of them. `aside` are parts that decide what is computed, or that are
    computed beforehand, and do not stand in the calculation themselves.
    """

    value: Any
    sign: str = ""
    parts: tuple["Part", ...] = ()
    cell: Place | None = None
    aside: tuple["Part", ...] = ()


Where = dict[Any, Any]
"""An environment that is being worked with: sums put numbers in place of their letters there, and
what has been made stays there."""

Make = Callable[[Where], Part]
"""Makes the part that an expression is, for numbers in place of letters."""


class Expansion:
    """Writes out one expression; what occurs in it more than once is one part.

    Each expression is looked at once, and gives what makes its part for all numbers that the
    letters stand for, as sums of thousands of terms are written out while somebody waits.
    """

    def __init__(self) -> None:
        self._makers: dict[tuple[int, bool], Make] = {}
        self._kept: list[Node] = []

    def part(self, node: "int | Node", where: Environment, beside: bool = False) -> Part:
        """Return the part that an expression is; `beside` other parts a maximum is its value."""
        return self._maker(node, beside)(dict(where))

    def _maker(self, node: "int | Node", beside: bool = False) -> Make:
        if isinstance(node, int):
            number = Part(node)
            return lambda where: number
        make = self._makers.get((id(node), beside))
        if make is None:
            self._kept.append(node)
            make = self._make(node, beside)
            if not _is_quick(node):
                make = _remembered(node, make)
            self._makers[id(node), beside] = make
        return make

    def _make(self, node: Node, beside: bool) -> Make:
        match node:
            case Number(value):
                number = Part(value)
                return lambda where: number
            case Letter():
                return lambda where: Part(where[node])
            case Cell():
                return self._cell(node)
            case Choose():
                return self._choice(node, beside)
            case Apply(sign, operands):
                return self._applied(sign, tuple(self._maker(each, True) for each in operands))
            case Reduce():
                return self._reduced(node, beside)
        raise TypeError(node)

    def _choice(self, node: Choose, beside: bool) -> Make:
        test = self._maker(node.test, True)
        branches = self._maker(node.no, beside), self._maker(node.yes, beside)

        def make(where: Where) -> Part:
            decides = test(where)
            taken = branches[bool(decides.value)](where)
            aside = (*taken.aside, decides)
            return Part(taken.value, taken.sign, taken.parts, taken.cell, aside)

        return make

    def _applied(self, sign: str, operands: tuple[Make, ...]) -> Make:
        def make(where: Where) -> Part:
            parts = tuple([operand(where) for operand in operands])
            if sign in CASTS:
                return _cast(sign, parts[0])
            value = applied(sign, tuple([part.value for part in parts]))
            if sign == "sign" and np.isnan(parts[0].value):
                return Part(value, aside=parts)  # 0, which the sign of NaN is not elsewhere
            return Part(value, sign, parts)

        return make

    def _cell(self, node: Cell) -> Make:
        sizes = node.shape
        if _is_quick(node):
            axes = [*zip(node.index, sizes, strict=True)]
            name, array = node.name, node.array

            def at_letters(where: Where) -> Part:
                index = tuple([where.get(place, place) % size for place, size in axes])
                return Part(array(where)[index], cell=(name, index) if name else None)

            return at_letters
        makers = [self._maker(each) for each in node.index]

        def make(where: Where) -> Part:
            places = [place(where) for place in makers]
            index = tuple(
                [int(place.value) % size for place, size in zip(places, sizes, strict=True)]
            )
            aside = tuple([place for place in places if place.sign or place.cell])
            cell = (node.name, index) if node.name else None
            return Part(node.array(where)[index], cell=cell, aside=aside)

        return make

    def _reduced(self, node: Reduce, beside: bool) -> Make:
        body = self._maker(node.body, True)
        shape = tuple(letter.size for letter in node.letters)

        def make(where: Where) -> Part:
            parts = []
            for at in indices(node.letters):
                where.update(zip(node.letters, at, strict=True))
                parts.append(body(where))
            value = reduced(node.sign, np.array([part.value for part in parts]).reshape(shape))
            if node.sign == "sum":
                return Part(value, "sum", tuple(parts))
            if beside:
                return Part(value, aside=(Part(value, node.sign, tuple(parts)),))
            return Part(value, node.sign, tuple(parts))

        return make


def _is_quick(node: Node) -> bool:
    """Tell whether a part is as soon made as found again: a number, or a cell at plain places."""
    match node:
        case Number() | Letter():
            return True
        case Cell(_, _, index):
            return all(isinstance(place, int | Letter) for place in index)
    return False


def _remembered(node: Node, make: Make) -> Make:
    """Have a part made once for the numbers of the letters that its expression has left."""
    own = {letter for each in _reductions(node) for letter in each.letters}
    letters = tuple(each for each in dict.fromkeys(letters_in(node)) if each not in own)
    slot = object()
    if not letters:

        def once(where: Where) -> Part:
            found: Part | None = where.get(slot)
            if found is None:
                found = where[slot] = make(where)
            return found

        return once
    key_of = itemgetter(*letters)

    def remembered(where: Where) -> Part:
        known = where.get(slot)
        if known is None:
            known = where[slot] = {}
        key = key_of(where)
        found: Part | None = known.get(key)
        if found is None:
            found = known[key] = make(where)
        return found

    return remembered


def _cast(sign: str, part: Part) -> Part:
    """Return a part whose value has another type, which is not a step of the calculation."""
    return Part(applied(sign, (part.value,)), part.sign, part.parts, part.cell, part.aside)


def _reductions(node: "int | Node") -> Iterator[Reduce]:
    match node:
        case Reduce(_, _, body):
            yield node
            yield from _reductions(body)
        case Cell(_, _, operands) | Apply(_, operands):
            for each in operands:
                yield from _reductions(each)
        case Choose(test, yes, no):
            for each in (test, yes, no):
                yield from _reductions(each)


def cells_of(part: Part) -> Iterator[tuple[Place, Any]]:
    """Yield the cells that a calculation reads, with their values; some more than once.

    Of a maximum they are the cells that are it.
    """
    seen: set[int] = set()

    def visit(part: Part) -> Iterator[tuple[Place, Any]]:
        if id(part) in seen:
            return
        seen.add(id(part))
        if part.cell:
            yield part.cell, part.value
        for each in part.parts:
            if not _is_passed_over(part, each):
                yield from visit(each)
        for each in part.aside:
            yield from visit(each)

    return visit(part)


def _is_passed_over(part: Part, one: Part) -> bool:
    """Tell whether a part of a maximum or minimum is another than the one that it is.

    Beside a constant, a part decides which of the two it is.
    """
    if part.sign not in ("max", "min"):
        return False
    others = [each for each in part.parts if each is not one]
    if len(part.parts) == 2 and any(is_constant(each) for each in others):
        return False
    return not (one.value == part.value or one.value != one.value)


def is_constant(part: Part) -> bool:
    """Tell whether a part reads no cell."""
    return next(cells_of(part), None) is None
