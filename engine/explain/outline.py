"""A line in index space, whatever numbers its tensors hold: found once, as a line runs again."""

from collections.abc import Mapping
from functools import cached_property
from weakref import WeakKeyDictionary

from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.operations.formula import Formula
from nnstep.engine.program.program import Program

from .definitions import opened
from .expansion import Expansion, Part
from .nodes import Environment, Letter, Node
from .running import run_in_index_space
from .walk import looks

MOST_KEPT = 64
"""So many outlines of a formula are kept, for as many tensors and shapes."""


class Wording(Struct, frozen=True, eq=False):
    """What is written of a line and of any cell of it, and the letters of its expression."""

    rule: str
    general: str
    letters: Mapping[Letter, str]


class Outline:
    """The expression of any cell of what a line computes, over the letters of its index, `free`.

    `node` is that of the code; `opened` the line with the definitions of the functions that it
    calls, None if it calls none, and `opened_node` the expression of that.
    """

    def __init__(
        self, formula: Formula, names: Mapping[str, str], tensors: Mapping[str, Array]
    ) -> None:
        computed = run_in_index_space(formula, names, tensors)
        self.free = tuple(Letter(size) for size in computed.shape)
        self.node: Node = computed.cell(self.free)
        self.opened = opened(formula, names, tensors)
        self.opened_node: Node | None = None
        if self.opened is not None:
            self.opened_node = run_in_index_space(self.opened, names, tensors).cell(self.free)
        self.wordings: WeakKeyDictionary[Program, dict[object, Wording]] = WeakKeyDictionary()

    def where(self, index: Shape, tensors: Mapping[str, Array]) -> Environment:
        """Return what the expressions are evaluated with for one cell."""
        return {**tensors, **dict(zip(self.free, index, strict=True))}

    @cached_property
    def _expansion(self) -> Expansion:
        return Expansion()

    @cached_property
    def _opened_expansion(self) -> Expansion:
        return Expansion()

    def part(self, where: Environment) -> Part:
        """Return the calculation of the code."""
        return self._expansion.part(self.node, where)

    def opened_part(self, where: Environment) -> Part | None:
        """Return the calculation of the textbook."""
        node = self.opened_node
        return None if node is None else self._opened_expansion.part(node, where)


_OUTLINES: WeakKeyDictionary[Formula, dict[tuple[object, ...], Outline]] = WeakKeyDictionary()


def outline_of(formula: Formula, names: Mapping[str, str], tensors: Mapping[str, Array]) -> Outline:
    """Return the outline of a line; one that does not depend on numbers is kept."""
    given = [(name, tensors[name]) for name in map(names.__getitem__, formula.parameters)]
    key = tuple([(name, array.shape, array.dtype) for name, array in given])
    known = _OUTLINES.setdefault(formula, {})
    found = known.get(key)
    if found is None:
        before = looks()
        found = Outline(formula, names, tensors)
        if looks() == before:
            if len(known) >= MOST_KEPT:
                known.clear()
            known[key] = found
    return found
