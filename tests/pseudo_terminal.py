"""A program in a real pseudo-terminal, and the screen that its bytes make."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import pyte

SECONDS = 20.0


class Terminal:
    """Runs a command in a pseudo-terminal of its own, as its session leader.

    `before` holds the terminal's settings as the program found them.
    """

    def __init__(
        self,
        command: Sequence[str],
        size: tuple[int, int] = (80, 24),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        width, height = size
        self.master, slave = os.openpty()
        self._slave = slave
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.screen: Any = pyte.Screen(width, height)
        self._stream: Any = pyte.ByteStream(self.screen)
        self.output = b""
        kept = {name: value for name, value in os.environ.items() if name not in _COLOURS}
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**kept, "TERM": "xterm-256color", **(environment or {})},
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - no threads here, and nothing else does it
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self._slave)

    @property
    def settings(self) -> list[Any]:
        """The terminal's settings as they are now."""
        return termios.tcgetattr(self._slave)

    @property
    def text(self) -> str:
        """The screen as text."""
        return "\n".join(self.screen.display)

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self.master, keys.encode())

    def read(self, seconds: float) -> bytes:
        """Return what arrives within `seconds`, at once when something does."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return b""
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            return b""
        self.output += data
        self._stream.feed(data)
        return data

    def wait_for(self, reached: Callable[[], bool], seconds: float = SECONDS) -> None:
        """Read until a condition holds; fail, showing the screen, if it never does."""
        deadline = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain; the screen is\n{self.text}")
            self.read(0.05)

    def wait_for_text(self, text: str, seconds: float = SECONDS) -> None:
        """Read until the screen shows `text`."""
        self.wait_for(lambda: text in self.text, seconds)

    def until_quiet(self, quiet: float = 0.1) -> tuple[int, float]:
        """Read until nothing arrives for `quiet` seconds; return the bytes and the last's time."""
        count, last = 0, time.perf_counter()
        while data := self.read(quiet if count else SECONDS):
            count, last = count + len(data), time.perf_counter()
        return count, last

    def end(self, seconds: float = SECONDS) -> int:
        """Read until the program has ended; return its exit status."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        while self.read(0.05):
            pass
        return self.process.wait(timeout=1)

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        self.process.send_signal(number)


def _take_terminal() -> None:
    """Make standard input the controlling terminal, so that hanging up reaches the program."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


_COLOURS = {"COLORTERM", "NO_COLOR", "TEXTUAL", "TEXTUAL_DRIVER", "COLUMNS", "LINES"}


def nnstep(*arguments: str) -> list[str]:
    """Return the command line that runs nnstep."""
    return [sys.executable, "-m", "nnstep.tui", *arguments]
