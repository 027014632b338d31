"""Explaining a cell: its line walked once, and all that there is to say taken from that walk."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.operations.formula import Formula
from nnstep.engine.program.program import Instruction, Phase, Program, Role
from nnstep.engine.text import cell_name

from .definitions import opened
from .digits import printings
from .expansion import Expansion, Part, cells_of
from .explanation import Explanation, Source
from .nodes import Letter, Node, numbers_in
from .origin import Written, last_writer, origin_of
from .rule import Rule
from .running import run_in_index_space
from .sums import MOST_TERMS, described, is_sum, largest_first, terms_of
from .writing import arithmetic, lettered, symbols

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline

MOST_NUMBERS = 10_000
NARROW = 78
_CANCELS = 0.05


def explained(timeline: "Timeline", name: str, index: Shape, place: int) -> Explanation:
    """Return how a cell got the value that it has at a place that the branch has reached.

    The tensor is live there and has such a cell.
    """
    written = origin_of(timeline, name, index, place)
    value = timeline.tensors_at(place)[name][index]
    if written.origin != "step":
        return _given(timeline.program, name, index, value, written)
    assert written.step is not None
    return Walk(timeline, name, index, value, written.step).explanation()


def _given(program: Program, name: str, index: Shape, value: Any, written: Written) -> Explanation:
    """Return the explanation of a value that no step has computed."""
    is_data = written.origin == "data"
    assert not is_data or written.step is not None
    code = program.instructions[(written.step or 0) % len(program)].code if is_data else ""
    return Explanation(
        cell=cell_name(name, index),
        name=name,
        index=index,
        value=value.item(),
        step=written.step if is_data else None,
        code=code,
        origin=written.origin,
    )


class Walk:
    """A line in index space, and the cell of what it wrote that is asked for."""

    def __init__(
        self, timeline: "Timeline", name: str, index: Shape, value: Any, step: int
    ) -> None:
        self.timeline = timeline
        self.name, self.index, self.value, self.step = name, index, value, step
        self.before: Mapping[str, Array] = timeline.tensors_at(step)
        self.program = timeline.program
        self.line: Instruction = self.program.instructions[step % len(self.program)]
        assert self.line.formula is not None, "only the batch line has none"
        computed = run_in_index_space(self.line.formula, self.line.names, self.before)
        self.free = tuple(Letter(size) for size in computed.shape)
        self.where = dict(zip(self.free, index, strict=True))
        self.node: Node = computed.cell(self.free)

    @cached_property
    def part(self) -> Part:
        """The calculation of the code."""
        return Expansion().part(self.node, self.where)

    @cached_property
    def opened(self) -> Formula | None:
        """The textbook's formula, where the line calls a function that has a definition."""
        assert self.line.formula is not None
        return opened(self.line.formula, self.line.names, self.before)

    @cached_property
    def opened_node(self) -> Node | None:
        """The textbook's expression of the cell."""
        if self.opened is None:
            return None
        return run_in_index_space(self.opened, self.line.names, self.before).cell(self.free)

    @cached_property
    def opened_part(self) -> Part | None:
        """The calculation of the textbook."""
        node = self.opened_node
        return None if node is None else Expansion().part(node, self.where)

    @property
    def folds(self) -> bool:
        """Whether plain numbers are computed in another precision than tensors."""
        return bool(self.value.dtype != np.float64)

    def explanation(self) -> Explanation:
        """Return everything there is to say."""
        with np.errstate(all="ignore"):
            return self._explanation()

    def _explanation(self) -> Explanation:
        part, shown = self.part, self.part
        rule = Rule(self.program, self.line, self.before)
        definition, exact = "", True
        if self.opened_part is not None:
            definition = arithmetic(self.opened_part, self.folds)
            exact = self.gives_the_value(self.opened_part)
            shown = self.opened_part if exact else part
        node = self.opened_node if exact and self.opened_node is not None else self.node
        letters = lettered(node, self.free, self.name, self.is_of_rows)
        numbered: dict[Letter, str | int] = {**letters, **self.where}
        texts = printings(shown, self.value, self.opened_node is not None)
        result = Explanation(
            cell=cell_name(self.name, self.index),
            name=self.name,
            index=self.index,
            value=self.value.item(),
            step=self.step,
            code=self.line.code,
            origin="step",
            rule=rule.text(self.opened),
            general=self.general(rule, node, letters),
            symbolic=symbols(node, numbered),
            arithmetic=arithmetic(part, self.folds),
            definition=definition,
            exact=exact,
            printed=next((each for each in texts if len(each) <= NARROW), texts[-1]),
            printings=texts,
            sources=tuple(self.sources(cells_of(part))),
            shapes=self.shapes,
        )
        return replace(result, **self.sums(shown))

    def general(self, rule: Rule, node: Node, letters: Mapping[Letter, str]) -> str:
        """Write the rule of any cell; of an activation its definition, or what its slope is."""
        if rule.slope:
            return rule.slope[1]
        if self.line.phase is Phase.LOSS and rule.has_loss:
            return ""
        index = f"{cell_symbol(self.name, self.free, letters)} = {symbols(node, letters)}"
        return rule.definition or rule.settings or rule.product or index

    def gives_the_value(self, part: Part) -> bool:
        """Tell whether another calculation gives the value as well, but for rounding."""
        value, other = float(self.value), float(part.value)
        if not np.isfinite(value) or not np.isfinite(other):
            return value == other or (np.isnan(value) and np.isnan(other))
        scale = max(abs(value), *(abs(float(each)) for _, each in cells_of(part)), 0.0)
        return bool(
            abs(value - other) <= 8 * np.finfo(self.value.dtype).eps * abs(value)
            or (value == other == 0 and scale >= 0)
        )

    def sums(self, part: Part) -> dict[str, Any]:
        """Return what there is to say of a sum, by the fields of an explanation."""
        if not is_sum(part):
            return {}
        terms = largest_first(list(terms_of(part)))
        total = float(np.sum([abs(term.value) for term in terms]))
        return {
            "terms": tuple(described(term, total) for term in terms[:MOST_TERMS]),
            "term_count": len(terms),
            "zero_terms": sum(term.value == 0 for term in terms),
            "rest": float(np.sum([term.value for term in terms[MOST_TERMS:]])),
            "cancels": bool(abs(float(self.value)) < _CANCELS * total),
        }

    def sources(self, cells: Iterable[tuple[tuple[str, Shape], Any]]) -> Iterable[Source]:
        """Yield the cells read, each once."""
        for (name, index), value in dict(cells).items():
            written = origin_of(self.timeline, name, index, self.step)
            is_written = written.origin in ("step", "data")
            step = written.step if is_written else None
            code = "" if step is None else self.program.instructions[step % len(self.program)].code
            yield Source(
                cell_name(name, index),
                np.asarray(value).item(),
                step,
                name,
                index,
                code,
                written.origin,
            )

    @property
    def shapes(self) -> str:
        """How the shapes of the operands lead to the result's."""
        from .shapes import shapes_text

        return shapes_text(self.line, self.before, tuple(each.size for each in self.free))

    def is_of_rows(self, name: str, axis: int) -> bool:
        """Tell whether an axis of a tensor runs over the rows of a batch."""
        if axis or "x" not in self.before or "x" not in self.program.tensors:
            return False
        tensors = self.program.tensors
        tensor = tensors.get(name)
        while tensor is not None and tensor.role is Role.GRADIENT and tensor.of:
            tensor = tensors[tensor.of]
        if tensor is None or tensor.role not in (Role.DATA, Role.VALUE):
            return False
        if tensors["x"].role is not Role.DATA:
            return False
        shapes = zip(tensor.shapes, tensors["x"].shapes, strict=True)
        return all(own and data and own[0] == data[0] for own, data in shapes)


def cell_symbol(name: str, free: tuple[Letter, ...], letters: Mapping[Letter, str]) -> str:
    """Write a cell of a tensor with letters for its index."""
    return f"{name}[{', '.join(letters[each] for each in free)}]" if free else name


__all__ = ["explained", "last_writer", "numbers_in"]
