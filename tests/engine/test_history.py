"""Going back, forth and sideways in a run always gives the bits that a fresh run gives."""

import random
import tracemalloc
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from building import network, optimizer
from built_in import built_in
from examples import examples
from fresh_runs import NOTHING_KEPT, UNLIMITED, assert_same, fresh, scenario
from hypothesis import given, settings
from hypothesis import strategies as st
from in_one_test import each_of

from nnstep.engine.history.timeline import Timeline
from nnstep.engine.language.nodes import ConditionError
from nnstep.engine.machine.clock import UNITS, Unit
from nnstep.engine.session.edits import EditError, PlaceError, UndoError
from nnstep.engine.session.session import Session


def random_edit(session: Session, choose: random.Random) -> None:
    name = choose.choice(sorted(session.values()))
    array = session.value(name)
    index = tuple(choose.randrange(size) for size in array.shape)
    value = choose.randrange(3) if array.dtype.kind == "i" else choose.uniform(-2, 2)
    session.edit(name, index, value)


def walk(session: Session, choose: random.Random) -> None:
    """Do one thing that a person could do."""
    match choose.randrange(10):
        case 0 | 1:
            session.step(choose.choice(UNITS))
        case 2:
            for _ in range(choose.randrange(40)):
                session.step()
        case 3 | 4:
            session.back(choose.choice(UNITS))
        case 5:
            session.seek(choose.randrange(session.newest + 30))
        case 6 | 7:
            random_edit(session, choose)
        case 8:
            with suppress(UndoError):
                choose.choice([session.undo, session.redo])()
        case 9:
            session.branches.switch(choose.choice(session.branches.names))


HISTORIES = st.sampled_from([None, NOTHING_KEPT, 20_000, UNLIMITED])


@examples(4)
@given(st.integers(0, 10**6), HISTORIES)
def test_a_random_walk_is_everywhere_a_fresh_run_with_its_edits(
    seed: int, history: int | None
) -> None:
    assert_a_walk_is_a_fresh_run(seed, history)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 10**6), HISTORIES)
def test_many_random_walks(seed: int, history: int | None) -> None:
    assert_a_walk_is_a_fresh_run(seed, history)


def assert_a_walk_is_a_fresh_run(seed: int, history: int | None) -> None:
    choose = random.Random(seed)
    case = scenario(seed)
    session = Session(case, history=history)
    for _ in range(15):
        walk(session, choose)
        view = session.snapshot().branch
        edits = tuple(edit for edit in view.edits if edit.place <= session.place)
        assert_same(session.values(), fresh(case, session.seed, edits, session.place))


@examples(4)
@given(st.integers(0, 10**6))
def test_thinning_changes_no_answer(seed: int) -> None:
    case = scenario(seed)
    whole, thin = Session(case, history=UNLIMITED), Session(case, history=NOTHING_KEPT)
    one, other = random.Random(seed), random.Random(seed)
    for _ in range(20):
        walk(whole, one)
        walk(thin, other)
        assert whole.place == thin.place
        assert_same(whole.values(), thin.values())
        left, right = whole.snapshot(), thin.snapshot()
        assert left.losses.tobytes() == right.losses.tobytes()
        assert left.stale == right.stale
        assert list(map(str, left.branch.faults)) == list(map(str, right.branch.faults))
        assert whole.branches.names == thin.branches.names


def test_what_was_written_is_the_very_array_that_is_there_again() -> None:
    session = Session(network((2, 2, 1)))
    session.step("iteration")
    session.step("layer")
    before = session.values()
    session.step("iteration")
    session.seek(session.place - len(session.program))
    assert all(session.value(name) is before[name] for name in ("z1", "dW1", "W1"))


@each_of("unit", UNITS)
def test_back_by_a_unit_is_where_the_unit_on_came_from(unit: Unit) -> None:
    session = Session(network((2, 2, 1), rows=4, batch_size=2), iterations=6)
    begins = [0]
    while session.step(unit):
        begins.append(session.place)
    assert session.finished
    for place in begins[-2::-1]:
        assert session.back(unit) == place
    assert session.back(unit) == 0
    session.seek(begins[1] + 1)
    assert session.back(unit) == begins[1]


@each_of("place", [-1, 1.0, "3", True, 10**9])
def test_a_place_that_the_run_does_not_have_is_refused(place: Any) -> None:
    session = Session(network(), iterations=2)
    session.step()
    with pytest.raises(PlaceError, match="the steps are counted from 0 to 36"):
        session.seek(place)
    assert session.place == 1


def test_a_place_not_reached_yet_is_run_to() -> None:
    session = Session(network(), iterations=5)
    session.seek(40)
    assert (session.place, session.newest) == (40, 40)
    assert_same(session.values(), fresh(network(), 0, (), 40))
    session.seek(3)
    assert (session.place, session.newest) == (3, 40)
    assert len(session.snapshot().losses) == 0
    assert len(session.snapshot().branch.losses) == 2


# Questions


def test_what_last_changed_a_cell() -> None:
    session = Session(network((2, 2, 1)))
    session.seek(20)
    change = session.last_change("W1", (0, 1))
    assert change is not None
    assert change.code == "W1 = W1 - lr * dW1"
    assert change.after == session.value("W1")[0, 1]
    assert change.before == Session(network((2, 2, 1))).value("W1")[0, 1]
    session.edit("W1", (0, -1), 0.5)
    by_hand = session.last_change("W1", (0, -1))
    assert by_hand is not None
    assert (by_hand.code, by_hand.place, by_hand.cell) == (None, 20, "W1[0, 1]")
    with pytest.raises(EditError, match="index 9 is outside axis 0 of W1"):
        session.last_change("W1", (9, 0))
    session.seek(0)
    assert session.last_change("W1", (0, 1)) is None


def test_a_series_is_what_a_log_of_the_run_would_have_been() -> None:
    session = Session(network((2, 2, 1), optimized=optimizer("adam")), iterations=40)
    norms = [
        float(np.sqrt((step.writes["dW1"] ** 2).sum()))
        for step in session.steps()
        if "dW1" in step.writes
    ]
    series = session.series("norm(dW1)")
    assert series.complete
    assert series.values.tolist() == norms
    assert session.series("iteration").values.tolist() == list(range(40))
    with pytest.raises(ConditionError, match="has shape"):
        session.series("dW1")


def test_a_series_of_what_was_edited_shows_it_from_the_next_pass_on() -> None:
    session = Session(network((2, 2, 1)))
    session.seek(3 * len(session.program))
    session.edit("lr", (), 9.0)
    session.seek(6 * len(session.program))
    assert session.series("lr").values.tolist() == [0.5, 0.5, 0.5, 9.0, 9.0, 9.0]


# Memory


def test_the_curve_of_the_loss_is_read_from_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(built_in("xor"), history=100_000)
    session.step()
    assert session.series("L").values.tolist() == []
    session.seek(100 * len(session.program) + 3)
    session.seek(40)
    computed = session.series("L * 1").values.tolist()
    session.edit("W1", (0, 0), 1.0)
    session.seek(700)
    on_branch = session.series("L * 1").values.tolist()
    session.edit("L", (), 3.0)
    assert session.series("L").values.tolist() == session.series("L * 1").values.tolist()
    monkeypatch.setattr(Timeline, "ghost", None)
    session.undo()
    assert session.series("loss").values.tolist() == on_branch
    session.branches.switch("main")
    series = session.series("L")
    assert (series.values.tolist(), series.complete) == (computed, True)
    assert len(computed) == 100


@pytest.mark.slow
def test_the_budget_holds_and_any_place_can_be_reached() -> None:
    budget = 200_000
    case = network((2, 8, 8, 1), rows=4)
    session = Session(case, iterations=3000, history=budget)
    tracemalloc.start()
    for _ in session.steps():
        pass
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.5 * budget < session.memory <= budget
    # What is not examined yet, and what executes the passes, takes as much whatever the budget.
    assert used < session.memory + 1_500_000
    assert len(session.snapshot().losses) == 3000
    choose = random.Random(0)
    for _ in range(5):
        place = choose.randrange(session.newest)
        session.seek(place)
        other = Session(case, iterations=3000, history=1 << 30)
        other.seek(place)
        assert_same(session.values(), other.values())


@pytest.mark.slow
def test_keyframes_thin_out_when_they_alone_are_too_much() -> None:
    case = network((30, 60, 1), optimized=optimizer("adam"))
    session = Session(case, iterations=400, history=1_000_000)
    for _ in session.steps():
        pass
    session.seek(7)
    assert_same(session.values(), fresh(case, 0, (), 7))
    session.seek(session.total or 0)
    tracemalloc.start()
    again = Session(case, iterations=400, history=1_000_000)
    for _ in again.steps():
        pass
    again.snapshot()  # what is held until faults are looked for is no history
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 1.6 * 1_000_000
    assert_same(again.values(), session.values())


@pytest.mark.slow
def test_the_loss_of_every_iteration_is_kept_whole() -> None:
    session = Session(network((2, 2, 1)), iterations=1100, history=0)
    losses = [float(step.writes["L"]) for step in session.steps() if "L" in step.writes]
    assert session.snapshot().losses.tolist() == losses
    session.seek(5)
    assert session.snapshot().branch.losses.tolist() == losses
    assert session.snapshot().losses.tolist() == losses[:0]


def test_a_place_is_near_if_little_is_to_be_computed_again() -> None:
    """The fewer passes there are from the keyframe on, and the smaller they are, the nearer."""
    small, large = (
        Session(network(units, rows=rows, batch_size=rows), iterations=24)
        for units, rows in (((2, 2, 1), 1), ((60, 300, 300, 1), 16))
    )
    small.run()
    assert all(small.is_near(place) for place in range(small.newest + 1))
    large.run()
    steps, spacing = len(large.program), large._timeline.store.spacing
    assert large.is_near(large.newest)
    # What the pass before has written is live in a pass, so that it is computed again too.
    assert large.is_near(steps * (spacing + 1))
    assert not large.is_near(steps * 2 * spacing)


@pytest.mark.parametrize("hidden", [1, 12, pytest.param(60, marks=pytest.mark.slow)])
def test_a_pause_waits_for_few_lines_only(hidden: int) -> None:
    """However many lines a pass has, no more are executed between two looks at a pause."""
    session = Session(network((1, *[1] * hidden, 1)), iterations=250)
    machine = session._timeline.machine
    places = [0]

    def goes_on() -> bool:
        places.append(machine.place)
        return True

    machine.go(session.total or 0, goes_on=goes_on)
    most = max(later - earlier for earlier, later in pairwise(places))
    assert most <= max(2048, len(session.program))
    assert session._examination._monitor.block * len(session.program) <= 4096
