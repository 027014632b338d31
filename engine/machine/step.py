"""A step of a run, what a run is at a place, and what is told of the steps and passes it makes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from nnstep.engine.arrays import Array
from nnstep.engine.program.program import Instruction, Phase

from .batches import Cursor
from .clock import Clock


class Step(msgspec.Struct, frozen=True, gc=False):
    """One executed instruction; `index` counts all steps of the run from 0.

    `arrays` are those written, in the order of the instruction's `writes`.
    """

    index: int
    instruction: Instruction
    arrays: tuple[Array, ...]
    clock: Clock

    @property
    def iteration(self) -> int:
        """The pass through the program, counted from 0."""
        return self.clock.iteration(self.index)

    @property
    def epoch(self) -> int:
        """The pass through the data, counted from 0."""
        return self.clock.epoch(self.index)

    @property
    def phase(self) -> Phase:
        """The part of the iteration: batch, forward, loss, backward or update."""
        return self.instruction.phase

    @property
    def layer(self) -> int | None:
        """The layer, counted from 1; None for what belongs to no layer."""
        return self.instruction.layer

    @property
    def code(self) -> str:
        """The line of the listing."""
        return self.instruction.code

    @property
    def writes(self) -> Mapping[str, Array]:
        """The arrays written, by name."""
        return dict(zip(self.instruction.writes, self.arrays, strict=True))

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of the tensors read."""
        return self.instruction.reads


class State(msgspec.Struct, frozen=True):
    """Where a run is, and all that going on from there depends on.

    `written` are the arrays written in the pass under way, in the order of the program, up to there
    at least.
    """

    place: int
    tensors: Mapping[str, Array]
    written: Sequence[Array] = ()
    cursor: Cursor | None = None


Record = Sequence[Array]
"""All arrays that one pass wrote, in the order of the program's instructions and their writes."""

Finished = Callable[[int, Sequence[Record]], None]
"""What is told of passes that have ended: the iteration of the first, and what they wrote."""


class Look(Protocol):
    """What looks at the places that a machine comes past.

    `passes` is told of passes that are computed and not gone past yet, from an iteration on, and
    returns the first place in them at which to stop. `here` tells whether to stop where the machine
    has come to.
    """

    def passes(self, first: int, records: Sequence[Record]) -> int | None:
        """Return the first place at which to stop, None for none."""

    def here(self) -> bool:
        """Tell whether to stop here."""
