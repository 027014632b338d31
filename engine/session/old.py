"""What is of the last iteration: the tensors that the pass under way has not written yet."""

from collections.abc import Collection, Mapping

from nnstep.engine.arrays import Array
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.program.program import Program
from nnstep.engine.text import listed


def old_tensors(
    program: Program, position: int, tensors: Mapping[str, Array], *, finished: bool
) -> frozenset[str]:
    """Return those of the live tensors that this iteration makes anew, and has not yet.

    At the end of the run no iteration is under way.
    """
    return frozenset() if finished else program.old(position) & tensors.keys()


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
