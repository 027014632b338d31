"""What drives a session: on and back by units, at a pace, to a stop, and by typed commands."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.language.evaluate import parse_value
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import Stop

from .background import FRAME, Background

if TYPE_CHECKING:
    from nnstep.engine.commands.command import Answer
    from nnstep.engine.saving.opening import Opened

Unit = Literal["op", "layer", "phase", "iteration"]

# Operations a second; None is as fast as it goes.
PACES: tuple[int | None, ...] = (1, 2, 5, 10, 30, 100, 1000, None)
DEFAULT_PACE = PACES.index(10)
# Up to this many operations a second, a reader can follow every one.
CALM_PACE = 10

# A unit that takes longer than so many seconds goes on in the background.
AT_ONCE = 0.02


class Control(Background):
    """Drives the session of a scenario: on and back by units, at a pace, to its stops."""

    def __init__(
        self,
        session: Session,
        changed: Callable[[], None],
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        super().__init__(session, changed, start)
        self._pace = DEFAULT_PACE

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
        return (self._activity or "computing") if self._busy else ""

    @property
    def is_calm(self) -> bool:
        """Whether a reader can follow every step."""
        pace = PACES[self._pace]
        return not self._running or (pace is not None and pace <= CALM_PACE)

    # Going on, and back

    def step(self, unit: Unit) -> None:
        """Execute to the end of a unit; during a run, stop that first."""
        if self._waits(lambda: self.step(unit)):
            return
        before = self.snapshot.tensors
        if stop := self._session.advance(unit, None if unit == "op" else AT_ONCE):
            self._show(before, stop)
        else:
            self._begin(self._finish(unit, before))

    def back(self, unit: Unit) -> None:
        """Go back to where the last unit begins; during a run, stop that first."""
        if not self._waits(lambda: self.back(unit)):
            self.go(self._session.place_before(unit))

    def go(self, place: int) -> None:
        """Go to a place that the branch has reached."""
        if self._waits(lambda: self.go(place)):
            return
        if self._session.is_near(place):
            before = self.snapshot.tensors
            self._session.seek(place)
            self._show(before)
        else:
            self._begin(self._in_background(lambda session: session.seek(place)))

    def toggle_run(self) -> None:
        """Run, or pause if anything is under way."""
        if self._busy:
            self.pause()
        else:
            self._running = True
            self._begin(self._run())

    def to_next_stop(self) -> None:
        """Go on, as fast as it goes, until something stops."""
        if not self._waits(self.to_next_stop):
            self._activity = "running to a stop"
            self._begin(self._finish("run", self.snapshot.tensors))

    def to_previous_stop(self) -> None:
        """Go back to where something stops, or to the first step."""
        if not self._waits(self.to_previous_stop):
            self._activity = "looking back"
            self._begin(self._in_background(lambda session: session.back_to_stop()))

    def change_pace(self, faster: int) -> None:
        """Go up (1) or down (-1) the list of paces."""
        self._pace = min(max(self._pace + faster, 0), len(PACES) - 1)
        self._wake.set()
        self._changed()

    async def execute(self, text: str) -> "Answer":
        """Execute a command of the prompt; raise `CommandError`, a `ValueError`, if it is wrong."""
        from nnstep.engine.commands.interpreter import Interpreter

        return await self.do_long(lambda session: Interpreter(session).execute(text), "working")

    def completions(self, text: str) -> tuple[str, ...]:
        """Return what the last word of a command could be."""
        from nnstep.engine.commands.interpreter import complete

        return complete(text, self._session)

    async def restored(self, opened: "Opened", history: int) -> Session | None:
        """Run a session that was opened again, on another thread; None if that was interrupted."""
        return await self.do_long(
            lambda _: opened.restore(
                history=history, progress=self.progress, cancelled=lambda: self._stopping
            ),
            "restoring",
        )

    async def edit(self, name: str, index: Shape, text: str) -> None:
        """Change one value, from here on, to the number that someone typed.

        Raises `EditError`, a `ValueError` fit to show, if it is none or does not fit.
        """
        await self.do(lambda session: session.edit(name, index, parse_value(text)))

    async def undo(self) -> str:
        """Take the last change back and return the cell that it had changed."""
        return await self.do_long(lambda session: session.undo())

    async def redo(self) -> str:
        """Make the change that was taken back last once more, and return its cell."""
        return await self.do_long(lambda session: session.redo())

    async def restart(self, seed: int | None = None) -> int:
        """Start again, with the same seed or another, and return the seed."""
        await self.settle()
        self._session.restart(seed)
        self._show({})
        return self._session.seed

    async def _finish(self, target: Unit | Literal["run"], before: Mapping[str, Array]) -> None:
        """Go on with a unit, or to the next stop, until it is complete."""
        stop = None
        while stop is None and not self._stopping:
            stop = await asyncio.to_thread(self._session.advance, target, FRAME)
            if stop and stop.kind == "unit" and target == "run":
                stop = Stop(stop.place, "end", "No stop on the way: this is the end of the run.")
            self._show(before, stop)

    async def _run(self) -> None:
        """Run to the end, or a stop, at the pace of the moment, in at most ten snapshots a second.

        Where a reader can follow, changes are those of the step; else, those since the run began.
        """
        beginning, stop = self.snapshot.tensors, None
        while stop is None and not self._stopping and not self._session.finished:
            pace, started = PACES[self._pace], time.monotonic()
            before = self.snapshot.tensors if self.is_calm else beginning
            if pace is None:
                stop = await asyncio.to_thread(self._session.advance, "run", FRAME)
            else:
                stop = await asyncio.to_thread(self._operations, max(1, round(pace * FRAME)))
            self._show(before, stop)
            if pace is not None and stop is None:
                await self._rest(started + max(FRAME, 1 / pace) - time.monotonic())

    def _operations(self, count: int) -> Stop | None:
        """Execute `count` operations, or as many as a frame has time for, or until one stops."""
        stop = self._session.advance(self._session.place + count, FRAME)
        return stop if stop and stop.kind != "unit" else None

    async def _rest(self, seconds: float) -> None:
        """Wait, unless someone pauses or changes the pace."""
        self._wake.clear()
        if self._stopping or seconds <= 0:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
