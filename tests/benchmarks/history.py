"""How long it takes to go to a place of the past, and what remembering costs in bytes."""

import random
import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.engine import scenario
from nnstep.engine.loading import load
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.session import Session

JUMPS = 40
BUDGET = 256 * 2**20


def milliseconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1e3


def run_through(case: Scenario, iterations: int | None) -> Session:
    session = Session(case, iterations=iterations, history=BUDGET)
    for _ in session.steps():
        pass
    return session


def times(session: Session, name: str, most: float) -> Iterator[tuple[str, float, float]]:
    """The slowest jump to a random place, the slowest and the median step back from there."""
    choose = random.Random(0)
    jumps, backs = [], []
    for _ in range(JUMPS):
        place = choose.randrange(1, session.newest)
        jumps.append(milliseconds(lambda place=place: session.seek(place)))  # type: ignore[misc]
        backs.append(milliseconds(session.back))
    yield f"ms, slowest jump to a place, {name}", max(jumps), most
    yield f"ms, median step back, {name}", statistics.median(backs), most
    yield f"MiB kept, {name}", session.memory / 2**20, BUDGET / 2**20


def rows() -> Iterator[tuple[str, float, float]]:
    """What is measured, the figure, and the most that it may be."""
    kinds = ("tanh", "tanh", "sigmoid")
    for iterations in (1_000, 10_000, 100_000):
        case = scenario((2, 8, 8, 1), kinds, "half_squared_error", 4, iterations)
        session = run_through(case, None)
        yield from times(session, f"2-8-8-1, {iterations:,} iterations", 100)
        per_iteration = session.memory / iterations
        yield f"bytes an iteration, 2-8-8-1, {iterations:,}", per_iteration, float("inf")
    digits = load("digits")
    assert digits.data is not None
    session = run_through(digits, 20 * digits.data.batches_per_epoch)
    yield from times(session, "digits, 20 epochs", 500)
