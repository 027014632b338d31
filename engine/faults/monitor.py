"""Looks for faults in blocks of passes: in all at once, then in one that is suspected."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.machine.step import Record
from nnstep.engine.program.program import Program
from nnstep.engine.scenario.model import Scenario

from .fault import Fault, merged
from .finite import NonFinite, all_finite, is_finite
from .passes import Group, Passes, Written, grouped
from .rule import Rule
from .rules import rules_of
from .sample import Sample
from .seen import LARGE, Seen, Start
from .yardstick import Gates, Recent, yardstick

# More passes at a time make less work, as long as what was written is still in the cache.
# A pause waits for a block to be examined: it has no more lines than so many.
_MOST_IN_BLOCK, _NUMBERS_IN_CACHE, _LINES_IN_BLOCK = 192, 1 << 18, 1 << 12
# Some are worth that even of large passes, as long as these and the one before are remembered, and
# a few even of long ones.
_SOME_IN_BLOCK, _FEW_IN_BLOCK, _NUMBERS_REMEMBERED = 16, 8, 1_900_000


class Monitor:
    """The rules for a scenario and its program; the same for all branches of its run.

    `block` is how many passes are best examined together.
    """

    def __init__(self, scenario: Scenario, program: Program) -> None:
        self._written = Written(program)
        self._measured_by = yardstick(scenario)
        self._non_finite = NonFinite(self._written, scenario.optimizer is not None)
        self._finite_data = scenario.data is None or all(
            array.dtype.kind != "f" or bool(np.isfinite(array).all())
            for array in (scenario.data.x, scenario.data.y)
        )
        self._sample = Sample(scenario, self._written, scenario.data) if scenario.data else None
        # In the order of the instructions that decide them.
        self._rules = rules_of(scenario, self._written, self._measured_by)
        self._keys = [rule.key for rule in self._rules]
        # Those that the same gates open, judged with the losses before a pass or with its own too.
        self._behind: dict[tuple[Gates, int], set[int]] = {}
        for number, rule in enumerate(self._rules):
            gates = rule.gates, int(rule.position > self._written.loss)
            self._behind.setdefault(gates, set()).add(number)
        self._positions = [rule.position for rule in self._rules]
        self._bounds: dict[tuple[tuple[int, ...], Shape, int], tuple[Array, Array, Array]] = {}
        # The more, the smaller they are; one, until the first has shown how large they are.
        self.block = 1

    def has_listed(self, program: Program) -> bool:
        """Tell whether a program is the one whose faults this knows."""
        return program is self._written.program

    @property
    def has_large(self) -> bool:
        """Whether passes compute anything of which only excerpts are looked at."""
        return self._written.has_large

    def seen(self, record: Record) -> Sequence[Array]:
        """Return the record of a pass as it is looked at."""
        return self._written.seen(record)

    def let_go(self, record: Sequence[Array], again: Callable[[], Record]) -> None:
        """Hold of a whole pass only what is looked at, if that is less; `again` runs it again."""
        if isinstance(record, Seen):
            record.let_go(again)

    def start(
        self, tensors: Mapping[str, Array], again: Callable[[], Mapping[str, Array]]
    ) -> Mapping[str, Array]:
        """Return what to hold of the tensors at the beginning of a pass, as in `let_go`."""
        return Start(tensors, again) if any(a.size > LARGE for a in tensors.values()) else tensors

    def has_asked(self, records: Sequence[Sequence[Array]]) -> bool:
        """Tell whether more had to be looked at of passes than is held of them."""
        return any(isinstance(record, Seen) and record.was_asked for record in records)

    def examine(
        self,
        first: int,
        records: Sequence[Sequence[Array]],
        before: Mapping[str, Array],
        losses: Array,
        known: Collection[Fault],
        start: int = 0,
        *,
        as_listed: bool = True,
    ) -> tuple[Fault, ...]:
        """Return the faults that are not among those `known`, in order of their places.

        `records` hold what passes wrote, from that of iteration `first` on; the last may be
        incomplete. `before` are the tensors at the start of the first, and `losses` those of all
        iterations, shape `(iterations,)`. Positions of the first pass below `start` have been
        examined already. Of a fault that is known and of the same pass, what has changed since is
        returned again: how many lines pass it on. The passes ran `as_listed` if their lines were
        those of the monitor's program, and nothing was edited in them.
        """
        if self.has_large:
            records = [self._written.seen(record) for record in records]
        if len(records[0]) == len(self._written.names):
            self.block = self._block_of(self._numbers(records[0]))
        found: tuple[Fault, ...] = ()
        with np.errstate(all="ignore"):
            for low, high in self._cuts(records, start):
                live = before if not low else {**before, **self._written.tensors(records[low - 1])}
                found += self._of_block(
                    first + low,
                    records[low:high],
                    live,
                    losses,
                    merged(tuple(known), found),
                    start if low == 0 else 0,
                    as_listed=as_listed,
                )
        return found

    def _numbers(self, record: Sequence[Array]) -> int:
        """Return how many numbers are held of what a pass computed."""
        held = record.held if isinstance(record, Seen) else record
        return sum(array.size for array in held[self._written.computed :])

    def _block_of(self, numbers: int) -> int:
        """Return how many passes of so many numbers are best examined together."""
        short = _LINES_IN_BLOCK // len(self._written.program)
        some = min(_SOME_IN_BLOCK, max(_FEW_IN_BLOCK, short), _NUMBERS_REMEMBERED // numbers - 1)
        most = min(_MOST_IN_BLOCK, _NUMBERS_IN_CACHE // numbers, short)
        return max(1, some, most)

    def _cuts(self, records: Sequence[Sequence[Array]], start: int) -> Iterator[tuple[int, int]]:
        """Yield where blocks begin and end: a pass to be examined in part is one by itself."""
        cuts = {0, len(records)}
        if start:
            cuts.add(1)
        if len(records[-1]) < len(self._written.names):
            cuts.add(len(records) - 1)
        return pairwise(sorted(cuts))

    def _of_block(
        self,
        first: int,
        records: Sequence[Sequence[Array]],
        before: Mapping[str, Array],
        losses: Array,
        known: Sequence[Fault],
        start: int,
        *,
        as_listed: bool,
    ) -> tuple[Fault, ...]:
        """Return the faults of whole passes, or of a single one from a position on."""
        written = self._written
        stop = written.position(len(records[0]))
        known_losses = losses[: first + len(records) - (stop <= written.loss)]
        keys = {fault.key for fault in known}
        decided = range(*(bisect_left(self._positions, at) for at in (start, stop)))
        due = [number for number in decided if self._keys[number] not in keys]
        is_whole = as_listed and start == 0 and stop == len(written.program)
        # Of a single line there is often nothing to judge.
        needed = due or is_whole
        groups = [*grouped(written, first, records, before, known_losses)] if needed else []
        recent = Recent(known_losses, first, self._measured_by)
        judged: dict[int, Array] = {}
        for gates, behind in self._behind.items():
            asked = [number for number in due if number in behind]
            if asked and (passes := recent.judged(*gates, len(records))) is not None:
                judged |= dict.fromkeys(asked, passes)
        faults = [
            fault
            for number, suspects in self._suspected(judged, groups)
            if (fault := self._first(self._rules[number], groups, suspects))
        ]
        if is_whole:
            finite = is_finite(written, records, (passes for _, passes in groups))
        else:
            finite = all(all_finite(written, record, start) for record in records)
        if not (finite and self._finite_data):
            faults += self._not_finite(first, records, before, known, start)
        return tuple(sorted(faults, key=lambda fault: fault.place))

    def _not_finite(
        self,
        first: int,
        records: Sequence[Sequence[Array]],
        before: Mapping[str, Array],
        known: Sequence[Fault],
        start: int,
    ) -> tuple[Fault, ...]:
        found: tuple[Fault, ...] = ()
        live = dict(before)
        for number, record in enumerate(records):
            begun = start if number == 0 else 0
            told = merged(known, found)
            found += tuple(self._non_finite.faults(first + number, record, live, told, begun))
            if number + 1 < len(records):
                live.update(self._written.tensors(record))
        return found

    def _suspected(
        self, judged: Mapping[int, Array], groups: Sequence[Group]
    ) -> Iterator[tuple[int, Array]]:
        """Yield the rules that may hold in some passes, and in which, shape `(passes,)`.

        Given are the numbers of rules and the passes in which each is judged.
        """
        if not judged:
            return
        rules = sorted(judged)
        suspected: dict[int, Array] = {}
        for numbers, passes in groups:
            measures = [self._rules[number].measure(passes) for number in rules]
            values = np.concatenate(measures).reshape(len(rules), -1)
            signs, limits, settled = self._bounds_of(rules, passes)
            values *= signs
            may = values >= limits
            if may.any():
                may &= (values < np.inf) & (passes.iterations >= settled)
            for at in np.flatnonzero(may.any(axis=1)):
                among = suspected.setdefault(rules[at], np.zeros_like(judged[rules[at]]))
                among[numbers] = may[at] & judged[rules[at]][numbers]
        for number in sorted(suspected):
            yield number, suspected[number]

    def _bounds_of(self, rules: Sequence[int], passes: Passes) -> tuple[Array, Array, Array]:
        """Return the signs of some rules, and what makes a pass suspect, each shape `(rules, 1)`.

        That is the measure times the sign, and the iteration, from which on it is.
        """
        record = passes.records[0]
        key = tuple(rules), record[0].shape, len(record)
        if key not in self._bounds:
            each = [self._rules[number] for number in rules]
            columns = zip(*((r.sign, r.limit(passes), r.settled) for r in each), strict=True)
            signs, limits, settled = (np.array(column)[:, np.newaxis] for column in columns)
            self._bounds[key] = signs, limits, settled
        return self._bounds[key]

    def _first(self, rule: Rule, groups: Sequence[Group], suspects: Array) -> Fault | None:
        """Return the fault of a rule in the first suspected pass that has it."""
        where = {n: (passes, at) for numbers, passes in groups for at, n in enumerate(numbers)}
        for number in np.flatnonzero(suspects):
            passes, at = where[int(number)]
            single = passes.one(at)
            value = rule.value(single)
            if value is not None and self._is_confirmed(rule, single):
                return self._fault(rule, int(single.iterations[0]), value)
        return None

    def _is_confirmed(self, rule: Rule, single: Passes) -> bool:
        """Tell whether a rule holds for a sample too, where it does for a batch of few rows."""
        if not (rule.on_sample and self._sample and self._sample.is_wanted(single)):
            return True
        sampled = self._sample.pass_like(single, rule.position)
        return sampled is not None and rule.value(sampled) is not None

    def _fault(self, rule: Rule, iteration: int, value: float) -> Fault:
        return Fault(
            name=rule.name,
            layer=rule.layer,
            tensor=rule.tensor,
            place=iteration * len(self._written.program) + rule.position + 1,
            iteration=iteration,
            value=value,
            threshold=rule.threshold,
            level=rule.level,
            advice=rule.advice,
            quantity=rule.quantity,
        )
