"""A calculation stacked like a column of figures: a row an operand, results under a rule.

Where a row has more numbers than fit, they are a window around the cell in question.
"""

import textwrap
from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.explain.calculation import SUM, Row, Rule
from nnstep.engine.explain.slope import Slope
from nnstep.engine.text import cell_name

from .column_sum import column_sum, is_column_sum
from .crosswise import put_remarks
from .elements import draw_elements, elements_of
from .places import LOOKED_THROUGH, Places, class_of, keeps_one, place_in_words
from .sheet import MUTED, STRONG, Sheet, View, around, heading, widest
from .terms import Term, put_terms
from .upright import stands_upright, upright

# Where the numbers begin at the earliest, and how far behind the longest name.
NUMBERS, BEHIND_NAMES = 19, 5
FIELD, PITCH = 7, 9


def draw_stack(view: View, width: int, height: int) -> Sheet:
    """Draw a calculation in a box of so many columns and lines."""
    places = Places(view)
    if is_column_sum(view) and (sheet := column_sum(view, width, height)):
        return sheet
    if _is_too_high(view, places, height) and (elements := elements_of(view)):
        table = draw_elements(view, elements, width, height)
        if table is not None and any(cell.spot == view.spot for cell in table.cells):
            return table
    columns = _columns_at(view, width, _names(view, width))
    mixes = any(
        (SUM in row.text and places.column not in row.axes[-1:]) or keeps_one(row, places)
        for row in view.rows
        if not row.tensor
    )
    size = places.sizes.get(places.column, 1) if places.column is not None else 1
    if mixes and size > columns and stands_upright(view, places, width, height):
        return upright(view, places, width, height)
    return _Stack(view, places, width, height).sheet


def _is_too_high(view: View, places: Places, height: int) -> bool:
    """Tell whether a calculation has more lines than there are."""
    rows = view.calculation.rows
    return sum(places.lines_of(row) if isinstance(row, Row) else 1 for row in rows) > height


def _names(view: View, width: int, *, short: bool = False, field: int = FIELD) -> int:
    """Return the column before which the names end: two numbers so wide fit behind them."""
    longest = max((len(_label(row, short=short)) for row in view.rows), default=0)
    second = field + PITCH - FIELD if width >= 40 else 0
    return min(4 + longest, max(6, width - BEHIND_NAMES - field - 1 - second))


def _label(row: Row, *, short: bool = False) -> str:
    """Return what stands before a row; where room is short, without its shape."""
    text = heading(row)
    if short and row.tensor:
        text = text[: -len(f" {row.shape}")]
    return f"{text}  if {row.branch}" if row.branch else text


def _columns_at(view: View, width: int, names: int) -> int:
    start = max(NUMBERS if width >= 40 else 0, names + BEHIND_NAMES - 1)
    return max(1, 1 + (width - start - FIELD - 1) // PITCH)


class _Stack:
    """Draws a stack: first what is looked at, then the rows one below the other."""

    def __init__(self, view: View, places: Places, width: int, height: int) -> None:
        self.view, self.places = view, places
        self.sheet = Sheet(width, height)
        self.short = False
        rows = view.calculation.rows
        lines = sum(places.lines_of(row) if isinstance(row, Row) else 1 for row in rows)
        self.whole = lines <= height
        self.field = FIELD
        self.columns: dict[int, range] = {}
        # The numbers of each row that were looked at last, and in which window.
        self._seen: dict[int, tuple[tuple[slice, ...], Array | None]] = {}
        self._measure()
        if any(len(c) < places.sizes[axis] for axis, c in self.columns.items()):
            self.short = True
            self._measure()
        self.line = 0
        windowed = any(len(c) < places.sizes[axis] for axis, c in self.columns.items())
        several = any(places.lines_of(row) > 1 for row in view.rows)
        if (windowed or (several and not self.whole)) and len(rows) < height:
            self._head(hidden_lines=several and not self.whole)
        room = height - self.line
        self._draw(self._fitting_rows(room), room)
        if self.line + 1 < height and not view.large:
            self._below()

    def _measure(self) -> None:
        """Choose the columns that are looked at, and how wide a number is."""
        width = self.sheet.width
        least = NUMBERS if width >= 40 and not self.short else 0
        self.field = FIELD
        most = max(
            (self.places.sizes[row.axes[-1]] for row in self.view.rows if row.axes), default=1
        )
        for _ in range(2):
            self.start, fitting = 0, 0
            for field in (FIELD, self.field):  # where names give way, another column may fit
                names = _names(self.view, width, short=self.short, field=field)
                start = max(least, names + BEHIND_NAMES - 1)
                fit = max(1, 1 + (width - start - self.field - 1) // (self.field + 2))
                if min(fit, most) > fitting:
                    self.names, self.start, fitting = names, start, fit
            self.columns = {
                row.axes[-1]: around(
                    self.places.at(row.axes[-1], self.places.sizes[row.axes[-1]]),
                    self.places.sizes[row.axes[-1]],
                    fitting,
                )
                for row in self.view.rows
                if row.axes and row.axes != (self.places.line,)
            }
            found = (
                value for row in self.view.rows for value in self._numbers(row).ravel().tolist()
            )
            self.field = widest(found, self.view.write, FIELD)
        self.start = max(0, min(self.start, width - self.field - 1))
        self.names = min(self.names, max(4, self.start - 2))

    def _lines(self, row: Row) -> range:
        """Return the lines of a row that are looked at."""
        count = self.places.lines_of(row)
        if count == 1 or self.whole:
            return range(count)
        axis = row.axes[0] if len(row.axes) == 1 else row.axes[-2]
        at = self.places.at(axis, count)
        return range(at, at + 1)

    def _height(self, row: Row | Rule) -> int:
        return len(self._lines(row)) if isinstance(row, Row) else 1

    def _columns(self, row: Row) -> range:
        if not row.axes or row.axes == (self.places.line,):
            return range(1)
        wanted = self.columns[row.axes[-1]]
        return range(1) if row.shape[-1] == 1 else wanted

    def _window(self, row: Row) -> tuple[slice, ...]:
        lines, columns = self._lines(row), self._columns(row)
        if not row.axes:
            return ()
        if row.axes == (self.places.line,):
            return (slice(lines.start, lines.stop),)
        leading = [
            slice(self.places.at(axis, size), self.places.at(axis, size) + 1)
            for axis, size in zip(row.axes[:-2], row.shape[:-2], strict=True)
        ]
        inner = [slice(lines.start, lines.stop)] if len(row.axes) > 1 else []
        return (*leading, *inner, slice(columns.start, columns.stop))

    def _numbers(self, row: Row) -> Array:
        """Return the numbers of a row that are looked at, of shape `(lines, columns)`."""
        window = self._window(row)
        seen, numbers = self._seen.get(id(row), ((), None))
        if numbers is None or seen != window:
            numbers = row.values[window].reshape(len(self._lines(row)), -1)
            self._seen[id(row)] = window, numbers
        return numbers

    def _head(self, *, hidden_lines: bool) -> None:
        """Name the row and the columns that are looked at."""
        places, sheet = self.places, self.sheet
        said = ", ".join(str(places.at(axis, places.sizes[axis])) for axis in places.leading)
        text = f"[{said}, :, :] " if said else ""
        text += place_in_words(self.view, places) if hidden_lines else ""
        sheet.put(1, 0, text, MUTED)
        if places.column in self.columns:
            for order, at in enumerate(self.columns[places.column]):
                end = self.start + self.field + order * (self.field + 2)
                sheet.put(end - len(str(at)), 0, str(at), MUTED)
        self.line = 1

    def _fitting_rows(self, room: int) -> list[Row | Rule]:
        """Leave out rules, then parts, where there is no room for all; the result stays."""
        rows = list(self.view.calculation.rows)
        if self.whole and sum(map(self._height, rows)) <= room:
            return rows

        def height() -> int:
            return sum(map(self._height, rows))

        def is_spare(row: Row | Rule, step: int) -> bool:
            if isinstance(row, Rule):
                return step == 0
            asked = row is self.view.row
            return step == 1 and not (row.tensor or row.classes or asked or row.test)

        for step in (0, 1):
            for row in list(rows):
                if height() > room and is_spare(row, step):
                    rows.remove(row)
        if height() > room:
            keep = (self.view.row, self.view.calculation.result)
            for row in list(rows):
                if height() > room and not any(row is each for each in keep):
                    rows.remove(row)
        return rows

    def _draw(self, rows: list[Row | Rule], room: int) -> None:
        """Draw rows one below the other; long names on lines of their own, as far as there are."""
        taken = self._taken()
        used = sum(map(self._height, rows))
        spare = room - used
        for row in rows:
            if isinstance(row, Rule):
                last = max((len(c) for c in self.columns.values()), default=1)
                end = self.start + self.field + (last - 1) * (self.field + 2)
                self.sheet.rule(self.start, end, self.line)
                self.line += 1
                continue
            label = _label(row, short=self.short)
            is_long = 4 + len(label) > self.names
            parts = textwrap.wrap(label, self.names - 4) if is_long and self.names > 4 else []
            if 0 < len(parts) <= len(self._lines(row)) and not (row.tensor or row.branch):
                self._title_on_lines(row, parts)
            elif is_long and spare > 0:
                spare -= 1
                self._title(row, taken, self.sheet.width)
                self.line += 1
            else:
                self._title(row, taken, self.names)
            self._draw_numbers(row)

    def _title_on_lines(self, row: Row, parts: list[str]) -> None:
        """Write the name of a part beside its lines of numbers."""
        self.sheet.title(self.view, replace(row, text=parts[0]), 0, self.line)
        for below, text in enumerate(parts[1:], 1):
            self.sheet.put(4, self.line + below, text)

    def _title(self, row: Row, taken: str, end: int) -> None:
        """Write a row's sign, marks and name before a column; where that cuts it, it ends in …."""
        sign = "→" if row.branch and row.branch == taken else row.sign
        self.sheet.title(self.view, row, 0, self.line, sign)
        label = _label(row, short=self.short)
        if row.branch:
            behind = 4 + len(label) - len(f"  if {row.branch}")
            self.sheet.put(behind, self.line, f"  if {row.branch}", MUTED)
        if 4 + len(label) > end:
            self.sheet.put(end - 1, self.line, "…")
        self.sheet.put(min(end, 4 + len(label)), self.line, " " * self.sheet.width)
        if sign == "→":
            self.sheet.put(0, self.line, sign, STRONG)

    def _taken(self) -> str:
        """Return the branch that the test takes at the cell in question."""
        test = next((row for row in self.view.rows if row.test), None)
        if test is None:
            return ""
        index = [
            self.places.at(axis, size) for axis, size in zip(test.axes, test.shape, strict=True)
        ]
        return "yes" if test.values[tuple(slice(i, i + 1) for i in index)].all() else "no"

    def _draw_numbers(self, row: Row) -> None:
        lines, columns = self._lines(row), self._columns(row)
        numbers = self._numbers(row).tolist()
        if row.branch and not row.axes:
            # A constant is the same in every column.
            columns = (
                range(max(len(each) for each in self.columns.values())) if self.columns else columns
            )
            numbers = [numbers[0] * len(columns)]
        for at, values in zip(lines, numbers, strict=True):
            if len(lines) > 1:
                self.sheet.put(self.start - 3 - len(str(at)) + 1, self.line, str(at), MUTED)
                if row.classes and at > lines.start:
                    self.sheet.put(6, self.line, class_of(row, at), MUTED)
            for order, (column, value) in enumerate(zip(columns, values, strict=True)):
                end = self.start + self.field + order * (self.field + 2)
                index = self._index(row, at, column)
                self.sheet.cell(self.view, row, index, value, end, self.line)
            self.line += 1

    def _index(self, row: Row, line: int, column: int) -> Shape:
        if not row.axes:
            return ()
        if row.axes == (self.places.line,):
            return (line,)
        leading = tuple(
            self.places.at(axis, size)
            for axis, size in zip(row.axes[:-2], row.shape[:-2], strict=True)
        )
        return (*leading, line, column) if len(row.axes) > 1 else (column,)

    def _below(self) -> None:
        terms = list(_summed(self.view, self.places))
        if len(terms) > 1:
            result = self.view.calculation.result
            index = [self.places.at(a, n) for a, n in zip(result.axes, result.shape, strict=True)]
            name = cell_name(result.tensor or "", tuple(index))
            put_terms(self.sheet, self.line + 1, f"{name} = the sum of {len(terms)}", terms)
            return
        line = self.line + 1
        if self.view.slope is not None and line + 2 <= self.sheet.height:
            self._put_slope(self.view.slope, line)
            line += 3
        put_remarks(self.sheet, self.view, line)

    def _put_slope(self, slope: Slope, y: int) -> None:
        """Write the slope of the activation in the columns that are looked at, and its bound."""
        self.sheet.put(1, y, f"{slope.row.text} is the {slope.of}'s slope at {slope.at}:")
        window = list(self._window(self.view.calculation.result))
        if len(window) > 1:
            at = self.places.at(slope.row.axes[-2], slope.row.shape[-2])
            window[-2] = slice(at, at + 1)
        numbers = [
            self.view.write(value) for value in slope.row.values[tuple(window)].ravel().tolist()
        ]
        text = "".join(number.ljust(max(9, len(number) + 2)) for number in numbers)
        self.sheet.put(2, y + 1, text)
        if slope.bound is not None:
            self.sheet.put(4 + len(text), y + 1, f"at most {slope.bound:.4g}")


def _summed(view: View, places: Places) -> Iterator[Term]:
    """Yield the terms of the sum that the result is."""
    result = view.calculation.result
    if result.sign != SUM:
        return
    row = view.rows[-2]
    kept = {
        axis: places.at(axis, size) for axis, size in zip(result.axes, result.shape, strict=True)
    }
    free = [axis for axis in row.axes if axis not in kept]
    window = tuple(
        slice(kept[axis], kept[axis] + 1) if axis in kept and size > 1 else slice(None)
        for axis, size in zip(row.axes, row.shape, strict=True)
    )
    if np.prod(row.shape) > LOOKED_THROUGH:
        return
    numbers = row.values[window]
    for index, value in np.ndenumerate(numbers):
        place = tuple(kept.get(axis, at) for axis, at in zip(row.axes, index, strict=True))
        yield Term(_called(row, place, free), float(value))


def _called(row: Row, place: Shape, free: list[int]) -> str:
    """Name a term: the cell of a tensor, or the row and the output of a part."""
    if row.tensor:
        return cell_name(row.tensor, row.stored(place))
    named = []
    for word, axis, at in zip(
        ("row", "output")[-len(row.axes) :], row.axes[-2:], place[-2:], strict=True
    ):
        if axis in free and row.shape[row.axes.index(axis)] > 1:
            named.append(f"{word} {at}")
    return ", ".join(named) or "output 0"
