"""What is remembered of a branch: keyframes, within a budget, and the values of the last passes.

From a keyframe on, the passes up to a place are run again. A record is the tensors that one pass
wrote, one an instruction.
"""

import copy
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.machine.batches import Cursor
from nnstep.engine.machine.edit import Change, edited_copies
from nnstep.engine.machine.live import Live
from nnstep.engine.machine.step import Record
from nnstep.engine.program.program import Program

from .branch import Branch

# A keyframe holds at least one number for so many that are computed when its passes run again.
_MOST_SPACING = 64
_NUMBERS_BETWEEN = 1 << 21
# The last pass stays, whatever the budget, as a step back within the next one needs it, and others
# as long as they are small: to keep a record costs more than to run its pass again. Memory that is
# touched for the first time is slow, and what lies in the cache is pushed out of it.
_LEAST_RECORDS = 1
_RING_BYTES = 1 << 16
# The place in the dictionary, the tuple, and its pointers.
_RECORD_BYTES, _POINTER_BYTES = 250, 8
# What NumPy and the allocator need for an array besides its numbers, and for a block of numbers.
ARRAY_BYTES, BLOCK_BYTES = 128, 16


class Keyframe(Struct, frozen=True):
    """The tensors at the beginning of a pass that are not computed in it, before any edit there."""

    iteration: int
    tensors: dict[str, Array]
    cursor: Cursor | None


class Store:
    """Keeps records and keyframes by branch and iteration, in at most `budget` bytes.

    `shared` are arrays that live as long as the session, and count for nothing. `carried` tells how
    many numbers a keyframe holds, in how many arrays.
    """

    def __init__(
        self, budget: int, shared: Collection[Array], carried: Collection[Array], steps: int
    ) -> None:
        self.budget = budget
        self._bytes_of_records = 0
        # What the keyframes leave; it is worked out when there is one more of them.
        self._budget_of_records = budget
        self._steps = steps
        self._shared = shared
        self._records: OrderedDict[tuple[Branch, int], tuple[Record, int]] = OrderedDict()
        self._footprints: dict[tuple[int, ...], int] = {}
        self._keyframes: dict[Branch, list[Keyframe]] = {}
        self._keyframe_bytes = sum(
            array.nbytes + ARRAY_BYTES + BLOCK_BYTES + _RECORD_BYTES for array in carried
        )
        numbers = sum(array.size for array in carried) or 1
        self.spacing = max(1, min(_MOST_SPACING, _NUMBERS_BETWEEN // numbers))

    def put(self, branch: Branch, first: int, records: Sequence[Record]) -> None:
        """Keep the records of passes from one on, and let go of others if that is too much."""
        most, room = min(self._budget_of_records, _RING_BYTES), len(records)
        if room > _LEAST_RECORDS:  # what would be let go at once does not come in
            room = max(_LEAST_RECORDS, most // self._footprint(records[-1]) + 1)
        for iteration, record in enumerate(records[-room:], first + len(records[:-room])):
            if (branch, iteration) not in self._records:
                size = self._footprint(record)
                self._records[branch, iteration] = record, size
                self._bytes_of_records += size
        while self._bytes_of_records > most and len(self._records) > _LEAST_RECORDS:
            _, (_, size) = self._records.popitem(last=False)
            self._bytes_of_records -= size

    def with_record(self, branch: Branch, iteration: int, record: Record) -> "Store":
        """Return a store that has the record of one more pass; this one does not change."""
        other = copy.copy(self)
        other._records = self._records.copy()
        other.put(branch, iteration, [record])
        return other

    def _drop(self, key: tuple[Branch, int]) -> None:
        self._bytes_of_records -= self._records.pop(key)[1]

    def record(self, branch: Branch, iteration: int) -> Record | None:
        """Return what a pass wrote, None if that is no longer (or not yet) known."""
        owner = branch.owner(iteration, self._steps)
        found = self._records.get((owner, iteration))
        return found[0] if found else None

    def wants_keyframe(self, branch: Branch, iteration: int) -> bool:
        """Tell whether the tensors at the beginning of a pass, one of every `spacing`, are new."""
        keyframes = self._keyframes.get(branch)
        return not keyframes or keyframes[-1].iteration < iteration

    def put_keyframe(self, branch: Branch, keyframe: Keyframe) -> None:
        """Keep the tensors at the beginning of a pass."""
        self._keyframes.setdefault(branch, []).append(keyframe)
        while self._bytes_of_keyframes > self.budget and self._thin():
            pass
        self._budget_of_records = self.budget - self._bytes_of_keyframes

    def keyframe(self, branch: Branch, iteration: int) -> Keyframe | None:
        """Return the last keyframe at or before a pass, None if only the origin is left."""
        each: Branch | None = branch
        while each is not None:
            keyframes = self._keyframes.get(each)
            if keyframes and keyframes[0].iteration <= iteration:
                return keyframes[bisect_right(keyframes, iteration, key=_iteration) - 1]
            iteration, each = min(iteration, each.fork // self._steps), each.parent
        return None

    @property
    def bytes(self) -> int:
        """The memory that all records and keyframes take together."""
        return self._bytes_of_records + self._bytes_of_keyframes

    @property
    def _bytes_of_keyframes(self) -> int:
        return self._keyframe_bytes * sum(map(len, self._keyframes.values()))

    def _thin(self) -> bool:
        """Let every other keyframe go; tell whether there was one to go."""
        before, spacing = self._bytes_of_keyframes, 2 * self.spacing
        for branch, keyframes in self._keyframes.items():
            self._keyframes[branch] = [k for k in keyframes if k.iteration % spacing == 0]
        thinned = self._bytes_of_keyframes < before
        self.spacing = spacing if thinned else self.spacing
        return thinned

    def forget(self, branch: Branch, iteration: int) -> None:
        """Let go of what a branch has from a pass on; the keyframe at its beginning stays."""
        for key in [key for key in self._records if key[0] is branch and key[1] >= iteration]:
            self._drop(key)
        keyframes = self._keyframes.get(branch, [])
        del keyframes[bisect_right(keyframes, iteration, key=_iteration) :]

    def delete(self, branch: Branch) -> None:
        """Let go of all that a branch has."""
        self.forget(branch, 0)
        self._keyframes.pop(branch, None)

    def _footprint(self, record: Record) -> int:
        """Return the bytes of a record; those of batches of one size are all alike."""
        shape = record[0].shape
        size = self._footprints.get(shape)
        if size is None:
            size = footprint(record, self._shared) + _RECORD_BYTES + _POINTER_BYTES * len(record)
            self._footprints[shape] = size
        return size


def _iteration(keyframe: Keyframe) -> int:
    return keyframe.iteration


def tensors_at(
    program: Program,
    branch: Branch,
    place: int,
    before: Record | None,
    written: Sequence[Array],
) -> dict[str, Array]:
    """Return the tensors at a place: all that was written last, with the edits made before it.

    `before` is the record of the whole pass before that of the place (None in the first), and
    `written` what the pass of the place had written until then, or more.
    """
    tensors = dict(branch.origin.tensors)
    start = place - place % len(program)
    since = start if before is None else start - len(program)
    tensors |= edited_copies(branch.last_edits_of(program.standing, since - 1), tensors)
    names, count = program.written, program.counts[place % len(program)]
    if before is not None:
        tensors.update(zip(names[count:], before[count:], strict=True))
    tensors.update(zip(names[:count], written, strict=False))
    edits = branch.lasting(place - 1, after=since - 1)
    writers = {name: program.last_writer(name, place) for name in {edit.name for edit in edits}}
    made = (edit for edit in edits if _is_after(edit, writers[edit.name]))
    return tensors | edited_copies(made, tensors)


def tensors_near(
    program: Program,
    branch: Branch,
    place: int,
    before: Record | None,
    written: Sequence[Array],
    here: int,
    live: Live,
    edited: Collection[str],
) -> Live:
    """Return the same, taken from what is `live` few lines away, at the place `here`.

    That is on the branch, or on one that is the same up to both places but for what was `edited` in
    between. Of thousands of tensors only those are looked for that these lines have written.
    """
    first, end = sorted((place, here))
    lines, steps = program.instructions, len(program)
    names = {name for step in range(first, end) for name in lines[step % steps].writes}
    names |= {*edited} | {edit.name for edit in branch.lasting(end, after=first - 1)}
    tensors = live.again()
    start = place - place % steps
    for name in names:
        step = program.last_writer(name, place)
        if step is not None:
            at = program.counts[step % steps] + lines[step % steps].writes.index(name)
            record = written if step >= start else before
            assert record is not None, "a step before the pass is one of the pass before"
            tensors.update({name: record[at]})
        elif name in branch.origin.tensors:
            tensors.update({name: branch.origin.tensors[name]})
        else:
            tensors.drop(name)
        edits = branch.last_edits_of([name], place - 1)
        tensors.update(edited_copies((edit for edit in edits if _is_after(edit, step)), tensors))
    return tensors


def _is_after(edit: Change, step: int | None) -> bool:
    """Tell whether an edit was made after the step that wrote its tensor, None for no such step."""
    return step is None or step < edit.place


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
