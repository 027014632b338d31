"""Programs that start at once: forked from a process that has imported what they need.

Each is a process of its own, with the streams, folder, environment and exit status that it would
have if a shell had started `nnstep`. It is only spared the imports, and to take apart at its end
what was imported; either takes longer than most of what tests ask for.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

_MOST = 1 << 20
_READ_AS_PYTHON_STARTS = ("PYTHON", "LC_", "TEXTUAL")
_AT_FIRST = dict(os.environ)

# What the libraries import only when it comes to it.
_IMPORTED_LATER = (
    "click.shell_completion",
    "csv",
    "importlib.metadata",
    "numpy.random",
    "textual.drivers.linux_driver",
    "textual.layouts.factory",
    "textual.layouts.horizontal",
    "textual.scrollbar",
    "textual.widgets.input",
    "zipfile",
)


def has_to_start_anew(environment: Mapping[str, str]) -> bool:
    """Tell whether variables are others that make a difference only to a Python that starts."""
    names = {name for name in (*environment, *_AT_FIRST) if name.startswith(_READ_AS_PYTHON_STARTS)}
    return any(environment.get(name) != _AT_FIRST.get(name) for name in names)


class Forked:
    """A program under way, to be asked as a `subprocess.Popen` is."""

    def __init__(self, told: int) -> None:
        self._told = open(told, "rb", buffering=0)  # noqa: SIM115 - closed when it has ended
        self.pid = int.from_bytes(self._told.read(4), "big")
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its status if it has ended, negative for a signal."""
        return self._status_within(0)

    def wait(self, timeout: float) -> int:
        """Wait for its end, and return its status; kill it if it takes too long."""
        status = self._status_within(timeout)
        if status is None:
            self.kill()
            raise TimeoutError(f"the program has not ended in {timeout} s")
        return status

    def kill(self) -> None:
        """End it by force, and wait until it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self._status_within(None)

    def _status_within(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], seconds)[0]:
            self.returncode = int.from_bytes(self._told.read(4), "big", signed=True)
            self._told.close()
        return self.returncode


def forked(
    arguments: Sequence[str],
    streams: Sequence[int],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    on_terminal: bool = False,
) -> Forked:
    """Start `nnstep` on three streams, or on one terminal, as what it is controlled by.

    If the arguments are `-c` and some code, that is executed in its place.
    """
    ours, told = os.pipe()
    request = {
        "arguments": list(arguments),
        "cwd": str(cwd or Path.cwd()),
        "environment": dict(environment),
        "on_terminal": on_terminal,
    }
    message = json.dumps(request).encode()
    assert len(message) < _MOST
    socket.send_fds(_server(), [message], [told, *streams])
    os.close(told)
    return Forked(ours)


@cache
def _server() -> socket.socket:
    """Return the way to the process that forks, which ends when this one does."""
    ours, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, __file__, str(other.fileno())]
    server = subprocess.Popen(command, pass_fds=[other.fileno()], stdin=subprocess.DEVNULL)
    other.close()

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours


# In the process that forks


def _serve(requests: socket.socket) -> None:
    """Return in a process for each request, with all as it was asked for."""
    _import_all()
    gc.freeze()
    while True:
        message, handed, _, _ = socket.recv_fds(requests, _MOST, 4)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG if message else 0)[0]:
                pass
        if not message:
            os._exit(0)
        told, *streams = handed
        if os.fork() == 0:
            requests.close()
            _watch(told, streams)
            _become(json.loads(message), streams)
            return
        for each in handed:
            os.close(each)


def _import_all() -> None:
    """Import whatever a process may come to import."""
    import nnstep.engine
    import nnstep.scenarios
    import nnstep.tui

    for package in (nnstep.engine, nnstep.scenarios, nnstep.tui):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)
    for name in _IMPORTED_LATER:
        importlib.import_module(name)


def _watch(told: int, streams: Sequence[int]) -> None:
    """Return in a new process, and tell of its number and of its end from this one."""
    child = os.fork()
    if child == 0:
        os.close(told)
        return
    for each in streams:
        os.close(each)
    os.write(told, child.to_bytes(4, "big"))
    _, status = os.waitpid(child, 0)
    os.write(told, os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
    os._exit(0)


def _become(request: dict[str, object], streams: Sequence[int]) -> None:
    """Take the streams, folder, environment and arguments of a program."""
    if request["on_terminal"]:
        os.login_tty(streams[0])
        # What a shell starts in the background is not to be interrupted, nor what that starts.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    else:
        for number, handed in enumerate(streams):
            os.dup2(handed, number)
            os.close(handed)
    os.chdir(str(request["cwd"]))
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        errors, buffering = ("backslashreplace", 1) if name == "stderr" else ("strict", -1)
        # As Python does when it starts.
        stream = open(number, mode, buffering, "utf-8", errors, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.argv = ["nnstep", *request["arguments"]]  # type: ignore[misc]


def _end(ended: SystemExit) -> None:
    """End as Python does, but for taking apart what was imported."""
    status = ended.code if ended.code is not None else 0
    if not isinstance(status, int):
        raise ended
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError):
        raise ended from None
    os._exit(status & 0xFF)


def _run() -> None:
    if sys.argv[1:2] == ["-c"]:
        exec(sys.argv[2], {"__name__": "__main__"})
    else:
        runpy.run_module("nnstep.tui", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    try:
        _run()
        raise SystemExit
    except SystemExit as status:
        _end(status)
