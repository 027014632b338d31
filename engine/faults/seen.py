"""What rules look at in a pass: of its large arrays an excerpt, some rows at equal distances.

To hold all that large passes wrote costs more time than to copy excerpts of it: memory that nobody
has touched lately is slow. A pass that is suspected is run again.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.machine.step import Record

LARGE = 8192
"""The numbers in an array above which an excerpt of it is measured first.

It is also what OpenBLAS certainly multiplies in one thread: on a busy machine, to wait for several
takes many times as long as their work.
"""

EXCERPT = 2048
"""About how many numbers an excerpt has."""


def excerpt(array: Array) -> Array:
    """Return an excerpt of an array that is large, else itself."""
    return array[:: -(-array.size // EXCERPT)] if array.size > LARGE else array


def sum_of_squares(array: Array) -> float:
    """Return the sum of the squares of all elements, in float64; inf where it overflows."""
    flat = array.ravel().astype(np.float64, copy=False)
    if flat.size <= LARGE:
        return float(np.dot(flat, flat))
    even = flat.size - flat.size % LARGE
    pieces = flat[:even].reshape(-1, LARGE)
    return float(np.vecdot(pieces, pieces).sum() + np.dot(flat[even:], flat[even:]))


def is_plain(array: Array) -> bool:
    """Tell whether it is plain at a glance that all of an array is finite.

    Squares may overflow where the numbers do not: then it is not plain.
    """
    return math.isfinite(sum_of_squares(array))


class Seen(Sequence[Array]):
    """The record of a pass that wrote `large` arrays, which are at these indices.

    `parts` has the excerpts in their place. The arrays themselves are there as long as they are
    not let go of, and then once the pass has been run again; `was_asked` says that somebody wanted
    one. Whether those of them are finite that are at `telling` indices is looked up at once.
    """

    def __init__(self, record: Record, large: frozenset[int], telling: frozenset[int]) -> None:
        self.large = large
        self.parts = tuple(excerpt(a) if at in large else a for at, a in enumerate(record))
        self.was_asked = False
        self._again: Callable[[], Record] = lambda: record
        self._is_held = True
        self._telling = telling & large
        self._is_plain = all(is_plain(record[at]) for at in self._telling if at < len(record))

    def let_go(self, again: Callable[[], Record]) -> None:
        """Hold only excerpts from here on; `again` runs the pass once more."""
        parts = enumerate(self.parts)
        self.parts = tuple(part.copy() if at in self.large else part for at, part in parts)
        self._again, self._is_held = again, False

    def is_plain(self, index: int) -> bool:
        """Tell whether it is plain that what was written at an index is finite."""
        if index in self._telling:
            return self._is_plain
        return is_plain(self._again()[index] if index in self.large else self.parts[index])

    @property
    def held(self) -> Sequence[Array]:
        """What is held of it."""
        return self._again() if self._is_held else self.parts

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice) and index not in self.large:
            return self.parts[index]
        self.was_asked = True
        return self._again()[index]

    def __iter__(self) -> Iterator[Array]:
        return iter(self[:])

    def __len__(self) -> int:
        return len(self.parts)


class Start(Mapping[str, Array]):
    """The tensors at the beginning of a pass, of which only excerpts of what is large are held.

    Whoever asks for a tensor itself has them all computed `again`.
    """

    def __init__(
        self, tensors: Mapping[str, Array], again: Callable[[], Mapping[str, Array]]
    ) -> None:
        self._parts = {
            name: excerpt(array).copy() if array.size > LARGE else array
            for name, array in tensors.items()
        }
        self._again = again

    @cached_property
    def _whole(self) -> Mapping[str, Array]:
        return self._again()

    def part(self, name: str) -> Array:
        """Return a tensor, an excerpt if it is large."""
        return self._parts[name]

    def __getitem__(self, name: str) -> Array:
        return self._whole[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


def parts_of(record: Sequence[Array]) -> Sequence[Array]:
    """Return what a pass wrote, with excerpts in place of what is large."""
    return record.parts if type(record) is Seen else record
