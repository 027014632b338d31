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
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from nnstep.engine import Session, parse_value
from nnstep.engine.arrays import Array, Shape
from nnstep.engine.snapshot import Snapshot
from nnstep.engine.stops.points import Stop

if TYPE_CHECKING:
    from nnstep.engine.commands.command import Answer
    from nnstep.engine.saving.opening import Opened
    from nnstep.tui.keeping import Keeping
    from nnstep.tui.recovery import Offer

Unit = Literal["op", "layer", "phase", "iteration"]
Result = TypeVar("Result")

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
        session: Session,
        changed: Callable[[], None],
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._session = session
        self._changed = changed
        self._keeping: Keeping | None = None
        self._start_task = start
        self._queue: deque[Callable[[], None]] = deque(maxlen=MOST_WAITING)
        self._pace = DEFAULT_PACE
        self._busy = False
        self._activity = ""
        self._running = False
        self._stopping = False
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._logged = 0
        self.notice = ""
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
        return (self._activity or "computing") if self._busy else ""

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

    def _waits(self, command: Callable[[], None]) -> bool:
        """Tell whether a command has to wait for what is under way; if so, keep it in mind."""
        if self._busy:
            self._queue.append(command)
            if self._running:
                self._stop()
        return self._busy

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

    # Whatever else can be done with a session: it waits until nothing is under way

    async def settle(self) -> None:
        """Pause and wait until the session is free, then take its state."""
        self.pause()
        await self._idle.wait()

    async def do(self, work: Callable[[Session], Result]) -> Result:
        """Do something short with the session, show what has become of it, return the result."""
        await self.settle()
        before = self.snapshot.tensors
        result = work(self._session)
        self._show(before)
        return result

    async def do_long(self, work: Callable[[Session], Result], activity: str = "") -> Result:
        """Do something with the session on another thread; `pause` interrupts it."""
        await self.settle()
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        async def through() -> None:
            try:
                done.set_result(await self._in_background(work))
            except ValueError as error:
                done.set_exception(error)

        self._activity = activity
        self._begin(through())
        return await done

    async def execute(self, text: str) -> "Answer":
        """Execute a command of the prompt; raise `CommandError`, a `ValueError`, if it is wrong."""
        from nnstep.engine.commands.interpreter import Interpreter

        return await self.do_long(lambda session: Interpreter(session).execute(text), "working")

    def completions(self, text: str) -> tuple[str, ...]:
        """Return what the last word of a command could be."""
        from nnstep.engine.commands.completion import complete

        return complete(text, self._session)

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

    def progress(self, done: int, of: int) -> None:
        """Take note of how far something long has come; called from its thread."""
        self._activity = f"{self._activity.partition(':')[0]}: {done} of {of}"

    # Keeping it

    def keep(self, tell: Callable[[str], object]) -> "Offer | None":
        """Keep the session on disk from now on; return an earlier one that can be taken up.

        `tell` is called, from another thread, if it cannot be kept.
        """
        from nnstep.tui.keeping import Keeping

        self._keeping = Keeping(self._session, tell)
        return self._keeping.offer

    def take_over(self, offer: "Offer") -> None:
        """Keep this session in place of the one that it continues."""
        if self._keeping:
            self._keeping.take_over(offer)

    def end(self, *, keep: bool) -> None:
        """Leave no run behind, and on disk the session, or nothing."""
        self.pause()
        if self._keeping:
            self._keeping.end(keep=keep)

    async def restored(self, opened: "Opened", history: int) -> Session | None:
        """Run a session that was opened again, on another thread; None if that was interrupted."""
        return await self.do_long(
            lambda _: opened.restore(
                history=history, progress=self.progress, cancelled=lambda: self._stopping
            ),
            "restoring",
        )

    # In the background

    def _show(self, before: Mapping[str, Array], stop: object = None) -> None:
        """Take a snapshot, changes counted from `before`, and have it shown.

        What is to be said of it is why it stopped, and else what has gone wrong since the last one.
        """
        known = self.snapshot
        self.snapshot = self._session.snapshot(before)
        logged, self._logged = self._session.log[self._logged :], len(self._session.log)
        self.notice = logged[-1].text if logged else ""
        if isinstance(stop, Stop) and stop.reason:
            self.notice = stop.reason
        elif len(self.snapshot.branch.faults) > len(known.branch.faults):
            self.notice = _said(known, self.snapshot) or self.notice
        self._changed()
        if self._keeping:
            self._keeping.keep()

    def _begin(self, work: Coroutine[Any, Any, object]) -> None:
        self._busy, self._stopping = True, False
        self._wake.clear()
        self._idle.clear()
        self._changed()
        self._start_task(self._through(work))

    async def _through(self, work: Coroutine[Any, Any, object]) -> None:
        """Do the work, then the steps that were asked for meanwhile."""
        try:
            await work
        finally:
            self._busy = self._running = False
            self._activity = ""
            self._idle.set()
        self._changed()
        while self._queue and not self._busy:
            self._queue.popleft()()

    async def _in_background(self, work: Callable[[Session], Result]) -> Result:
        """Do something on another thread, showing how it gets on, and then what it has come to."""
        before = self.snapshot.tensors
        task = asyncio.ensure_future(asyncio.to_thread(work, self._session))
        shown = self._activity
        while not (await asyncio.wait({task}, timeout=FRAME))[0]:
            if self._activity != shown:
                shown = self._activity
                self._changed()
        result = None if task.exception() else task.result()
        self._show(before, result)
        return task.result()

    async def _finish(self, target: Unit | Literal["run"], before: Mapping[str, Array]) -> None:
        """Go on with a unit, or to the next stop, until it is complete."""
        stop = None
        while stop is None and not self._stopping:
            stop = await asyncio.to_thread(self._session.advance, target, FRAME)
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


def _said(before: Snapshot, after: Snapshot) -> str:
    """Return what there is to say of a fault that has shown since."""
    known = before.branch.faults
    found = [fault for fault in after.faults if fault not in known]
    return f"! {found[0]}." if found else ""
