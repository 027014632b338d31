"""Opening files that a stranger may have prepared: regular ones, of limited size, in one folder."""

import stat
from pathlib import Path


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
