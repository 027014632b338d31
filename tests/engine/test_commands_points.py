"""Breakpoints, watchpoints and watched expressions, as they are typed."""

import re
from pathlib import Path

import pytest
from built_in import built_in
from commanding import give, small, told
from hypothesis import given
from hypothesis import strategies as st
from in_one_test import each_of
from msgspec.structs import replace

from nnstep.engine import Session
from nnstep.engine.language.typed import TextError, on_one_line, typed
from nnstep.engine.loading import load
from nnstep.engine.stops.points import (
    Breakpoint,
    Point,
    PointError,
    Watchpoint,
    checked,
    parse_breakpoint,
    parse_watchpoint,
)
from nnstep.engine.text import printable

LOCATIONS = ("dW1", "backward", " backward  2", "layer 2", "line 7", "7")
CONDITIONS = (
    "norm(dW1) > 1",
    " W1[0, -1]  < 0 and not L >= 2",
    "log(L) < 0 or log (L) > 9",
    "iteration == 3  # the fourth",
    "\n  L > 1  # large,\r\n\tand loss < 9\n",
)
TEXTS = st.lists(
    st.text()
    | st.sampled_from(['"', "#", '""', " log ", "{L}", "{norm(dW1)\n # so\n}", "\x1b[31m"])
).map("".join)
PROGRAM = small().program


def typed_again(point: Point) -> Point | None:
    """Return the point that the text of a point sets."""
    text = typed(str(point))
    parse = {"break": parse_breakpoint, "watch": parse_watchpoint}[text.first.text]
    written = parse(text.rest)
    return written.point if written else None


def fits(log: str | None) -> bool:
    """Tell whether a program can have a log."""
    try:
        checked(Breakpoint("L", log=log), PROGRAM)
    except PointError as error:
        assert error.part == "log"
        return False
    return True


@given(
    st.sampled_from([None, *LOCATIONS]),
    st.sampled_from([None, *CONDITIONS]),
    st.integers(0, 10**15 - 1),
    st.integers(1, 10**15 - 1),
    st.none() | TEXTS.filter(fits),
)
def test_a_breakpoint_is_typed_as_it_is_printed(
    at: str | None, when: str | None, after: int, every: int, log: str | None
) -> None:
    if at is None and when is None:
        at = "L"
    point = checked(Breakpoint(at, when, after, every, log), PROGRAM)
    assert isinstance(point, Breakpoint)
    assert printable(str(point)) == str(point)
    assert (point.at is None, point.when is None, point.log is None) == (
        at is None,
        when is None,
        log is None,
    )
    assert (point.after, point.every) == (after, every)
    assert typed_again(point) == point
    assert checked(point, PROGRAM) == point


@given(
    st.sampled_from([*CONDITIONS, "W1"]),
    st.sampled_from(["changes", "crosses"]),
    st.floats(allow_nan=False) | st.integers(-(2**53), 2**53),
)
def test_a_watchpoint_is_typed_as_it_is_printed(expression: str, mode: str, value: float) -> None:
    point = checked(Watchpoint(expression, mode, value), PROGRAM)  # type: ignore[arg-type]
    assert isinstance(point, Watchpoint)
    assert point.expression == on_one_line(expression)
    assert typed_again(point) == point
    if mode == "crosses":
        assert point.value == value


def test_a_name_that_the_prompt_reads_as_its_own_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "after.toml"
    path.write_text(
        'format = 1\n[program]\ncode = "after = a * 2\\nevery = after * 3"\nloss = "every"\n'
        "parameters = { a = 1.0 }\n"
    )
    session = Session(load(path))
    for point in (Breakpoint("after"), Breakpoint("every", "a > after"), Breakpoint(when="after")):
        with pytest.raises(PointError, match="would mean something else when it is typed"):
            session.stops.add(point)
    added = session.stops.add(Breakpoint("line 2", "a > (after)", after=2))
    assert typed_again(added) == replace(added, number=0)


@each_of(
    ("text", "point"),
    [
        ("", Breakpoint("line 4")),
        ("every 2", Breakpoint("line 4", every=2)),
        ('L log "say ""{L}"" # aloud"  # so', Breakpoint("L", log='say "{L}" # aloud')),
        ('L log "say "L""', Breakpoint("L", log='say "L"')),
        ("dW1   if  L > 1", Breakpoint("dW1", "L > 1")),
        ("backward   2", Breakpoint("backward 2")),
        ("7", Breakpoint("line 7")),
        ("if L > 1 every 3 after 2", Breakpoint(None, "L > 1", 2, 3)),
        ('L log ""', Breakpoint("L", log="")),
        ('L log"{L}"  # say it', Breakpoint("L", log="{L}")),
        ('if log(L) > 1 log " # {L} "', Breakpoint(None, "log(L) > 1", log=" # {L} ")),
    ],
)
def test_what_people_type(text: str, point: Breakpoint) -> None:
    assert parse_breakpoint(typed(text), here="line 4").point == point


def test_setting_listing_disabling_and_deleting() -> None:
    session = small()
    assert told(session, "breakpoints") == "There are no breakpoints."
    assert told(session, "break dW1 if L > 0") == "Breakpoint 1: break dW1 if L > 0"
    assert told(session, "step 4", "break") == "Breakpoint 2: break line 5"
    assert told(session, "watch L changes") == "Watchpoint 3: watch L changes"
    assert told(session, "watch W1 [0,0] crosses -1/2") == (
        "Watchpoint 4: watch W1 [0,0] crosses -0.5"
    )
    give(session, "disable 2", "delete 3")
    assert give(session, "breakpoints").lines == (
        "1: break dW1 if L > 0",
        "2: break line 5 (disabled)",
        "4: watch W1 [0,0] crosses -0.5",
    )
    give(session, "enable 2")
    assert [point.enabled for point in session.stops.points] == [True, True, True]
    give(session, "back", "run")
    assert session.place == 4


def test_a_logpoint_prints_and_goes_on() -> None:
    session = small()
    lines = give(session, 'break L every 10 log "loss {L} in {iteration}"', "run").lines
    assert session.finished
    logged = [line for line in lines if line.startswith("Log, step ")]
    assert [line.split()[-1] for line in logged] == ["0", "10", "20"]


def test_what_is_watched_is_told_at_every_stop() -> None:
    session = small()
    assert told(session, "watches") == "Nothing is watched."
    value = session.value("W1")[0, 1]
    assert told(session, "watch W1[0, 1]") == f"Watch: W1[0, 1] = {value:.6g}"
    give(session, "watch L")
    assert give(session, "watches").lines[1] == "Watch: L: L has no value yet"
    lines = give(session, "step iteration").lines
    now = session.value("W1")[0, 1]
    assert lines[-2:] == (
        f"Watch: W1[0, 1] = {now:.6g} (was {value:.6g})",
        f"Watch: L = {session.value('L'):.6g}, of iteration 0",
    )
    assert give(session, "step").lines[-2] == f"Watch: W1[0, 1] = {now:.6g}"
    assert told(session, "unwatch W1[0, 1]") == "W1[0, 1] is no longer watched."
    assert session.watches == ["L"]
    give(session, "unwatch L")
    with pytest.raises(TextError, match="nothing is watched"):
        give(session, "unwatch L")


@each_of(
    ("command", "column", "message"),
    [
        ("break dW9", 7, "the program has no tensor, phase or layer 'dW9'"),
        ("break lr", 7, "no line writes lr"),
        ("break line 99", 7, "the lines are numbered from 1 to 18"),
        ("break line " + "9" * 5000, 7, "the lines are numbered from 1 to 18"),
        ("break layer 7", 7, "the program has no tensor, phase or layer 'layer 7'"),
        ("break dW1 if norm(dW9) > 1", 19, "the program has no tensor 'dW9'"),
        ("break dW1 if", 13, "a condition is missing"),
        ('break dW1 log "{dW9}"', 17, "the program has no tensor 'dW9'"),
        ('break dW1 log "an ""L"": {L} {dW1 +}"', 36, "expected a value, found the end"),
        ('break if L > 1 log "{norn(L)}"', 22, "there is no function 'norn'"),
        ('break dW1 log "{L}, ""{ W1[:, 0] @ L }"', 25, "@ takes no single numbers"),
        ('break dW1 log "{L} {spread(L, (99999, 99999))}"', 21, "would have 9,999,800,001 numbers"),
        ("break dW1 every 0", 17, "'every' counts from 1, which is each time"),
        ("break dW1 after 2 every x", 25, "the number behind 'every' is a whole number"),
        ("watch W1 + changes", 11, "expected a value, found the end"),
        ("watch W1[0, 0] crosses x", 24, "'x' is not a number"),
        ("watch W1[0, 0] crosses nan", 24, "the value is a number"),
    ],
)
def test_a_point_that_is_wrong_is_not_set(command: str, column: int, message: str) -> None:
    session = small()
    with pytest.raises(TextError, match=re.escape(message)) as caught:
        give(session, command)
    assert str(caught.value).startswith(f"column {column}: ")
    assert session.stops.points == ()


def test_what_is_watched_is_found_whatever_its_blanks() -> None:
    session = small()
    shown = told(session, "watch W1[0, 1]")
    assert told(session, "watch W1[0,1]") == shown
    assert session.watch("W1[0, 1]  # the second") == "W1[0, 1]"
    assert session.watches == ["W1[0, 1]"]


def test_a_log_and_a_fault_name_the_step_as_a_trace_does() -> None:
    session = Session(built_in("mazur"))
    told(session, 'break dW2 log "before"', 'break dW2 log "{dW2[0, 0]}"', "step 16")
    lines = [each.code for each in session.program.instructions]
    assert lines[8] == "dW2 = dz2.T @ a1"
    assert told(session, "log").splitlines() == ["Step 8: before", "Step 8: 0.082167"]

    overflow = Session(built_in("overflow"))
    overflow.advance("run")
    fault = overflow.faults[0]
    writes = overflow.program.instructions[fault.step % len(overflow.program)].writes
    assert fault.tensor in writes
    assert f"at step {fault.step}" in str(fault)
