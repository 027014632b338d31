"""A command of the prompt, its answer, and how a move through time is told."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from nnstep.engine.faults.fault import Fault
from nnstep.engine.language.evaluate import one_line
from nnstep.engine.language.typed import Typed
from nnstep.engine.program.program import Instruction
from nnstep.engine.session.snapshot import Snapshot, Watched
from nnstep.engine.stops.points import Stop

if TYPE_CHECKING:
    from nnstep.engine.session.queries import Series
    from nnstep.engine.session.session import Session
    from nnstep.engine.verification.verdict import Verification


class Answer(Struct, frozen=True):
    """What a command has to say, in plain lines, and what a screen can show besides.

    `told` is what of it has still to be said where the screen shows the place. `moved` tells
    whether the session may be at another place or on another branch; `stop` is what the run has
    stopped for. `interrupted` tells that somebody did not want to wait for the end.
    """

    lines: tuple[str, ...] = ()
    told: str = ""
    moved: bool = False
    stop: Stop | None = None
    interrupted: bool = False
    plot: "Series | None" = None
    verification: "Verification | None" = None
    quit: bool = False


class Command(Struct, frozen=True):
    """One command: `run` carries it out, given what stands behind its name.

    `usage` is what may stand there: words in lower case are typed as they are, those in capitals
    stand for something, and completion follows it. `details` is what else there is to know.
    """

    name: str
    usage: str
    summary: str
    example: str
    run: Callable[["Session", Typed], Answer]
    aliases: tuple[str, ...] = ()
    details: str = ""

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
        self._faults = set(map(_key, session.faults))

    def answer(
        self, *first: str, stop: Stop | None = None, interrupted: bool = False, quiet: bool = False
    ) -> Answer:
        """Return the answer; `quiet` leaves out the log and the faults, which are not of this way.

        What was asked for comes `first`.
        """
        snapshot = self._session.snapshot(self._tensors)
        lines = [*first, *place_lines(snapshot)]
        if interrupted:
            lines.insert(len(first) + 1, "Interrupted.")
        elif stop and stop.reason:
            lines.insert(len(first) + 1, stop.reason)
        if not quiet:
            logged = self._session.log[self._logged :]
            lines += (f"Log, step {line.place}: {line.text}" for line in logged)
            found = [fault for fault in snapshot.faults if _key(fault) not in self._faults]
            told = stop.reason if stop else ""
            lines += (f"Fault: {fault}." for fault in found if f"{fault}." != told)
        lines += watch_lines(snapshot.watches)
        told = " ".join(
            [*first, stop.reason if stop else "", "Interrupted." if interrupted else ""]
        )
        return Answer(
            tuple(lines), told=told.strip(), moved=True, stop=stop, interrupted=interrupted
        )


def _key(fault: Fault) -> tuple[object, int]:
    return fault.key, fault.place


def place_lines(snapshot: Snapshot) -> Iterator[str]:
    """Yield where a session is, what ran last and what it wrote, and what is next."""
    of = "" if snapshot.total is None else f" of {snapshot.total}"
    counts = f", iteration {snapshot.iteration}, epoch {snapshot.epoch}, {part(snapshot.current)}"
    inside = "" if snapshot.finished else counts
    yield f"Step {snapshot.place}{of}{inside}, branch {snapshot.branch.name}."
    if snapshot.last:
        yield f"Last: {snapshot.last.code}"
        for name in snapshot.written:
            yield f"{name} = {one_line(snapshot.tensors[name])}"
    yield "This is the end of the run." if snapshot.finished else f"Next: {snapshot.current.code}"


def part(line: Instruction) -> str:
    """Return the phase of a line, and the layer if it belongs to one."""
    return line.phase.value if line.layer is None else f"{line.phase}, layer {line.layer}"


def watch_lines(watches: Iterable[Watched]) -> Iterator[str]:
    """Yield what watched expressions are, and what they were before if that is something else."""
    return (f"Watch: {_watched(watch)}" for watch in watches)


def _watched(watch: Watched) -> str:
    if watch.value is None:
        return f"{watch.text}: {watch.problem}"
    now = one_line(watch.value)
    was = now if watch.before is None else one_line(watch.before)
    return f"{watch.text} = {now}" + (f" (was {was})" if was != now else "")
