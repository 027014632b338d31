"""Which values are stale: computed from a value that has been edited since."""

from collections.abc import Collection

from nnstep.engine.machine import Machine, Step
from nnstep.engine.program.instruction import Phase


def made_stale(machine: Machine, edited: str) -> set[str]:
    """Return the live tensors that were computed from the present value of `edited`.

    A value came from it if the instruction that wrote it last read `edited`, or another such value,
    after that was written last.
    """
    stale: set[str] = set()
    written = _last_written(machine)
    changed = {edited: written.get(edited, -1)}
    for place in range(max(0, machine.place - len(machine.program)), machine.place):
        instruction = machine.program.instructions[place % len(machine.program)]
        reads_changed = any(name in changed and changed[name] < place for name in instruction.reads)
        for name in instruction.writes:
            if reads_changed and written[name] == place:
                changed[name] = place
                if instruction.phase is not Phase.UPDATE:
                    stale.add(name)
    return stale


def still_stale(stale: Collection[str], step: Step) -> set[str]:
    """Return what is stale after a step: its result is again if it read something stale.

    An update makes the parameter's new value, which stands for itself.
    """
    after = set(stale).difference(step.writes)
    if step.phase is not Phase.UPDATE and not after.isdisjoint(step.reads):
        after.update(step.writes)
    return after


def _last_written(machine: Machine) -> dict[str, int]:
    """Map the tensors written in the last pass's worth of steps to the place of the last write."""
    length = len(machine.program)
    return {
        name: place
        for place in range(max(0, machine.place - length), machine.place)
        for name in machine.program.instructions[place % length].writes
    }
