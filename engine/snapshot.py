"""A snapshot is everything there is to show about one place, and it never changes."""

from collections.abc import Mapping

from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.edit import Edit
from nnstep.engine.faults.fault import Fault
from nnstep.engine.program.instruction import Instruction, Program


class BranchView(Struct, frozen=True):
    """A branch of the run, as there is to show of it.

    It left `parent` at place `fork` (the first branch left none). `newest` is the furthest place
    that it has reached, and `edits` all that lead there. `losses` has shape `(iterations,)`: the
    loss of every iteration of the branch. `hits` are the places where something has stopped it.
    """

    name: str
    parent: str | None
    fork: int
    newest: int
    seed: int
    edits: tuple[Edit, ...]
    faults: tuple[Fault, ...]
    losses: Array
    hits: tuple[int, ...] = ()


class Watched(Struct, frozen=True):
    """A watched expression: its value here, and the one that it had when the last command came.

    Without a value, `problem` says why there is none.
    """

    text: str
    value: Array | None
    before: Array | None
    problem: str = ""


class Snapshot(Struct, frozen=True):
    """The state of a session at one place.

    `place` counts the instructions executed so far, and `total` those of the whole run (None if it
    goes on for ever). `position` is the index in the program of the instruction next to run;
    `iteration` and `epoch` are those of that instruction. `last` is the instruction executed last.
    `tensors` holds every live tensor, `before` the tensors as they stood when the last command was
    given, and `stale` the names whose values were computed from something edited since.
    `losses` has shape `(iterations so far,)`: the loss of every iteration, in order.
    `branch` is the branch of the run that this is a place of, one of `branches`, and `left` the
    name of the one that was left last, if there is one, to compare with. `breakpoints` has the
    positions of the lines with a breakpoint, and whether it is enabled.
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
    branch: BranchView
    branches: tuple[BranchView, ...]
    left: str | None
    breakpoints: Mapping[int, bool]
    watches: tuple[Watched, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that have shown up to this place."""
        return tuple(fault for fault in self.branch.faults if fault.place <= self.place)

    @property
    def newest(self) -> int:
        """The furthest place that the branch has reached."""
        return self.branch.newest

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
