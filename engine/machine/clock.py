"""Where a place is: its position in the program, its iteration and epoch, and units of stepping."""

from typing import Literal

from msgspec import Struct

from nnstep.engine.program.program import Program
from nnstep.engine.text import listed


class Clock(Struct, frozen=True):
    """Turns places, the number of instructions executed so far, into positions and passes."""

    steps_per_iteration: int
    iterations_per_epoch: int

    def position(self, place: int) -> int:
        """Return the index in the program of the instruction next to run."""
        return place % self.steps_per_iteration

    def iteration(self, place: int) -> int:
        """Return the pass through the program that the next instruction belongs to, from 0."""
        return place // self.steps_per_iteration

    def epoch(self, place: int) -> int:
        """Return the pass through the data that the next instruction belongs to, from 0."""
        return self.iteration(place) // self.iterations_per_epoch


Unit = Literal["op", "layer", "phase", "iteration", "epoch"]
UNITS: tuple[Unit, ...] = ("op", "layer", "phase", "iteration", "epoch")


def end_of(unit: Unit, program: Program, clock: Clock, place: int) -> int:
    """Return the place at which the unit that begins or goes on at a place ends.

    A layer ends where (phase, layer) changes, a phase where the phase does, and an iteration before
    the next batch.
    """
    length, start = _length(unit, program, clock), place - clock.position(place)
    if unit in ("layer", "phase"):
        begins = _begins(unit, program)
        return next(start + at for at in (*begins, length) if start + at > place)
    return (place // length + 1) * length


def start_of(unit: Unit, program: Program, clock: Clock, place: int) -> int:
    """Return the last place before `place` at which a unit begins; 0 has none before it."""
    if place <= 0:
        return 0
    length = _length(unit, program, clock)
    if unit in ("layer", "phase"):
        start = (place - 1) // length * length
        return max(start + at for at in _begins(unit, program) if start + at < place)
    return (place - 1) // length * length


def _length(unit: Unit, program: Program, clock: Clock) -> int:
    """Return after how many instructions a unit, or the pass that it is a part of, comes again."""
    match unit:
        case "op":
            return 1
        case "layer" | "phase" | "iteration":
            return len(program)
        case "epoch":
            return len(program) * clock.iterations_per_epoch
    raise ValueError(f"there is no unit {unit!r}; there are {listed(UNITS)}")


def _begins(unit: Unit, program: Program) -> tuple[int, ...]:
    """Return the positions at which a layer or a phase of a pass begins."""
    parts = [(line.phase, line.layer if unit == "layer" else None) for line in program.instructions]
    return tuple(i for i, part in enumerate(parts) if i == 0 or part != parts[i - 1])
