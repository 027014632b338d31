"""The line that led to a place of a run, laid out with the numbers that it read there."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.operations.formula import Formula
from nnstep.engine.override.comparison import compared
from nnstep.engine.program.program import Instruction

from .calculation import Calculation, Product, Row, Rule, Values
from .layout import calculation_of
from .outline import Kept, shapes_key
from .parts import Parts

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline


def calculation_at(timeline: "Timeline", place: int) -> Calculation:
    """Lay out the line that ran last before a place above 0 that the branch has reached.

    What it read is as it was before it: an edit made since, at this very place, is not in it.
    """
    line = timeline.line_of(place - 1)
    after = timeline.tensors_at(place)
    if line.formula is None:
        machine = timeline.ghost(place - 1)
        next(iter(machine.steps(place)))
        return calculation_of(line, {}, after, machine.rows_taken)
    before = timeline.tensors_at(place - 1)
    calculation = _laid_out(line, line.formula, before, after)
    if line.rule is None:
        return calculation
    own = compared(timeline.scenario, timeline.program, line, before)
    return replace(calculation, comparison=own)


_SHEETS = Kept[tuple[Calculation, Parts]]()
"""How lines were laid out, without their numbers."""


def _laid_out(
    line: Instruction, formula: Formula, before: Mapping[str, Array], after: Mapping[str, Array]
) -> Calculation:
    """Lay out a line, as it was laid out before if it was."""
    key = (line.phase, line.writes, *shapes_key(formula, line.names, before))
    known = _SHEETS.get(formula, key)
    if known is None:
        parts = Parts({})
        laid_out = _with_numbers(calculation_of(line, before, after), parts, parts)
        known = _SHEETS.keep(formula, key, (laid_out, parts))
    (target,) = line.writes
    laid_out, parts = known
    read, written = Parts(before, parts), Parts({target: after[target]})
    return replace(_with_numbers(laid_out, read, written), line=line)


def _with_numbers(calculation: Calculation, read: Parts, written: Parts) -> Calculation:
    """Return a calculation with the numbers of tensors in its rows."""

    def filled(row: Row) -> Row:
        parts = written if row.written else read
        return replace(row, values=Values(parts, row.values.node))

    product = calculation.product
    if product is None:
        rows = tuple(
            [each if isinstance(each, Rule) else filled(each) for each in calculation.rows]
        )
        return replace(calculation, rows=rows)
    left, right, result = map(filled, (product.left, product.right, product.result))
    added = tuple(map(filled, product.added))
    whole = Product(left, right, added, result)
    return replace(calculation, rows=(left, right, *added, result), product=whole)
