"""A session that was saved and restored is the same session, bit for bit."""

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nnstep.engine.arrays import frozen
from nnstep.engine.loading import load
from nnstep.engine.machine.clock import UNITS
from nnstep.engine.saving.decode import decode
from nnstep.engine.saving.digest import scenario_digest
from nnstep.engine.saving.encode import encode
from nnstep.engine.saving.old_reference import reference_to
from nnstep.engine.saving.restore import restore
from nnstep.engine.saving.state import save
from nnstep.engine.scenario.model import Data, Loss, Run, Scenario
from nnstep.engine.scenario.schema import Breakpoint as Table
from nnstep.engine.session.branches import BranchError
from nnstep.engine.session.edits import UndoError
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import Breakpoint, Point, Watchpoint

NOTHING_KEPT, EVERYTHING_KEPT = 0, 1 << 40


def shuffled(kind: int, dtype: str = "float64", run: Run = Run()) -> Scenario:  # noqa: B008
    """A small network with shuffled batches of unequal size, one of several optimizers."""
    kinds = [
        optimizer("sgd", 0.5, momentum=0.9),
        optimizer("adam", 0.1),
        optimizer("rmsprop", 0.05),
        optimizer("adagrad", 0.2, lr_decay=0.1),
    ]
    return network(
        (2, 3, 1),
        rows=5,
        batch_size=2,
        shuffle=True,
        dtype=dtype,
        optimized=kinds[kind % len(kinds)],
        run=run,
    )


def classes() -> Scenario:
    """A network whose targets are class indices, whole numbers."""
    case = network((2, 4, 3), rows=4, batch_size=2, loss=Loss("cross_entropy", "mean", True))
    x = case.data.x if case.data else frozen([])
    return replace(case, data=Data(x, frozen(np.array([0, 2, 1, 2])), 2, True))


def code() -> Scenario:
    return expression("d = a * a\ne = d + b", "e", optimized=optimizer("sgd", 0.1), a=2.0, b=1.0)


def of_kind(kind: int) -> Scenario:
    dtypes = ("float64", "float32", "float16")
    if kind % 4 == 3:
        return (classes, code)[kind // 4 % 2]()
    return replace(shuffled(kind, dtypes[kind % 3], Run(iterations=40)), seed=kind)


def random_value(array: Any, choose: random.Random) -> float:
    if array.dtype.kind == "i":
        return choose.randrange(3)
    special = (float("nan"), -float("nan"), float("inf"), -float("inf"), -0.0, 1e-300, 1 / 3)
    return choose.choice(special) if choose.random() < 0.4 else choose.uniform(-2, 2)


def edit(session: Session, choose: random.Random) -> None:
    name = choose.choice(sorted(session.values()))
    array = session.value(name)
    index = tuple(choose.randrange(size) for size in array.shape)
    session.edit(name, index, random_value(array, choose))


def point(session: Session, choose: random.Random) -> Point:
    name = choose.choice(session.program.parameters)
    points: list[Point] = [
        Breakpoint("backward", f"norm(d{name}) > 1e-3", choose.randrange(3), 2),
        Breakpoint(f"line {choose.randrange(len(session.program)) + 1}", enabled=False),
        Breakpoint(None, "iteration == 3", log="loss = {loss}"),
        Watchpoint(f"norm({name})", "crosses", choose.uniform(0, 2)),
        Watchpoint(f"max({name})"),
    ]
    return choose.choice(points)


def change_points(session: Session, choose: random.Random) -> None:
    if session.stops.points and choose.random() < 0.3:
        session.stops.remove(choose.choice(session.stops.points).number)
    else:
        session.stops.add(point(session, choose))
    session.watch(f"norm({choose.choice(session.program.parameters)})")


def change_branches(session: Session, choose: random.Random) -> None:
    name = choose.choice(session.branches.names)
    match choose.randrange(6):
        case 0:
            new = f"{choose.choice('xyz')}{choose.randrange(1000)}"
            if new not in session.branches.names:
                session.branches.rename(name, new)
        case 1:
            with suppress(BranchError):
                session.branches.delete(name)
        case _:
            session.branches.switch(name)


def walk(session: Session, choose: random.Random) -> None:
    """Do one thing that a person could do."""
    match choose.randrange(12):
        case 0 | 1:
            session.step(choose.choice(UNITS))
        case 2 | 3:
            session.back(choose.choice(UNITS))
        case 4:
            last = session.newest + 30
            session.seek(choose.randrange(min(last, session.total or last) + 1))
        case 5 | 6 | 7:
            edit(session, choose)
        case 8:
            with suppress(UndoError):
                choose.choice([session.undo, session.redo])()
        case 9:
            change_branches(session, choose)
        case 10:
            change_points(session, choose)
        case 11:
            if choose.random() < 0.3:
                session.restart(choose.choice([None, 3]))
            else:
                session.advance("iteration")


def written_and_read(session: Session, history: int = EVERYTHING_KEPT) -> Session:
    decoded = decode(encode(save(session), reference_to(session.scenario)))
    restored = restore(decoded.saved, session.scenario, history=history)
    assert restored is not None
    return restored


def places(session: Session, choose: random.Random) -> Iterator[int]:
    yield from (session.newest, 0, session.place)
    yield from (choose.randrange(session.newest + 1) for _ in range(4))


def bits(session: Session) -> dict[str, tuple[np.dtype[Any], bytes]]:
    return {name: (array.dtype, array.tobytes()) for name, array in session.values().items()}


def assert_same(one: Session, other: Session, choose: random.Random) -> None:
    """Assert that nothing tells two sessions apart, at any place of any branch."""
    assert (one.place, one.total, one.seed) == (other.place, other.total, other.seed)
    assert bits(one) == bits(other)
    assert (one.stops.points, one.watches) == (other.stops.points, other.watches)
    first, second = one.snapshot(), other.snapshot()
    assert (first.branch.name, first.left) == (second.branch.name, second.left)
    assert first.losses.tobytes() == second.losses.tobytes()
    assert first.stale == second.stale
    assert one.branches.names == other.branches.names
    for left, right in zip(first.branches, second.branches, strict=True):
        assert left.losses.tobytes() == right.losses.tobytes()
        # Read as text, for NaN is not equal to NaN. Where it has stopped is, like the log, of the
        # sitting and not of the session.
        one_view, other_view = (replace(view, losses=None, hits=()) for view in (left, right))
        assert repr(one_view) == repr(other_view)
    for name in one.branches.names:
        one.branches.switch(name)
        other.branches.switch(name)
        assert one.place == other.place
        for place in places(one, choose):
            one.seek(place)
            other.seek(place)
            assert bits(one) == bits(other)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([NOTHING_KEPT, 20_000, EVERYTHING_KEPT]))
def test_after_a_random_walk_everything_comes_back(seed: int, history: int) -> None:
    choose = random.Random(seed)
    session = Session(of_kind(seed), history=history)
    for _ in range(choose.randrange(30)):
        walk(session, choose)
    contents = encode(save(session), reference_to(session.scenario))
    restored = written_and_read(session, choose.choice([NOTHING_KEPT, EVERYTHING_KEPT]))
    assert encode(save(restored), reference_to(session.scenario)) == contents
    assert_same(session, restored, choose)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_what_is_not_finite_comes_back_with_its_sign(dtype: str) -> None:
    session = Session(shuffled(0, dtype))
    values = [float("nan"), -float("nan"), float("inf"), -float("inf"), -0.0, 0.1]
    for cell, value in zip(np.ndindex(3, 2), values, strict=True):
        session.edit("W1", cell, value)
    restored = written_and_read(session)
    assert restored.value("W1").tobytes() == session.value("W1").tobytes()
    assert np.signbit(restored.value("W1")).tolist() == [
        [False, True],
        [False, True],
        [True, False],
    ]


def test_a_class_index_stays_a_whole_number() -> None:
    session = Session(classes())
    session.step()
    session.edit("y", (1,), 2)
    restored = written_and_read(session)
    assert bits(restored) == bits(session)
    assert type(restored.snapshot().branch.edits[0].value) is int


def test_a_restored_session_goes_on_as_the_other_would_have() -> None:
    session = Session(shuffled(1, run=Run(iterations=60)))
    session.stops.add(Breakpoint("backward 2", "iteration > 2", after=1, every=3))
    session.seek(300)
    session.seek(90)
    session.edit("W1", (0, 0), 0.25)
    session.seek(200)
    session.branches.switch("main")
    restored = written_and_read(session)
    for _ in range(4):
        assert repr(session.advance("run")) == repr(restored.advance("run"))
    assert repr(session.back_to_stop()) == repr(restored.back_to_stop())
    assert bits(session) == bits(restored)
    session.edit("W2", (0, 1), 2.0)
    restored.edit("W2", (0, 1), 2.0)
    assert session.branches.names == restored.branches.names
    assert session.stops.add(Watchpoint("L")) == restored.stops.add(Watchpoint("L"))


def test_breakpoints_of_the_scenario_that_were_removed_stay_removed() -> None:
    scenario = replace(shuffled(0), breakpoints=(Table(at="dW1"), Table(at="dW2", hits=3)))
    session = Session(scenario)
    session.stops.remove(1)
    assert written_and_read(session).stops.points == (Breakpoint("dW2", after=2, number=2),)


def test_the_length_of_the_run_comes_back_if_it_is_not_the_scenario_s_own() -> None:
    scenario = shuffled(0, run=Run(iterations=3))
    assert save(Session(scenario)).iterations is None
    longer = Session(scenario, iterations=5)
    assert written_and_read(longer).total == longer.total == 5 * len(longer.program)
    assert save(Session(shuffled(0), iterations=2)).iterations == 2


def test_a_saved_session_is_untouched_until_something_was_done() -> None:
    session = Session(shuffled(0))
    assert save(session).is_untouched
    session.step()
    assert not save(session).is_untouched
    session.back()
    assert save(session).is_untouched
    session.edit("W1", (0, 0), 1.0)
    assert not save(session).is_untouched
    session.undo()
    assert save(session).is_untouched
    session.restart(7)
    assert not save(session).is_untouched


def test_edits_are_counted_once_though_branches_share_them() -> None:
    session = Session(shuffled(0))
    session.edit("W1", (0, 0), 1.0)
    session.seek(50)
    session.seek(20)
    session.edit("W1", (0, 1), 1.0)
    assert [len(branch.edits) for branch in save(session).branches] == [1, 2]
    assert save(session).edits == 2


# Replaying


def test_progress_counts_every_step_once() -> None:
    session = Session(shuffled(0))
    session.seek(100)
    session.seek(40)
    session.edit("W1", (0, 0), 1.0)
    session.seek(70)
    told: list[tuple[int, int]] = []
    restore(save(session), session.scenario, progress=lambda done, of: told.append((done, of)))
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1] == (130, 130)
    assert {of for _, of in told} == {130}


def test_a_restoration_without_end_can_be_cancelled() -> None:
    session = Session(code())
    session.step()
    saved = save(session)
    endless = replace(saved, branches=(replace(saved.branches[0], newest=10**15),))
    asked = iter(range(1000))
    assert restore(endless, session.scenario, cancelled=lambda: next(asked) == 500) is None
    assert next(asked) == 501


# The digest


def test_the_digest_is_that_of_the_numbers_alone() -> None:
    case = load("mazur")
    again = replace(case, title="other", description="", run=Run(iterations=1), path="elsewhere")
    assert scenario_digest(case) == scenario_digest(again) == scenario_digest(load("mazur"))


def changed_scenarios() -> Iterator[Scenario]:
    case = shuffled(0)
    assert case.network and case.data and case.optimizer
    yield case
    yield replace(case, seed=1)
    yield replace(case, dtype="float32")
    yield replace(case, optimizer=replace(case.optimizer, lr=0.25))
    yield replace(case, optimizer=None)
    yield replace(case, network=replace(case.network, l2=0.5))
    yield replace(case, network=replace(case.network, layout="in_out"))
    yield replace(case, data=replace(case.data, batch_size=3))
    yield replace(case, data=replace(case.data, x=frozen(np.nextafter(case.data.x, 9))))
    yield replace(case, data=replace(case.data, x=frozen(-case.data.x)))
    yield replace(case, data=replace(case.data, x=frozen(case.data.x, "float32")))
    yield replace(case, data=replace(case.data, x=case.data.y, y=case.data.x))
    yield replace(case, data=replace(case.data, batches=((0, 1), (2,))))
    yield replace(case, data=replace(case.data, batches=((0,), (1, 2))))
    yield code()
    yield expression("d = a * a\ne = b + d", "e", optimized=optimizer("sgd", 0.1), a=2.0, b=1.0)
    yield expression("d = a * a\ne = d + b", "d", optimized=optimizer("sgd", 0.1), a=2.0, b=1.0)
    yield expression("d = a * a\ne = d + b", "e", optimized=optimizer("sgd", 0.1), a=2.0, b=1.5)
    yield expression("d = a * a\ne = d + b", "e", inputs={"b": 1.0}, a=2.0)
    yield expression("d = a * a\ne = d + b", "e", a=2.0, b=1.0)
    yield expression("d = a * a\ne = d + b", "e", a=[2.0, 1.0], b=1.0)
    yield expression("d = a * a\ne = d + b", "e", a=[[2.0, 1.0]], b=1.0)
    yield expression("d = a * a\ne = d + b", "e", a=[[2.0], [1.0]], b=1.0)
    yield expression("d = a * a\ne = d + b", "e", a=np.empty((0, 2)), b=1.0)
    yield expression("d = a * a\ne = d + b", "e", a=np.empty((2, 0)), b=1.0)


def test_whatever_changes_a_number_changes_the_digest() -> None:
    digests = [scenario_digest(case) for case in changed_scenarios()]
    assert len(set(digests)) == len(digests) == 25
