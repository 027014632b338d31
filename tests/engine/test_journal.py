"""A session that is carried by its journal alone is the same session, bit for bit."""

import random
from collections.abc import Iterator

import numpy as np
import pytest
from building import expression, optimizer, shuffled
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from in_one_test import each_of
from msgspec.structs import replace
from worked_sessions import (
    EVERYTHING_KEPT,
    NOTHING_KEPT,
    Worked,
    assert_same,
    bits,
    classes,
    code,
    done,
    of_kind,
    walk,
)

from nnstep.engine.arrays import frozen
from nnstep.engine.machine.edit import Edit
from nnstep.engine.saving import replay
from nnstep.engine.saving.journal import Line, script
from nnstep.engine.saving.replay import Opened
from nnstep.engine.scenario.model import Run, Scenario
from nnstep.engine.scenario.schema import Breakpoint as Table
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import Breakpoint, Watchpoint
from nnstep.engine.text import cell_name


@examples(3)
@given(st.integers(0, 10**6), st.sampled_from([NOTHING_KEPT, 20_000, EVERYTHING_KEPT]))
def test_a_random_session_is_carried_by_its_journal_alone(seed: int, history: int) -> None:
    is_carried(seed, history)


@pytest.mark.slow
def test_sixty_random_sessions_are_carried_by_their_journals_alone() -> None:
    for seed in range(60):
        is_carried(seed, EVERYTHING_KEPT)


def is_carried(seed: int, history: int) -> None:
    choose = random.Random(seed)
    worked = Worked(of_kind(seed), history)
    for _ in range(choose.randrange(40)):
        walk(worked, choose)
    replayed = worked.replayed(choose.choice([NOTHING_KEPT, EVERYTHING_KEPT]))
    for line in choose.choice([["undo", "undo", "redo"], ["redo", "undo"], []]):
        assert done(worked.session, line) == done(replayed.session, line)
    assert_same(worked.session, replayed.session, choose)


@examples(2)
@given(st.integers(0, 10**6))
def test_the_journal_of_a_session_that_was_brought_back_is_the_same(seed: int) -> None:
    choose = random.Random(seed)
    worked = Worked(of_kind(seed))
    for _ in range(choose.randrange(30)):
        walk(worked, choose)
    contents = worked.contents()
    journal = worked.replayed().journal
    assert [line.text for line in script(b"".join(journal.laid_out())).lines] == [
        line.text for line in script(contents).lines
    ]
    assert journal.edits == script(contents).edits == worked.journal.edits


# Other sessions


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


@each_of("dtype", ["float64", "float32", "float16"])
def test_what_is_not_finite_comes_back_with_its_sign(dtype: str) -> None:
    worked = Worked(shuffled(0, dtype))
    values = ["nan", "-nan", "inf", "-inf", "-0.0", "0.1"]
    for cell, value in zip(np.ndindex(3, 2), values, strict=True):
        worked.give(f"set {cell_name('W1', cell)} = {value}")
    restored = worked.replayed().session
    assert restored.value("W1").tobytes() == worked.session.value("W1").tobytes()
    assert np.signbit(restored.value("W1")).tolist() == [
        [False, True],
        [False, True],
        [True, False],
    ]


def test_a_class_index_stays_a_whole_number() -> None:
    worked = Worked(classes())
    worked.give("step", "set y[1] = 2")
    restored = worked.replayed().session
    assert bits(restored) == bits(worked.session)
    (edit,) = restored.snapshot().branch.edits
    assert isinstance(edit, Edit)
    assert type(edit.value) is int


def test_a_session_that_was_brought_back_goes_on_as_the_other_would_have() -> None:
    worked = Worked(shuffled(1, run=Run(iterations=60)))
    worked.give("break backward 2 if iteration > 2 after 1 every 3", "goto 300", "goto 90")
    worked.give("set W1[0, 0] = 0.25", "goto 200", "switch main")
    session, restored = worked.session, worked.replayed().session
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
    worked = Worked(scenario)
    worked.give("delete 1")
    assert worked.replayed().session.stops.points == (Breakpoint("dW2", after=2, number=2),)


def test_only_what_is_left_of_the_way_is_in_the_file() -> None:
    worked = Worked(shuffled(0))
    worked.give("goto 50", "back epoch", "step 3", "goto 12", "set W1[0, 0] = 1")
    worked.give("step 3", "back 2", "u", "redo", "break  L  # here", "restart seed 4", "step")
    assert worked.lines() == [
        "goto 50",
        "goto 12",
        "set W1[0, 0] = 1",
        "goto 15",
        "goto 13",
        "undo",
        "redo",
        "break L",
        "restart seed 4",
        "goto 1",
    ]


def test_edits_are_counted_without_those_that_were_undone() -> None:
    worked = Worked(shuffled(0))
    worked.give("set W1[0, 0] = 1", "set W1[0, 1] = 1", "u", "undo", "redo")
    assert worked.journal.edits == script(worked.contents()).edits == 1


def test_progress_counts_every_step_once() -> None:
    worked = Worked(shuffled(0))
    worked.give("goto 100", "goto 40", "set W1[0, 0] = 1", "goto 70")
    told: list[tuple[int, int]] = []
    opened = Opened("w", script(worked.contents()), worked.session.scenario)
    opened.replay(progress=lambda done, of: told.append((done, of)))
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1] == (130, 130)
    assert {of for _, of in told} == {130}


def test_to_stop_it_keeps_what_has_been_brought_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_SLICE", 0.001)
    worked = Worked(code())
    worked.give("goto 5", "set a = 1")
    found = script(worked.contents())
    lines = (*found.lines[:2], Line(4, "goto 900000"), Line(5, "watch a"))
    opened = Opened("w", replace(found, lines=lines), worked.session.scenario)
    asked = iter(range(10**6))
    replayed = opened.replay(cancelled=lambda: next(asked) > 4)
    assert replayed.problem == "w: line 4: it was stopped; it and what follows are left out"
    assert 5 <= replayed.session.place < 900000
    assert replayed.session.undo() == "a"


# Undo and redo across branches


def test_redo_remembers_where_the_other_branch_was_left() -> None:
    worked = Worked(shuffled(0))
    worked.give("goto 30", "goto 5", "set W1[0, 0] = 1", "goto 20", "switch main", "goto 12")
    worked.give("undo")
    assert (worked.session.branches.current, worked.session.place) == ("main", 5)
    worked.give("redo")
    assert (worked.session.branches.current, worked.session.place) == ("b1", 20)
    worked.give("switch main")
    assert worked.session.place == 12


def test_redo_leaves_the_other_branch_where_one_has_gone_since() -> None:
    worked = Worked(shuffled(0))
    worked.give("goto 30", "goto 5", "set W1[0, 0] = 1", "goto 20", "switch main", "goto 12")
    worked.give("undo", "goto 8", "redo", "switch main")
    assert worked.session.place == 8


def test_redo_gives_a_branch_the_name_that_it_had() -> None:
    worked = Worked(shuffled(0))
    worked.give("goto 30", "goto 5", "set W1[0, 0] = 1", "rename b1 bold", "undo")
    assert worked.session.branches.names == ("main",)
    worked.give("redo")
    names: tuple[str, ...] = worked.session.branches.names
    assert names == ("main", "bold")


@examples(3)
@given(st.integers(0, 10**6))
def test_redo_leads_back_to_what_there_was_before_undo(seed: int) -> None:
    choose = random.Random(seed)
    worked = Worked(of_kind(seed))
    for _ in range(choose.randrange(40)):
        walk(worked, choose)
    before = where_branches_are(worked.session)
    here = worked.session.branches.current
    if done(worked.session, "undo").startswith("there is no edit"):
        return
    worked.give("redo")
    after = where_branches_are(worked.session)
    # Redo leads to the edit: where that is, the place may be another one.
    shown = {here, worked.session.branches.current}
    assert after.keys() >= before.keys()
    for name in before.keys() - shown:
        assert before[name] == after[name]


def where_branches_are(session: Session) -> dict[str, tuple[int, int, str]]:
    """Return of every branch where it is or was left, how far it has come, and its edits."""
    found = {}
    for branch in session._timeline.branches:
        reached = session._timeline.reached(branch)
        place = session.place if branch.name == session.branches.current else branch.place
        found[branch.name] = (place, reached, repr(branch.edits))
    return found
