"""Samples from an NPZ file, without pickles, each array's header read before its numbers."""

import io
import math
import tokenize
import zipfile
import zlib
from typing import IO

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.limits import MAX_DATA_BYTES, MAX_ELEMENTS
from nnstep.engine.text import did_you_mean, quoted

from .errors import DataError
from .samples import Samples

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


def _member(archive: zipfile.ZipFile, name: str, option: str) -> Array:
    """Return one array of the file, having checked what its header promises."""
    known = [entry[: -len(".npy")] for entry in archive.namelist() if entry.endswith(".npy")]
    if name not in known:
        message = f"the file has no array {quoted(name)}{did_you_mean(name, known)}"
        raise DataError(message, option)
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > MAX_DATA_BYTES:
        message = f"array {quoted(name)} is larger than {MAX_DATA_BYTES // 2**20} MiB"
        raise DataError(message, option)
    if info.compress_type not in _METHODS:
        raise DataError(f"array {quoted(name)} is packed in an unusual way", option)
    with archive.open(info) as file:
        shape, by_columns, dtype = _header(file)
        _check(name, shape, dtype, option)
        size = math.prod(shape) * dtype.itemsize
        numbers = file.read(size + 1)
        if len(numbers) != size:
            raise DataError(f"array {quoted(name)} has not the numbers it promises", option)
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


def _check(name: str, shape: tuple[int, ...], dtype: np.dtype[np.generic], option: str) -> None:
    """Refuse an array that is not of real numbers, or too large, or without rows."""
    problem = None
    if dtype.kind not in "biuf":
        problem = "does not hold real numbers"
    elif not shape:
        problem = "is a single number; it needs a row for each sample"
    elif min(shape) < 1:
        problem = "is empty"
    elif math.prod(shape) > MAX_ELEMENTS:
        problem = f"has more than {MAX_ELEMENTS:,} numbers"
    if problem:
        raise DataError(f"array {quoted(name)} {problem}", option)
