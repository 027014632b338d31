"""Files: read whole, regular ones of limited size; written whole or not at all."""

import os
import stat
from contextlib import suppress
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


def write_whole(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file; whoever reads it finds the old one or the new one, both whole and on the disk.

    The permissions of an old file stay, and a `private` one is for its owner alone. Raises
    `OSError` if the file cannot be written; the old one is still there then.
    """
    # Not longer than the name itself may be.
    unfinished = path.with_name(f".{path.name[:40]}.{os.urandom(4).hex()}.unfinished")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(unfinished, flags, 0o600 if private else 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if not private:
                with suppress(FileNotFoundError):
                    unfinished.chmod(path.stat().st_mode & 0o777)
            os.fsync(file.fileno())
        os.replace(unfinished, path)  # noqa: PTH105 - the tests put an error in its place
        force_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def force_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
