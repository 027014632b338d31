"""Opening files that a stranger may have prepared: regular ones, of limited size, in one folder."""

import stat
from pathlib import Path

from nnstep.engine.limits import MAX_DATA_BYTES
from nnstep.engine.text import quoted

from .errors import DataError


class FileError(ValueError):
    """A file that cannot be read; the message says why, without its name."""


def read_bytes(path: Path, limit: int) -> bytes:
    """Return what is in a regular file of at most `limit` bytes; raise `FileError` otherwise.

    Pipes and devices are refused before they are opened: reading one could wait for ever.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise FileError("this is a folder, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise FileError("not a regular file")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        raise FileError("no such file") from None
    except OSError as error:
        raise FileError(error.strerror or "the file cannot be read") from None
    except ValueError as error:
        if isinstance(error, FileError):
            raise
        raise FileError("this cannot be a file's name") from None
    if len(content) > limit:
        raise FileError(f"the file is larger than {limit // 2**20} MiB")
    return content


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
