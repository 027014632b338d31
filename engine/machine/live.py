"""What is live at a place, by name: of thousands of arrays a copy costs as much as of few."""

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from operator import is_
from typing import Any

from nnstep.engine.arrays import Array

# So many arrays of its own, and what it shares with others is put together anew with them.
_MOST_OWN = 64


class Live(Mapping[str, Array]):
    """Arrays by name. Copies share what was there when they were made, and have what came then.

    Whoever holds one sees it change by `update` and `drop` only: what others do with a copy of it
    does not show in it.
    """

    __slots__ = ("_own", "_shared")

    def __init__(
        self, shared: dict[str, Array], own: dict[str, Array | None] | None = None
    ) -> None:
        # What nobody changes, and what counts in place of it: None for what is gone.
        self._shared = shared
        self._own = {} if own is None else own

    def again(self) -> "Live":
        """Return one with the same arrays, to be changed apart from this one."""
        if len(self._own) > _MOST_OWN:
            self._put_together()
        return Live(self._shared, dict(self._own))

    def update(self, arrays: Mapping[str, Array] | Iterable[tuple[str, Array]]) -> None:
        """Have arrays be live under names."""
        self._own.update(arrays)

    def drop(self, name: str) -> None:
        """Have nothing be live under a name."""
        self._own[name] = None

    def is_same(self, other: "Live") -> bool:
        """Tell whether another has the very same arrays."""
        if self._shared is not other._shared:
            one, two = self._put_together(), other._put_together()
            return one.keys() == two.keys() and all(map(is_, one.values(), map(two.get, one)))
        names = self._own.keys() | other._own.keys()
        return all(self.get(name) is other.get(name) for name in names)

    def _put_together(self) -> dict[str, Array]:
        """Return all arrays in one dictionary, which nobody changes."""
        if own := self._own:
            together = self._shared.copy()
            for name, array in own.items():
                if array is None:
                    together.pop(name, None)
                else:
                    together[name] = array
            self._shared, self._own = together, {}
        return self._shared

    def __getitem__(self, name: str) -> Array:
        if name not in self._own:
            return self._shared[name]
        array = self._own[name]
        if array is None:
            raise KeyError(name)
        return array

    def get(self, name: str, default: Any = None) -> Any:
        """Return an array, or else the default."""
        array = self._own[name] if name in self._own else self._shared.get(name)
        return default if array is None else array

    def __contains__(self, name: object) -> bool:
        return self._own[name] is not None if name in self._own else name in self._shared

    def __iter__(self) -> Iterator[str]:
        return iter(self._put_together())

    def __len__(self) -> int:
        is_more = ((a is not None) - (name in self._shared) for name, a in self._own.items())
        return len(self._shared) + sum(is_more)

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._put_together().keys()

    def values(self) -> ValuesView[Array]:
        """Return the arrays."""
        return self._put_together().values()

    def items(self) -> ItemsView[str, Array]:
        """Return the names with their arrays."""
        return self._put_together().items()

    def copy(self) -> dict[str, Array]:
        """Return a dictionary of all."""
        return dict(self._put_together())

    def __or__(self, other: Mapping[str, Array]) -> dict[str, Array]:
        return {**self._put_together(), **other}

    def __ror__(self, other: Mapping[str, Array]) -> dict[str, Array]:
        return {**other, **self._put_together()}

    def __repr__(self) -> str:
        return repr(self._put_together())


def live(arrays: Mapping[str, Array]) -> Live:
    """Return arrays by name as what is live; nobody changes a dictionary from then on."""
    if isinstance(arrays, Live):
        return arrays
    return Live(arrays if isinstance(arrays, dict) else dict(arrays))


def same_arrays(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    """Tell whether two moments have the very same arrays."""
    return one is other or live(one).is_same(live(other))
