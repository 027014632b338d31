"""The steps inside a cell on paper: each calculation, with the part in it that comes next."""

from msgspec import Struct

from .digits import to_digits
from .expansion import Part
from .reductions import MOST_STEPS, all_at_once, replaced, steps
from .writing import NUMBERS, Written, combined, constant

_DIGITS = 6
# They stand around the next part while a calculation is written, and are no part of any text.
_OPENS, _CLOSES = "\ue000", "\ue001"


class Stage(Struct, frozen=True):
    """A calculation as far as it has come.

    `text[start:end]` is the part that comes next, and `becomes` its value; at the end, `text` is
    the value of the cell and there is none.
    """

    text: str
    start: int = 0
    end: int = 0
    becomes: str = ""

    @property
    def next(self) -> str:
        """The part that comes next."""
        return self.text[self.start : self.end]


class Stages:
    """The stages of a calculation, each made when it is first asked for.

    Of more parts than `MOST_STEPS`, all terms of a sum become their values at once.
    """

    def __init__(self, calculation: Part) -> None:
        self._parts = [without_single_sums(calculation)]
        count = steps(self._parts[0])
        # How many parts there are to become their values; None where it is many at once.
        self.count = count if count <= MOST_STEPS else None

    def stage(self, number: int) -> Stage | None:
        """Return a stage, counted from 0; None behind the last one."""
        while len(self._parts) <= number:
            last = self._parts[-1]
            if not last.parts:
                return None
            self._parts.append(_after(last))
        part = self._parts[number]
        return _stage(part) if part.parts else Stage(to_digits(part.value, 2 * _DIGITS))


def without_single_sums(part: Part) -> Part:
    """Return a calculation with its only term in the place of each sum that has but one."""
    if part.sign == "sum" and len(part.parts) == 1:
        return without_single_sums(part.parts[0])
    parts = tuple(without_single_sums(each) for each in part.parts)
    return Part(part.value, part.sign, parts, part.cell, part.aside)


def _after(part: Part) -> Part:
    return all_at_once(part) if steps(part) > MOST_STEPS else replaced(part)


def _stage(part: Part) -> Stage:
    """Write a calculation, and find the part in it that comes next."""
    way = _way(part)
    text = _written(part, way).text
    start = text.index(_OPENS)
    end = text.index(_CLOSES) - 1
    plain = text.replace(_OPENS, "").replace(_CLOSES, "")
    found = part
    for place in way:
        found = found.parts[place]
    return Stage(plain, start, end, to_digits(found.value, _DIGITS))


def _way(part: Part) -> tuple[int, ...]:
    """Return the way to the first part, from the left, whose own parts are numbers."""
    for place, each in enumerate(part.parts):
        if each.parts:
            return place, *_way(each)
    return ()


def _written(part: Part, way: tuple[int, ...] | None) -> Written:
    """Write a calculation in numbers; the part that a way leads to stands between two marks."""
    if not part.parts:
        if part.cell is None and type(part.value) in (bool, int, float):
            return constant(part.value)
        text = to_digits(part.value, _DIGITS)
        return Written(text, -1 if text.startswith("-") else 4)
    parts = [
        _written(each, way[1:] if way and way[0] == place else None)
        for place, each in enumerate(part.parts)
    ]
    written = combined(part.sign, parts, NUMBERS)
    if way == ():
        return Written(f"{_OPENS}{written.text}{_CLOSES}", written.binds)
    return written


def window(stage: Stage, room: int) -> Stage:
    """Return what of a stage fits into so many columns: the next part, and what is around it."""
    if len(stage.text) <= room:
        return stage
    middle = (stage.start + stage.end) // 2
    first = min(max(0, middle - room // 2), max(0, len(stage.text) - room))
    if stage.end - stage.start < room:
        first = min(first, stage.start)
    text = stage.text[first : first + room]
    start, end = max(0, stage.start - first), min(room, stage.end - first)
    if first:
        text = f"…{text[1:]}"
    if first + room < len(stage.text):
        text = f"{text[:-1]}…"
    return Stage(text, start, end, stage.becomes)
