"""A state is put together from what the last two passes wrote; nothing is computed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.edit import Edit
from nnstep.engine.machine import Record
from nnstep.engine.program.instruction import Program

# What NumPy and the allocator need for an array besides its numbers, and for a block of numbers.
ARRAY_BYTES, BLOCK_BYTES = 128, 16


def tensors_at(
    program: Program,
    initial: Mapping[str, Array],
    edits: Sequence[Edit],
    place: int,
    before: Record | None,
    written: Sequence[Array],
) -> dict[str, Array]:
    """Return the tensors at a place: all that was written last, with the edits made since.

    `before` is the record of the whole pass before that of the place (None in the first), and
    `written` what the pass of the place had written until then.
    """
    tensors = dict(initial)
    rewritten = {name for line in program.instructions for name in line.writes}
    # What a pass had before it was written there is of no consequence: it has been replaced.
    known = set(initial) if before is None else initial.keys() - rewritten
    pending = defaultdict(list)
    for edit in edits:
        pending[edit.place].append(edit)
    start = place - place % len(program)
    since = start if before is None else start - len(program)
    for edit in edits:
        if edit.place < since and edit.name in known:
            edit.apply(tensors)
    now = since
    for record in (written,) if before is None else (before, written):
        arrays = iter(record)
        for line in program.instructions:
            for edit in pending[now]:
                if edit.name in known:
                    edit.apply(tensors)
            if now == place:
                return tensors
            tensors.update((name, next(arrays)) for name in line.writes)
            known.update(line.writes)
            now += 1
    return tensors


def count_written(program: Program, position: int) -> int:
    """Return how many arrays a pass has written before the instruction at a position."""
    return sum(len(line.writes) for line in program.instructions[:position])


def footprint(record: Iterable[Array], elsewhere: Iterable[Array]) -> int:
    """Return the bytes of memory that a record takes, but for what it shares with others."""
    known = {id(array) for array in elsewhere} | {id(_owner(array)) for array in elsewhere}
    total = 0
    for array in record:
        if id(array) in known:
            continue
        known.add(id(array))
        total += ARRAY_BYTES
        owner = _owner(array)
        if owner is array or id(owner) not in known:
            known.add(id(owner))
            total += owner.nbytes + BLOCK_BYTES
    return total


def _owner(array: Array) -> Array:
    """Return the array that holds the numbers of a view."""
    return array.base if isinstance(array.base, np.ndarray) else array
