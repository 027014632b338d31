"""A trigger is a breakpoint or a watchpoint made ready: at which lines to look, and for what.

A breakpoint stops before its line, or before the first line of its phase or layer. But a condition
that reads what those lines write is about their result: it is looked at once they have run. And
what a pass writes only later would be of the pass before: a condition is looked at where all that
it reads has been written.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.language.computing import Compute, computing
from nnstep.engine.language.evaluate import COUNTS, check_names, evaluated, holds, names_in
from nnstep.engine.language.nodes import ConditionError, Node
from nnstep.engine.language.parser import parse_condition
from nnstep.engine.language.typed import braced
from nnstep.engine.machine.clock import Clock
from nnstep.engine.machine.live import live
from nnstep.engine.program.program import Program

from .points import UNTIL, Breakpoint, Point, Watchpoint, spans_of

Values = Mapping[str, Any]


def counts_at(clock: Clock, step: int) -> dict[str, int]:
    """Return the counts of a step."""
    return {"iteration": clock.iteration(step), "epoch": clock.epoch(step), "step": step}


def values_at(program: Program, clock: Clock, step: int, tensors: Mapping[str, Array]) -> Values:
    """Return what conditions may name: the counts of a step, the loss, and the live tensors."""
    named: dict[str, Any] = {**counts_at(clock, step)}
    if program.loss in tensors:
        named["loss"] = tensors[program.loss]
    values = live(tensors).again()
    values.update((name, value) for name, value in named.items() if name not in tensors)
    return values


def loss_named(name: str, program: Program) -> str:
    """Return the tensor that a name means: `loss` is the loss, unless a tensor is called so."""
    return name if name in program.tensors else program.loss


def tensors_in(nodes: Iterable[Node], program: Program) -> frozenset[str]:
    """Return the tensors that expressions read."""
    return tensors_named(frozenset[str]().union(*map(names_in, nodes)), program)


def tensors_named(names: frozenset[str], program: Program) -> frozenset[str]:
    """Return the tensors among the names that an expression reads."""
    loss = {program.loss} if "loss" in names else set()
    return (names - COUNTS) | loss


def written_at(names: Collection[str], program: Program) -> int:
    """Return the position of the line after which a pass has written all of some tensors.

    It is -1 if it writes none of them anew.
    """
    return max((program.renewed.get(name, -1) for name in names), default=-1)


def parsed(text: str, program: Program) -> Node:
    """Parse a condition about a program; raise `GrammarError` or `ConditionError`."""
    node = parse_condition(text)
    check_names(node, program.tensors)
    return node


class Trigger:
    """Looks `before` and `after` some lines; `reads` are the names that an edit could change.

    The point is one that has been checked (`points.checked`).
    `look` says what is seen at a place, and `fires` whether to stop, given what was seen before.
    """

    def __init__(self, point: Point, program: Program) -> None:
        self.point = point
        self.before: frozenset[int] = frozenset()
        self.after: frozenset[int] = frozenset()
        self.reads: frozenset[str] = frozenset()
        # All names that are read of tensors, as they are written: `loss` too.
        self.names: frozenset[str] = frozenset()
        # The lines at which the listing shows it.
        self.lines: frozenset[int] = frozenset()
        # Whether what it reads is written only after the line that it is set at.
        self.waits = False
        # Whether it names the iteration, the epoch or the step.
        self.counts = False
        # Why it cannot be evaluated: its shapes do not fit. Then it stops, to say so.
        self.problem = ""
        self._program = program
        self._condition: Compute | None = None
        match point:
            case Breakpoint(at=None):
                assert point.when is not None, "a checked breakpoint has one of them"
                self._look_everywhere(parse_condition(point.when))
            case Breakpoint():
                self._look_at(point)
            case Watchpoint():
                self._look_everywhere(parse_condition(point.expression))

    def _look_everywhere(self, node: Node) -> None:
        """Look wherever the value of an expression can change."""
        self._condition = computing(node)
        self.reads = self._tensors_in([node])
        first = written_at(self.reads, self._program)
        lines = self._program.instructions
        self.after = frozenset(
            i
            for i, line in enumerate(lines)
            if i >= first and not self.reads.isdisjoint(line.writes)
        )
        names = names_in(node)
        if "step" in names:
            self.before = frozenset(range(first + 1, len(lines)))
        elif names & {"iteration", "epoch"} and first < 0:
            self.before = frozenset({0})

    def _look_at(self, point: Breakpoint) -> None:
        """Look before a stretch of lines, or after it if its results are asked for."""
        assert point.at is not None, "that is the other kind"
        nodes = [] if point.when is None else [parse_condition(point.when)]
        self._condition = computing(nodes[0]) if nodes else None
        nodes += [parse_condition(text) for _, text in braced(point.log or "")]
        reads = self._tensors_in(nodes)
        before, after = set(), set()
        spans = spans_of(point.at, self._program)
        self.lines = frozenset(first for first, _ in spans)
        for first, end in spans:
            lines = self._program.instructions[first:end]
            written = [name for line in lines for name in line.writes]
            here = -1 if reads.isdisjoint(written) else end - 1
            later = written_at(reads, self._program)
            if max(here, later) < first:
                before.add(first)
            else:
                after.add(max(here, later))
                self.waits |= later >= end
        self.before, self.after = frozenset(before), frozenset(after)

    def _tensors_in(self, nodes: Collection[Node]) -> frozenset[str]:
        names = frozenset[str]().union(*map(names_in, nodes))
        self.names = frozenset(n for n in names if n in self._program.tensors or n == "loss")
        self.counts = bool(names & (COUNTS - {"loss"}))
        return tensors_in(nodes, self._program)

    @property
    def is_logging(self) -> bool:
        """Whether it prints something and does not stop."""
        return isinstance(self.point, Breakpoint) and self.point.log is not None

    @property
    def is_watching(self) -> bool:
        """Whether what was seen before matters; then edits are looked at too."""
        return isinstance(self.point, Watchpoint) or self.point.at is None

    def step_looked_at(self, place: int) -> int:
        """Return the step whose counts hold at a place: the next, or the one just executed."""
        before = place % len(self._program) in self.before or place == 0
        return place if before else place - 1

    def look(self, values: Values) -> Any:
        """Return what is seen: whether a condition holds, or the value of a watched expression.

        NumPy's warnings are the caller's to turn off.
        """
        if self._condition is None:
            return True
        self.problem = ""
        try:
            if isinstance(self.point, Breakpoint):
                return holds(self._condition, values)
            return np.asarray(evaluated(self._condition, values))
        except KeyError:
            return None
        except ConditionError as error:
            self.problem = str(error)
            return None

    def fires(self, seen: Any, now: Any) -> bool:
        """Tell whether what is seen now, and was seen the last time, is a reason to stop."""
        if self.problem:
            return True
        match self.point:
            case Breakpoint(at=None, number=number):
                return bool(now) and (number == UNTIL or not seen)
            case Breakpoint():
                return bool(now)
            case Watchpoint(mode="changes"):
                return not _same(seen, now)
            case Watchpoint(value=value):
                return _crossed(seen, now, value)


def _same(one: Array | None, other: Array | None) -> bool:
    """Tell whether two values are the same; NaN is the same as NaN."""
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=True))


def _crossed(one: Array | None, other: Array | None, value: float) -> bool:
    """Tell whether any element has gone from one side of a value to the other, or onto it."""
    if one is None or other is None or one.shape != other.shape:
        return False
    return bool(np.any(np.sign(one - value) * np.sign(other - value) < 0)) or bool(
        np.any((one != value) & (other == value))
    )


def lines_looked_at(triggers: Collection[Trigger], length: int) -> tuple[int, ...]:
    """Return the positions at which at least one of the triggers looks, in order."""
    positions: set[int] = set()
    for trigger in triggers:
        positions |= trigger.before
        positions |= {(line + 1) % length for line in trigger.after}
    return tuple(sorted(positions))
