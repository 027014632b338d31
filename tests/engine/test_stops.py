"""Breakpoints and watchpoints stop, in both directions, where a look at every place says so."""

import random
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest
from building import network, optimizer
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from in_one_test import each_of
from msgspec.structs import replace

from nnstep import engine
from nnstep.engine.arrays import Array
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.machine.edit import Edit
from nnstep.engine.machine.machine import Machine
from nnstep.engine.scenario.model import Run, Scenario
from nnstep.engine.scenario.schema import Breakpoint as Table
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import Breakpoint, Point, PointError, Watchpoint

Seen = Mapping[str, Array]
END, LENGTH = 5, 35


def small() -> Scenario:
    return network((2, 2, 1), rows=4, batch_size=2, optimized=optimizer("adam", 0.3), run=Run(END))


def states(session: Session) -> list[Seen]:
    """Return the tensors at every place of the run, from a run of its own with the same edits."""
    course = Session(session.scenario, history=None)
    edits = session.snapshot().branch.edits
    found = []
    while True:
        for edit in edits:
            if isinstance(edit, Edit) and edit.place == course.place:
                course.edit(edit.name, edit.index, edit.value)
        found.append(course.values())
        if course.step() is None:
            return found


def forwards(session: Session) -> list[int]:
    session.seek(0)
    places = []
    while (stop := session.advance("run")) is not None and stop.kind == "point":
        places.append(stop.place)
        assert session.place == stop.place
    assert session.finished
    return places


def backwards(session: Session) -> list[int]:
    session.seek(session.total or 0)
    places = []
    while (stop := session.back_to_stop()) is not None and stop.kind == "point":
        places.append(stop.place)
        assert session.place == stop.place
    assert session.place == 0
    return places[::-1]


def same(one: Array | None, other: Array | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other, equal_nan=True)


def expected(session: Session, holds: Callable[[int, Seen, Seen], bool]) -> list[int]:
    """Return the places after 0 at which something holds of the tensors there and just before."""
    seen = states(session)
    return [p for p in range(1, len(seen)) if holds(p, seen[p - 1], seen[p])]


CASES: list[tuple[Point, Callable[[int, Seen, Seen], bool]]] = [
    (Watchpoint("W1[0, 1]"), lambda p, a, b: a["W1"][0, 1] != b["W1"][0, 1]),
    (Watchpoint("W2"), lambda p, a, b: not same(a["W2"], b["W2"])),
    (Watchpoint("dW1"), lambda p, a, b: not same(a.get("dW1"), b.get("dW1"))),
    (Watchpoint("lr"), lambda p, a, b: a["lr"] != b["lr"]),
    (
        Watchpoint("W1[0, 0] * W2[0, 1]"),
        lambda p, a, b: a["W1"][0, 0] * a["W2"][0, 1] != b["W1"][0, 0] * b["W2"][0, 1],
    ),
    (
        Watchpoint("W1[0, 1]", "crosses", 0.3),
        lambda p, a, b: (a["W1"][0, 1] < 0.3) != (b["W1"][0, 1] < 0.3),
    ),
    (Watchpoint("epoch"), lambda p, a, b: p % (2 * LENGTH) == 0 and p < END * LENGTH),
    (Breakpoint(None, "iteration > 3"), lambda p, a, b: p == 4 * LENGTH),
    (
        Breakpoint(None, "L < 0.1"),
        lambda p, a, b: "L" in b and bool(b["L"] < 0.1) and not ("L" in a and a["L"] < 0.1),
    ),
]


QUICK = ("watch W1[0, 1] changes", "break if L < 0.1")


@examples(2)
@given(st.integers(0, 10**6))
@pytest.mark.parametrize(
    ("point", "holds"),
    [
        pytest.param(
            point, holds, id=str(point), marks=() if str(point) in QUICK else pytest.mark.slow
        )
        for point, holds in CASES
    ],
)
def test_both_directions_agree_with_a_look_at_every_place(
    point: Point, holds: Callable[[int, Seen, Seen], bool], seed: int
) -> None:
    choose = random.Random(seed)
    session = Session(small(), history=choose.choice([0, 1 << 20]))
    for _ in range(choose.randrange(4)):
        session.seek(session.place + choose.randrange(1, 25))
        name = choose.choice(["W1", "W2", "lr", "dW1", "L"])
        if name in session.values():
            index = tuple(choose.randrange(size) for size in session.value(name).shape)
            session.edit(name, index, choose.uniform(0, 1))
    session.stops.add(point)
    places = expected(session, holds)
    assert forwards(session) == places
    assert backwards(session) == places


def lines(session: Session) -> Iterator[tuple[int, str]]:
    for place in range((session.total or 0) + 1):
        yield place, session.program.instructions[place % len(session.program)].code


def test_a_breakpoint_stops_before_its_line() -> None:
    session = Session(small())
    session.stops.add(Breakpoint("a2"))
    end = session.total or 0
    places = [p for p, code in lines(session) if code.startswith("a2 =") and p < end]
    assert forwards(session) == places
    assert backwards(session) == places


def test_a_condition_that_cannot_be_evaluated_stops_and_says_why() -> None:
    session = Session(small())
    session.stops.add(Breakpoint("dW1", "W2 @ W2 > 1"))
    stop = session.advance("run")
    assert stop is not None
    assert (
        "which cannot be evaluated: W2 (1, 2) @ W2 (1, 2) does not fit; W2 @ W2.T does"
        in stop.reason
    )
    assert session.program.instructions[session.place].writes == ("dW1",)


def test_what_does_not_fit_is_told_of_the_place_that_stops_and_not_of_hits_counted_for_it() -> None:
    session = Session(network((2, 3, 1), rows=5, batch_size=3, run=Run(iterations=12)))
    session.stops.add(Breakpoint(None, "z1 @ z1 > 0", after=2))
    for iteration in (3, 4, 7, 8):
        session.seek(iteration * len(session.program))
        stop = session.advance("run")
        assert stop is not None
        shape = session.value("z1").shape
        assert f"z1 {shape} @ z1 {shape} does not fit" in stop.reason


def test_a_condition_on_what_the_line_writes_is_looked_at_after_it() -> None:
    session = Session(small())
    seen = states(session)
    norms = [float(np.sqrt((s["dW1"] ** 2).sum())) for s in seen if "dW1" in s]
    limit = float(np.median(norms))
    session.stops.add(Breakpoint("dW1", f"norm(dW1) > {limit}"))
    places = [
        p + 1
        for p, code in lines(session)
        if code.startswith("dW1 =")
        and p < (session.total or 0)
        and np.sqrt((seen[p + 1]["dW1"] ** 2).sum()) > limit
    ]
    assert places
    assert len(places) < END
    assert forwards(session) == places
    assert backwards(session) == places


@each_of(
    ("at", "first"),
    [("backward", 1), ("forward 2", 1), ("layer 1", 2), ("line 3", 1)],
)
def test_phases_layers_and_lines_are_locations(at: str, first: int) -> None:
    session = Session(small())
    session.stops.add(Breakpoint(at))
    program = session.program.instructions
    parts = [(line.phase.value, line.layer) for line in program]
    word, _, number = at.partition(" ")
    if word == "line":
        begins = [int(number) - 1]
    else:
        inside = [
            (word in ("layer", phase)) and (not number or layer == int(number))
            for phase, layer in parts
        ]
        begins = [
            i
            for i, here in enumerate(inside)
            if here and (i == 0 or not inside[i - 1] or parts[i - 1][0] != parts[i][0])
        ]
    assert len(begins) == first
    places = [p for p in range(1, session.total or 0) if p % len(program) in begins]
    assert forwards(session) == places
    assert backwards(session) == places


@examples(2)
@given(
    point=st.sampled_from(
        [
            Breakpoint("L"),
            Breakpoint("dW1", "norm(dW1) >= 0"),
            Breakpoint("layer 1"),
            Breakpoint("backward", "iteration != 2"),
            Breakpoint(when="step > 30"),
        ]
    ),
    after=st.integers(0, 4),
    every=st.integers(1, 4),
    start=st.integers(0, END * LENGTH),
)
def test_the_first_hit_after_those_that_pass_stops_and_each_nth_from_there(
    point: Breakpoint, after: int, every: int, start: int
) -> None:
    session = Session(small())
    number = session.stops.add(point).number
    everywhere = forwards(session)
    session.stops.remove(number)
    session.stops.add(replace(point, after=after, every=every))
    expected = everywhere[after::every]
    assert backwards(session) == expected
    assert forwards(session) == expected
    session.seek(start)
    stop = session.advance("run")
    assert stop is not None
    assert session.place == next((place for place in expected if place > start), END * LENGTH)
    session.seek(start)
    session.back_to_stop()
    assert session.place == max((place for place in expected if place < start), default=0)


def test_each_tenth_iteration_counts_from_the_first() -> None:
    session = Session(replace(small(), run=Run(31)))
    session.stops.add(Breakpoint("L", every=10))
    stopped = []
    while session.advance("run") and not session.finished:
        stopped.append(session.snapshot().iteration)
    assert stopped == [0, 10, 20, 30]


def test_hits_that_a_run_has_come_past_are_not_looked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Session(replace(small(), run=Run(31)))
    session.stops.add(Breakpoint("L", after=3, every=10))
    begun: list[int] = []
    ghost = Timeline.ghost

    def counted(self: Timeline, place: int) -> Machine:
        begun.append(place)
        return ghost(self, place)

    monkeypatch.setattr(Timeline, "ghost", counted)
    while session.advance("run") and not session.finished:
        assert session.snapshot().iteration in (3, 13, 23)
    assert len(begun) <= 3, "one for each start, at most"
    begun.clear()
    session.back_to_stop()
    assert session.snapshot().iteration == 23
    assert len(begun) <= 3, "the stretches that are searched"


def test_a_scenarios_every_is_that_of_the_prompt() -> None:
    case = replace(small(), breakpoints=(Table(at="dW1", hits=2, every=2),))
    typed = Session(small())
    typed.stops.add(Breakpoint("dW1", after=1, every=2))
    assert [str(point) for point in Session(case).stops.points] == ["break dW1 after 1 every 2"]
    assert forwards(Session(case)) == forwards(typed)
    assert 2 <= len(forwards(typed)) <= END / 2


def test_a_scenarios_hits_stop_at_that_hit_and_after() -> None:
    case = replace(small(), breakpoints=(Table(at="dW1", hits=3),))
    plain = Session(small())
    plain.stops.add(Breakpoint("dW1"))
    assert forwards(Session(case)) == forwards(plain)[2:]


def test_a_logpoint_prints_and_goes_on() -> None:
    session = Session(small())
    session.stops.add(Breakpoint("L", log="at {iteration}: L = {L}, nothing: {dz2[9, 9]}"))
    stop = session.advance("run")
    assert stop is not None
    assert stop.kind == "unit"
    assert session.finished
    assert len(session.log) == END
    losses = session.snapshot().losses
    for i, line in enumerate(session.log):
        assert line.text.startswith(f"at {i}: L = {losses[i]:.6g}, nothing: (")
    session.back_to_stop()
    assert session.place == 0
    assert len(session.log) == END


def test_where_a_branch_has_stopped_belongs_to_that_branch() -> None:
    session = Session(small())
    session.stops.add(Breakpoint("dW1"))
    places = forwards(session)
    assert session.snapshot().branch.hits == tuple(places)
    session.branches.rename("main", "first")
    session.seek(places[1])
    session.edit("W1", (0, 0), 0.5)
    assert session.snapshot().branch.hits == tuple(places[:2])
    session.branches.switch("first")
    assert session.snapshot().branch.hits == tuple(places)


def test_a_disabled_point_does_not_stop() -> None:
    session = Session(small())
    number = session.stops.add(Breakpoint("dW1")).number
    session.stops.enable(number, False)
    assert forwards(session) == []
    session.stops.enable(number, True)
    assert len(forwards(session)) == END


def test_a_unit_stops_at_a_breakpoint_inside_it() -> None:
    session = Session(small())
    session.stops.add(Breakpoint("dW2"))
    stop = session.advance("iteration")
    assert stop is not None
    assert stop.kind == "point"
    assert session.program.instructions[session.place].writes == ("dW2",)


@each_of(
    ("point", "message"),
    [
        (Breakpoint("dW9"), "no tensor, phase or layer 'dW9'.*did you mean 'dW"),
        (Breakpoint("line 99"), "the lines are numbered from 1 to"),
        (Breakpoint(), "needs a location, a condition or both"),
        (Breakpoint("dW1", "norm(dW7) > 1"), "column 6: the program has no tensor 'dW7'"),
        (Breakpoint("dW1", log="{dW7}"), "the program has no tensor 'dW7'"),
        (Watchpoint("W7[0]"), "the program has no tensor 'W7'"),
        (Breakpoint("lr"), "no line writes lr"),
    ],
)
def test_what_does_not_fit_the_program_is_refused(point: Point, message: str) -> None:
    session = Session(small())
    with pytest.raises(PointError, match=message):
        session.stops.add(point)
    assert session.stops.points == ()


def test_what_does_not_parse_is_refused_with_its_column() -> None:
    with pytest.raises(PointError) as caught:
        Session(small()).stops.add(Breakpoint("dW1", "norm(dW1) >"))
    assert (caught.value.part, caught.value.start) == ("when", 11)


def test_a_point_is_made_with_what_the_engine_exports() -> None:
    session = engine.Session(small())
    first = session.stops.add(engine.Breakpoint(at="dW1", when="norm(dW1) > 1"))
    second = session.stops.add(engine.Watchpoint("W1[0, 1]", "crosses", np.float32(0.5)))  # type: ignore[arg-type]
    assert [point.number for point in session.stops.points] == [1, 2]
    assert (str(first), str(second)) == (
        "break dW1 if norm(dW1) > 1",
        "watch W1[0, 1] crosses 0.5",
    )
    typed = engine.Interpreter(session)
    for point in (first, second):
        typed.execute(str(point))
    assert [replace(point, number=0) for point in session.stops.points[2:]] == [
        replace(point, number=0) for point in (first, second)
    ]


@each_of(
    ("point", "message"),
    [
        (Breakpoint(3), "'at' is a text, not '3'"),  # type: ignore[arg-type]
        (Breakpoint("L", after=-1), "'after' is a whole number from 0, not '-1'"),
        (Breakpoint("L", after=10**15), "'after' is a whole number from 0, not '1"),
        (Breakpoint("L", every=True), "'every' counts from 1, .* not 'True'"),
        (Breakpoint("L", log="so {L} {dz +}"), "log, column 13: expected a value"),
        (Breakpoint(when="L > 1", log="{dW9}"), "log, column 2: the program has no tensor 'dW9'"),
        (Watchpoint("L", "changed"), "an expression 'changes' or 'crosses'"),  # type: ignore[arg-type]
        (Watchpoint("L", "crosses", float("nan")), "the value is a number, not 'nan'"),
        (Watchpoint("L", "crosses", 10**400), "the value is a number, not '1000"),
        (Watchpoint(None), "an expression is a text, not 'None'"),  # type: ignore[arg-type]
    ],
)
def test_a_point_that_makes_no_sense_is_refused(point: Point, message: str) -> None:
    session = Session(small())
    with pytest.raises(PointError, match=f"^{message}"):
        session.stops.add(point)
    assert session.stops.points == ()


@pytest.mark.sweep(6)
@pytest.mark.parametrize("line", range(LENGTH))
def test_the_point_that_a_key_sets_can_be_typed(line: int) -> None:
    one, other = Session(small()), Session(small())
    point, is_set = one.stops.toggle(line)
    assert is_set
    engine.Interpreter(other).execute(str(point))
    assert other.stops.points == one.stops.points == (point,)
    assert list(other.stops.lines) == [line]
