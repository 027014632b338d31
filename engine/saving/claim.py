"""A claim on a path: it holds as long as the process that made it lives, however that ends.

Where files can be locked, the lock is the claim: the system lets go of it when the process is gone,
and whether another process has got its number since does not matter. Elsewhere, the number of the
process tells, with the moment at which it started where that is known.
"""

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

try:
    from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
except ImportError:  # there is none on Windows
    flock = None  # type: ignore[assignment]


_MOST_BYTES = 1000
_BY_LOCK, _BY_PROCESS = "lock", "process"
_UNKNOWN = "-"
_STARTED = 19
"""Where the time of its start is among what Linux tells of a process, after its name."""
_QUERY = 0x1000
"""Windows' right to ask whether a process is there, and nothing else."""


class Claim:
    """Claims a path that nobody has claimed before; raises `OSError` if that cannot be."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(self._descriptor, self._locked().encode())
        except OSError:
            self.release()
            raise

    def _locked(self) -> str:
        """Lock the file if that can be; return what there is to write into it."""
        kind, process = _BY_PROCESS, os.getpid()
        if flock is not None:
            with suppress(OSError):  # some network file systems have no locks
                flock(self._descriptor, LOCK_EX | LOCK_NB)
                kind = _BY_LOCK
        return f"{kind} {_machine()} {process} {_started(process)}\n"

    def release(self) -> None:
        """Give the claim up."""
        os.close(self._descriptor)
        with suppress(OSError):
            self._path.unlink()


def is_claimed(path: Path) -> bool:
    """Tell whether the process that claimed a path is there; in doubt, it is."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return _is_held(descriptor)
    except (OSError, ValueError):
        return True
    finally:
        os.close(descriptor)


def _is_held(descriptor: int) -> bool:
    words = os.read(descriptor, _MOST_BYTES).decode().split()
    if words[:1] == [_BY_PROCESS]:
        _, machine, process, started = words
        return machine != _machine() or _is_running(int(process), started)
    if flock is None:
        return True
    flock(descriptor, LOCK_SH | LOCK_NB)  # an error if the lock is held
    return False


def _machine() -> str:
    return "_".join(platform.node().split()) or _UNKNOWN


def _is_running(process: int, started: str) -> bool:
    """Tell whether a process is there, and is the one that was started then."""
    if not _exists(process):
        return False
    return started == _UNKNOWN or _started(process) == started


def _exists(process: int) -> bool:
    if sys.platform == "win32":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(_QUERY, False, process)
        ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started(process: int) -> str:
    """Return when a process was started, on a clock of the system's own."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        return status.rpartition(")")[2].split()[_STARTED]
    except (OSError, IndexError):
        return _UNKNOWN
