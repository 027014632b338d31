"""A sheet of paper: what is drawn of a calculation, sign by sign, and where its cells stand.

It knows no widget: a sheet is lines of pieces, each with what it says (`written`, `source`, …), by
the names of the palette's styles.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import groupby

from msgspec import Struct

from nnstep.engine.arrays import Shape
from nnstep.engine.explain.calculation import Calculation, Row
from nnstep.engine.explain.slope import Slope
from nnstep.tui.numbers import Number, direction, format_value

TEXT, STRONG, MUTED, RULE = "text", "strong", "muted", "rule"
WRITTEN, READ, SOURCE, SELECTED, TOUCHED = "written", "read", "source", "selected", "touched"
FAULT = "error"

Writer = Callable[[Number], str]


class Spot(Struct, frozen=True):
    """A cell of a calculation: which of its rows, and the index as it is drawn."""

    row: int
    index: Shape


class Cell(Struct, frozen=True):
    """A cell that is on the sheet: its number ends before column `end` of line `y`."""

    spot: Spot
    y: int
    end: int


class View(Struct, frozen=True, eq=False, dict=True):
    """A calculation as it is looked at.

    `spot` is the cell in question, if it `is_asked`; `sources` are the stored cells that it was
    computed from. `history` has marks by tensor for what has become of it (`≈`, `e`, `!`), and
    `edited` the cells that somebody typed in, `misprinted` those that are printed otherwise.
    `replaced` has the values that the line has replaced, for the arrows. `remarks` are
    sentences to stand below, and so is the `slope` of an activation; `zeros` says, by tensor,
    why a cell of it may be 0. `write` is how a number is written, and what is `large` stands
    farther apart.
    """

    calculation: Calculation
    spot: Spot
    sources: frozenset[tuple[str, Shape]] = frozenset()
    history: Mapping[str, str] = {}
    edited: Mapping[str, frozenset[Shape]] = {}
    misprinted: Mapping[str, frozenset[Shape]] = {}
    replaced: Row | None = None
    remarks: tuple[str, ...] = ()
    zeros: Mapping[str, str] = {}
    slope: Slope | None = None
    write: Writer = format_value
    is_asked: bool = True
    large: bool = False

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows of the calculation, without its rules."""
        return tuple(row for row in self.calculation.rows if isinstance(row, Row))

    @property
    def row(self) -> Row:
        """The row of the cell in question."""
        return self.rows[self.spot.row]

    def number_of(self, row: Row) -> int:
        """Return which row of the calculation one is."""
        return next(at for at, each in enumerate(self.rows) if each is row)

    def is_source(self, row: Row, index: Shape) -> bool:
        """Tell whether the cell in question was computed from a cell of a row."""
        name = row.tensor or row.classes
        if name is None or row.written:
            return False
        if not row.tensor:
            places = dict(zip(self.row.axes, self.spot.index, strict=True))
            if index[-1] != places.get(row.axes[-1], index[-1]):
                return False
            index = index[:-1]
        return (name, row.stored(index)) in self.sources

    def mark(self, row: Row) -> tuple[str, str]:
        """Return the mark that stands before a row, and what it says."""
        if row.written:
            return "●", WRITTEN
        return ("○", READ) if row.tensor or row.classes else (" ", TEXT)

    def past(self, row: Row) -> str:
        """Return the mark of what has become of a row's tensor."""
        return self.history.get(row.tensor or "", " ")

    def change(self, row: Row, index: Shape, value: Number) -> str:
        """Return the arrow behind a value that the line has changed."""
        old = self.replaced
        if not row.written or old is None or old.shape != row.shape or old.tensor != row.tensor:
            return " "
        return direction(one(old, index), value)


def one(row: Row, index: Shape) -> Number:
    """Return the number of one cell of a row."""
    number: Number = row.values[tuple(slice(at, at + 1) for at in index)].item()
    return number


def heading(row: Row) -> str:
    """Return the name of a row, and the shape of a tensor's."""
    if row.tensor is None:
        return row.text
    text = f"{row.text} before" if row.before else row.text
    return f"{text} {row.shape}"


class Sheet:
    """A sheet of so many columns and lines, empty at first; what does not fit is cut off."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.cells: list[Cell] = []
        # Where an arrow up (-1) or down (1) leads from a row of the calculation, beyond what is
        # visible of it.
        self.beyond: dict[tuple[int, int], Spot] = {}
        self._signs = [[" "] * width for _ in range(height)]
        self._says = [[TEXT] * width for _ in range(height)]
        # The lines that something stands on.
        self._used: set[int] = set()

    def put(self, x: int, y: int, text: str, says: str = TEXT) -> None:
        """Write a text from a column on."""
        first, end = max(0, x), min(self.width, x + len(text))
        if 0 <= y < self.height and first < end:
            self._used.add(y)
            self._signs[y][first:end] = text[first - x : end - x]
            self._says[y][first:end] = [says] * (end - first)

    def rule(self, first: int, end: int, y: int) -> None:
        """Draw a rule from a column to before another."""
        self.put(first, y, "─" * (end - first), RULE)

    def cell(self, view: View, row: Row, index: Shape, value: Number, end: int, y: int) -> None:
        """Write a number that ends before a column, with the marks of its cell."""
        text = shown(value, view.write)
        spot = Spot(view.number_of(row), index)
        start = end - len(text)
        if not 0 <= y < self.height or start < 0 or end > self.width:
            return
        self.cells.append(Cell(spot, y, end))
        if spot == view.spot and view.is_asked:
            self.put(start - 1, y, f"[{text}]", SELECTED)
        elif view.is_source(row, index):
            self.put(start - 1, y, f"‹{text}›", SOURCE)
        else:
            self.put(start, y, text, FAULT if text in ("NaN", "+inf", "-inf") else TEXT)
        if row.tensor and row.stored(index) in view.edited.get(row.tensor, ()):
            self.put(end + 1, y, "e", TOUCHED)
        elif row.tensor and row.stored(index) in view.misprinted.get(row.tensor, ()):
            self.put(end + 1, y, "?", FAULT)
        elif (change := view.change(row, index, value)) != " ":
            self.put(end + 1, y, change, STRONG)

    def title(self, view: View, row: Row, x: int, y: int, sign: str | None = None) -> None:
        """Write a row's sign, marks and name: the name stands four columns from `x`."""
        self.put(x, y, row.sign if sign is None else sign)
        self.put(x + 1, y, view.past(row), TOUCHED)
        mark, says = view.mark(row)
        self.put(x + 2, y, mark, says)
        name, blank, shape = heading(row).partition(" ") if row.tensor else (row.text, "", "")
        self.put(x + 4, y, name, says if row.written else TEXT)
        self.put(x + 4 + len(name), y, blank + shape, MUTED)

    def extend(self, lines: int) -> None:
        """Add empty lines at the end."""
        self.height += lines
        self._signs += [[" "] * self.width for _ in range(lines)]
        self._says += [[TEXT] * self.width for _ in range(lines)]

    def lines(self) -> Iterator[list[tuple[str, str]]]:
        """Yield each line as pieces of text and what they say; none for an empty one."""
        for y, (signs, says) in enumerate(zip(self._signs, self._says, strict=True)):
            if y not in self._used:
                yield []
                continue
            text, pieces, start = "".join(signs), [], 0
            for style, run in groupby(says):
                end = start + len(list(run))
                pieces.append((text[start:end], style))
                start = end
            yield pieces

    def text(self) -> list[str]:
        """Return the lines as plain text."""
        return ["".join(signs) for signs in self._signs]


def shown(value: Number, write: Writer) -> str:
    """Write the number of a cell; a test has yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return write(value)


def widest(values: Iterator[Number], write: Writer, least: int = 6) -> int:
    """Return how many columns the widest of some numbers takes."""
    return max([least, *(len(shown(value, write)) for value in values)])


def around(focus: int, size: int, fitting: int) -> range:
    """Return as many places as fit of an axis, the one that is looked at among them."""
    fitting = max(1, min(fitting, size))
    first = min(max(0, focus - fitting + 1), size - fitting)
    return range(first, first + fitting)
