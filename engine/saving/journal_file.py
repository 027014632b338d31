"""The file of a journal: what is new is appended to it, and forced to the disk."""

import os
from contextlib import suppress
from pathlib import Path

from nnstep.engine.files import write_whole

from .journal import Journal


class JournalFile:
    """The file of a journal: lines are appended to it, and forced to the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = b""

    def write(self, journal: Journal) -> None:
        """Write what is new in a journal; it is on the disk then, if it is more than a place.

        Raises `OSError` or `SessionFileError` if it cannot be written; the lines that were written
        before are still there then.
        """
        stays, end = journal.laid_out()
        if not self._written or not self._append(stays, end):
            write_whole(self.path, stays + end, private=True)
        self._written = stays

    def remove(self) -> None:
        """Delete the file, if it is there."""
        self.path.unlink(missing_ok=True)
        self._written = b""

    def _append(self, stays: bytes, end: bytes) -> bool:
        """Replace what stands behind the lines that stay; tell whether those are still there."""
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            written = len(self._written)
            if os.pread(descriptor, written, 0) != self._written:
                return False
            os.ftruncate(descriptor, written)
            try:
                _write_all(descriptor, stays[written:] + end, written)
                if len(stays) > written:
                    os.fsync(descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, written)
                raise
        finally:
            os.close(descriptor)
        return True


def _write_all(descriptor: int, content: bytes, at: int) -> None:
    while content:
        count = os.pwrite(descriptor, content, at)
        content, at = content[count:], at + count
