"""A real pseudo-terminal with a program in it, and what a person would see on it."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from contextlib import suppress

import pyte
from forked import Forked, forked, has_to_start_anew
from quick_screen import QuickScreen

PATIENCE = 20.0
OPEN = ("-m", "nnstep.tui")

# A size in the environment, as parallel tests have one, would be taken for the terminal's.
NOT_KEPT = ("COLORTERM", "COLUMNS", "LINES")


class Terminal:
    """Runs a command on a pseudo-terminal of a size, and keeps all that it sends.

    `nnstep` is started `anew`, imports and all, if that is asked for or it gets variables that
    Python may read as it starts.
    """

    def __init__(
        self,
        *command: str,
        columns: int = 80,
        lines: int = 24,
        anew: bool = False,
        **environment: str,
    ) -> None:
        self.screen = QuickScreen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.sent = b""
        self._unseen = b""
        self._terminal, inside = os.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.found = termios.tcgetattr(self._terminal)
        kept = {name: value for name, value in os.environ.items() if name not in NOT_KEPT}
        variables = {**kept, "TERM": "xterm-256color", **environment}
        self.process = _started(
            command, inside, variables, anew=anew or has_to_start_anew(variables)
        )
        os.close(inside)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self._terminal)

    def press(self, keys: str) -> None:
        """Type something."""
        os.write(self._terminal, keys.encode())

    def send(self, data: bytes) -> None:
        """Send bytes as a terminal would."""
        os.write(self._terminal, data)

    def signal(self, number: int) -> None:
        """Send a signal to the program."""
        os.kill(self.process.pid, number)

    def read(self, seconds: float) -> bytes:
        """Take what arrives within a time, or the first of it."""
        readable, _, _ = select.select([self._terminal], [], [], seconds)
        try:
            data = os.read(self._terminal, 65536) if readable else b""
        except OSError:
            data = b""
        self.sent += data
        self._unseen += data
        return data

    @property
    def text(self) -> str:
        """What is on the screen; worked out only when asked for, so that reading is quick."""
        # pyte does not know these two, and would print them.
        self._stream.feed(self._unseen.replace(b"\x1b[>25u", b"").replace(b"\x1b[<u", b""))
        self._unseen = b""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Read until a condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"this never came to what was waited for:\n{self.text}")
            self.read(0.05)

    def wait_for_text(self, text: str) -> None:
        """Read until the screen shows a text."""
        self.wait_for(lambda: text in self.text)

    def quiet(self) -> bytes:
        """Read until nothing comes any more, and return what came."""
        start = len(self.sent)
        while self.read(0.3):
            pass
        return self.sent[start:]

    def end(self, asked_by: str = "") -> int:
        """Wait for the program to end and return its exit status, negative for a signal.

        `asked_by` is pressed until it does: a terminal loses what is typed as it changes its mode.
        """
        deadline = time.monotonic() + PATIENCE
        asked = 0.0
        while time.monotonic() < deadline:
            if asked_by and time.monotonic() > asked + 1:
                with suppress(OSError):
                    self.press(asked_by)
                asked = time.monotonic()
            self.read(0.05)
            if (status := self.process.poll()) is not None:
                while self.read(0.1):
                    pass
                return status
        raise AssertionError("the program never ended")

    @property
    def is_as_found(self) -> bool:
        """Whether the terminal's settings are those from before the program started."""
        return termios.tcgetattr(self._terminal) == self.found


def _started(
    command: tuple[str, ...], inside: int, variables: dict[str, str], *, anew: bool
) -> Forked | subprocess.Popen[bytes]:
    """Start a command on a terminal."""
    if (command[:2] == OPEN or command[0] == "-c") and not anew:
        arguments = command[2:] if command[:2] == OPEN else command
        return forked(arguments, [inside], environment=variables, on_terminal=True)
    return subprocess.Popen(
        [sys.executable, *command],
        env=variables,
        preexec_fn=lambda: _take_terminal(inside),  # noqa: PLW1509 - which calls the system alone
    )


def _take_terminal(inside: int) -> None:
    """Take the terminal; Ctrl+C interrupts, also where tests run in the background of a shell."""
    os.login_tty(inside)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def to_first_weight(terminal: Terminal) -> None:
    """Put the cursor of the app on W1[0, 0]."""
    terminal.press("2\x1b[1;5H")
    terminal.wait_for_text("W1[0, 0] = ")
