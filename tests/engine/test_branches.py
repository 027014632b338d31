"""Edits and the branches that they start; undo, redo, and going from one to another."""

from random import Random

import numpy as np
import pytest
from building import network, optimizer, shuffled
from fresh_runs import NOTHING_KEPT, assert_same, fresh

from nnstep.engine.machine.edit import Edit
from nnstep.engine.session.branches import BranchError
from nnstep.engine.session.edits import UndoError
from nnstep.engine.session.session import Session


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


def test_branches_that_are_in_the_same_pass_have_each_its_own_numbers() -> None:
    session = Session(network((2, 2, 1)))
    steps = len(session.program)
    session.seek(steps + 9)
    session.seek(steps + 2)
    session.edit("W2", (0, 0), 5.0)
    session.seek(steps + 10)
    here = {"b1": session.values(), "main": fresh(session.scenario, 0, (), steps + 9)}
    session.branches.switch("main")
    session.seek(steps + 9)
    for name in ("b1", "main", "b1", "main"):
        session.branches.switch(name)
        assert_same(session.values(), here[name])
    assert not np.array_equal(here["main"]["z2"], here["b1"]["z2"])


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


def test_a_snapshot_makes_only_the_present_branch_anew() -> None:
    session = edited_at(5, newest=40)
    first = session.snapshot()
    session.step("iteration")
    second = session.snapshot()
    assert second.branches[0] is first.branches[0]
    assert second.branches[1] is second.branch is not first.branch
    session.branches.rename("main", "old")
    assert [branch.parent for branch in session.snapshot().branches] == [None, "old"]


def test_a_branch_that_was_left_is_shown_as_it_was_left() -> None:
    session = edited_at(5, newest=40)
    session.snapshot()
    session.seek(60)
    session.branches.switch("main")
    session.seek(50)
    session.branches.switch("b1")
    main, own = session.snapshot().branches
    assert (main.newest, own.newest) == (50, 60)
    assert len(main.losses) == 50 // len(session.program) + (50 % len(session.program) > 5)


def test_branches_that_share_losses_do_not_see_those_of_the_other() -> None:
    session = Session(network((2, 2, 1)))
    length = len(session.program)
    session.seek(10 * length)
    before = session.snapshot().losses
    kept = before.copy()
    session.seek(5 * length)
    session.edit("W1", (0, 1), 0.5)
    session.seek(10 * length)
    own = session.snapshot().losses
    session.branches.switch("main")
    session.seek(12 * length)
    main = session.snapshot().losses
    assert np.array_equal(before, kept)
    assert np.array_equal(main[:10], kept)
    assert np.array_equal(own[:5], kept[:5])
    assert not np.array_equal(own[5:], kept[5:])
    assert np.array_equal(session.snapshot().branches[1].losses, own)


def test_what_was_edited_is_found_by_cell_and_by_line_however_the_edits_change() -> None:
    session = Session(network((2, 2, 1)))
    for number in range(6):
        session.step("phase")
        session.edit("W1", (0, number % 2), 0.1 + number)
    session.override("dW1 = dz1.T @ x / 3")
    session.undo()
    session.undo()
    session.back("phase")
    session.edit("b1", (0,), 2.0)
    branch = session._timeline.current
    for name, index in (("W1", (0, 0)), ("W1", (0, 1)), ("b1", (0,))):
        own = [e for e in branch.edits if (e.name, e.index) == (name, index)]  # type: ignore[union-attr]
        assert own
        assert branch.edits_of(name, index, session.place) == own
    assert branch.lines_until(session.place) == {}
    assert branch.overrides_until(session.place) == []


def test_of_many_edits_of_a_cell_at_a_place_the_last_is_made() -> None:
    session, choose = Session(shuffled(2), iterations=20), Random(4)
    begun = 0
    for _ in range(20):
        session.advance(session.place + choose.choice([0, 1, 7]))
        if choose.random() < 0.3:
            session.seek(choose.randrange(session.place + 1))
        for _ in range(choose.choice([1, 3, 6])):
            name = choose.choice(["W1", "lr", *(["z1"] if "z1" in session.values() else [])])
            session.edit(name, choose.choice([*np.ndindex(session.value(name).shape)]), 0.5)
            session.edit(name, (0,) * session.value(name).ndim, choose.random())
        for _ in range(choose.choice([0, 0, 1, 4])):
            session.undo()
        branch, place = session._timeline.current, session.place
        begun += branch.parent is not None
        after = choose.randrange(-1, place + 1)
        edits = [e for e in branch.edits_until(place, after) if isinstance(e, Edit)]
        last = {(edit.place, edit.cell): edit for edit in edits}
        assert {id(edit) for edit in branch.lasting(place, after)} == {*map(id, last.values())}
        for cell in {(edit.name, edit.index) for edit in edits}:
            own = [edit for edit in edits if (edit.name, edit.index) == cell]
            assert branch.edits_of(*cell, place, after) == own
        if choose.random() < 0.1:
            expected = fresh(session.scenario, session.seed, branch.edits_until(place), place)
            assert_same(session.values(), expected)
    assert begun
