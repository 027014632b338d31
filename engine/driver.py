"""One thing at a time is done with a session, and no key waits for another.

Whatever front end there is gives lines of the prompt. What a line takes no time for is done at
once. A way that takes longer is gone on with in the background, piece by piece on another thread,
and what is there to see is shown after every piece. Lines that come meanwhile wait for their turn.
"""

import asyncio
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from .arrays import Shape
from .commands.command import INTERRUPTED, Answer, Goal, Progress, Work
from .foresight import Foresight, foreseen
from .insight import NO_INSIGHT, Insight, insight_of, with_misprint
from .limits import MAX_WORK_AT_ONCE
from .program.code import work_of
from .session.asked import Asked
from .session.session import Session
from .session.snapshot import Snapshot
from .text import listed
from .turns import Rest, Turn, Turns, always, never, resolve

if TYPE_CHECKING:
    import concurrent.futures

    from .commands.interpreter import Interpreter, Journal
    from .survey.layers import Survey, Surveyor


Result = TypeVar("Result")

# Operations a second; None is as fast as it goes.
PACES: tuple[int | None, ...] = (1, 2, 5, 10, 30, 100, 1000, None)
DEFAULT_PACE = PACES.index(10)
# Up to this many operations a second, a reader can follow every one.
CALM_PACE = 5

# In seconds: how long keys may be kept waiting for what a line does at once, and how often
# something that goes on in the background is shown.
AT_ONCE, FRAME = 0.02, 0.1

# How many seconds a disk may take before a change is shown without it.
PATIENCE = 2.0


def _as_task(work: Rest) -> "asyncio.Task[None]":
    return asyncio.get_running_loop().create_task(work())


class Driver:
    """Does with a session what it is told to, in order; it belongs to an event loop.

    `changed` is called whenever there is something new to show: `snapshot`, what there is to say of
    it besides an answer (`notice`), or what is going on (`activity`). `start` has something done in
    the background; what it returns is held on to until that has ended.
    """

    def __init__(
        self,
        session: Session,
        changed: Callable[[], None] = lambda: None,
        start: Callable[[Rest], object] = _as_task,
    ) -> None:
        self.snapshot: Snapshot = session.snapshot()
        self.notice = ""
        self._session = session
        self._changed = changed
        self._turns = Turns(start, self._stop, self._ended, self._changed)
        # What goes on in the background, and whether it is a run at a pace.
        self._activity = ""
        self._running = False
        # Whether what is shown lies on the way to a goal that nobody has asked to see.
        self.is_on_the_way = False
        self._wake = asyncio.Event()
        self._pace = DEFAULT_PACE
        self._logged = len(session.log)
        # Whether another thread is at work with the session; what was looked into last.
        self._is_away = False
        self._is_over = False
        self._looked: tuple[Snapshot, object, Insight] = self.snapshot, None, NO_INSIGHT
        # What was found out before it was asked for, of the next step and of what is shown.
        self._foreseen: Foresight | None = None
        self._known_ahead: Foresight | None = None
        self._surveyor: Surveyor | None = None
        self._surveyed: tuple[Snapshot | None, Survey | None] = None, None

    @cached_property
    def _interpreter(self) -> "Interpreter":
        """What executes lines; it is made, and the commands imported, once it is needed."""
        from .commands.interpreter import Interpreter

        return Interpreter(self._session)

    @property
    def journal(self) -> "Journal | None":
        """What is told of every line that is kept; None for nothing."""
        return self._interpreter.journal

    @journal.setter
    def journal(self, journal: "Journal | None") -> None:
        self._interpreter.journal = journal

    @property
    def is_busy(self) -> bool:
        """Whether something goes on in the background."""
        return self._turns.is_busy

    @property
    def is_stopping(self) -> bool:
        """Whether what goes on in the background is to end."""
        return self._turns.is_stopping

    @property
    def activity(self) -> str:
        """What is going on, empty for nothing."""
        if self._running:
            return f"running, {self.pace}"
        return (self._activity or "computing") if self.is_busy else ""

    @property
    def pace(self) -> str:
        """The speed of a run in words."""
        operations = PACES[self._pace]
        if operations is None:
            return "flat out"
        return "1 op/s" if operations == 1 else f"{operations} ops/s"

    @property
    def is_calm(self) -> bool:
        """Whether a reader can follow every step."""
        pace = PACES[self._pace]
        return not self._running or (pace is not None and pace <= CALM_PACE)

    @property
    def seed(self) -> int:
        """What parameters and batches are drawn from."""
        return self._session.seed

    def completions(self, text: str) -> tuple[str, ...]:
        """Return what the last word of a line could be."""
        from .commands.interpreter import complete

        return complete(text, self._session)

    def look_into(self, cell: tuple[str, Shape] | None, place: int | None = None) -> Insight:
        """Return what there is to say of the snapshot, and of a cell of it, or of another place.

        It is made when it is first asked for. While another thread is at work with the session,
        there is no more than was known before.
        """
        snapshot, known_cell, known = self._looked
        if snapshot is self.snapshot and known_cell == (cell, place) and known is not NO_INSIGHT:
            return known
        if self._is_away or self._session.place != self.snapshot.place:
            return NO_INSIGHT
        insight = self._look(cell, place)
        self._looked = self.snapshot, (cell, place), insight
        return insight

    def _look(self, cell: tuple[str, Shape] | None, place: int | None) -> Insight:
        snapshot, _, known = self._looked
        if self._known_ahead and self._known_ahead.knows((cell, place)):
            foreseen = self._known_ahead.insight(cell, place)
            assert foreseen is not None, "it is known"
            return foreseen
        same = snapshot is self.snapshot and known is not NO_INSIGHT
        calculation = known.calculation if same else self._session.calculation()
        insight = insight_of(self._session, calculation, cell, place)
        if place in (None, 0, self._session.place):
            return with_misprint(insight, self._session, self.snapshot.unmet, known)
        return insight

    def look_ahead(self) -> Foresight | None:
        """Return the run after the next line, to be asked what will be asked then.

        None if it is not known. Nothing changes by it.
        """
        is_here = not self.is_busy and self._session.place == self.snapshot.place
        self._foreseen = foreseen(self._session, self.snapshot) if is_here else None
        return self._foreseen

    def consult(
        self, question: Callable[[Asked, Snapshot], Result], key: Hashable = None
    ) -> Result | None:
        """Ask the run something about the snapshot that takes no time and changes nothing.

        What was asked ahead, by a key, is known. None while another thread is at work.
        """
        if key is not None and self._known_ahead and self._known_ahead.knows(key):
            return self._known_ahead.ask(key, question)
        is_here = not self._is_away and self._session.place == self.snapshot.place
        return question(self._session, self.snapshot) if is_here else None

    def survey(self, ahead: Foresight | None = None) -> "Survey | None":
        """Return the layers of the snapshot in numbers, or those `ahead`, as far as known.

        They are found when they are first asked for, and not while another thread is at work.
        """
        from .survey.layers import Surveyor

        self._surveyor = self._surveyor or Surveyor()
        if ahead is not None:
            return ahead.ask("survey", self._surveyor.survey)
        is_new = self._surveyed[0] is not self.snapshot
        if is_new and (found := self.consult(self._surveyor.survey, "survey")):
            self._surveyed = self.snapshot, found
        return self._surveyed[1]

    # What can be asked for

    def do(
        self, text: str, filled: Callable[[str], str] = str, *, paced: bool = False
    ) -> "asyncio.Future[Answer]":
        """Execute a line of the prompt, at once if nothing is under way and it takes no time.

        The result is its answer, or `TextError` if it is wrong. Blanks in it are `filled` when it
        is its turn: what it is about may be another thing by then. A run that is `paced` goes on at
        the speed of the moment, and ends for whatever comes next.
        """
        if repeated := self._turns.repeated(text):
            return repeated
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        # What is done now has nothing to interrupt.
        changes = self.is_busy and self._interpreter.is_kept(text)
        return self._turns.line_up(
            Turn(lambda: self._begin(filled(text), paced, done), done, text, changes)
        )

    def do_long(
        self, work: Callable[[Progress], Result], activity: str = ""
    ) -> "asyncio.Future[Result]":
        """Do something else on another thread, while nothing is done with the session."""
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        async def through() -> None:
            done.set_result(await self._on_a_thread(lambda: work(self._progress), activity))
            self._show(self._session.snapshot(self.snapshot.tensors))

        return self._turns.line_up(Turn(lambda: through, done))

    def run_aside(
        self, ask: Callable[[Session], Result], activity: str
    ) -> "asyncio.Future[Result] | None":
        """Ask the session something that runs a pass aside: at once if that takes no time.

        None while something else is under way.
        """
        if self.is_busy:
            return None
        if work_of(self._session.program) > MAX_WORK_AT_ONCE:
            return self.do_long(lambda _: ask(self._session), activity)
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        try:
            done.set_result(ask(self._session))
        except Exception as error:
            done.set_exception(error)
        return done

    def settle(self) -> "asyncio.Future[None]":
        """Wait until all that was asked for is done; a run is given up for it."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        return self._turns.line_up(Turn(lambda: done.set_result(None), done))

    def run_or_pause(self) -> "asyncio.Future[Answer] | None":
        """Run at the speed of the moment, or pause if anything is under way."""
        if not self.is_busy:
            return self.do("run", paced=True)
        self.pause()
        return None

    def pause(self) -> None:
        """Have all that is under way, or was asked for meanwhile, end soon."""
        self._turns.give_up(INTERRUPTED)

    def change_pace(self, faster: int) -> None:
        """Go up (1) or down (-1) the list of paces."""
        self._pace = min(max(self._pace + faster, 0), len(PACES) - 1)
        self._wake.set()
        self._changed()

    def _stop(self) -> None:
        self._session.interrupt()
        self._wake.set()

    def _ended(self) -> None:
        """Note that what was under way is done."""
        self._running, self._activity = False, ""

    # Executing a line

    def _begin(self, text: str, paced: bool, done: "asyncio.Future[Answer]") -> Rest | None:
        answer = self._interpreter.begin(text)
        if isinstance(answer.goal, Goal) and not paced:
            answer = self._at_once(answer.goal) or answer
        if answer.goal is not None:
            return partial(self._finish_later, text, answer.goal, paced, done)
        if written := self._noted(text, answer):
            return partial(self._finish_when, written, answer, done)
        self._finish(answer, done)
        return None

    def _noted(self, text: str, answer: Answer) -> "concurrent.futures.Future[None] | None":
        """Note that a line was executed; return what to wait for before that may be shown."""
        self._interpreter.end(text, answer)
        return self.journal.write() if self.journal and self._interpreter.is_kept(text) else None

    async def _finish_when(
        self,
        written: "concurrent.futures.Future[None]",
        answer: Answer,
        done: "asyncio.Future[Answer]",
    ) -> None:
        """Finish a change once it is on the disk, but do not wait for a slow one for ever."""
        await asyncio.wait({asyncio.wrap_future(written)}, timeout=PATIENCE)
        self._finish(answer, done)

    def _at_once(self, goal: Goal) -> Answer | None:
        """Return the answer if the goal is so near that keys may wait for it."""
        near = goal.begins_near(self._session)
        stop = goal.reach(self._session, AT_ONCE) if near else None
        return goal.conclude(stop) if stop else None

    async def _finish_later(
        self, text: str, goal: Goal | Work, paced: bool, done: "asyncio.Future[Answer]"
    ) -> None:
        if isinstance(goal, Work):
            # What only looks is given up for a change; a change is not. One that waits already was
            # asked for by somebody who had asked for the look before, and has seen nothing of it.
            leaves = never if self._interpreter.is_kept(text) else _interrupts
            self._turns.leave_for(leaves, waiting=False)
            answer = await self._on_a_thread(lambda: goal.do(self._progress), goal.activity)
        else:
            answer = await self._reach(goal, paced)
        if written := self._noted(text, answer):
            await self._finish_when(written, answer, done)
        else:
            self._finish(answer, done, is_shown=paced)

    def _finish(
        self, answer: Answer, done: "asyncio.Future[Answer]", *, is_shown: bool = False
    ) -> None:
        """Show what has become of a line, and hand its answer over."""
        if not is_shown:
            self._show(answer.snapshot or self._session.snapshot(self.snapshot.tensors))
        resolve(done, answer)

    async def _reach(self, goal: Goal, paced: bool) -> Answer:
        """Go on, in at most ten snapshots a second, until the goal is reached or left.

        Where a reader can follow, changes are those of the step; else, those since it began.
        """
        self._running, self._activity = paced, goal.activity
        leaves = always if paced else _interrupts if goal.is_open else never
        self._turns.leave_for(leaves, waiting=True)
        self._changed()
        beginning, stop = self.snapshot.tensors, None
        while stop is None and not self._turns.is_stopping:
            pace, started = PACES[self._pace] if paced else None, time.monotonic()
            before = self.snapshot.tensors if paced and self.is_calm else beginning
            operations = None if pace is None else max(1, round(pace * FRAME))
            self._is_away = True
            try:
                stop = await asyncio.to_thread(goal.reach, self._session, FRAME, operations)
            finally:
                self._is_away = False
            if paced or stop is None:
                self.is_on_the_way = not paced
                self._show(self._session.snapshot(before))
                self.is_on_the_way = False
            if pace is not None and stop is None:
                await self._rest(started + max(FRAME, 1 / pace) - time.monotonic())
        answer = goal.conclude(stop)
        # Whoever pauses a run need not be told so.
        return replace(answer, told="") if paced and stop is None else answer

    async def _rest(self, seconds: float) -> None:
        """Wait, unless someone pauses or changes the pace."""
        self._wake.clear()
        if self._turns.is_stopping or seconds <= 0:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    async def _on_a_thread(self, work: Callable[[], Result], activity: str) -> Result:
        """Do something on another thread; show what it is about once it takes longer."""
        self._activity, shown = activity, ""
        task = asyncio.ensure_future(asyncio.to_thread(work))
        self._is_away = True
        try:
            while not (await asyncio.wait({task}, timeout=FRAME))[0]:
                if self._turns.is_stopping:
                    self._session.interrupt()  # an earlier one may have come before the work began
                if self.activity != shown:
                    shown = self.activity
                    self._changed()
        except asyncio.CancelledError:
            self._is_over = True
            self._session.interrupt()
            raise
        finally:
            self._is_away = False
        return task.result()

    def _progress(self, done: int, of: int) -> None:
        """Take note of how far something long has come; called from its thread.

        An interrupt that came before the work began is given again: when the app ends, nobody else
        would do so, and its end would wait for that of the work.
        """
        if self._turns.is_stopping or self._is_over:
            self._session.interrupt()
        self._activity = f"{self._activity.partition(':')[0]}: {done} of {of}"

    # Showing

    def _show(self, snapshot: Snapshot) -> None:
        """Have a snapshot shown.

        What is to be said of it is what a breakpoint has printed, or what has gone wrong, since.
        """
        known, self.snapshot = self.snapshot, snapshot
        ahead, self._foreseen = self._foreseen, None
        self._known_ahead = ahead if ahead and ahead.holds(snapshot) else None
        logged, self._logged = self._session.log[self._logged :], len(self._session.log)
        self.notice = logged[-1].text if logged else ""
        if len(snapshot.branch.faults) > len(known.branch.faults):
            self.notice = _said(known, snapshot) or self.notice
        self._changed()


def _interrupts(turn: Turn) -> bool:
    return turn.interrupts


def _said(before: Snapshot, after: Snapshot) -> str:
    """Return what there is to say of the faults that have shown since."""
    known = before.branch.faults
    found = [fault for fault in after.faults if fault not in known]
    if len(found) > 1:
        return f"! {listed(fault.title for fault in found)}."
    return f"! {found[0]}." if found else ""
