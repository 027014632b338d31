"""Breakpoints, watchpoints and watched expressions, as they are typed."""

import pytest
from commanding import give, small, told
from hypothesis import given
from hypothesis import strategies as st

from nnstep.engine.language.typed import TextError, typed
from nnstep.engine.stops.points import Breakpoint, Watchpoint, parse_breakpoint, parse_watchpoint

LOCATIONS = ("dW1", "backward", "backward 2", "layer 2", "line 7")
CONDITIONS = (
    "norm(dW1) > 1",
    "W1[0, -1] < 0 and not L >= 2",
    "log(L) < 0 or log (L) > 9",
    "iteration == 3",
)
TEXTS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters='"'))


@given(
    st.sampled_from([None, *LOCATIONS]),
    st.sampled_from([None, *CONDITIONS]),
    st.integers(0, 10**6),
    st.integers(1, 10**6),
    st.none() | TEXTS | st.just('say "{L}" # aloud'),
)
def test_a_breakpoint_is_typed_as_it_is_printed(
    at: str | None, when: str | None, after: int, every: int, log: str | None
) -> None:
    point = Breakpoint(0, at, when, after, every, log)
    assert parse_breakpoint(typed(str(point)).rest).point == point


@given(st.sampled_from(CONDITIONS), st.integers(-999, 999).map(lambda n: n / 8))
def test_a_watchpoint_is_typed_as_it_is_printed(expression: str, value: float) -> None:
    for point in (Watchpoint(0, expression), Watchpoint(0, expression, "crosses", value)):
        text, found = parse_watchpoint(typed(str(point)).rest)
        assert (text.text, found) == (expression, point)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("dW1   if  L > 1", Breakpoint(0, "dW1", "L > 1")),
        ("backward   2", Breakpoint(0, "backward 2")),
        ("7", Breakpoint(0, "line 7")),
        ("if L > 1 every 3 after 2", Breakpoint(0, None, "L > 1", 2, 3)),
        ('L log ""', Breakpoint(0, "L", log="")),
        ('L log"{L}"  # say it', Breakpoint(0, "L", log="{L}")),
        ('if log(L) > 1 log " # {L} "', Breakpoint(0, None, "log(L) > 1", log=" # {L} ")),
    ],
)
def test_what_people_type(text: str, point: Breakpoint) -> None:
    assert parse_breakpoint(typed(text)).point == point


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
    assert [line.split()[-1] for line in logged] == ["9", "19", "29"]


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
        f"Watch: L = {session.value('L'):.6g}",
    )
    assert give(session, "step").lines[-2] == f"Watch: W1[0, 1] = {now:.6g}"
    assert told(session, "unwatch W1[0, 1]") == "W1[0, 1] is no longer watched."
    assert session.watches == ["L"]
    give(session, "unwatch L")
    with pytest.raises(TextError, match="nothing is watched"):
        give(session, "unwatch L")


def test_a_breakpoint_that_is_wrong_is_not_set() -> None:
    session = small()
    for command in (
        "break dW9",
        "break dW1 if dW9 > 1",
        'break dW1 log "{dW9}"',
        "break dW1 every 0",
    ):
        with pytest.raises(TextError):
            give(session, command)
    assert session.stops.points == ()
