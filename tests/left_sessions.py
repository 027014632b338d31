"""Sessions that are kept as one works, left in a folder, and processes that are killed in one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from built_in import built_in
from worked_sessions import Worked

from nnstep.engine.saving.journal import Journal
from nnstep.engine.saving.recovery import (
    Keeping,
    Leftover,
    find_offer,
)
from nnstep.engine.scenario.model import Scenario

MAZUR = built_in("mazur")
XOR = built_in("xor")

PROCESS = """
import sys
from pathlib import Path
from nnstep.engine import Session, load
from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.saving.journal import Journal
from nnstep.engine.saving.recovery import Keeping

session = Session(load(sys.argv[2]))
keeping = Keeping(Journal(session), session.scenario, Path(sys.argv[1]))
interpreter = Interpreter(session)
for line in sys.stdin:
    for _ in range(int(line)):
        session.step()
        if session.place % 7 == 0:
            edit = f"set W1[0, 0] = {session.place}"
            keeping.before(session)
            interpreter.execute(edit)
            keeping.after(edit, session)
        keeping.note(session)
        keeping.write_all().result()
        print(session.place, flush=True)
"""


class Process:
    """A process that steps when told to, and keeps that."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(folder), "mazur"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def begin(self, steps: int) -> None:
        assert self._process.stdin is not None
        print(steps, file=self._process.stdin)

    def read(self) -> int:
        """Return the next place that it says it has come to, and has on disk."""
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def step(self) -> int:
        """Have it do one step; return the place, which is on disk by then."""
        self.begin(1)
        return self.read()

    def end(self) -> int:
        """Kill it; return the last place that it has told of, 0 if nothing is left to read."""
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return 0
        self._process.send_signal(signal.SIGKILL)
        told = self._process.stdout.read().split()
        self._process.__exit__(None, None, None)
        return int(told[-1]) if told else 0


@contextmanager
def process(folder: Path) -> Iterator[Process]:
    running = Process(folder)
    try:
        yield running
    finally:
        running.end()


def worked(*lines: str, scenario: Scenario = MAZUR) -> Worked:
    case = Worked(scenario)
    case.give(*(lines or ("goto 12", "set W1[0, 0] = 0.5")))
    case.journal.note(case.session)
    return case


_worked_once = cache(worked)


@cache
def _at_the_beginning(scenario: Scenario) -> Journal:
    return Worked(scenario).journal


def kept(case: Worked, folder: Path) -> Keeping:
    """Keep a session from its beginning: what was done to it counts."""
    scenario = case.session.scenario
    keeping = Keeping(_at_the_beginning(scenario), scenario, folder)
    keeping.journal = case.journal
    keeping.write_all().result()
    return keeping


def leave(folder: Path, *lines: str, scenario: Scenario = MAZUR, age: float = 0) -> Path:
    """Leave a session behind, as if its process had died some seconds ago; return its file."""
    before = set(folder.glob("*.session"))
    kept(_worked_once(*lines, scenario=scenario), folder).end(keep=True)
    (path,) = set(folder.glob("*.session")) - before
    grow_old(path, age)
    return path


def grow_old(path: Path, age: float) -> None:
    """Have a file look as if it had been written some seconds ago."""
    then = time.time() - age
    os.utime(path, (then, then))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def offered(folder: Path, scenario: Scenario = MAZUR) -> Leftover:
    offer = find_offer(scenario, folder)
    assert offer is not None
    return offer
