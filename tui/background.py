"""One thing at a time is done with a session, and none of them keeps a key waiting.

What is done in no time is done at once. Whatever takes longer goes on on another thread, and while
it is under way nothing else touches the session: keys wait in a queue, and changes first stop what
is going on and let it end.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from nnstep.engine.arrays import Array
from nnstep.engine.session.session import Session
from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.stops.points import Stop
from nnstep.engine.text import listed

if TYPE_CHECKING:
    from .keeping import Keeping
    from .recovery import Offer

Result = TypeVar("Result")

# Of the steps that a held key asks for while one is under way, no more than these wait.
MOST_WAITING = 8

FRAME = 0.1


class Background:
    """Owns a session; `changed` is called whenever there is something new to show.

    `start` begins a coroutine in the background. `snapshot` is what there is to show, and `notice`
    what there is to say of it.
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
        self._queue: deque[Callable[[], None]] = deque()
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
    def was_interrupted(self) -> bool:
        """Whether what was done last was interrupted."""
        return self._session.interrupted

    @property
    def is_busy(self) -> bool:
        """Whether something goes on in the background."""
        return self._busy

    @property
    def seed(self) -> int:
        """What parameters and batches are drawn from."""
        return self._session.seed

    def _waits(self, command: Callable[[], None]) -> bool:
        """Tell whether a command has to wait for what is under way; if so, keep it in mind."""
        if self._busy:
            if len(self._queue) < MOST_WAITING:
                self._queue.append(command)
            if self._running:
                self._stop()
        return self._busy

    def pause(self) -> None:
        """Have all that is under way, or was asked for meanwhile, end after this instruction."""
        self._queue.clear()
        self._stop()

    def _stop(self) -> None:
        if self._busy:
            self._stopping = True
            self._session.interrupt()
            self._wake.set()

    # Whatever else can be done with a session: it waits until nothing is under way

    async def settle(self) -> None:
        """Pause and wait until the session is free, then take its state."""
        self.pause()
        while self._busy:  # somebody else who has waited may be quicker
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
                result = await self._in_background(work)
            except Exception as error:  # whoever waits is to know, whatever it is
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(result)

        self._activity = activity
        self._begin(through())
        return await done

    def progress(self, done: int, of: int) -> None:
        """Take note of how far something long has come; called from its thread."""
        self._activity = f"{self._activity.partition(':')[0]}: {done} of {of}"

    # Keeping it

    def keep(self, tell: Callable[[str], object]) -> "Offer | None":
        """Keep the session on disk from now on; return an earlier one that can be taken up.

        `tell` is called, from another thread, if it cannot be kept.
        """
        from .keeping import Keeping

        self._keeping = Keeping(self._session, tell)
        return self._keeping.offer

    def hand_over(self) -> None:
        """Have what was shown last written; before it is on the screen, that would slow it down."""
        if self._keeping:
            self._keeping.hand_over()

    def take_over(self, offer: "Offer") -> None:
        """Keep this session in place of the one that it continues."""
        if self._keeping:
            self._keeping.take_over(offer)

    def end(self, *, keep: bool) -> None:
        """Leave no run behind, and on disk the session, or nothing."""
        self.pause()
        if self._keeping:
            self._keeping.end(keep=keep)

    # Under way

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
        if self._keeping:
            self._keeping.note()
        self._changed()

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
            if self._stopping:
                self._session.interrupt()  # an earlier one may have come before the work began
            if self._activity != shown:
                shown = self._activity
                self._changed()
        result = None if task.exception() else task.result()
        self._show(before, result)
        return task.result()


def _said(before: Snapshot, after: Snapshot) -> str:
    """Return what there is to say of the faults that have shown since."""
    known = before.branch.faults
    found = [fault for fault in after.faults if fault not in known]
    if len(found) > 1:
        return f"! {listed(fault.title for fault in found)}."
    return f"! {found[0]}." if found else ""
