"""Faults are looked for in arrears, many passes at a time, while what was written is at hand."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from nnstep.engine.history.timeline import Timeline
from nnstep.engine.machine import Record
from nnstep.engine.scenario.model import Scenario

if TYPE_CHECKING:
    from nnstep.engine.faults.monitor import Monitor


class Examination:
    """Has what a timeline runs for the first time examined, and notes the faults on its branch."""

    def __init__(self, timeline: Timeline, scenario: Scenario) -> None:
        self._timeline = timeline
        self._scenario = scenario
        self._records: list[Record] = []
        # The position up to which the pass under way has been examined.
        self._position = 0

    @cached_property
    def _monitor(self) -> "Monitor":
        """What knows the faults; it is made when there is something to examine."""
        from nnstep.engine.faults.monitor import Monitor

        return Monitor(self._scenario, self._timeline.program)

    def finished_pass(self, iteration: int, record: Record) -> None:
        """Take note of the pass just finished; examine when there are enough of them."""
        if iteration != self._timeline.current.examined + len(self._records):
            return  # it is run again
        self._records.append(record)
        if len(self._records) >= self._monitor.block:
            self._examine_finished()

    def examine(self) -> None:
        """Examine all that is left, the pass under way included."""
        if not self._timeline.keeps:
            return
        if self._records:
            self._examine_finished()
        timeline, branch = self._timeline, self._timeline.current
        iteration, position = divmod(timeline.place, len(timeline.program))
        if iteration == branch.examined and position > self._position:
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
            plain = next((i for i in range(len(records)) if branch.examined + i in edited), None)
            count = len(records) if plain is None else max(1, plain)
            self._examine(branch.examined, records[:count], self._position)
            self._position = 0
            branch.examined += count
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
        branch.faults += self._monitor.examine(first, records, before, losses, branch.faults, start)
