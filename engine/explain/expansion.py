"""The expression of one cell with its numbers: sums written out, branches taken, letters gone."""

from collections.abc import Iterator
from typing import Any

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
    value_of,
)

Place = tuple[str, Shape]
"""A cell by the name of its tensor and its index."""


class Part(Struct, frozen=True, eq=False):
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


class Expansion:
    """Writes out one expression; what occurs in it more than once is one part."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Part] = {}
        self._letters: dict[int, tuple[Letter, ...]] = {}
        self._kept: list[Node] = []

    def part(self, node: "int | Node", where: Environment, beside: bool = False) -> Part:
        """Return the part that an expression is; `beside` other parts a maximum is its value."""
        if isinstance(node, int):
            return Part(node)
        if id(node) not in self._letters:
            own = {letter for each in _reductions(node) for letter in each.letters}
            self._letters[id(node)] = tuple(
                letter for letter in dict.fromkeys(letters_in(node)) if letter not in own
            )
            self._kept.append(node)
        key = (id(node), beside, *(where[each] for each in self._letters[id(node)]))
        if key not in self._known:
            self._known[key] = self._part(node, where, beside)
        return self._known[key]

    def _part(self, node: Node, where: Environment, beside: bool) -> Part:
        match node:
            case Number(value):
                return Part(value)
            case Letter():
                return Part(where[node])
            case Cell():
                return self._cell(node, where)
            case Choose(test, yes, no):
                decides = self.part(test, where, True)
                taken = self.part(yes if decides.value else no, where, beside)
                aside = (*taken.aside, decides)
                return Part(taken.value, taken.sign, taken.parts, taken.cell, aside)
            case Apply(sign, operands):
                parts = tuple(self.part(each, where, True) for each in operands)
                if sign in CASTS:
                    return _cast(sign, parts[0])
                return Part(applied(sign, tuple(part.value for part in parts)), sign, parts)
            case Reduce():
                return self._reduced(node, where, beside)
        raise TypeError(node)

    def _cell(self, node: Cell, where: Environment) -> Part:
        places = [self.part(each, where) for each in node.index]
        index = tuple(
            int(place.value) % size for place, size in zip(places, node.array.shape, strict=True)
        )
        aside = tuple(place for place in places if place.sign or place.cell)
        cell = (node.name, index) if node.name else None
        return Part(node.array[index], cell=cell, aside=aside)

    def _reduced(self, node: Reduce, where: Environment, beside: bool) -> Part:
        parts = tuple(
            self.part(node.body, {**where, **dict(zip(node.letters, at, strict=True))}, True)
            for at in indices(node.letters)
        )
        value = value_of(node, where)
        if node.sign == "sum":
            return Part(value, "sum", parts)
        if beside:
            return Part(value, aside=(Part(value, node.sign, parts),))
        return Part(value, node.sign, parts)


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
