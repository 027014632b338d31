"""What the next step will show is found out before it is taken, and changes nothing."""

import gc
import random
import weakref
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from building import network
from built_in import built_in
from random_programs import random_expression, random_network

from nnstep import scenarios
from nnstep.engine.foresight import Foresight, foreseen
from nnstep.engine.insight import insight_of
from nnstep.engine.scenario.model import Run, Scenario
from nnstep.engine.session.edits import UndoError
from nnstep.engine.session.question import cell_in_question
from nnstep.engine.session.session import Session
from nnstep.engine.session.snapshot import Snapshot

PASSES = 3


def in_question(snapshot: Snapshot) -> tuple[str, tuple[int, ...]] | None:
    return cell_in_question(snapshot.last, snapshot.tensors, None)


def said(insight: Any) -> list[object]:
    """Everything that there is to see of the line and of the cell."""
    why, calculation = insight.why, insight.calculation
    rows = [row for row in calculation.rows if hasattr(row, "values")]
    return [
        *(getattr(why, name) for name in ("cell", "step", "rule", "sentence", "special", "shapes")),
        list(why.printings),
        repr((why.value, why.terms, why.sources, insight.replaced, why.rests_on)),
        [(row.text, row.values[tuple(slice(0, 3) for _ in row.shape)].tobytes()) for row in rows],
    ]


def look_at_every_step(scenario: Scenario, steps: int) -> int:
    """Go on step by step, looking ahead before each; return how many were foreseen."""
    plain, session = Session(scenario), Session(scenario)
    here, count = session.snapshot(), 0
    for _ in range(steps):
        if session.finished:
            break
        place, newest, kept = session.place, session.newest, session.memory
        ahead = foreseen(session, here)
        if ahead is not None:
            ahead.insight(in_question(ahead.snapshot))
        assert (session.place, session.newest, session.memory) == (place, newest, kept)
        assert session.snapshot().losses.tobytes() == here.losses.tobytes()
        session.step()
        plain.step()
        before, here = here, session.snapshot(here.tensors)
        for name, array in plain.values().items():
            assert here.tensors[name].tobytes() == array.tobytes()
        assert repr(session.faults) == repr(plain.faults)  # NaN is not NaN
        if ahead is None or len(here.branch.faults) > len(before.branch.faults):
            continue
        count += 1
        assert ahead.holds(here)
        cell = in_question(here)
        insight = ahead.insight(cell)
        if insight is not None and cell is not None:
            assert said(insight) == said(insight_of(session, session.calculation(), cell))
    return count


def test_batches_that_are_shuffled_come_as_they_would() -> None:
    shuffled = built_in("xor")
    session = Session(shuffled)
    lines = len(session.program)
    assert session.scenario.data is not None
    assert session.scenario.data.shuffle or session.scenario.data.batches_per_epoch > 1
    assert look_at_every_step(shuffled, 2 * lines + 2) > 1.5 * lines


@pytest.mark.sweep(17)
@pytest.mark.parametrize("name", scenarios.names())
def test_what_is_foreseen_is_what_comes(name: str) -> None:
    scenario = built_in(name)
    lines = len(Session(scenario).program)
    assert look_at_every_step(scenario, min(2 * lines + 3, 60)) > min(lines, 30) / 2


@pytest.mark.sweep(10)
@pytest.mark.parametrize("seed", range(2, 22))
def test_so_it_is_in_random_programs(seed: int) -> None:
    make = random_expression if seed % 4 == 0 else random_network
    look_at_every_step(make(seed), 24)


@pytest.mark.sweep(9)
@pytest.mark.parametrize("seed", range(24))
def test_whoever_looks_ahead_runs_as_whoever_does_not(seed: int) -> None:
    draw = random.Random(seed)
    name = ("xor", "iris", "rounds", "graph", "two-layer")[seed % 5]
    scenario = built_in(name) if seed % 2 else random_network(seed)
    plain, session = Session(scenario), Session(scenario)
    for _ in range(45):
        deed = draw.choice(("op", "op", "op", "layer", "iteration", "back", "seek", "edit", "undo"))
        foreseen(session, session.snapshot())
        place, cell = draw.randint(0, plain.newest), draw.random()
        for each in (plain, session):
            do(each, deed, place, cell)
        assert session.place == plain.place
        for tensor, array in plain.values().items():
            assert session.value(tensor).tobytes() == array.tobytes()
        assert session.snapshot().losses.tobytes() == plain.snapshot().losses.tobytes()
        assert repr(session.faults) == repr(plain.faults)


def do(session: Session, deed: str, place: int, cell: float) -> None:
    match deed:
        case "back":
            session.back()
        case "seek":
            session.seek(place)
        case "edit":
            names = sorted(name for name, array in session.values().items() if array.size)
            name = names[int(cell * len(names))]
            if session.value(name).dtype.kind == "f":
                session.edit(name, (0,) * session.value(name).ndim, cell)
        case "undo":
            with suppress(UndoError):
                session.undo()
        case "op" | "layer" | "iteration":
            session.step(deed)


def at_a_line() -> tuple[Session, Snapshot, Foresight]:
    session = Session(network((2, 2, 1), run=Run(iterations=3)))
    session.seek(len(session.program) + 2)
    here = session.snapshot()
    ahead = foreseen(session, here)
    assert ahead is not None
    return session, here, ahead


def test_it_does_not_hold_after_an_edit() -> None:
    session, here, ahead = at_a_line()
    session.edit("W1", (0, 0), 0.5)
    session.step()
    assert not ahead.holds(session.snapshot(here.tensors))


def test_an_edit_of_what_the_next_line_reads_is_in_what_it_computes() -> None:
    session, _, ahead = at_a_line()
    (written,) = ahead.snapshot.written
    for name in ahead.snapshot.read:
        session.edit(name, (0,) * session.value(name).ndim, 0.5)
    session.step()
    assert not np.array_equal(session.value(written), ahead.snapshot.tensors[written])


def test_nor_another_place() -> None:
    session, here, ahead = at_a_line()
    session.step()
    session.step()
    assert not ahead.holds(session.snapshot(here.tensors))


def test_nor_with_a_breakpoint_that_was_set_meanwhile() -> None:
    session, here, ahead = at_a_line()
    session.stops.toggle(4)
    session.step()
    assert not ahead.holds(session.snapshot(here.tensors))


def test_going_back_and_on_again_in_the_past_is_foreseen_too() -> None:
    session, _, _ = at_a_line()
    for _ in range(20):
        session.step()
    session.seek(len(session.program) + 2)
    here = session.snapshot()
    ahead = foreseen(session, here)
    assert ahead is not None
    session.step()
    assert ahead.holds(session.snapshot(here.tensors))


def test_nothing_is_foreseen_at_the_end() -> None:
    session = Session(network((2, 2, 1), run=Run(iterations=1)))
    session.run()
    assert foreseen(session, session.snapshot()) is None


def test_what_was_foreseen_goes_as_soon_as_nobody_wants_it() -> None:
    """Its arrays may be large: they do not stay until Python looks for circles."""
    session = Session(network((2, 2, 1), run=Run(iterations=2)))
    collects = gc.isenabled()
    gc.disable()
    try:
        for _ in range(len(session.program) + 1):
            ahead = foreseen(session, session.snapshot())
            assert ahead is not None
            ahead.insight(in_question(ahead.snapshot))
            run = weakref.ref(ahead._run)
            timeline = weakref.ref(ahead._run._timeline)
            del ahead
            assert (run(), timeline()) == (None, None)
            session.step()
    finally:
        if collects:
            gc.enable()
