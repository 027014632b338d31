"""What a key costs with a large session, against the same key with a small one.

A key is a command, the snapshot that follows it, and what the panes ask of the session.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

from building import expression, optimizer

from benchmarks.engine import SMALL, Row, scenario
from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.session.session import Session

KEYS, TIMES = ("step", "back"), 40
EDITS, BRANCHES, LINES, FAR, MOST = 1_000, 64, 1_025, 170_000, 100_000


def ratio(large: Session, small: Session, command: str) -> float:
    """What a command takes, with the snapshot after it, in a large session against a small one.

    It is executed in both by turns; these are the medians of the processor time.
    """
    sessions = large, small
    seconds: tuple[list[float], list[float]] = [], []
    for _ in range(TIMES):
        for session, taken in zip(sessions, seconds, strict=True):
            start = time.process_time()
            Interpreter(session).execute(command)
            session.snapshot()
            taken.append(time.process_time() - start)
    one, other = map(statistics.median, seconds)
    return one / other


def small() -> Session:
    session = Session(SMALL)
    session.advance(100)
    return session


def edited() -> Session:
    """A session with many edits, all on one course."""
    session = Session(SMALL, iterations=10_000)
    for number in range(EDITS):
        session.advance("op")
        session.edit("W1", (0, number % 2), 0.1 + number / EDITS)
    return session


def branched() -> Session:
    """A session that has left its course in the same pass again and again."""
    session = Session(SMALL)
    session.advance(200)
    for number in range(BRANCHES):
        session.seek(20 + number % 10)
        session.edit("W1", (0, 0), 0.1 + number)
        session.advance("iteration")
    return session


def chained(lines: int) -> Session:
    """An expression of so many lines: forwards and backwards that is twice as many steps."""
    names = [f"a{number}" for number in range(lines)]
    code = [f"{names[0]} = w * 2"]
    code += [f"{new} = {old} + 0.5" for old, new in pairwise(names)]
    case = expression("\n".join(code), names[-1], w=0.5, optimized=optimizer())
    session = Session(case, iterations=400)
    session.advance(2 * lines + 20)
    return session


def far() -> Session:
    session = Session(SMALL, iterations=FAR + 1_000)
    session.advance(FAR * len(session.program))
    return session


GROWN: dict[str, Callable[[], Session]] = {
    f"{EDITS:,} edits": edited,
    f"{BRANCHES} branches": branched,
    f"iteration {FAR:,}": far,
}


def resident() -> tuple[float, float, float]:
    """MiB that a run of 2-2-2 adds, in this process; ms of the slowest jump; MiB kept."""
    session = Session(scenario((2, 2, 2), ("sigmoid",) * 2, "half_squared_error", 1, MOST))
    session.advance(18)
    session.snapshot()
    before = _resident()
    session.advance("run")
    grown = _resident() - before
    choose, slowest = Random(0), 0.0
    for _ in range(TIMES):
        start = time.process_time()
        session.seek(choose.randrange(session.newest))
        slowest = max(slowest, time.process_time() - start)
    return grown, slowest * 1e3, session.memory / 2**20


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def rows() -> Iterator[Row]:
    """What is measured, the ratio or size, and the most that it may be."""
    for name, made in GROWN.items():
        session = made()
        for command in KEYS:
            figure = ratio(session, small(), command)
            yield f"{command} with {name} / with a small session", figure, 1.3
    for command in KEYS:
        figure = ratio(chained(LINES), chained(9), command)
        yield f"{command} with {2 * LINES:,} lines / with 18", figure, 1.3
    code = "from benchmarks.growth import resident; print(*resident())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    grown, slowest, kept = map(float, done.stdout.split())
    yield f"MiB more at {MOST:,} iterations of 2-2-2", grown, 64
    yield f"ms, slowest jump, {MOST:,} iterations of 2-2-2", slowest, 10
    yield f"MiB kept, {MOST:,} iterations of 2-2-2", kept, 64
