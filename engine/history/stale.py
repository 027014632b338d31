"""What rests on a value that was edited since: the tensors that are stale at a place."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Set

from nnstep.engine.program.program import Phase, Program

Version = tuple[str, int]
Versions = tuple[Version, ...]


def stale_tensors(program: Program, place: int, edits: Iterable[Version]) -> Set[str]:
    """Return the names of the tensors that are stale at a place.

    `edits` holds the name of each edited tensor and the place at which it was edited, in order, up
    to the place. A value goes back to all that was read to compute it, but a new parameter or
    buffer, which an update makes, stands for itself.
    """
    recent = tuple((name, at) for name, at in edits if at > place - 2 * len(program))
    if not recent:
        return frozenset()
    followed = _followed(program, recent)
    followed.go_on(place)
    return StaleTensors(followed, place, recent)


_KNOWN: OrderedDict[tuple[Program, Versions], "_Followed"] = OrderedDict()
_MOST_KNOWN = 16


def _followed(program: Program, edits: Versions) -> "_Followed":
    """Return what is followed from some edits on: it is asked for again and again."""
    known = _KNOWN.get((program, edits))
    if known is None:
        before = _KNOWN.get((program, edits[:-1]))
        known = (before and before.with_edit(edits)) or _Followed(program, edits)
        _KNOWN[program, edits] = known
        if len(_KNOWN) > _MOST_KNOWN:
            _KNOWN.popitem(last=False)
    _KNOWN.move_to_end((program, edits))
    return known


class _Followed:
    """What was read, followed from the pass before the first of some edits on, step by step.

    A bit stands for each version of an edited tensor. `back_to` has by step, from the step `start`
    on, the versions that what it wrote goes back to; what is there already does not change. `place`
    is how far that is, `carried` has the versions by tensor there, its own included, and `replaced`
    those in whose place an edit put another, up to each edit.
    """

    def __init__(self, program: Program, edits: Versions) -> None:
        self.program = program
        self.place = self.start = max(0, edits[0][1] - len(program))
        self.back_to: list[int] = []
        self.edited_at: list[int] = []
        self.replaced: list[int] = [0]
        names = dict.fromkeys(name for name, _ in edits)
        self._version = {name: 1 << number for number, name in enumerate(names)}
        self._next = 1 << len(names)
        self.carried = dict(self._version)
        self._coming = edits
        self._edit()

    def with_edit(self, edits: Versions) -> "_Followed | None":
        """Return the same with one more edit, if that was made here, and its tensor is followed."""
        name, place = edits[-1]
        if place != self.place or name not in self._version or self._coming:
            return None
        other = _Followed(self.program, edits)
        other.place = place
        other.back_to, other.edited_at = [*self.back_to], [*self.edited_at]
        other.replaced, other.carried = [*self.replaced], dict(self.carried)
        other._version, other._next = dict(self._version), self._next
        other._coming = edits[-1:]
        other._edit()
        return other

    def go_on(self, place: int) -> None:
        """Follow what is read up to a place, if that is further than it was followed."""
        lines, carried, version = self.program.instructions, self.carried, self._version
        for step in range(self.place, place):
            line, read = lines[step % len(lines)], 0
            if line.phase is not Phase.UPDATE:
                for name in line.reads:
                    if name in carried:
                        read |= carried[name]
            for name in line.writes:
                carried[name] = read
                if name in version:
                    self._renew(name)
                    carried[name] |= version[name]
            self.back_to.append(read)
            self.place = step + 1
            if self._coming:
                self._edit()

    def _edit(self) -> None:
        """Have what is edited here go back to nothing but itself."""
        while self._coming and self._coming[0][1] == self.place:
            (name, _), *others = self._coming
            self._coming = tuple(others)
            self.edited_at.append(self.place)
            self.replaced.append(self.replaced[-1] | self._version[name])
            self._renew(name)
            self.carried[name] = self._version[name]

    def _renew(self, name: str) -> None:
        self._version[name], self._next = self._next, 2 * self._next

    def replaced_at(self, place: int) -> int:
        """Return the versions that edits up to a place have replaced."""
        return self.replaced[bisect_right(self.edited_at, place)]

    def versions_of(self, name: str, place: int) -> int:
        """Return the versions that a tensor goes back to at a place, but for its own."""
        step = self.program.last_writer(name, place)
        return 0 if step is None or step < self.start else self.back_to[step - self.start]


class StaleTensors(Set[str]):
    """The names of what is stale at a place; of thousands of tensors only those asked for count."""

    def __init__(self, followed: _Followed, place: int, edits: Collection[Version]) -> None:
        self._followed, self._place = followed, place
        self._replaced = followed.replaced_at(place)
        self._edited = dict(edits)

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        followed = self._followed
        step = followed.program.last_writer(name, self._place)
        if step is None or step < self._edited.get(name, -1):
            return False
        return bool(followed.versions_of(name, self._place) & self._replaced)

    def __iter__(self) -> Iterator[str]:
        followed, replaced = self._followed, self._replaced
        stale: Set[str] = self
        if followed.place == self._place:
            stale = {name for name, versions in followed.carried.items() if versions & replaced}
        return (name for name in followed.program.tensors if name in stale)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @classmethod
    def _from_iterable(cls, names: Iterable[str]) -> frozenset[str]:  # type: ignore[override]
        return frozenset(names)
