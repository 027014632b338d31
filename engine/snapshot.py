"""A snapshot is everything there is to show about one place, and it never changes."""

from collections.abc import Mapping

from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.program.instruction import Instruction, Program


class Snapshot(Struct, frozen=True):
    """The state of a session at one place.

    `place` counts the instructions executed so far, and `total` those of the whole run (None if it
    goes on for ever). `position` is the index in the program of the instruction next to run;
    `iteration` and `epoch` are those of that instruction. `last` is the instruction executed last.
    `tensors` holds every live tensor, `before` the tensors as they stood when the last command was
    given, and `stale` the names whose values were computed from something edited since.
    `losses` has shape `(iterations so far,)`: the loss of every iteration, in order.
    """

    program: Program
    place: int
    total: int | None
    position: int
    iteration: int
    epoch: int
    finished: bool
    last: Instruction | None
    tensors: Mapping[str, Array]
    before: Mapping[str, Array]
    stale: frozenset[str]
    losses: Array

    @property
    def current(self) -> Instruction:
        """The instruction next to run (after the end of the run, the one that would be)."""
        return self.program.instructions[self.position]

    @property
    def written(self) -> tuple[str, ...]:
        """The names that the last step wrote."""
        return self.last.writes if self.last else ()

    @property
    def read(self) -> tuple[str, ...]:
        """The names that the last step read."""
        return self.last.reads if self.last else ()
