"""A person's line beside the rule's: what each gives from the same inputs, and what that tells.

Where they differ, the cell that differs most is named, and the mistake that it looks like: one that
gives these very numbers when it is made on purpose.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Instruction, Phase, Program
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import cell_name

from .mistakes import MISTAKES
from .override import OverrideError, overriding, reference

ROUNDING = 64
"""So many units of the last place of the largest number are no difference."""
MOST_CELLS = 100_000
"""Of a larger tensor no mistake is looked for: each that is tried computes it once."""


class Comparison(Struct, frozen=True, eq=False):
    """What a person's line gave beside `rule`, what the rule gives from the same inputs.

    `different` counts the cells that differ by more than rounding; `worst` is the index of the one
    that differs most, None if there is none, where theirs is `own` and the rule's `right`.
    `mistake` is what it looks like, "" if that is not known.
    """

    name: str
    code: str
    rule: Instruction
    reference: Array
    different: int
    worst: Shape | None = None
    own: float = 0.0
    right: float = 0.0
    mistake: str = ""

    @property
    def worst_cell(self) -> str:
        """The cell that differs most, as it is written."""
        return cell_name(self.name, self.worst or ())

    def beside(self, index: Shape) -> str:
        """Say what the rule gives for a cell."""
        if not self.different:
            return f"The rule, {self.rule.code}, gives the same."
        cell = cell_name(self.name, index)
        return f"The rule, {self.rule.code}, gives {cell} = {self.reference[index]:.6g}."

    @property
    def verdict(self) -> str:
        """Which cell differs most, both numbers, and what mistake that looks like."""
        if not self.different:
            return ""
        size = self.reference.size
        differ = f"{self.different:,} of {size:,} cells differ" if size > 1 else "It differs"
        numbers = f"yours is {self.own:.6g}, the rule's {self.right:.6g}"
        worst = f"{differ}, {self.worst_cell} most" if self.different > 1 else differ
        return f"{worst}: {numbers}."


def compared(
    scenario: Scenario, program: Program, line: Instruction, tensors: Mapping[str, Array]
) -> Comparison | None:
    """Compare a line with the rule's from the tensors before it; None if it is the rule's own."""
    if line.rule is None or line.kernel is None:
        return None
    right = reference(line, tensors)
    if right is None:
        return None
    with np.errstate(all="ignore"):
        own = np.asarray(line.kernel(tensors))
        apart = _apart(own, right)
    differs = apart > _rounding(own, right)
    count = int(differs.sum())
    if not count:
        return Comparison(line.writes[0], line.code, line.rule, right, 0)
    worst = tuple(int(at) for at in np.unravel_index(int(apart.argmax()), apart.shape))
    return Comparison(
        line.writes[0],
        line.code,
        line.rule,
        right,
        count,
        worst,
        own[worst].item(),
        right[worst].item(),
        _mistake(scenario, program, line, tensors, own),
    )


def _apart(own: Array, right: Array) -> Array:
    """Return how far two arrays are apart; what one of them alone has no number for, infinitely."""
    own64, right64 = np.asarray(own, np.float64), np.asarray(right, np.float64)
    apart = np.abs(own64 - right64)
    same = (own64 == right64) | (np.isnan(own64) & np.isnan(right64))
    return np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))


def _rounding(own: Array, right: Array) -> float:
    """Return a difference that may come from rounding alone."""
    if right.dtype.kind != "f":
        return 0.0
    finite = [np.abs(array[np.isfinite(array)]).max(initial=0.0) for array in (own, right)]
    return float(ROUNDING * np.finfo(right.dtype).eps * max(finite))


def _same(own: Array, other: Array) -> bool:
    if own.shape != other.shape:
        return False
    with np.errstate(all="ignore"):
        return bool((_apart(own, other) <= _rounding(own, other)).all())


# Which mistake it looks like


def _mistake(
    scenario: Scenario,
    program: Program,
    line: Instruction,
    tensors: Mapping[str, Array],
    own: Array,
) -> str:
    """Return the first mistake that gives these numbers; a classic one before a plain factor."""
    if own.size > MOST_CELLS:
        return ""
    assert line.rule is not None
    if name := _other_tensor(line, line.rule.as_shown, tensors, own):
        return name
    for description, array in _classic(scenario, program, line, tensors):
        if _same(own, array):
            return description
    right = reference(line, tensors)
    assert right is not None
    before = tensors.get(line.writes[0])
    if line.rule.phase is Phase.UPDATE and before is not None and before.shape == own.shape:
        return _factor(own - before, right - before, tensors, "The change")
    return _factor(own, right, tensors, "It")


def _other_tensor(
    line: Instruction, rule: Instruction, tensors: Mapping[str, Array], own: Array
) -> str:
    """Say which tensor stands in place of another, if that gives these numbers."""
    assert rule.kernel is not None
    for missing in rule.reads:
        if missing in line.reads:
            continue
        for other in line.reads:
            if other in rule.reads or tensors[other].shape != tensors[missing].shape:
                continue
            with np.errstate(all="ignore"):
                made = np.asarray(rule.kernel({**tensors, missing: tensors[other]}))
            if _same(own, made):
                return f"{other} stands where {missing} belongs."
    return ""


def _classic(
    scenario: Scenario, program: Program, line: Instruction, tensors: Mapping[str, Array]
) -> Iterator[tuple[str, Array]]:
    """Yield each classic mistake that can be made in the rule's line, and what it gives."""
    rule = line.rule
    assert rule is not None
    own = [each.rule or each for each in program.instructions]
    position = next(at for at, each in enumerate(own) if each is rule)
    rules = program.with_lines(dict(enumerate(own)))
    alike = [each for each in own if (each.phase, each.writes) == (rule.phase, rule.writes)]
    nth = next(at for at, each in enumerate(alike, 1) if each is rule)
    for row in MISTAKES.values():
        wrong = row.wrong(rules, own[position])
        if wrong is None:
            continue
        text = f"{rule.writes[0]} = {wrong}"
        try:
            made = overriding(scenario, rules, text, 0, rule.phase, nth)
        except OverrideError:
            continue
        assert made.instruction.kernel is not None
        with np.errstate(all="ignore"):
            yield row.description, np.asarray(made.instruction.kernel(tensors))


def _factor(own: Array, right: Array, tensors: Mapping[str, Array], what: str) -> str:
    """Say that it is the same multiple of the rule's in every cell, or its transpose."""
    if own.ndim == 2 and own.shape == own.T.shape and _same(own, right.T):
        return f"{what} is the rule's transposed."
    loud = np.abs(right) > _rounding(own, right)
    if not loud.any() or not np.isfinite(own).all():
        return ""
    ratios = own[loud] / right[loud]
    ratio = float(np.median(ratios))
    if not _same(own, (ratio * right).astype(own.dtype)):
        return ""
    rows = len(tensors["x"]) if "x" in tensors and tensors["x"].ndim else 1
    if abs(ratio + 1) < 1e-9:
        return f"{what} has the opposite sign of the rule's."
    if abs(ratio) < 1e-9:
        return f"{what} is 0, and the rule's is not."
    if rows > 1 and abs(ratio * rows - 1) < 1e-6:
        return f"{what} is the rule's divided by {rows}, the rows of the batch."
    if rows > 1 and abs(ratio / rows - 1) < 1e-6:
        return f"{what} is {rows} times the rule's: the batch has {rows} rows."
    return f"{what} is {ratio:.6g} times the rule's, in every cell."
