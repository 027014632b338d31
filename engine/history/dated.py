"""Edits in order of their places: those of a stretch of the run are found without a search."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from nnstep.engine.arrays import Shape
from nnstep.engine.machine.edit import Change, Edit

_Entry = tuple[tuple[int, Change], ...]


class Dated:
    """Some of the edits of a course, each with its place and its number among all of them."""

    def __init__(
        self, edits: Sequence[Change] = (), places: Sequence[int] = (), numbers: Sequence[int] = ()
    ) -> None:
        self._edits = [*edits]
        self._places = [*places]
        self._numbers = [*numbers]

    def add(self, edit: Change, number: int) -> None:
        """Add one that was made after all others."""
        self._edits.append(edit)
        self._places.append(edit.place)
        self._numbers.append(number)

    def keep(self, count: int) -> None:
        """Let all but the first `count` edits of the course go."""
        at = bisect_left(self._numbers, count)
        del self._edits[at:], self._places[at:], self._numbers[at:]

    def first(self, count: int) -> "Dated":
        """Return those of the first `count` edits of the course."""
        at = bisect_left(self._numbers, count)
        return Dated(self._edits[:at], self._places[:at], self._numbers[:at])

    def within(self, place: float, after: int = -1) -> Sequence[Change]:
        """Return those up to a place and after another."""
        places = self._places
        if not places or places[-1] <= after:
            return ()
        return self._edits[bisect_right(places, after) : bisect_right(places, place)]

    def last(self, place: float) -> Change | None:
        """Return the last one up to a place."""
        at = bisect_right(self._places, place)
        return self._edits[at - 1] if at else None

    def __len__(self) -> int:
        return len(self._edits)


class Lasting:
    """The edits that anything has come of: of those of one cell at one place that is the last.

    One that puts other lines in place of the program's counts by itself.
    """

    def __init__(self, entries: Sequence[_Entry] = (), places: Sequence[int] = ()) -> None:
        # Those of a cell at a place, each with its number among all edits; that place; the last.
        self._entries = [*entries]
        self._places = [*places]
        self._last = [entry[-1][1] for entry in entries]
        # Which entries are of the last place, by cell; None if that is to be found out.
        self._here: dict[tuple[str, Shape], int] | None = None

    def add(self, edit: Change, number: int) -> None:
        """Add one that was made after all others."""
        here = self._at_last_place() if self._places[-1:] == [edit.place] else {}
        cell = _cell(edit)
        at = here.pop(cell, None) if cell is not None else None
        if at is not None and not edit.lines:
            self._entries[at] = (*self._entries[at], (number, edit))
            self._last[at] = edit
        else:
            at = len(self._entries)
            self._entries.append(((number, edit),))
            self._places.append(edit.place)
            self._last.append(edit)
        if cell is not None and not edit.lines:
            here[cell] = at
        self._here = here

    def _at_last_place(self) -> dict[tuple[str, Shape], int]:
        if self._here is None:
            self._here = {}
            for at in range(bisect_left(self._places, self._places[-1]), len(self._places)):
                edit = self._entries[at][-1][1]
                cell = _cell(edit)
                if cell is not None and not edit.lines:
                    self._here[cell] = at
        return self._here

    def keep(self, count: int) -> None:
        """Let all but the first `count` edits of the course go."""
        entries, places = self._entries, self._places
        end = bisect_left(entries, count, key=lambda entry: entry[0][0])
        del entries[end:], places[end:], self._last[end:]
        for at in range(bisect_left(places, places[-1]) if places else 0, end):
            entries[at] = tuple(made for made in entries[at] if made[0] < count)
            self._last[at] = entries[at][-1][1]
        self._here = None

    def first(self, count: int) -> "Lasting":
        """Return those of the first `count` edits of the course."""
        other = Lasting(self._entries, self._places)
        other.keep(count)
        return other

    def within(self, place: float, after: int = -1) -> list[Change]:
        """Return those up to a place and after another."""
        return self._last[bisect_right(self._places, after) : bisect_right(self._places, place)]


def _cell(edit: Change) -> tuple[str, Shape] | None:
    return (edit.name, edit.index) if isinstance(edit, Edit) else None
