"""Samples from a CSV file: a header row of column names, then a row for each sample."""

import csv
import io
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct, field

from nnstep.engine.arrays import Array
from nnstep.engine.limits import MAX_CSV_COLUMNS, MAX_ELEMENTS
from nnstep.engine.text import did_you_mean, quoted

from .errors import DataError
from .samples import Samples


def read_csv(content: bytes, inputs: Sequence[str], target: Sequence[str]) -> Samples:
    """Read the columns `inputs` as x and `target` as y; raise `DataError`.

    Both are tables with a row for each sample. A single target column may hold names: y is then
    the index of each among the sorted names. It is of integers too if all its numbers are whole.
    """
    rows = _rows(content)
    header = [name.strip() for name in next(rows)[1]]
    x = _Numbers(_columns(header, inputs, "inputs"), "inputs")
    y = _Numbers(_columns(header, target, "target"), "target", names_allowed=len(target) == 1)
    for line, row in rows:
        if len(row) != len(header):
            message = f"line {line} has {len(row)} values, the header {len(header)}"
            raise DataError(message)
        x.add(line, row)
        y.add(line, row)
    if not x.rows:
        raise DataError("the file has a header and no rows")
    if y.names:
        classes, indices = np.unique(np.array(y.names), return_inverse=True)
        return Samples(x.table(), indices.reshape(-1, 1), tuple(map(str, classes)))
    return Samples(x.table(), _whole_if_possible(y.table()))


def _rows(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank with its line number, the header first."""
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header_is_due = True
        for row in reader:
            if row:
                header_is_due = False
                yield reader.line_num, row
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"line {line} is not UTF-8 text") from None
    except csv.Error as error:
        raise DataError(f"line {reader.line_num}: {error}") from None
    if header_is_due:
        raise DataError("the file is empty; its first line names the columns")


def _columns(header: list[str], names: Sequence[str], option: str) -> list[tuple[int, str]]:
    """Return the place of each named column."""
    if len(header) > MAX_CSV_COLUMNS:
        raise DataError(f"the file has more than {MAX_CSV_COLUMNS:,} columns")
    places = {name: place for place, name in enumerate(header)}
    occurrences = Counter(header)
    for element, name in enumerate(names):
        if name not in places:
            message = f"the file has no column {quoted(name)}{did_you_mean(name, header)}"
            raise DataError(message, option, element)
        if occurrences[name] > 1:
            raise DataError(f"the file has two columns {quoted(name)}", option, element)
    return [(places[name], name) for name in names]


class _Numbers(Struct):
    """Some columns of the file, gathered row by row as numbers, or as names if need be."""

    columns: list[tuple[int, str]]
    option: str
    names_allowed: bool = False
    rows: int = 0
    names: list[str] = field(default_factory=list)
    values: "array[float]" = field(default_factory=lambda: array("d"))
    _texts: list[str] = field(default_factory=list)

    def add(self, line: int, row: list[str]) -> None:
        """Take the columns' values from one row of the file."""
        self.rows += 1
        if self.rows * len(self.columns) > MAX_ELEMENTS:
            raise DataError(f"the file has more than {MAX_ELEMENTS:,} numbers", self.option)
        for place, name in self.columns:
            text = row[place].strip()
            if self.names_allowed:
                self._texts.append(text)
            if not self.names:
                self._add_number(text, line, name)
            else:
                self.names.append(_class_name(text, line, name))

    def _add_number(self, text: str, line: int, name: str) -> None:
        try:
            if "_" in text:
                raise ValueError
            self.values.append(float(text))
        except ValueError:
            if not self.names_allowed:
                what = f"{quoted(text)} is no number" if text else "the value is missing"
                raise DataError(
                    f"line {line}, column {quoted(name)}: {what}", self.option
                ) from None
            self.names = [_class_name(text, line, name) for text in self._texts]

    def table(self) -> Array:
        """Return the numbers, of shape (rows, columns)."""
        return np.array(self.values, dtype=np.float64).reshape(self.rows, len(self.columns))


def _class_name(text: str, line: int, name: str) -> str:
    if not text:
        raise DataError(f"line {line}, column {quoted(name)}: the value is missing", "target")
    return text


def _whole_if_possible(y: Array) -> Array:
    """Return `y` as integers if nothing is lost, as class indices must be."""
    whole = bool((np.isfinite(y) & (y == np.floor(y)) & (np.abs(y) < 2**53)).all())
    return y.astype(np.int64) if whole else y
