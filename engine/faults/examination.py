"""Has what a timeline runs examined, some passes behind the run, and keeps the faults by branch."""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.history.branch import Branch
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.machine.edit import Override, edited_copies
from nnstep.engine.machine.live import live
from nnstep.engine.machine.step import Record
from nnstep.engine.scenario.model import Scenario

from .fault import Fault, explained, merged

if TYPE_CHECKING:
    from .monitor import Monitor


class _Found(Struct, frozen=True):
    """The faults of a branch: those of its passes before `examined`, and of the one under way.

    Of that one, the lines before `position` have been looked at.
    """

    faults: tuple[Fault, ...] = ()
    examined: int = 0
    position: int = 0

    def until(self, place: int, steps_per_iteration: int) -> "_Found":
        """Return what of this holds where only what comes before a place is the same.

        The pass under way there is looked at again: with another parameter, its faults may be
        others, and how many of its lines pass one on is counted again.
        """
        iteration = place // steps_per_iteration
        faults = tuple(
            replace(fault, passed_on=0) if fault.iteration == iteration else fault
            for fault in self.faults
            if fault.place <= place
        )
        return _Found(faults, min(self.examined, iteration))


class Examination:
    """Has what a timeline runs for the first time examined, and keeps the faults by branch."""

    def __init__(self, timeline: Timeline, scenario: Scenario) -> None:
        self._timeline = timeline
        self._scenario = scenario
        self._found: WeakKeyDictionary[Branch, _Found] = WeakKeyDictionary()
        timeline.forgetting.append(self._forget)
        # What finished passes wrote that are not examined; the first after those that are examined
        # now, which of them were run again for it, and whether those last examined had to be.
        self._records: list[Sequence[Array]] = []
        self._end = 0
        self._run_again: dict[int, Record] = {}
        self._asked = False
        # The tensors at the beginning of the first pass that is not examined, what it is, and the
        # branch that came there first.
        self._start: tuple[Branch, int, Mapping[str, Array]] | None = None

    @cached_property
    def _monitor(self) -> "Monitor":
        """What knows the faults; it is made, and the rules imported, to examine something."""
        from .monitor import Monitor

        return Monitor(self._scenario, self._timeline.first_program)

    def _found_on(self, branch: Branch) -> _Found:
        """Return what has been found on a branch; at first, what its parent had where it left."""
        found = self._found.get(branch)
        if found is None:
            inherited = self._found_on(branch.parent) if branch.parent else _Found()
            found = inherited.until(branch.fork, len(self._timeline.program))
            self._found[branch] = found
        return found

    def _forget(self, branch: Branch, place: int) -> None:
        steps = len(self._timeline.program)
        if self._start and self._start[0] is branch and self._start[1] * steps >= place:
            self._start = None
        self._found[branch] = self._found_on(branch).until(place, steps)

    def faults_of(self, branch: Branch) -> tuple[Fault, ...]:
        """Return the faults found on a branch so far, up to the furthest place it has reached."""
        newest = self._timeline.reached(branch)
        found = self._found_on(branch).faults
        return explained(fault for fault in found if fault.place <= newest)

    @property
    def alarms(self) -> list[Fault]:
        """The faults of the present branch that stop a run, wherever they show."""
        found = self._found_on(self._timeline.current)
        return [fault for fault in explained(found.faults) if fault.level == "stop"]

    def finished(self, first: int, records: Sequence[Record]) -> None:
        """Take note of passes just finished; examine when there are enough of them."""
        known = self._examined + len(self._records) - first
        if not 0 <= known < len(records):
            return  # they are run again
        self._hold(records[known:])
        if len(self._records) >= self._monitor.block:
            self._examine_finished()
            self._hold_start(first + len(records))

    def _hold_start(self, iteration: int) -> None:
        """Hold the tensors at the beginning of the pass that is examined next, which is here."""
        timeline = self._timeline
        tensors: Mapping[str, Array] = timeline.machine.give()
        if self._lets_go:
            again = partial(timeline.tensors_at, timeline.place)
            tensors = self._monitor.start(tensors, again)
        self._start = timeline.current.at(timeline.place), iteration, tensors

    @property
    def _lets_go(self) -> bool:
        """Whether only what is looked at is held of large passes.

        If some of those examined last had to be run again for it, the next may have to be, too.
        """
        return not self._asked and self._monitor.has_listed(self._timeline.program)

    def _hold(self, records: Sequence[Record]) -> None:
        """Hold what passes wrote until they are examined.

        Of all large passes but the last that may be only what is looked at.
        """
        monitor, held, lets_go = self._monitor, self._records, self._lets_go
        if not monitor.has_large:
            held += records
            return
        for record in records:
            if held and lets_go:
                monitor.let_go(held[-1], partial(self._again, self._examined + len(held) - 1))
            held.append(monitor.seen(record))

    def _again(self, iteration: int) -> Record:
        """Return what a pass wrote that is examined now; it is run again, with those after it."""
        if iteration not in self._run_again:
            records = self._timeline.records(iteration, self._end - iteration)
            self._run_again = dict(enumerate(records, iteration))
        return self._run_again[iteration]

    @property
    def _examined(self) -> int:
        return self._found_on(self._timeline.current).examined

    def examine(self) -> None:
        """Examine all that is left, the pass under way included."""
        if not self._timeline.keeps:
            return
        timeline = self._timeline
        iteration, position = divmod(timeline.place, len(timeline.program))
        if self._records:
            self._examine_finished()
        found = self._found_on(timeline.current)
        if iteration == found.examined and position > found.position:
            written = timeline.machine.written[: timeline.program.counts[position]]
            self._examine(iteration, [written], found.position)
            self._note(position=position)

    def _note(self, **more: Any) -> None:
        """Note of the present branch what has been found, or how far it has been examined."""
        branch = self._timeline.current
        self._found[branch] = replace(self._found_on(branch), **more)

    def _examine_finished(self) -> None:
        """Examine the finished passes, those in which there was an edit by themselves."""
        branch, steps = self._timeline.current, len(self._timeline.program)
        records, self._records = self._records, []
        self._end = self._examined + len(records)
        begin = self._examined * steps
        edits = branch.edits_until(begin + len(records) * steps, after=begin - 1)
        edited = {edit.place // steps for edit in edits}
        rest = records
        while rest:
            found = self._found_on(branch)
            first = found.examined
            plain = next((i for i in range(len(rest)) if first + i in edited), None)
            count = len(rest) if plain is None else max(1, plain)
            self._examine(first, rest[:count], found.position)
            self._note(examined=first + count, position=0)
            rest = rest[count:]
        self._asked, self._run_again = self._monitor.has_asked(records), {}

    def _tensors_before(self, iteration: int) -> Mapping[str, Array]:
        """Return the tensors at the beginning of a pass, as its faults are judged by them.

        Edits made there are in them, and those made in it so far of parameters: what an update is
        compared with is what a person has put there meanwhile.
        """
        timeline, steps = self._timeline, len(self._timeline.program)
        branch, begin = timeline.current, iteration * steps
        course = branch.at(begin)
        if self._start is None or self._start[:2] != (course, iteration):
            self._start = course, iteration, timeline.tensors_at(begin)
        last = max(begin, min(timeline.place, begin + steps) - 1)
        parameters = timeline.program.parameters
        edits = [
            edit
            for edit in branch.lasting(last, after=begin - 1)
            if edit.place == begin or edit.name in parameters
        ]
        if not edits:
            return self._start[2]
        tensors = live(self._start[2]).again()
        tensors.update(edited_copies(edits, tensors))
        return tensors

    def _examine(self, first: int, records: Sequence[Sequence[Array]], start: int) -> None:
        """Examine the records of passes from the `first` on, of that from a position on."""
        timeline, branch = self._timeline, self._timeline.current
        steps = len(timeline.program)
        begin, end = first * steps, (first + len(records)) * steps
        before = self._tensors_before(first)
        monitor, losses, found = self._monitor, branch.losses.view(), self._found_on(branch)
        as_listed = monitor.has_listed(timeline.program) and not any(
            edit.place < end or isinstance(edit, Override)
            for edit in branch.edits_until(timeline.place, after=begin - 1)
        )
        new = monitor.examine(
            first, records, before, losses, found.faults, start, as_listed=as_listed
        )
        if new:
            self._note(faults=merged(found.faults, new))
