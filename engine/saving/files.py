"""Session files on disk: written all at once or not at all, and read with care."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from nnstep.engine.files import FileError, read_bytes

from .errors import SessionFileError
from .old_reference import Reference, seen_from
from .state import SavedSession

if TYPE_CHECKING:
    from .decode import Decoded

SUFFIX = ".session"
MAX_SESSION_BYTES = 16 * 2**20
UNFINISHED = ".unfinished"
"""How the name of a file ends that is still being written."""


def read_session(path: str | Path) -> "Decoded":
    """Read a session file; raise `SessionFileError`, and never change the file."""
    from .decode import decode

    try:
        return decode(read_bytes(Path(path), MAX_SESSION_BYTES))
    except FileError as error:
        raise SessionFileError(str(error), str(path)) from None
    except SessionFileError as error:
        raise error.of(str(path)) from None


def write_session(
    path: str | Path, saved: SavedSession, reference: Reference, *, private: bool = False
) -> None:
    """Write a session file; whoever reads it finds the old one or the new one, both whole.

    A `private` file is for its owner alone, and is not forced onto the disk: it is to outlive its
    process, not the machine. Raises `SessionFileError` if the file cannot be written; the old one
    is still there then.
    """
    from .encode import encode

    try:
        target = Path(path).resolve()  # a link stays one, and the file that it names is replaced
        beside = replace(reference, relative=seen_from(reference, target.parent))
        content = encode(saved, reference if private else beside)
        if len(content) > MAX_SESSION_BYTES:
            raise SessionFileError(f"the session takes more than {MAX_SESSION_BYTES >> 20} MiB")
        _replace(target, content, private)
    except SessionFileError as error:
        raise error.of(str(path)) from None
    except OSError as error:
        raise SessionFileError(_reason(error), str(path)) from None
    except (RuntimeError, ValueError):
        raise SessionFileError("this cannot be a file's name", str(path)) from None


def _replace(target: Path, content: bytes, private: bool) -> None:
    """Put a new file in the place of an old one, with the permissions of that."""
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}{UNFINISHED}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(unfinished, flags, 0o600 if private else 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if not private:
                with suppress(FileNotFoundError):
                    unfinished.chmod(target.stat().st_mode & 0o777)
                os.fsync(file.fileno())
        os.replace(unfinished, target)  # noqa: PTH105 - the tests put an error in its place
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def _reason(error: OSError) -> str:
    return f"it cannot be written: {error.strerror or error}"
