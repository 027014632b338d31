"""What rests on a value that was edited since: the tensors that are stale at a place."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import chain, cycle, islice
from operator import attrgetter

from nnstep.engine.machine.edit import Change, Edit
from nnstep.engine.program.program import Instruction, Phase, Program

_place = attrgetter("place")

# In passes: how far back an edit can have made a value stale that is there still, how far what is
# read is followed without need, as one goes back too, and when that begins anew.
_WINDOW, _MORE, _MOST = 2, 1, 8


def stale_tensors(program: Program, place: int, edits: Sequence[Change]) -> Set[str]:
    """Return the names of the tensors that are stale at a place.

    `edits` are in order of their places. A value goes back to all that was read to compute it, but
    a new parameter or buffer, which an update makes, stands for itself.
    """
    return Following(program).stale(place, edits)


class Following:
    """Follows what was read along a course of a run, step by step, as far as somebody has asked.

    A bit stands for each version of an edited tensor, which a line or an edit has made. What a step
    wrote goes back to those that it has read, or that these go back to. An edit replaces the
    version that is there. Of another course what comes after the edits that both have is followed
    anew.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._is_begun = False
        # The first step that is followed, the place up to which, and what each goes back to.
        self._start = self._place = 0
        self._back_to: list[int] = []
        # The number of the first edit that counts; those made since, each with where its tensor was
        # edited before it; and the versions that they have replaced, up to each.
        self._first = 0
        self._made: list[tuple[Change, Mapping[str, tuple[int, ...]]]] = []
        self._replaced: list[int] = [0]
        # By tensor: where it was edited, its version, and all that its value goes back to.
        self._edited: Mapping[str, tuple[int, ...]] = {}
        self._version: dict[str, int] = {}
        self._carried: dict[str, int] = {}
        self._next = 1
        # What to put back of a tensor, by change: its name, its version and what it went back to.
        self._log: list[tuple[str, int, int]] = []

    def stale(self, place: int, edits: Sequence[Change]) -> Set[str]:
        """Return the names of the tensors that are stale at a place, where these edits are made."""
        length = len(self.program)
        end = bisect_right(edits, place, key=_place)
        recent = bisect_right(edits, place - _WINDOW * length, hi=end, key=_place)
        if recent == end:
            return frozenset()
        self._take_back(edits)
        needed = max(0, edits[recent].place - length)
        if (
            not self._is_begun
            or self._first != bisect_left(edits, self._start, key=_place)
            or needed < self._start
            or place - self._place > _WINDOW * length
            or max(place, self._place) - self._start > _MOST * length
            or any(edit.name not in self._version for edit in self._coming(edits, end))
        ):
            self._begin(place, edits)
        self._go_on(place, edits, end)
        made = bisect_right(self._made, place, key=lambda made: made[0].place)
        return StaleTensors(
            self.program, place, self._start, self._back_to, self._replaced[made], self._edited
        )

    def _coming(self, edits: Sequence[Change], end: int) -> Sequence[Change]:
        """Return the edits up to one that have not been followed."""
        return edits[self._first + len(self._made) : end]

    def _begin(self, place: int, edits: Sequence[Change]) -> None:
        """Begin where nothing that can be stale at a place, or a pass before it, was computed."""
        length, self._is_begun = len(self.program), True
        far = bisect_right(edits, place - (_WINDOW + _MORE) * length, key=_place)
        self._start = self._place = max(0, edits[far].place - length)
        self._first = bisect_left(edits, self._start, key=_place)
        self._back_to, self._made, self._replaced, self._log = [], [], [0], []
        end = bisect_right(edits, place, key=_place)
        edited = (edit.name for edit in edits[self._first : end])
        names = dict.fromkeys(chain(self._version, edited))
        self._edited, self._next = {}, 1
        self._version = dict.fromkeys(names, 0)
        self._carried = {}
        for name in names:
            self._renew(name)

    def _go_on(self, place: int, edits: Sequence[Change], end: int) -> None:
        """Follow what is read up to a place, if that is further than it was followed."""
        lines, carried, version, log = self._lines, self._carried, self._version, self._log
        number = self._first + len(self._made)
        back_to, length = self._back_to, len(lines)
        while True:
            while number < end and edits[number].place == self._place:
                self._make(edits[number])
                number += 1
            if self._place >= place:
                return
            until = min(place, edits[number].place) if number < end else place
            for step in range(self._place, until):
                line, read = lines[step % length], 0
                if line.phase is not Phase.UPDATE:
                    for name in line.reads:
                        if name in carried:
                            read |= carried[name]
                for name in line.writes:
                    log.append((name, version.get(name, 0), carried.get(name, 0)))
                    if name in version:
                        self._renew(name)
                        carried[name] |= read
                    elif read or name in carried:
                        carried[name] = read
                back_to.append(read)
            self._place = until

    @property
    def _lines(self) -> tuple[Instruction, ...]:
        return self.program.instructions

    def _make(self, edit: Change) -> None:
        """Have what is edited here go back to nothing but itself."""
        self._made.append((edit, self._edited))
        name, replaced = edit.name, 0
        if isinstance(edit, Edit):
            places = self._edited.get(name, ())
            if places[-1:] != (edit.place,):
                self._edited = {**self._edited, name: (*places, edit.place)}
            replaced = self._version[name]
            self._log.append((name, replaced, self._carried.get(name, 0)))
            self._renew(name)
        self._replaced.append(self._replaced[-1] | replaced)

    def _renew(self, name: str) -> None:
        """Have a tensor be another version, which goes back to nothing but itself."""
        self._version[name] = self._carried[name] = self._next
        self._next *= 2

    def _take_back(self, edits: Sequence[Change]) -> None:
        """Take back what was followed of another course than the one with these edits."""
        first, made = self._first, self._made
        # One that is here at the same number has the same before it.
        both = range(min(len(made), len(edits) - first))
        same = bisect_left(both, True, key=lambda at: edits[first + at] is not made[at][0])
        if len(made) - same > len(self.program):
            self._is_begun = False  # to begin anew is quicker
            return
        while len(made) > same:
            self._unmake()
        if first + same < len(edits):
            self._go_back(edits[first + same].place)

    def _unmake(self) -> None:
        """Take the last edit back."""
        self._go_back(self._made[-1][0].place)
        edit, self._edited = self._made.pop()
        self._replaced.pop()
        if isinstance(edit, Edit):
            self._put_back()

    def _go_back(self, place: int) -> None:
        """Take back the steps after a place; what was handed out of them stays as it is."""
        place = max(place, self._start)
        if place >= self._place:
            return
        for step in range(place, self._place):
            for _ in self._lines[step % len(self._lines)].writes:
                self._put_back()
        self._back_to = self._back_to[: place - self._start]
        self._place = place

    def _put_back(self) -> None:
        name, version, carried = self._log.pop()
        self._carried[name] = carried
        if name in self._version:
            self._version[name] = version


class StaleTensors(Set[str]):
    """The names of what is stale at a place; of thousands of tensors only those asked for count.

    `back_to` has by step, from `start` on, the versions that what it wrote goes back to, and
    `replaced` are those in whose place an edit put another. `edited` has by tensor where that was.
    """

    def __init__(
        self,
        program: Program,
        place: int,
        start: int,
        back_to: Sequence[int],
        replaced: int,
        edited: Mapping[str, tuple[int, ...]],
    ) -> None:
        self._program, self._place, self._start = program, place, start
        self._back_to, self._replaced, self._edited = back_to, replaced, edited

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        step = self._program.last_writer(name, self._place)
        if step is None or step < self._start:
            return False
        if not self._back_to[step - self._start] & self._replaced:
            return False
        places = self._edited.get(name, ())
        at = bisect_right(places, self._place)
        return not at or places[at - 1] <= step

    @cached_property
    def _names(self) -> tuple[str, ...]:
        lines, replaced = self._program.instructions, self._replaced
        first = max(self._place - len(lines), self._start)
        steps = islice(cycle(lines), first % len(lines), None)
        read = self._back_to[first - self._start : self._place - self._start]
        both = zip(read, steps, strict=False)
        found = {name for back, line in both if back & replaced for name in line.writes}
        if not found:
            return ()
        return tuple(name for name in self._program.tensors if name in found and name in self)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StaleTensors) and self._is_known_from(other):
            return True
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]

    def _is_known_from(self, other: "StaleTensors") -> bool:
        """Tell whether another was found at the same place of the same course."""
        return (
            self._back_to is other._back_to
            and (self._place, self._replaced) == (other._place, other._replaced)
            and self._edited is other._edited
        )

    @classmethod
    def _from_iterable(cls, names: Iterable[str]) -> frozenset[str]:  # type: ignore[override]
        return frozenset(names)
