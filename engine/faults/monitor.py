"""The monitor examines what a run has written, and names the faults that it finds.

It works in arrears, on blocks of passes: cheap measures of all of them together tell nearly always
that nothing is wrong, and only a pass that they cannot clear is looked at closely. What it finds
does not depend on how a run is divided into blocks.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, pairwise

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.machine import Record
from nnstep.engine.program.instruction import Program
from nnstep.engine.scenario.model import Scenario

from .block import Block, Context, Pass
from .fault import NON_FINITE, Fault, Key, fault_key
from .recent import yardstick
from .rule import Finding, Rule
from .rules import rules_of
from .sample import Sample
from .together import Arrangements
from .written import Written

# More passes at a time make less work, as long as what was written is still in the cache.
_MOST_IN_BLOCK, _NUMBERS_IN_CACHE = 64, 1 << 19
# Some are worth that even of large passes, as long as these and the one before are remembered.
_SOME_IN_BLOCK, _NUMBERS_REMEMBERED = 8, 1_900_000

# Where there is a value that is not finite, all that follows from it is no news.
_END = fault_key(NON_FINITE, None)


class Monitor:
    """The rules for a scenario and its program; the same for all branches of its run."""

    def __init__(self, scenario: Scenario, program: Program) -> None:
        clip = scenario.optimizer.clip if scenario.optimizer else None
        self._written = Written(program, clips_values=bool(clip and clip.kind == "value"))
        self._arrangements = Arrangements(self._written.computed)
        measured_by = yardstick(scenario)
        self._context = Context(self._written, self._arrangements, measured_by)
        self._sample = Sample(scenario, self._written, scenario.data) if scenario.data else None
        # Those that each instruction decides.
        self._rules: list[list[Rule]] = [[] for _ in program.instructions]
        for rule in rules_of(scenario, self._written, measured_by):
            self._rules[rule.position].append(rule)

    @property
    def block(self) -> int:
        """How many passes are best examined together, 1 to 64: the more, the smaller they are.

        It is 1 until the first pass has shown how large they are.
        """
        numbers = self._arrangements.largest_pass
        if not numbers:
            return 1
        some = min(_SOME_IN_BLOCK, _NUMBERS_REMEMBERED // numbers - 1)
        return max(1, some, min(_MOST_IN_BLOCK, _NUMBERS_IN_CACHE // numbers))

    def examine(
        self,
        first: int,
        records: Sequence[Record],
        before: Mapping[str, Array],
        losses: Array,
        known: Collection[Fault],
        start: int = 0,
    ) -> tuple[Fault, ...]:
        """Return the faults that are not among those `known`, in order of their places.

        `records` hold what passes wrote, from that of iteration `first` on; the last may be
        incomplete. `before` are the tensors at the start of the first, and `losses` those of all
        iterations, shape `(iterations,)`. Positions of the first pass below `start` have been
        examined already.
        """
        if len(records[0]) == len(self._written.names):
            self._arrangements.of(records[0])  # `block` is to know it
        keys = {fault.key for fault in known}
        found: list[Fault] = []
        with np.errstate(all="ignore"):
            for block in self._blocks(first, records, before, losses, start):
                for fault in self._faults_of(block, keys):
                    if fault.key not in keys and _END not in keys:
                        keys.add(fault.key)
                        found.append(fault)
        return tuple(found)

    def _blocks(
        self,
        first: int,
        records: Sequence[Record],
        before: Mapping[str, Array],
        losses: Array,
        start: int,
    ) -> Iterator[Block]:
        """Yield blocks of whole passes, and by itself a pass that is to be examined in part."""
        whole = len(self._written.names)
        cuts = {0, len(records)}
        if start:
            cuts.add(1)
        if len(records[-1]) < whole:
            cuts.add(len(records) - 1)
        for low, high in pairwise(sorted(cuts)):
            live = before if low == 0 else {**before, **self._written.tensors(records[low - 1])}
            yield Block(
                self._context,
                first + low,
                records[low:high],
                live,
                losses,
                start if low == 0 else 0,
            )

    def _faults_of(self, block: Block, known: Collection[Key]) -> list[Fault]:
        """Return the first fault of every rule in a block, in order of their places."""
        if _END in known:
            return []
        faults: list[Fault] = []
        for rule in chain.from_iterable(self._rules[block.start : block.stop]):
            if rule.key not in known:
                suspects = rule.suspects(block)
                if suspects is not None and suspects.any():
                    faults += self._first(rule, block, suspects)
        return sorted(faults, key=lambda fault: fault.place)

    def _first(self, rule: Rule, block: Block, suspects: Array) -> Iterator[Fault]:
        """Yield the fault of a rule in the first suspected pass that has it."""
        known_losses = int(rule.position > self._written.loss)
        if rule.gated:
            suspects = suspects & ~block.recent.is_low(known_losses, block.count)
        if rule.until_learned:
            suspects = suspects & ~block.recent.has_fallen(known_losses, block.count)
        for number in np.flatnonzero(suspects):
            case = block.pass_at(int(number))
            finding = rule.judge(case)
            if finding and self._is_confirmed(rule, case):
                yield self._fault(rule, case.iteration, finding)
                return

    def _is_confirmed(self, rule: Rule, case: Pass) -> bool:
        """Tell whether a rule holds for a sample too, where it does for a batch of few rows."""
        if not (rule.on_sample and self._sample and self._sample.is_wanted(case)):
            return True
        sampled = self._sample.pass_like(case, rule.position)
        return sampled is not None and rule.judge(sampled) is not None

    def _fault(self, rule: Rule, iteration: int, finding: Finding) -> Fault:
        return Fault(
            name=rule.name,
            layer=rule.layer,
            tensor=rule.tensor,
            place=iteration * len(self._written.program) + rule.position + 1,
            iteration=iteration,
            value=finding.value,
            threshold=finding.threshold,
            level=rule.level,
            advice=rule.advice,
            quantity=finding.quantity,
        )
