"""What there is to say when a command has taken the session somewhere."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from nnstep.engine.faults.fault import Fault
from nnstep.engine.program.instruction import Instruction
from nnstep.engine.snapshot import Snapshot, Watched
from nnstep.engine.stops.logs import one_line
from nnstep.engine.stops.points import Stop

from .command import Answer

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session


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
