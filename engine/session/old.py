"""What is of the last iteration: the tensors that the pass under way has not written yet."""

from collections.abc import Collection, Iterator, Mapping, Set

from nnstep.engine.arrays import Array
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.program.program import Program
from nnstep.engine.text import listed


class OldTensors(Set[str]):
    """The names of live tensors that a pass makes anew and has not yet, but for some others.

    Of thousands of them only those are looked at that somebody asks for.
    """

    def __init__(
        self,
        program: Program,
        position: int,
        tensors: Mapping[str, Array],
        others: Collection[str] = frozenset(),
    ) -> None:
        self._program, self._position, self._tensors = program, position, tensors
        self._others = others

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str) or name not in self._tensors or name in self._others:
            return False
        return self._program.renewed.get(name, -1) >= self._position

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._program.renewed if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def but(self, others: Collection[str]) -> "OldTensors":
        """Return the same without some."""
        return OldTensors(self._program, self._position, self._tensors, others)

    @classmethod
    def _from_iterable(cls, names: Collection[str]) -> frozenset[str]:  # type: ignore[override]
        return frozenset(names)


def old_tensors(
    program: Program, position: int, tensors: Mapping[str, Array], *, finished: bool
) -> OldTensors:
    """Return those of the live tensors that this iteration makes anew, and has not yet.

    At the end of the run no iteration is under way.
    """
    return OldTensors(program, len(program) if finished else position, tensors)


def of_iteration(timeline: Timeline, names: Collection[str], *, finished: bool) -> str:
    """Say which of some tensors are of the last iteration, such as `L of iteration 0`.

    It is `of iteration 0` if all are, and "" if none is. A value that somebody has given since is
    of no iteration.
    """
    machine, program = timeline.machine, timeline.program
    if finished:
        return ""
    # Only of these: a program may have thousands.
    live, first, position = machine.tensors, program.renewed, machine.position
    found = {name for name in names if name in live and first.get(name, -1) >= position}
    begin = machine.place - machine.position
    edits = timeline.current.cells_edited_until(machine.place, after=begin - 1)
    edited = found & {edit.name for edit in edits}
    found -= {name for name in edited if not live[name].ndim}
    if not found:
        return ""
    which = ""
    if len(found) < len(names):
        which = f"{listed(name for name in program.tensors if name in found)} "
    but = ", but for what was edited since" if edited & found else ""
    return f"{which}of iteration {machine.clock.iteration(machine.place) - 1}{but}"
