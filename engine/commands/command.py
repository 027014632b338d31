"""A command of the prompt, its answer, what it may still have to do, and how a move is told."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import DIGITS, Shape, one_line
from nnstep.engine.language.typed import Typed, blaming
from nnstep.engine.program.program import Instruction
from nnstep.engine.session.snapshot import Snapshot, Watched
from nnstep.engine.stops.points import UNTIL, Breakpoint, Stop
from nnstep.engine.text import printable

if TYPE_CHECKING:
    from nnstep.engine.session.queries import Series
    from nnstep.engine.session.session import Session
    from nnstep.engine.verification.verdict import Verification

Progress = Callable[[int, int], None]
"""Is told how much of something long is done, and of how much."""


class Goal(Struct, frozen=True):
    """Where a command goes on to: a place, or ("run") the next stop or the end of the run.

    `conclude` makes the answer, given what the run stopped for, None if somebody did not want to
    wait. The condition `until` stops it too, where it becomes true. With `passing`, nothing stops
    it on the way, and it begins at the newest place.
    """

    target: int | Literal["run"]
    conclude: Callable[[Stop | None], "Answer"]
    activity: str = ""
    until: str | None = None
    passing: bool = False

    @property
    def is_open(self) -> bool:
        """Whether nobody knows how far it is."""
        return self.target == "run"

    def begins_near(self, session: "Session") -> bool:
        """Tell whether going on can begin at once, and each line on the way takes no time."""
        if self.passing and not session.is_near(session.newest):
            return False
        return session.is_quick(None if self.target == "run" else self.target)

    def reach(
        self, session: "Session", seconds: float | None = None, operations: int | None = None
    ) -> Stop | None:
        """Go on for at most so many seconds or operations; return the stop that ends the way.

        None says that there is more to do, or that it was interrupted: another call goes on.
        """
        if self.passing:
            return self._pass(session, seconds)
        target = self.target if operations is None else session.place + operations
        stop = self._advance(session, target, seconds)
        if operations is not None and stop and stop.kind == "unit" and not session.finished:
            return None
        return stop

    def _pass(self, session: "Session", seconds: float | None) -> Stop | None:
        assert isinstance(self.target, int), "a run to the next stop passes none"
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        if session.place < session.newest:
            session.seek(session.newest)
        stop = session.advance(self.target, seconds)
        while stop and stop.place < self.target:
            if time.monotonic() >= deadline:
                return None
            stop = session.advance(self.target, seconds)
        return stop

    def _advance(
        self, session: "Session", target: int | Literal["run"], seconds: float | None
    ) -> Stop | None:
        if self.until is None:
            return session.advance(target, seconds)
        point = session.stops.add(Breakpoint(when=self.until, number=UNTIL))
        try:
            stop = session.advance(target, seconds)
        finally:
            session.stops.remove(UNTIL)
        if stop is None or stop.kind != "point":
            return stop
        reason = stop.reason.replace(f"{UNTIL}: {point}", f"the condition {self.until}")
        return replace(stop, reason=reason)


class Work(Struct, frozen=True):
    """Something that takes long and is done in one go; `session.interrupt` ends it early."""

    do: Callable[[Progress | None], "Answer"]
    activity: str = ""


class Answer(Struct, frozen=True, dict=True):
    """What a command has to say, and what a screen can show besides.

    An answer with a `goal` is not complete: what is said comes when that is done. `text` holds the
    lines, or what makes them. `told` is the one sentence to say where the screen shows the rest,
    and `title` what stands above the lines elsewhere. `moved` tells whether the session may be at
    another place or on another branch, and `snapshot` is what there is to show then; `stop` is
    what the run has stopped for. `asks` is the cell that is in question from now on. `interrupted`
    tells that somebody did not want to wait for the end.
    """

    text: tuple[str, ...] | Callable[[], Iterable[str]] = ()
    told: str = ""
    title: str = ""
    goal: Goal | Work | None = None
    moved: bool = False
    snapshot: Snapshot | None = None
    stop: Stop | None = None
    asks: tuple[str, Shape] | None = None
    interrupted: bool = False
    plot: "Series | None" = None
    verification: "Verification | None" = None
    quit: bool = False

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The whole answer in printable lines, made when somebody reads it."""
        lines = self.text() if callable(self.text) else self.text
        return tuple(map(printable, lines))


def says(sentence: str) -> Answer:
    """Return the answer of one sentence."""
    return Answer((sentence,), told=sentence)


INTERRUPTED = Answer(("Interrupted.",), told="Interrupted.", interrupted=True)
"""The answer of what was given up before there was anything to say."""


def takes_long(text: Typed, do: Callable[[Progress | None], Answer], activity: str = "") -> Answer:
    """Return the answer that something long is still to be done; `text` is to blame if it fails."""

    def blamed(progress: Progress | None) -> Answer:
        with blaming(text or None):
            return do(progress)

    return Answer(goal=Work(blamed, activity))


def finished(answer: Answer, session: "Session") -> Answer:
    """Do what an answer still has to do, and return the complete one."""
    match answer.goal:
        case Work(do):
            return do(None)
        case Goal() as goal:
            stop = goal.reach(session)
            return goal.conclude(stop)
    return answer


class Command(Struct, frozen=True):
    """One command: `run` carries it out, given what stands behind its name.

    `usage` is what may stand there: words in lower case are typed as they are, those in capitals
    stand for something, and completion follows it. `details` is what else there is to know.
    `kept` marks those that a list of commands has to repeat to come to the same session again:
    they change more than the place. `writes` marks those that make a file of their own.
    """

    name: str
    usage: str
    summary: str
    example: str
    run: Callable[["Session", Typed], Answer]
    aliases: tuple[str, ...] = ()
    details: str = ""
    kept: bool = False
    writes: bool = False

    @property
    def synopsis(self) -> str:
        """The name and what may stand behind it."""
        return f"{self.name} {self.usage}".rstrip()


class Journey:
    """Remembers where a command began; `answer` tells where it has led, a fact a line."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._tensors = session.values()
        self._logged = len(session.log)
        self._newest = session.newest

    def answer(
        self,
        *first: str,
        told: str = "",
        stop: Stop | None = None,
        interrupted: bool = False,
        quiet: bool = False,
    ) -> Answer:
        """Return the answer; `quiet` leaves out the log and the faults, which are not of this way.

        What was asked for comes `first`, and is told; then why the run stopped, or else `told`.
        """
        snapshot = self._session.snapshot(self._tensors)
        logged = () if quiet else self._session.log[self._logged :]
        digits = self._session.digits
        why = "Interrupted." if interrupted else stop.reason if stop else ""

        def lines() -> Iterator[str]:
            yield from first
            place, *values = place_lines(snapshot, digits)
            yield place
            if why:
                yield why
            yield from values
            yield from (f"Log, step {line.step}: {line.text}" for line in logged)
            new = (fault for fault in snapshot.faults if fault.place > self._newest)
            # The sentence of the stop may count lines, still to come, that pass its fault on.
            told = (f"Fault: {fault}." for fault in new if not why.startswith(str(fault)))
            yield from () if quiet else told
            yield from watch_lines(snapshot.watches, digits)

        return Answer(
            lines,
            told=" ".join(filter(None, (*first, why or told))),
            moved=True,
            snapshot=snapshot,
            stop=stop,
            interrupted=interrupted,
        )


def place_lines(snapshot: Snapshot, digits: int | None) -> Iterator[str]:
    """Yield where a session is, what ran last and what it wrote, and what is next."""
    of = "" if snapshot.total is None else f" of {snapshot.total}"
    counts = f", iteration {snapshot.iteration}, epoch {snapshot.epoch}, {part(snapshot.current)}"
    inside = "" if snapshot.finished else counts
    yield f"Step {snapshot.place}{of}{inside}, branch {snapshot.branch.name}."
    if snapshot.last:
        yield f"Last: {snapshot.last.code}"
        for name in snapshot.written:
            yield f"{name} = {one_line(snapshot.tensors[name], digits or DIGITS)}"
    yield "This is the end of the run." if snapshot.finished else f"Next: {snapshot.current.code}"


def part(line: Instruction) -> str:
    """Return the phase of a line, and the layer if it belongs to one."""
    return line.phase.value if line.layer is None else f"{line.phase}, layer {line.layer}"


def watch_lines(watches: Iterable[Watched], digits: int | None) -> Iterator[str]:
    """Yield what watched expressions are, and what they were before if that is something else."""
    return (f"Watch: {_watched(watch, digits or DIGITS)}" for watch in watches)


def _watched(watch: Watched, digits: int) -> str:
    if watch.value is None:
        return f"{watch.text}: {watch.problem}"
    now = one_line(watch.value, digits)
    was = now if watch.before is None else one_line(watch.before, digits)
    of = f", {watch.of}" if watch.of else ""
    return f"{watch.text} = {now}{of}" + (f" (was {was})" if was != now else "")
