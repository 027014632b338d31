"""Units of stepping, as debuggers grade theirs: op, layer, phase, iteration, epoch."""

from typing import Literal

from nnstep.engine.machine import Machine
from nnstep.engine.program.instruction import Instruction, Program

Unit = Literal["op", "layer", "phase", "iteration", "epoch"]
UNITS: tuple[Unit, ...] = ("op", "layer", "phase", "iteration", "epoch")


def end_of(unit: Unit, machine: Machine) -> int:
    """Return the place at which the unit that begins or goes on at the machine's place ends.

    A layer ends where (phase, layer) changes, a phase where the phase does, and an iteration before
    the next batch.
    """
    if unit not in UNITS:
        raise ValueError(f"there is no unit {unit!r}; there are {', '.join(UNITS)}")
    program, position = machine.program, machine.position
    rest = len(program) - position
    if unit == "op":
        return machine.place + 1
    if unit == "iteration":
        return machine.place + rest
    if unit == "epoch":
        clock = machine.clock
        iterations_left = -(clock.iteration(machine.place) + 1) % clock.iterations_per_epoch
        return machine.place + rest + iterations_left * len(program)
    return machine.place + _length(program, position, unit)


def _length(program: Program, position: int, unit: Literal["layer", "phase"]) -> int:
    """Return how many instructions from `position` on are in the same layer or phase."""

    def part(instruction: Instruction) -> tuple[str, int | None]:
        return instruction.phase, instruction.layer if unit == "layer" else None

    here = part(program.instructions[position])
    for end in range(position + 1, len(program)):
        if part(program.instructions[end]) != here:
            return end - position
    return len(program) - position
