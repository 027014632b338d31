"""Values that are not finite: the lines that make them, and how many others pass them on."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.text import cell_name

from .columns import joined
from .fault import NON_FINITE, Fault, Key
from .passes import SMALL, Passes, Written
from .producers import Producer, advice
from .seen import Seen, is_plain

FINITE, INFINITE, NO_NUMBER = range(3)


class Made(Struct, frozen=True):
    """A line that has made a value that is not finite, and how many of its pass hand one on.

    `is_read` says that it has made none, but is the first to read one that was there.
    """

    position: int
    name: str
    is_read: bool
    passed_on: int


def is_finite(
    written: Written,
    records: Sequence[Sequence[Array]],
    groups: Iterable[Passes],
) -> bool:
    """Tell whether it is plain at a glance that all that whole passes in a row computed is finite.

    They have run the lines of the program as they stand, and nothing was edited in them: then it is
    enough to look where no later line would show it. `groups` are the same passes. Squares may
    overflow where the numbers do not: then it is not plain.
    """
    return _are_plain(records[-1:], written.kept) and all(
        _are_plain(passes.records, [at for at in written.telling if not passes.is_reached(at)])
        for passes in groups
    )


def _are_plain(records: Sequence[Sequence[Array]], indices: Sequence[int]) -> bool:
    """Tell the same of what passes wrote at some indices; small arrays are looked at together."""
    first = records[0]
    alone = first.large if isinstance(first, Seen) else frozenset()
    small = [at for at in indices if at not in alone and first[at].size <= SMALL]
    together = [at for at in small if first[at].dtype == first[small[0]].dtype]
    return all(map(is_plain, joined(records, together))) and all(
        _is_plain(record, at) for at in indices if at not in together for record in records
    )


def _is_plain(record: Sequence[Array], index: int) -> bool:
    return record.is_plain(index) if isinstance(record, Seen) else is_plain(record[index])


def all_finite(written: Written, record: Sequence[Array], start: int) -> bool:
    """Tell the same of all that one pass, perhaps under way, computed from a position on."""
    return all(map(is_plain, record[max(written.computed, written.counts[start]) :]))


def kind(array: Array) -> int:
    """Return whether an array has NaN, else infinity, else only finite numbers."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return FINITE
    return NO_NUMBER if np.isnan(array).any() else INFINITE


def made_in(written: Written, record: Sequence[Array], before: Mapping[str, Array]) -> list[Made]:
    """Return the lines of a pass, which may be under way, that make values that are not finite.

    A line makes one if all that it reads is finite, or if it makes NaN of infinities. If none does,
    and there are such values, it is the first line that reads one.
    """
    lines = written.program.instructions[: written.position(len(record))]
    kinds: dict[str, int] = {}
    made: list[tuple[int, str]] = []
    others: list[tuple[int, str]] = []
    arrays = iter(record)
    for position, line in enumerate(lines):
        kinds |= {name: kind(before[name]) for name in line.reads if name not in kinds}
        read = max((kinds[name] for name in line.reads), default=FINITE)
        for name in line.writes:
            kinds[name] = kind(next(arrays))
            if kinds[name] > read:
                made.append((position, name))
            elif kinds[name]:
                others.append((position, name))
    if made:
        return [Made(*each, is_read=False, passed_on=_behind(others, each[0])) for each in made]
    return [Made(*each, is_read=True, passed_on=len(others) - 1) for each in others[:1]]


def _behind(others: Sequence[tuple[int, str]], position: int) -> int:
    return sum(at > position for at, _ in others)


class NonFinite:
    """Makes the faults of the lines that make values that are not finite."""

    def __init__(self, written: Written, has_optimizer: bool) -> None:
        self._written = written
        self._has_optimizer = has_optimizer

    def faults(
        self,
        iteration: int,
        record: Sequence[Array],
        before: Mapping[str, Array],
        known: Collection[Fault],
        start: int = 0,
    ) -> Iterator[Fault]:
        """Yield the faults of a pass that are not known, and those of it whose count has grown.

        Positions below `start` have been looked at already.
        """
        steps = len(self._written.program)
        by_key: dict[Key, Fault] = {fault.key: fault for fault in known}
        before_this = any(fault.name == NON_FINITE for fault in known)
        for made in made_in(self._written, record, before):
            place = iteration * steps + made.position + 1
            fault = self._fault(made, iteration, place, record, before)
            old = by_key.get(fault.key)
            if old is not None:
                if old.place == place and old.passed_on < fault.passed_on:
                    yield fault
            elif made.position >= start and not (made.is_read and before_this):
                yield fault

    def _fault(
        self,
        made: Made,
        iteration: int,
        place: int,
        record: Sequence[Array],
        before: Mapping[str, Array],
    ) -> Fault:
        written, program = self._written, self._written.program
        line = program.instructions[made.position]
        index = written.counts[made.position] + line.writes.index(made.name)
        array = record[index]
        finite = np.isfinite(array)
        cell = tuple(int(i) for i in np.argwhere(~finite)[0])
        live = {**before, **dict(zip(written.names[:index], record, strict=False))}
        producer = Producer(program, line, array, cell, live, made.is_read)
        return Fault(
            name=NON_FINITE,
            layer=program.tensors[made.name].layer,
            tensor=made.name,
            place=place,
            iteration=iteration,
            value=float(array[cell]),
            threshold=float(np.finfo(array.dtype).max),
            level="stop",
            advice=advice(producer, self._has_optimizer),
            quantity=cell_name(made.name, cell),
            passed_on=made.passed_on,
        )
