"""What drives a session: steps when told to, runs at a pace, and never keeps a key waiting.

A step that is done in no time is done at once. Whatever takes longer goes on in slices on another
thread, and while a slice is under way nothing else touches the session: keys that step wait in a
queue, and changes first stop the run and let the slice end.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Literal

from nnstep.engine import Session, parse_value
from nnstep.engine.arrays import Array, Shape
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.snapshot import Snapshot

Unit = Literal["op", "layer", "phase", "iteration"]

# Operations a second; None is as fast as it goes.
PACES: tuple[int | None, ...] = (1, 2, 5, 10, 30, 100, 1000, None)
DEFAULT_PACE = PACES.index(10)
# Up to this many operations a second, a reader can follow every one.
CALM_PACE = 10

# Of the steps that a held key asks for while one is under way, no more than these wait.
MOST_WAITING = 8

AT_ONCE = 0.02
FRAME = 0.1


class Control:
    """Owns the session of a scenario; `changed` is called whenever there is something new to show.

    `start` begins a coroutine in the background.
    """

    def __init__(
        self,
        scenario: Scenario,
        changed: Callable[[], None],
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._session = Session(scenario)
        self._changed = changed
        self._start_task = start
        self._queue: deque[Unit] = deque(maxlen=MOST_WAITING)
        self._pace = DEFAULT_PACE
        self._busy = False
        self._running = False
        self._stopping = False
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.snapshot: Snapshot = self._session.snapshot()

    @property
    def pace(self) -> str:
        """The speed of a run in words."""
        operations = PACES[self._pace]
        if operations is None:
            return "flat out"
        return "1 op/s" if operations == 1 else f"{operations} ops/s"

    @property
    def activity(self) -> str:
        """What is going on, empty for nothing."""
        if self._running:
            return f"running, {self.pace}"
        return "computing" if self._busy else ""

    @property
    def seed(self) -> int:
        """What parameters and batches are drawn from."""
        return self._session.seed

    @property
    def is_busy(self) -> bool:
        """Whether something goes on in the background."""
        return self._busy

    @property
    def is_calm(self) -> bool:
        """Whether a reader can follow every step."""
        pace = PACES[self._pace]
        return not self._running or (pace is not None and pace <= CALM_PACE)

    # Forwards.

    def step(self, unit: Unit) -> None:
        """Execute to the end of a unit; during a run, stop that first."""
        if self._busy:
            self._queue.append(unit)
            if self._running:
                self._stop()
            return
        before = self.snapshot.tensors
        if self._session.advance(unit, None if unit == "op" else AT_ONCE):
            self._show(before)
        else:
            self._begin(self._finish(unit, before))

    def toggle_run(self) -> None:
        """Run, or pause if anything is under way."""
        if self._busy:
            self.pause()
        else:
            self._running = True
            self._begin(self._run())

    def pause(self) -> None:
        """Have all that is under way, or was asked for meanwhile, end after this instruction."""
        self._queue.clear()
        self._stop()

    def _stop(self) -> None:
        if self._busy:
            self._stopping = True
            self._session.interrupt()
            self._wake.set()

    def change_pace(self, faster: int) -> None:
        """Go up (1) or down (-1) the list of paces."""
        self._pace = min(max(self._pace + faster, 0), len(PACES) - 1)
        self._wake.set()
        self._changed()

    # Changes: each waits until nothing is under way.

    async def settle(self) -> None:
        """Pause and wait until the session is free, then take its state."""
        self.pause()
        await self._idle.wait()

    async def edit(self, name: str, index: Shape, text: str) -> None:
        """Change one value, from here on, to the number that someone typed.

        Raises `EditError`, a `ValueError` fit to show, if it is none or does not fit.
        """
        await self.settle()
        before = self.snapshot.tensors
        self._session.edit(name, index, parse_value(text))
        self._show(before)

    async def undo(self) -> str:
        """Take the last change back and return the cell that it had changed."""
        await self.settle()
        before = self.snapshot.tensors
        cell = self._session.undo()
        self._show(before)
        return cell

    async def restart(self, seed: int | None = None) -> int:
        """Start again, with the same seed or another, and return the seed."""
        await self.settle()
        self._session.restart(seed)
        self._show({})
        return self._session.seed

    # In the background.

    def _show(self, before: Mapping[str, Array]) -> None:
        """Take a snapshot, changes counted from `before`, and have it shown."""
        self.snapshot = self._session.snapshot(before)
        self._changed()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._busy, self._stopping = True, False
        self._wake.clear()
        self._idle.clear()
        self._changed()
        self._start_task(self._through(work))

    async def _through(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, then the steps that were asked for meanwhile."""
        try:
            await work
        finally:
            self._busy = self._running = False
            self._idle.set()
        self._changed()
        while self._queue and not self._busy:
            self.step(self._queue.popleft())

    async def _finish(self, unit: Unit, before: Mapping[str, Array]) -> None:
        """Go on with a unit until it is complete."""
        done = False
        while not done and not self._stopping:
            done = await asyncio.to_thread(self._session.advance, unit, FRAME)
            self._show(before)

    async def _run(self) -> None:
        """Run to the end at the pace of the moment, showing at most ten snapshots a second.

        Where a reader can follow, changes are those of the step; else, those since the run began.
        """
        beginning = self.snapshot.tensors
        while not self._stopping and not self._session.finished:
            pace, started = PACES[self._pace], time.monotonic()
            before = self.snapshot.tensors if self.is_calm else beginning
            if pace is None:
                await asyncio.to_thread(self._session.advance, "run", FRAME)
            else:
                await asyncio.to_thread(self._operations, max(1, round(pace * FRAME)))
            self._show(before)
            if pace is not None:
                await self._rest(started + max(FRAME, 1 / pace) - time.monotonic())

    def _operations(self, count: int) -> None:
        """Execute `count` operations, or as many as a frame has time for."""
        deadline = time.monotonic() + FRAME
        for _ in range(count):
            self._session.advance("op")
            if self._stopping or self._session.finished or time.monotonic() > deadline:
                return

    async def _rest(self, seconds: float) -> None:
        """Wait, unless someone pauses or changes the pace."""
        self._wake.clear()
        if self._stopping or seconds <= 0:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
