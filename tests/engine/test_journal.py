"""A session that is carried by its journal alone is the same session, bit for bit."""

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
from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.language.typed import TextError
from nnstep.engine.loading import load
from nnstep.engine.machine.clock import UNITS
from nnstep.engine.machine.edit import Change, Edit, Override
from nnstep.engine.saving.journal import Journal, Line, script
from nnstep.engine.saving.replay import Opened, Replayed
from nnstep.engine.scenario.model import Data, Loss, Run, Scenario
from nnstep.engine.scenario.schema import Breakpoint as Table
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import Breakpoint, Watchpoint
from nnstep.engine.text import cell_name

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
    """One of five kinds of scenario, networks in several precisions among them."""
    dtypes = ("float64", "float32", "float16")
    match kind % 5:
        case 0:
            return classes()
        case 1:
            return code()
        case 2:
            return load("xor")
        case _:
            return replace(shuffled(kind, dtypes[kind % 3], Run(iterations=40)), seed=kind)


class Worked:
    """A session that is given commands, or moved, as a person would, and its journal."""

    def __init__(
        self,
        scenario: Scenario,
        history: int = EVERYTHING_KEPT,
        iterations: int | None = None,
    ) -> None:
        self.session = Session(scenario, history=history, iterations=iterations)
        self.journal = Journal(self.session)

    def give(self, *lines: str) -> None:
        """Execute commands; those that are kept are taken down."""
        for line in lines:
            Interpreter(self.session, self.journal).execute(line)

    def contents(self) -> bytes:
        self.journal.note(self.session)
        return b"".join(self.journal.laid_out())

    def lines(self) -> list[str]:
        """The commands in the file, without what stands behind them."""
        return [line.text for line in script(self.contents()).lines]

    def replayed(self, history: int = EVERYTHING_KEPT) -> Replayed:
        found = script(self.contents())
        assert not found.problem
        replayed = Opened("w.session", found, self.session.scenario).replay(history=history)
        assert (replayed.problem, replayed.warning) == ("", "")
        return replayed


def random_value(array: Any, choose: random.Random) -> str:
    if array.dtype.kind == "i":
        return str(choose.randrange(3))
    special = ["nan", "-nan", "inf", "-inf", "-0.0", "1e-300", "1/3", "0.30000000000000004"]
    return choose.choice(special) if choose.random() < 0.4 else repr(choose.uniform(-2, 2))


def an_edit(session: Session, choose: random.Random) -> str:
    name = choose.choice(sorted(session.values()))
    array = session.value(name)
    index = tuple(choose.randrange(size) for size in array.shape)
    return f"set {cell_name(name, index)} = {random_value(array, choose)}"


def an_override(session: Session, choose: random.Random) -> str:
    if session.overrides and choose.random() < 0.4:
        return f"override {choose.choice(session.overrides).name} off"
    line = choose.choice([line for line in session.program.instructions if line.kernel])
    name, code = line.code.split(" = ", 1)
    factor = "" if name == "t" else f" * {choose.uniform(0.5, 1)!r}"
    return f"override {name} = ({code}){factor} in {line.phase} 1"


def a_point(session: Session, choose: random.Random) -> str:
    name = choose.choice(session.program.parameters)
    if session.stops.points and choose.random() < 0.5:
        verb = choose.choice(["delete", "enable", "disable"])
        return f"{verb} {choose.choice(session.stops.points).number}"
    return choose.choice(
        [
            f"break backward if norm(d{name}) > 1e-3 after {choose.randrange(3)} every 2",
            f"break line {choose.randrange(len(session.program)) + 1}",
            'break if iteration == 3 log "# loss = {loss}"  # every third',
            f"watch norm({name}) crosses {choose.uniform(0, 2)!r}",
            f"watch max({name}) changes",
            f"watch norm({name})",
            f"toggle watch norm({name})",
            f"toggle line {choose.randrange(len(session.program)) + 1}",
        ]
    )


def a_branch(session: Session, choose: random.Random) -> str:
    name = choose.choice(session.branches.names)
    return choose.choice(
        [
            f"rename {name} {choose.choice('xyz')}{choose.randrange(1000)}",
            f"delete {name}",
            f"switch {name}",
            f"switch {name}",
        ]
    )


def a_move(session: Session, choose: random.Random) -> str:
    last = session.newest + 30
    place = choose.randrange(min(last, session.total or last) + 1)
    return choose.choice(
        [
            f"step {choose.randrange(4)} {choose.choice(UNITS)}",
            f"back {choose.choice(UNITS)}",
            f"goto {place}",
            "continue back",
        ]
    )


def walk(worked: Worked, choose: random.Random) -> None:
    """Do one thing that a person could do; some of it is refused."""
    session = worked.session
    with suppress(TextError):
        match choose.randrange(11):
            case 0 | 1 | 2:
                worked.give(a_move(session, choose))
            case 3 | 4:
                worked.give(an_edit(session, choose))
            case 5 | 6:
                worked.give(choose.choice(["undo", "undo", "redo"]))
            case 7:
                worked.give(a_branch(session, choose))
            case 8:
                worked.give(a_point(session, choose))
            case 9:
                worked.give(an_override(session, choose))
            case 10:
                if choose.random() < 0.3:
                    worked.give(choose.choice(["restart", "restart seed 3"]))
                else:
                    worked.journal.note(session)


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
        views = (replace(view, losses=None, hits=(), edits=()) for view in (left, right))
        assert len({repr(view) for view in views}) == 1
        assert list(map(told_of, left.edits)) == list(map(told_of, right.edits))
    for name in one.branches.names:
        one.branches.switch(name)
        other.branches.switch(name)
        assert one.place == other.place
        for place in places(one, choose):
            one.seek(place)
            other.seek(place)
            assert bits(one) == bits(other)


def told_of(edit: Change) -> str:
    """Return all there is to tell of an edit; a line is what it says, whichever object it is."""
    return f"{edit} {edit.place} {edit.position}" if isinstance(edit, Override) else repr(edit)


def done(session: Session, line: str) -> str:
    """Return what a session answers to a line, or what is wrong with it."""
    try:
        return "\n".join(Interpreter(session).execute(line).lines)
    except TextError as error:
        return str(error)


@settings(max_examples=8)
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


@settings(max_examples=5)
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


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
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


def test_to_stop_it_keeps_what_has_been_brought_back() -> None:
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


@settings(max_examples=8)
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
