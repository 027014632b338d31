"""What a condition names, taken from the records of passes that are computed and not gone past yet.

At a position of a pass, a tensor is what the pass has written last before the position; if it has
not yet, what the pass before wrote last; or else what is live where the first of the passes begins.
"""

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.machine.step import Record
from nnstep.engine.program.program import Program

from .trigger import loss_named


class Read(Struct, frozen=True):
    """A tensor and the name by which it is read, which can be `loss`.

    `here` is the index of what the pass has written last before the position, None if it has not
    yet, and `last` that of what a pass writes last, None for a tensor that no line writes.
    """

    named: str
    tensor: str
    here: int | None
    last: int | None


def reads_at(names: Collection[str], program: Program, position: int) -> tuple[Read, ...]:
    """Return where the tensors of some names stand at a position of a pass, 1 to its length."""
    lines = program.instructions
    written = [name for line in lines for name in line.writes]
    count = sum(len(line.writes) for line in lines[:position])
    last = {name: at for at, name in enumerate(written)}
    here = {name: at for at, name in enumerate(written[:count])}
    return tuple(
        Read(named, name, here.get(name), last.get(name))
        for named in names
        for name in (loss_named(named, program),)
    )


def values_of(
    reads: Collection[Read], record: Record, before: Record | None, live: Mapping[str, Array]
) -> dict[str, Any]:
    """Return the tensors that are read and have a value, by the names they are read by.

    `before` is the record of the pass before, None for the first of the passes.
    """
    values: dict[str, Any] = {}
    for read in reads:
        if read.here is not None:
            values[read.named] = record[read.here]
        elif before is not None and read.last is not None:
            values[read.named] = before[read.last]
        elif read.tensor in live:
            values[read.named] = live[read.tensor]
    return values
