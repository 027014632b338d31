"""Explaining a cell: its line walked once, and all that there is to say taken from that walk."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.history.stale import stale_tensors
from nnstep.engine.operations.formula import Formula
from nnstep.engine.override.comparison import compared
from nnstep.engine.program.program import Instruction, Phase, Role
from nnstep.engine.text import cell_name

from .digits import Forms, of_sum, printings, shortest, to_digits
from .expansion import Part, cells_of
from .explanation import Explanation, Source
from .nodes import Letter, Node, numbers_in
from .origin import Origins, Written, origin_of
from .outline import MOST_KEPT, Wording, outline_of
from .resting import rests_on
from .rule import Rule
from .sentences import of_edit, of_first, sentence, special
from .shapes import shapes_text
from .sums import Sum, summed, summed_at_large
from .writing import lettered, symbols

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
    if written.origin == "step":
        assert written.step is not None
        return Walk(timeline, name, index, value, written.step).explanation()
    given = Given(timeline, name, index, value, written, place)
    if written.edit:
        return given.edited()
    return given.first() if written.step is None else given.data()


class Given(Struct, frozen=True):
    """A cell whose value no step has computed, and what it has it from."""

    timeline: "Timeline"
    name: str
    index: Shape
    value: Any
    written: Written
    place: int

    def _explanation(self, **more: Any) -> Explanation:
        return Explanation(
            cell=cell_name(self.name, self.index),
            name=self.name,
            index=self.index,
            value=self.value.item(),
            origin=self.written.origin,
            **{"step": None, "code": "", **more},
        )

    def data(self) -> Explanation:
        """Explain a value of the batch."""
        assert self.written.step is not None
        step = self.written.step
        return self._explanation(step=step, code=self.timeline.line_of(step).code)

    def first(self) -> Explanation:
        """Explain a value that is as it was at the start."""
        tensor = self.timeline.program.tensors[self.name]
        return self._explanation(sentence=of_first(tensor, self.timeline.current.seed))

    def edited(self) -> Explanation:
        """Explain a value that somebody has typed in: what was there, what rests on that."""
        edit = self.written.edit
        assert edit is not None
        was, calculation, rule = self._before()
        program = self.timeline.program
        long_ago = self.place - 2 * len(program)
        edits = self.timeline.current.cells_edited_until(self.place, after=long_ago)
        stale = stale_tensors(program, self.place, [edit])
        stale &= stale_tensors(program, self.place, edits)
        return self._explanation(
            rule=f"{rule} does not hold here: the value was typed in, before step {edit.place}"
            if rule
            else "",
            was=f"it was {to_digits(was, 6)}{calculation}",
            sentence=of_edit(edit.place, len(stale), to_digits(was, 6)),
        )

    def _before(self) -> tuple[Any, str, str]:
        """Return the value before the last edit, how it was calculated, and by which rule."""
        timeline, written = self.timeline, self.written
        assert written.edit is not None
        start = -1 if written.step is None else written.step
        edits = timeline.current.edits_of(self.name, self.index, self.place, after=start)
        if len(edits) > 1:
            return self.value.dtype.type(edits[-2].value), "", ""
        if written.step is None:
            return timeline.current.origin.tensors[self.name][self.index], ", its first value", ""
        machine = timeline.ghost(written.step)
        step = next(machine.steps(written.step + 1))
        was = step.writes[self.name][self.index]
        if step.instruction.formula is None:
            return was, ", from the data", ""
        walked = Walk(timeline, self.name, self.index, was, written.step).explanation()
        calculation, _, _ = walked.printings[-1].rpartition(" = ")
        return was, f" {calculation}", walked.rule


class Walk:
    """A line in index space, and the cell of what it wrote that is asked for.

    `before` are the tensors before its step, where somebody has them already.
    """

    def __init__(
        self,
        timeline: "Timeline",
        name: str,
        index: Shape,
        value: Any,
        step: int,
        before: Mapping[str, Array] | None = None,
    ) -> None:
        self.timeline = timeline
        self.name, self.index, self.value, self.step = name, index, value, step
        self.before = timeline.tensors_at(step) if before is None else before
        self.program = timeline.program
        self.line: Instruction = timeline.line_of(step)
        assert self.line.formula is not None, "only the batch line has none"
        self.outline = outline_of(self.line.formula, self.line.names, self.before)
        self.free, self.node = self.outline.free, self.outline.node
        self.where = self.outline.where(index, self.before)
        self.total: Sum | None = None

    @cached_property
    def part(self) -> Part:
        """The calculation of the code."""
        return self.outline.part(self.where)

    @property
    def opened(self) -> Formula | None:
        """The textbook's formula, where the line calls a function that has a definition."""
        return self.outline.opened

    @property
    def opened_node(self) -> Node | None:
        """The textbook's expression of the cell."""
        return self.outline.opened_node

    @cached_property
    def opened_part(self) -> Part | None:
        """The calculation of the textbook."""
        return self.outline.opened_part(self.where)

    @property
    def shown(self) -> tuple[Sum | None, Part]:
        """The calculation that is written out, the textbook's where it is exact, and as a sum."""
        if numbers_in(self.node) > MOST_NUMBERS and (total := self.at_large()):
            return total, Part(self.value, "sum", tuple(term.part for term in total.terms))
        opened = self.opened_part
        part = opened if opened is not None and self.gives_the_value(opened) else self.part
        return summed(part), part

    def at_large(self) -> Sum | None:
        """Return the largest terms of a sum of more numbers than are written out."""
        return summed_at_large(self.node, self.where)

    @property
    def is_network(self) -> bool:
        """Whether the program is that of a network, whose lines belong to layers."""
        return self.program.has_layers

    @property
    def folds(self) -> bool:
        """Whether plain numbers are computed in another precision than tensors."""
        return bool(self.value.dtype != np.float64)

    def explanation(self) -> Explanation:
        """Return everything there is to say."""
        with np.errstate(all="ignore"):
            if numbers_in(self.node) > MOST_NUMBERS:
                return self._explained_at_large()
            return self._explained()

    def _explained(self) -> Explanation:
        shown = self.part
        exact = True
        if self.opened_part is not None:
            exact = self.gives_the_value(self.opened_part)
            shown = self.opened_part if exact else self.part
        self.total = summed(shown)
        texts = printings(shown, self.value, self.opened_node is not None)
        return replace(
            self._described(exact),
            calculation=self.part,
            textbook=self.opened_part,
            folds=self.folds,
            exact=exact,
            printed=_narrow(texts),
            printings=texts,
            sources=tuple(self.sources(cells_of(self.part))),
            sentence=sentence(self, self.total),
            special=special(shown, self.total, self),
            **self.sums(self.total),
        )

    def _explained_at_large(self) -> Explanation:
        """Explain a cell of more numbers than are written out."""
        total = self.total = self.at_large()
        numbers = f"{numbers_in(self.node):,} numbers"
        if total is None:
            text = f"computed from {numbers}: = {shortest(self.value)}"
            return replace(self._described(True), printed=text, printings=(text,))
        texts = of_sum(None, total, self.value)
        parts = (term.part for term in total.terms)
        texts = Forms(f"{text} (of {numbers})" for text in texts)
        return replace(
            self._described(True),
            printed=_narrow(texts),
            printings=texts,
            sources=tuple(self.sources(cell for part in parts for cell in cells_of(part))),
            sentence=sentence(self, total),
            **self.sums(total),
        )

    def _described(self, exact: bool) -> Explanation:
        """Return what there is to say without any number but the value."""
        node = self.opened_node if exact and self.opened_node is not None else self.node
        said = self._wording(node)
        numbered: dict[Letter, str | int] = {
            **said.letters,
            **dict(zip(self.free, self.index, strict=True)),
        }
        return Explanation(
            cell=cell_name(self.name, self.index),
            name=self.name,
            index=self.index,
            value=self.value.item(),
            step=self.step,
            code=self.line.code,
            origin="step",
            rule=said.rule,
            general=said.general,
            symbolic=symbols(node, numbered),
            shapes=self.shapes,
            comparison=compared(self.timeline.scenario, self.program, self.line, self.before),
            rests_on=rests_on(self.timeline, self.step),
        )

    def _wording(self, node: Node) -> Wording:
        """Return what is written of the line whatever its numbers are, the learning rate's but."""
        known = self.outline.wordings.setdefault(self.program, {})
        rate = self.before["lr"].item() if "lr" in self.line.reads else None
        own = self.line.rule is not None
        key = (self.line.code, self.step % len(self.program), own, node is self.node, rate)
        if key not in known:
            rule = Rule(self.program, self.line, self.before)
            letters = lettered(node, self.free, self.name, self.is_of_rows)
            text = rule.text(self.opened)
            if len(known) >= MOST_KEPT:
                known.clear()
            known[key] = Wording(text, self.general(rule, text, node, letters), letters)
        return known[key]

    def general(self, rule: Rule, text: str, node: Node, letters: Mapping[Letter, str]) -> str:
        """Write the rule of any cell; of an activation its definition, or what its slope is.

        It is left out where it says no more than `text`, the rule of the whole line.
        """
        if rule.slope:
            return rule.slope[1]
        if self.line.phase is Phase.LOSS and rule.has_loss:
            return ""
        if said := rule.definition or rule.settings or rule.product:
            return said
        index = f"{cell_symbol(self.name, self.free, letters)} = {symbols(node, letters)}"
        return "" if _plain(index) == _plain(text) else index

    def gives_the_value(self, part: Part) -> bool:
        """Tell whether another calculation gives the value as well, but for rounding."""
        value, other = float(self.value), float(part.value)
        if not np.isfinite(value) or not np.isfinite(other):
            return value == other or bool(np.isnan(value) and np.isnan(other))
        return bool(abs(value - other) <= 8 * np.finfo(self.value.dtype).eps * abs(value))

    def sums(self, total: Sum | None) -> dict[str, Any]:
        """Return what there is to say of a sum, by the fields of an explanation."""
        if total is None:
            return {}
        return {
            "terms": total.described,
            "term_count": total.count,
            "zero_terms": total.zeros,
            "rest": total.rest,
            "cancels": abs(float(self.value)) < _CANCELS * total.absolute,
        }

    def sources(self, cells: Iterable[tuple[tuple[str, Shape], Any]]) -> Iterable[Source]:
        """Yield the cells read, each once."""
        origins, codes = Origins(self.timeline, self.step), dict[int | None, str]({None: ""})
        for (name, index), value in dict(cells).items():
            written = origins.of(name, index)
            step = written.step if written.origin in ("step", "data") else None
            if step is not None and step not in codes:
                codes[step] = self.timeline.line_of(step).code
            yield Source(
                cell=cell_name(name, index),
                value=np.asarray(value).item(),
                step=step,
                name=name,
                index=index,
                code=codes[step],
                origin=written.origin,
            )

    @property
    def shapes(self) -> str:
        """How the shapes of the operands lead to the result's."""
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


def _plain(rule: str) -> str:
    """Take from a rule what two of the same content are written differently with."""
    return rule.replace(" · ", "·").replace(" ← ", " = ")


def _narrow(texts: Sequence[str]) -> str:
    """Return the longest text that is narrow enough, else the shortest."""
    return next((each for each in texts if len(each) <= NARROW), None) or texts[-1]


def cell_symbol(name: str, free: tuple[Letter, ...], letters: Mapping[Letter, str]) -> str:
    """Write a cell of a tensor with letters for its index."""
    return f"{name}[{', '.join(letters[each] for each in free)}]" if free else name
