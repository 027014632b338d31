"""`nnstep` told something on a command line: what it prints, and its exit status."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

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
