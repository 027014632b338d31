"""Going back, forth and sideways in a run always gives the bits that a fresh run gives."""

import random
import tracemalloc
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from building import network, optimizer
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.language.nodes import ConditionError
from nnstep.engine.loading import load
from nnstep.engine.machine.clock import UNITS, Unit
from nnstep.engine.machine.edit import Change, Edit
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.branches import BranchError
from nnstep.engine.session.edits import EditError, PlaceError, UndoError
from nnstep.engine.session.session import Session

NOTHING_KEPT = 0
UNLIMITED = 1 << 40


def scenario(seed: int) -> Scenario:
    """A small network with shuffled batches of unequal size, one of several optimizers."""
    kinds = [
        optimizer("sgd", 0.5, momentum=0.9),
        optimizer("adam", 0.1),
        optimizer("rmsprop", 0.05),
        optimizer("adagrad", 0.2, lr_decay=0.1),
    ]
    case = network((2, 3, 1), rows=5, batch_size=2, shuffle=True, optimized=kinds[seed % 4])
    return replace(case, seed=seed)


def fresh(case: Scenario, seed: int, edits: tuple[Change, ...], place: int) -> Mapping[str, Array]:
    """Run from step 0 to a place with nothing but steps and edits."""
    session = Session(case)
    session.restart(seed)
    for edit in edits:
        if edit.place <= place:
            while session.place < edit.place:
                session.step()
            assert isinstance(edit, Edit)
            session.edit(edit.name, edit.index, edit.value)
    while session.place < place:
        session.step()
    return session.values()


def assert_same(one: Mapping[str, Array], other: Mapping[str, Array]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert array.dtype == other[name].dtype, name
        assert array.tobytes() == other[name].tobytes(), name


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


@settings(max_examples=8)
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


@settings(max_examples=8)
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


@pytest.mark.parametrize("unit", UNITS)
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


@pytest.mark.parametrize("place", [-1, 1.0, "3", True, 10**9])
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


# Edits and branches


def edited_at(place: int, *, newest: int) -> Session:
    """Return a session that went on to a newest place and was edited at one in the past."""
    session = Session(network((2, 2, 1)))
    session.seek(newest)
    session.seek(place)
    session.edit("W1", (0, 1), 0.5)
    return session


def test_an_edit_in_the_past_starts_a_branch_and_the_old_future_stays() -> None:
    session = edited_at(5, newest=40)
    assert session.branches.names == ("main", "b1")
    assert session.branches.current == "b1"
    assert session.newest == 5
    session.step("iteration")
    session.branches.switch("main")
    assert (session.place, session.newest) == (5, 40)
    session.seek(40)
    assert_same(session.values(), fresh(session.scenario, 0, (), 40))


def test_an_edit_at_the_newest_place_goes_on_with_the_branch() -> None:
    session = Session(network((2, 2, 1)))
    session.seek(7)
    session.edit("W1", (0, 1), 0.5)
    session.edit("W1", (0, 0), 0.5)
    assert session.branches.names == ("main",)


def test_an_edit_far_back_holds_until_it_is_computed_again() -> None:
    session = Session(network((2, 2, 1), optimized=optimizer(momentum=0.5)))
    session.seek(3)
    session.edit("lr", (), 0.0)
    session.edit("z1", (0, 0), 9.0)
    session.seek(100)
    for place in (4, 40, 99, 3):
        session.seek(place)
        assert session.value("lr") == 0.0
    assert session.value("z1")[0, 0] == 9.0
    session.seek(2)
    assert session.value("lr") == 0.5


def test_undo_returns_to_the_edit_and_redo_to_what_came_of_it() -> None:
    session = edited_at(5, newest=40)
    session.seek(9)
    with_edit = session.values()
    assert session.undo() == "W1[0, 1]"
    assert (session.place, session.newest, session.branches.current) == (5, 40, "main")
    assert_same(session.values(), fresh(session.scenario, 0, (), 5))
    assert session.redo() == "W1[0, 1]"
    assert (session.place, session.branches.current) == (9, "b1")
    assert_same(session.values(), with_edit)
    assert session.undo() == "W1[0, 1]"


def test_undo_of_an_edit_from_which_nothing_came_leaves_no_branch() -> None:
    session = edited_at(5, newest=40)
    session.undo()
    assert list(session.branches.names) == ["main"]
    session.redo()
    assert list(session.branches.names) == ["main", "b1"]
    assert session.value("W1")[0, 1] == 0.5


def test_undo_at_the_newest_place_keeps_what_was_run_since_as_a_branch() -> None:
    session = Session(network((2, 2, 1)))
    session.seek(4)
    session.edit("W1", (0, 1), 0.5)
    session.seek(20)
    session.undo()
    assert (session.place, session.newest, session.branches.current) == (4, 4, "b1")
    assert_same(session.values(), fresh(session.scenario, 0, (), 4))
    session.branches.switch("main")
    assert (session.place, session.newest) == (20, 20)


def test_a_new_edit_ends_what_could_be_made_again() -> None:
    session = edited_at(5, newest=5)
    session.undo()
    session.edit("W2", (0, 0), 1.0)
    with pytest.raises(UndoError, match="there is no edit to make again"):
        session.redo()


def test_branches_are_renamed_and_deleted() -> None:
    session = edited_at(5, newest=40)
    branches = session.branches
    branches.rename("b1", "bold")
    for wrong in ("main", "two words", "", "a\x1bb", "n" * 41):
        with pytest.raises(BranchError):
            branches.rename("bold", wrong)
    with pytest.raises(BranchError, match="'bold' is the present branch"):
        branches.delete("bold")
    branches.switch("main")
    with pytest.raises(BranchError, match=r"no branch 'bald' \(did you mean 'bold'"):
        branches.delete("bald")
    branches.delete("bold")
    assert branches.names == ("main",)
    with pytest.raises(UndoError):
        session.undo()


def test_a_branch_that_others_have_left_is_not_deleted() -> None:
    session = edited_at(5, newest=40)
    with pytest.raises(BranchError, match="'main' has been left by 'b1'; delete that one first"):
        session.branches.delete("main")


def test_branches_are_compared_where_both_have_been() -> None:
    session = edited_at(5, newest=40)
    assert session.branches.diff("main", "b1")[0] == 5
    place, found = session.branches.diff("main", "b1")
    assert (place, [(d.name, d.cells, d.index) for d in found]) == (5, [("W1", 1, (0, 1))])
    assert found[0].second == 0.5
    session.seek(60)
    place, found = session.branches.diff("main", "b1")
    assert place == 40
    main = fresh(session.scenario, 0, (), 40)
    branch = fresh(session.scenario, 0, session.snapshot().branch.edits, 40)
    differing = {name for name in main if not np.array_equal(main[name], branch[name])}
    assert {d.name for d in found} == differing
    largest = {name: np.abs(main[name] - branch[name]).max() for name in differing}
    for d in found:
        assert abs(d.second - d.first) == largest[d.name]
        assert d.cells == np.sum(main[d.name] != branch[d.name])
    assert [largest[d.name] for d in found] == sorted(largest.values(), reverse=True)


def test_starting_again_keeps_what_cannot_be_had_again_by_running() -> None:
    session = Session(network((2, 2, 1)))
    session.seek(30)
    session.restart()
    assert (session.branches.names, session.newest) == (("main",), 0)
    session.edit("W1", (0, 0), 0.5)
    session.seek(30)
    session.restart()
    assert session.branches.names == ("main", "run1")
    assert_same(session.values(), fresh(session.scenario, 0, (), 0))
    session.restart(seed=5)
    assert (session.seed, session.branches.current) == (5, "run2")
    session.branches.switch("main")
    assert (session.seed, session.place, session.value("W1").shape) == (0, 30, (2, 2))


def test_generators_that_take_turns_execute_every_instruction_once() -> None:
    session = Session(network((2, 2, 1)), iterations=2)
    seen = []
    for step in session.steps():
        seen.append(step.index)
        if other := session.step():
            seen.append(other.index)
    assert seen == list(range(2 * len(session.program)))


def test_edits_that_were_undone_together_are_made_again_together() -> None:
    for place, newest in ((5, 40), (5, 5)):
        session = Session(network((2, 2, 1)))
        session.seek(newest)
        session.seek(place)
        session.edit("W1", (0, 0), 7.0)
        session.edit("W1", (0, 1), 8.0)
        session.undo()
        session.undo()
        if newest == place:
            session.step()
        session.redo()
        session.redo()
        assert session.value("W1")[0].tolist() == [7.0, 8.0]
        assert session.snapshot().branch.name in session.branches.names


def test_undo_and_redo_in_turns_make_no_more_branches() -> None:
    session = Session(network((2, 2, 1)))
    session.seek(4)
    session.edit("W1", (0, 1), 0.5)
    session.seek(20)
    for _ in range(5):
        session.undo()
        session.redo()
    assert len(session.branches.names) == 2


def test_an_edit_of_a_value_that_a_keyframe_does_not_have_is_no_trouble() -> None:
    case = network((2, 8, 8, 1))
    session = Session(case, history=NOTHING_KEPT)
    length = len(session.program)
    session.seek(64 * length)
    session.edit("z1", (0, 0), 1.0)
    session.seek(200 * length)
    session.seek(70 * length)
    edits = session.snapshot().branch.edits
    assert_same(session.values(), fresh(case, 0, edits, 70 * length))


def test_a_deleted_branch_leaves_nothing_behind() -> None:
    session = Session(network((2, 2, 1)))
    session.seek(300)
    kept = session.memory
    for _ in range(20):
        session.seek(5)
        session.edit("W1", (0, 1), 0.5)
        session.undo()
    assert session.memory == kept
    assert len(session._timeline.store._keyframes) <= 1


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
    session = Session(load("xor"), history=100_000)
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
    budget = 800_000
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
        Session(network(units, rows=rows, batch_size=rows), iterations=140)
        for units, rows in (((2, 2, 1), 1), ((60, 400, 400, 1), 16))
    )
    small.run()
    assert all(small.is_near(place) for place in range(small.newest + 1))
    large.run()
    steps, spacing = len(large.program), large._timeline.store.spacing
    assert large.is_near(large.newest)
    # What the pass before has written is live in a pass, so that it is computed again too.
    assert large.is_near(steps * (spacing + 1))
    assert not large.is_near(steps * 2 * spacing)


@pytest.mark.parametrize("hidden", [1, 12, 60])
def test_a_pause_waits_for_few_lines_only(hidden: int) -> None:
    """However many lines a pass has, no more are executed between two looks at a pause."""
    session = Session(network((1, *[1] * hidden, 1)), iterations=500)
    machine = session._timeline.machine
    places = [0]

    def goes_on() -> bool:
        places.append(machine.place)
        return True

    machine.go(session.total or 0, goes_on=goes_on)
    most = max(later - earlier for earlier, later in pairwise(places))
    assert most <= max(2048, len(session.program))
    assert session._examination._monitor.block * len(session.program) <= 4096
