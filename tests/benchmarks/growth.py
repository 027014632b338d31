"""What a key costs with a large session, against the same key with a small one.

A key is a command, or a call of the session, and the snapshot that follows it.
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

TIMES = 40
EDITS, BRANCHES, LINES, FAR, MOST = 1_000, 64, 1_025, 170_000, 100_000

Key = Callable[[Session], object]


def command(text: str) -> Key:
    return lambda session: Interpreter(session).execute(text)


ONE_LINE: dict[str, Key] = {
    "step": command("step"),
    "back": command("back"),
    "session.step()": lambda session: session.step(),
    "session.back()": lambda session: session.back(),
    "set": command("set lr = 0.25"),
    "undo": command("undo"),
    "redo": command("redo"),
    "undo again": command("undo"),
}
"""Keys that lead, one after another, to where one was."""

KEYS = ONE_LINE | {
    "step iteration": command("step iteration"),
    "back iteration": command("back iteration"),
}


def ratios(large: Session, small: Session, keys: dict[str, Key]) -> Iterator[tuple[str, float]]:
    """Yield what each key takes in a large session against a small one, with the snapshot after it.

    They are pressed in both by turns, at the same line of a pass; these are the medians of the
    ratios of the processor time.
    """
    while small.clock.position(small.place) != large.clock.position(large.place):
        small.advance("op")
    found: dict[str, list[float]] = {name: [] for name in keys}
    places = large.place, small.place
    for number in range(TIMES):
        for name, key in keys.items():
            # Whoever comes second finds more of what both need in the cache.
            if number % 2:
                one, other = _seconds(key, large), _seconds(key, small)
            else:
                other, one = _seconds(key, small), _seconds(key, large)
            found[name].append(one / other)
        for session, place in zip((large, small), places, strict=True):
            session.seek(place)
    for name, each in found.items():
        yield name, statistics.median(each)


def _seconds(key: Key, session: Session) -> float:
    start = time.process_time()
    key(session)
    session.snapshot()
    return time.process_time() - start


def small() -> Session:
    session = Session(SMALL)
    session.advance(100)
    return session


def edited_once() -> Session:
    session = small()
    session.edit("W1", (0, 0), 0.3)
    return session


def edited_here() -> Session:
    """A session with many edits at one place."""
    session = small()
    for number in range(EDITS):
        session.edit("W1", (0, number % 2), 0.1 + number / EDITS)
    return session


def edited() -> Session:
    """A session with an edit before each of many lines."""
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
    session.advance(len(session.program) + 5)
    return session


def far() -> Session:
    session = Session(SMALL, iterations=FAR + 1_000)
    session.advance(FAR * len(session.program))
    return session


GROWN: dict[str, tuple[Callable[[], Session], Callable[[], Session]]] = {
    f"{EDITS:,} edits": (edited, edited_once),
    f"{EDITS:,} edits at a place": (edited_here, edited_once),
    f"{BRANCHES} branches": (branched, edited_once),
    f"iteration {FAR:,}": (far, small),
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
    for name, (grown, less) in GROWN.items():
        for key, figure in ratios(grown(), less(), KEYS):
            yield f"{key} with {name} / with a small session", figure, 1.3
    for key, found in ratios(chained(LINES), chained(9), ONE_LINE):
        yield f"{key} with {2 * LINES:,} lines / with 18", found, 1.3
    code = "from benchmarks.growth import resident; print(*resident())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    more, slowest, kept = map(float, done.stdout.split())
    yield f"MiB more at {MOST:,} iterations of 2-2-2", more, 64
    yield f"ms, slowest jump, {MOST:,} iterations of 2-2-2", slowest, 10
    yield f"MiB kept, {MOST:,} iterations of 2-2-2", kept, 64
