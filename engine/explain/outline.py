"""What is found of a line once, as it runs again and again with other numbers in its tensors.

An outline is a line in index space; how a line is laid out on paper is kept in the same way.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Generic, TypeVar
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
"""So much is kept of a formula: for as many tensors and shapes, or settings."""

Found = TypeVar("Found")
Key = tuple[object, ...]


class Kept(Generic[Found]):
    """What is found of formulas, as long as there are these; of each, for different keys."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Formula, dict[Key, Found]] = WeakKeyDictionary()

    def get(self, formula: Formula, key: Key) -> Found | None:
        """Return what is known."""
        return self._of.get(formula, {}).get(key)

    def keep(self, formula: Formula, key: Key, found: Found) -> Found:
        """Keep what was found; with too much of a formula, what is known of it goes first."""
        known = self._of.setdefault(formula, {})
        if len(known) >= MOST_KEPT:
            known.clear()
        known[key] = found
        return found


def shapes_key(formula: Formula, names: Mapping[str, str], tensors: Mapping[str, Array]) -> Key:
    """Return the tensors that a line reads by name, shape and dtype."""
    given = [(name, tensors[name]) for name in map(names.__getitem__, formula.parameters)]
    return tuple([(name, array.shape, array.dtype) for name, array in given])


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
        self._read = tuple(names.values())
        self.free = tuple(Letter(size) for size in computed.shape)
        self.node: Node = computed.cell(self.free)
        self.opened = opened(formula, names, tensors)
        self.opened_node: Node | None = None
        if self.opened is not None:
            self.opened_node = run_in_index_space(self.opened, names, tensors).cell(self.free)
        self.wordings: WeakKeyDictionary[Program, dict[object, Wording]] = WeakKeyDictionary()

    def where(self, index: Shape, tensors: Mapping[str, Array]) -> Environment:
        """Return what the expressions are evaluated with for one cell."""
        read = {name: tensors[name] for name in self._read if name in tensors}
        return {**read, **dict(zip(self.free, index, strict=True))}

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


_OUTLINES = Kept[Outline]()


def outline_of(formula: Formula, names: Mapping[str, str], tensors: Mapping[str, Array]) -> Outline:
    """Return the outline of a line; one that does not depend on numbers is kept."""
    key = shapes_key(formula, names, tensors)
    found = _OUTLINES.get(formula, key)
    if found is None:
        before = looks()
        found = Outline(formula, names, tensors)
        if looks() == before:
            _OUTLINES.keep(formula, key, found)
    return found
