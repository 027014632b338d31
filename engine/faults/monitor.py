"""Looks for faults behind the run, in blocks of passes, and keeps those found by branch."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, pairwise
from weakref import WeakKeyDictionary

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.history.branch import Branch
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.machine.machine import Record
from nnstep.engine.program.program import Phase, Program, run
from nnstep.engine.scenario.model import Data, Scenario

from .fault import NON_FINITE, Fault, Key, fault_key
from .measures import Arrangements, Block, Context, Pass, Written, yardstick
from .rules import Finding, Rule, rules_of

ROWS = 64
"""The most rows of a sample, and those of a batch that speaks for all the data."""


class Sample:
    """Rows of the data, and what a pass would have written for them in place of its batch."""

    def __init__(self, scenario: Scenario, written: Written, data: Data) -> None:
        self._written = written
        self._of = len(data.x)
        rows = np.random.default_rng(0).permutation(len(data.x))[:ROWS]
        self._batch = data.x[rows], data.y[rows]
        network = scenario.network
        self._sums = network is not None and network.loss.reduction == "sum"
        gradients, parameters = written.program.gradients, written.program.parameters
        found = (written.last(gradients[name], Phase.BACKWARD) for name in parameters)
        self._gradients = {place[1] for place in found if place}

    def is_wanted(self, case: Pass) -> bool:
        """Tell whether the batch of a pass has few of the rows that there are."""
        return len(case.record[0]) < min(ROWS, self._of)

    def pass_like(self, case: Pass, position: int) -> Pass | None:
        """Return a pass with the sample for its batch, up to the instruction at a position.

        A gradient that is a sum over rows is brought to the rows of the batch. None if an
        expression cannot be computed for as many rows.
        """
        batch, *lines = self._written.program.instructions[: position + 1]
        scale = len(case.record[0]) / len(self._batch[0]) if self._sums else 1.0
        tensors = {**case.before, **dict(zip(batch.writes, self._batch, strict=True))}
        record: list[Array] = list(self._batch)

        def recorded(array: Array) -> Array:
            if len(record) in self._gradients and scale != 1:
                array = (array * scale).astype(array.dtype)
            record.append(array)
            return array

        try:
            run(lines, tensors, recorded)
        except (ValueError, IndexError):
            return None
        return replace(case, record=record)


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


class _Found(Struct, frozen=True):
    """The faults of a branch: those of its passes before `examined`, and of the one under way."""

    faults: tuple[Fault, ...] = ()
    examined: int = 0

    def until(self, place: int, steps_per_iteration: int) -> "_Found":
        """Return what of this holds where only what comes before a place is the same."""
        faults = tuple(fault for fault in self.faults if fault.place <= place)
        return _Found(faults, min(self.examined, place // steps_per_iteration))


class Examination:
    """Has what a timeline runs for the first time examined, and keeps the faults by branch."""

    def __init__(self, timeline: Timeline, scenario: Scenario) -> None:
        self._timeline = timeline
        self._scenario = scenario
        self._found: WeakKeyDictionary[Branch, _Found] = WeakKeyDictionary()
        timeline.forgetting.append(self._forget)
        self._records: list[Record] = []
        # The position up to which the pass under way has been examined.
        self._position = 0

    @cached_property
    def _monitor(self) -> "Monitor":
        """What knows the faults; it is made when there is something to examine."""
        return Monitor(self._scenario, self._timeline.program)

    def _found_on(self, branch: Branch) -> _Found:
        """Return what has been found on a branch; at first, what its parent had where it left."""
        if branch not in self._found:
            inherited = self._found_on(branch.parent) if branch.parent else _Found()
            self._found[branch] = inherited.until(branch.fork, len(self._timeline.program))
        return self._found[branch]

    def _forget(self, branch: Branch, place: int) -> None:
        self._found[branch] = self._found_on(branch).until(place, len(self._timeline.program))

    def faults_of(self, branch: Branch) -> tuple[Fault, ...]:
        """Return the faults found on a branch so far, up to the furthest place it has reached."""
        newest = self._timeline.reached(branch)
        return tuple(fault for fault in self._found_on(branch).faults if fault.place <= newest)

    @property
    def alarms(self) -> list[Fault]:
        """The faults of the present branch that stop a run, wherever they show."""
        found = self._found_on(self._timeline.current)
        return [fault for fault in found.faults if fault.level == "stop"]

    def finished_pass(self, iteration: int, record: Record) -> None:
        """Take note of the pass just finished; examine when there are enough of them."""
        if iteration != self._examined + len(self._records):
            return  # it is run again
        self._records.append(record)
        if len(self._records) >= self._monitor.block:
            self._examine_finished()

    @property
    def _examined(self) -> int:
        return self._found_on(self._timeline.current).examined

    def examine(self) -> None:
        """Examine all that is left, the pass under way included."""
        if not self._timeline.keeps:
            return
        if self._records:
            self._examine_finished()
        timeline = self._timeline
        iteration, position = divmod(timeline.place, len(timeline.program))
        if iteration == self._examined and position > self._position:
            self._examine(iteration, [tuple(timeline.machine.written)], self._position)
            self._position = position

    def leave(self) -> None:
        """Examine all that is left before the timeline is taken to another place."""
        self.examine()
        self._position = 0

    def _examine_finished(self) -> None:
        """Examine the finished passes, those in which there was an edit by themselves."""
        branch, steps = self._timeline.current, len(self._timeline.program)
        edited = {edit.place // steps for edit in branch.edits}
        records, self._records = self._records, []
        while records:
            first = self._examined
            plain = next((i for i in range(len(records)) if first + i in edited), None)
            count = len(records) if plain is None else max(1, plain)
            self._examine(first, records[:count], self._position)
            self._position = 0
            self._found[branch] = replace(self._found_on(branch), examined=first + count)
            records = records[count:]

    def _examine(self, first: int, records: Sequence[Record], start: int) -> None:
        """Examine the records of passes from the `first` on, of that from a position on."""
        timeline, branch = self._timeline, self._timeline.current
        steps = len(timeline.program)
        before = timeline.tensors_at(first * steps)
        for edit in branch.edits:
            # What an update is compared with is what a person has put there meanwhile.
            here = first * steps < edit.place < min(timeline.place, (first + 1) * steps)
            if here and edit.name in timeline.program.parameters:
                edit.apply(before)
        losses = branch.losses.view()
        found = self._found_on(branch)
        new = self._monitor.examine(first, records, before, losses, found.faults, start)
        self._found[branch] = replace(found, faults=found.faults + new)
