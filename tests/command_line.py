"""`nnstep` told something on a command line: what it prints, and its exit status."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from forked import forked, has_to_start_anew

PATIENCE = 60.0


def run(
    *arguments: str, typed: str | bytes = "", cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; with variables that Python reads as it starts, in a Python of its own."""
    given = typed if isinstance(typed, bytes) else typed.encode()
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        streams = [each.fileno() for each in (stdin, stdout, stderr)]
        variables = {**os.environ, **environment}
        if has_to_start_anew(variables):
            status = subprocess.run(
                [sys.executable, "-m", "nnstep.tui", *arguments],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                check=False,
                cwd=cwd,
                timeout=PATIENCE,
                env={"PYTHONIOENCODING": "utf-8", **variables},
            ).returncode
        else:
            status = forked(arguments, streams, cwd=cwd, environment=variables).wait(PATIENCE)
        stdout.seek(0)
        stderr.seek(0)
        printed = stdout.read().decode(), stderr.read().decode()
    return subprocess.CompletedProcess(arguments, status, *printed)


class Piped:
    """`nnstep` at the ends of pipes, to be written to and read from while it works.

    A file may stand in place of the pipe that it would write to.
    """

    def __init__(self, *arguments: str, stdout: IO[str] | None = None) -> None:
        ends = [os.pipe() for _ in range(3)]
        (its_in, ours), (out, its_out), (told, its_err) = ends
        self.stdin, self.stdout, self.stderr = os.fdopen(ours, "w"), os.fdopen(out), os.fdopen(told)
        streams = [its_in, stdout.fileno() if stdout else its_out, its_err]
        self._process = forked(arguments, streams)
        for each in (its_in, its_out, its_err):
            os.close(each)

    def __enter__(self) -> "Piped":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        for each in (self.stdin, self.stdout, self.stderr):
            each.close()

    def wait(self) -> int:
        """Wait for its end, and return its exit status."""
        return self._process.wait(PATIENCE)
