"""Samples from CSV and NPZ files, read within limits and without pickles."""

import csv
import io
import math
import tokenize
import zipfile
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np
from msgspec import Struct, field

from nnstep.engine.arrays import Array
from nnstep.engine.files import FileError, read_bytes
from nnstep.engine.limits import MAX_CSV_COLUMNS, MAX_DATA_BYTES, MAX_ELEMENTS
from nnstep.engine.text import did_you_mean, quoted, several

from .samples import DataError, Samples


def read_csv(
    content: bytes, inputs: Sequence[str], target: Sequence[str], *, header: bool = True
) -> Samples:
    """Read the columns `inputs` as x and `target` as y; raise `DataError`.

    Both are tables with a row for each sample. A single target column may hold names: y is then
    the index of each among the sorted names. It is of integers too if all its numbers are whole.
    The first row names the columns; without a `header` their names are "0", "1", ….
    """
    rows = _rows(content)
    if not header:
        first = next(rows)
        rows = chain([first], rows)
        names = [str(column) for column in range(len(first[1]))]
    else:
        names = [name.strip() for name in next(rows)[1]]
    x = _Numbers(_columns(names, inputs, "inputs"), "inputs")
    y = _Numbers(_columns(names, target, "target"), "target", names_allowed=len(target) == 1)
    for line, row in rows:
        if len(row) != len(names):
            what = "the header" if header else "the first"
            raise DataError(f"line {line} has {len(row)} values, {what} {len(names)}")
        x.add(line, row)
        y.add(line, row)
    if not x.rows:
        raise DataError("the file has a header and no rows")
    if y.names:
        classes, indices = np.unique(np.array(y.names), return_inverse=True)
        return Samples(x.table(), indices.reshape(-1, 1), tuple(map(str, classes)))
    return Samples(x.table(), _whole_if_possible(y.table()))


def row_in_place_of_header(content: bytes) -> list[str] | None:
    """Return the first row of a CSV file if it is all numbers: no names of columns, it seems."""
    _, row = next(_rows(content))
    return row if all(map(_is_number, row)) else None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


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
            raise DataError(f"{message}; it has {several(header)}", option, element)
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


_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MAX_HEADER = 10_000


def read_npz(content: bytes, inputs: str = "x", target: str = "y") -> Samples:
    """Read the arrays named `inputs` and `target` as x and y; raise `DataError`.

    Both keep the shape that they have in the file. x becomes float64; so does y, unless it is of
    whole numbers or truth values and becomes int64.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            x = _member(archive, inputs, "inputs")
            y = _member(archive, target, "target")
    except DataError:
        raise
    except _DAMAGED:
        raise DataError("this is no NPZ file, or a damaged one") from None
    with np.errstate(all="ignore"):
        whole = y.dtype.kind in "bi" or (y.dtype.kind == "u" and bool((y < 2**63).all()))
        return Samples(x.astype(np.float64), y.astype(np.int64 if whole else np.float64))


def read_one_array(content: bytes, name: str | None) -> Array:
    """Return the array of an NPY file, or the one of this name of an NPZ file; raise `DataError`.

    Without a name, an NPZ file has one array. It may be a single number, and of any real type.
    """
    try:
        if content.startswith(np.lib.format.MAGIC_PREFIX):
            if name is not None:
                raise DataError("an NPY file has one array, without a name", "array")
            return _array(io.BytesIO(content), "the array", "file", single=True)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if name is None:
                known = _names(archive)
                if len(known) != 1:
                    raise DataError(f"the file has several arrays: say which, {several(known)}")
                name = known[0]
            return _member(archive, name, "array", single=True)
    except DataError:
        raise
    except _DAMAGED:
        raise DataError("this is no NPZ or NPY file, or a damaged one") from None


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [entry[: -len(".npy")] for entry in archive.namelist() if entry.endswith(".npy")]


def _member(archive: zipfile.ZipFile, name: str, option: str, *, single: bool = False) -> Array:
    """Return one array of the file, having checked what its header promises."""
    known = _names(archive)
    if name not in known:
        message = f"the file has no array {quoted(name)}{did_you_mean(name, known)}"
        raise DataError(f"{message}; it has {several(known)}" if known else message, option)
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > MAX_DATA_BYTES:
        message = f"array {quoted(name)} is larger than {MAX_DATA_BYTES // 2**20} MiB"
        raise DataError(message, option)
    if info.compress_type not in _METHODS:
        raise DataError(f"array {quoted(name)} is packed in an unusual way", option)
    with archive.open(info) as file:
        return _array(file, f"array {quoted(name)}", option, single=single)


def _array(file: IO[bytes], what: str, option: str, *, single: bool) -> Array:
    """Return the array in an open NPY file; it may be a single number if `single` says so."""
    shape, by_columns, dtype = _header(file)
    _check(what, shape, dtype, option, single=single)
    size = math.prod(shape) * dtype.itemsize
    numbers = file.read(size + 1)
    if len(numbers) != size:
        raise DataError(f"{what} has not the numbers it promises", option)
    return np.frombuffer(numbers, dtype).reshape(shape, order="F" if by_columns else "C")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Return shape, order and type of the array that follows in `file`."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(version)
    shape, by_columns, dtype = read(file, max_header_size=_MAX_HEADER)
    return shape, by_columns, dtype


def _check(
    what: str, shape: tuple[int, ...], dtype: np.dtype[np.generic], option: str, *, single: bool
) -> None:
    """Refuse an array that is not of real numbers, or too large, or without rows."""
    problem = None
    if dtype.kind not in "biuf":
        problem = "does not hold real numbers"
    elif not shape and not single:
        problem = "is a single number; it needs a row for each sample"
    elif min(shape, default=1) < 1:
        problem = "is empty"
    elif math.prod(shape) > MAX_ELEMENTS:
        problem = f"has more than {MAX_ELEMENTS:,} numbers"
    if problem:
        raise DataError(f"{what} {problem}", option)


def read_data_file(folder: Path, name: str) -> bytes:
    """Return what is in the data file `name`, which must lie in `folder` or below it.

    Links are followed before that is judged. Raises `DataError`.
    """
    try:
        home = folder.resolve()
        path = (home / name).resolve()
        inside = path.is_relative_to(home) and not Path(name).is_absolute()
    except (OSError, RuntimeError, ValueError):
        raise DataError(f"{quoted(name)} cannot be a file's name") from None
    if not inside:
        raise DataError(f"{quoted(name)} is outside the scenario's folder")
    try:
        return read_bytes(path, MAX_DATA_BYTES)
    except FileError as error:
        raise DataError(f"{quoted(name)}: {error}") from None
