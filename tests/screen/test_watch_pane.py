"""The watch pane has a line for each expression: its value, and how it has changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from building import network
from one_pane import OnePane, show, shown, snapshot
from screen_text import screen_lines
from textual.pilot import Pilot

from nnstep.engine.session.session import Session
from nnstep.engine.session.snapshot import Watched
from nnstep.tui.actions import ACTIONS, remapped
from nnstep.tui.numbers import is_same
from nnstep.tui.panes.pane import Tab
from nnstep.tui.panes.watch import WatchPane, array_text, change_texts


def pane_of(keys: dict[str, str] | None = None) -> WatchPane:
    return WatchPane(Tab(6, "watch"), remapped(keys or {}), id="watch")


def watched(text: str, value: Any, before: Any = None, problem: str = "") -> Watched:
    value, before = (None if each is None else np.asarray(each) for each in (value, before))
    return Watched(text, value, before, problem)


@asynccontextmanager
async def watching(
    *watches: Watched, size: tuple[int, int] = (40, 8)
) -> AsyncIterator[tuple[WatchPane, Pilot[None]]]:
    pane = pane_of()
    async with shown(pane, *size) as pilot:
        show(pane, snapshot(watches=watches))
        await pilot.pause()
        yield pane, pilot


async def test_numbers_stand_under_one_another_with_their_changes() -> None:
    watches = (
        watched("L", 0.25, 0.5),
        watched("norm(dW1)", 1.5e-6, 1.5e-6),
        watched("iteration", np.int64(12), np.int64(11)),
        watched("W1[0, 1]", np.float32(0.1)),
    )
    async with watching(*watches, size=(38, 6)) as (_, pilot):
        assert screen_lines(pilot.app)[1:5] == [
            " L             0.2500 ▼ -0.250",
            " norm(dW1)   1.500e-6",
            " iteration         12 ▲ +1",
            " W1[0, 1]      0.1000",
        ]


async def test_with_room_for_them_all_digits_are_there() -> None:
    watches = (watched("L", 0.1 + 0.2, 0.1), watched("W1[0, 1]", np.float32(0.1)))
    async with watching(*watches, size=(80, 6)) as (_, pilot):
        assert screen_lines(pilot.app)[1:3] == [
            " L        0.30000000000000004 ▲ +0.200",
            " W1[0, 1] 0.1",
        ]


async def test_true_and_false_are_words() -> None:
    watches = (watched("L < 1", np.True_, np.False_), watched("L > 1", np.False_, np.False_))
    async with watching(*watches) as (_, pilot):
        assert [line.split() for line in screen_lines(pilot.app)[1:3]] == [
            ["L", "<", "1", "true", "≠", "was", "false"],
            ["L", ">", "1", "false"],
        ]


async def test_what_is_not_finite_is_a_word_and_has_no_difference() -> None:
    watches = (watched("L", np.nan, 0.5), watched("d", np.inf, 0.5), watched("n", np.nan, np.nan))
    async with watching(*watches) as (_, pilot):
        assert [line.split() for line in screen_lines(pilot.app)[1:4]] == [
            ["L", "NaN", "≠"],
            ["d", "+inf", "▲"],
            ["n", "NaN"],
        ]


async def test_arrays_are_written_as_far_as_they_fit_with_their_shape() -> None:
    vector, matrix = np.array([0.5, -1.0]), np.array([[0.5, 1.0], [1.5, 2.0]])
    watches = (
        watched("b1", vector, vector + 1),
        watched("W1", matrix, matrix.copy()),
        watched("x", np.zeros((128, 784)), np.ones((2, 2))),
    )
    async with watching(*watches, size=(44, 8)) as (_, pilot):
        assert screen_lines(pilot.app)[1:4] == [
            " b1 [0.5000, -1.0000] (2,) ≠",
            " W1 [[0.5000, 1.0000], [1.5000, … (2, 2)",
            " x  [[0.0000, 0.0000, 0.0000, … (128, 784)",
        ]


@pytest.mark.parametrize(
    ("array", "width", "text"),
    [
        (np.zeros((2, 0)), 30, "[[], []] (2, 0)"),
        (np.array([True, False]), 30, "[true, false] (2,)"),
        (np.array([7, 8]), 30, "[7, 8] (2,)"),
        (np.array([1.0, np.nan]), 18, "[1.0000, NaN] (2,)"),
        (np.array([1.0, np.nan]), 17, "[1.0000, … (2,)"),
        (np.array([1.0, np.nan]), 14, "[… (2,)"),
        (np.array([1.0, np.nan]), 4, "… (…"),
    ],
)
def test_an_array_on_one_line(array: Any, width: int, text: str) -> None:
    assert array_text(array, width) == text


def test_no_more_of_an_array_is_read_than_is_written() -> None:
    class Read(np.ndarray[Any, Any]):
        reads = 0

        def __getitem__(self, index: Any) -> Any:
            Read.reads += 1
            return super().__getitem__(index)

    array_text(np.zeros((5000, 5000)).view(Read), 60)
    assert 0 < Read.reads < 20


@pytest.mark.parametrize("old", [0.0, -1e300, 1e-9, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("new", [0.0, 1e300, 2e-9, np.nan, np.inf, -np.inf])
def test_whatever_changes_has_a_mark(old: float, new: float) -> None:
    texts = list(change_texts(np.array(old), np.array(new)))
    assert bool(texts) != is_same(old, new)
    assert all(text.strip() for text in texts)


async def test_without_a_value_it_says_why() -> None:
    watches = (watched("dW1", None, problem="dW1 has no value yet"), watched("L", None))
    async with watching(*watches) as (_, pilot):
        assert screen_lines(pilot.app)[1:3] == [" dW1 dW1 has no value yet", " L   no value yet"]


@pytest.mark.sweep(4)
@pytest.mark.parametrize("width", range(1, 60, 2))
async def test_no_number_is_ever_cut(width: int) -> None:
    watches = (watched("L", -1.25e-7, 3e-7), watched("long_name", 12345.678, 12345.5))
    known = {"-1.250e-7", "-1.25e-7", "-1.25e-07", "-4.25e-7", "1.235e4", "12345.678", "+0.178"}
    async with watching(*watches, size=(width, 5)) as (_, pilot):
        words = " ".join(screen_lines(pilot.app)[1:]).split()
    assert {word for word in words if word[0] in "+-0123456789"} <= known


async def test_the_cursor_chooses_an_expression() -> None:
    watches = tuple(watched(f"w{i}", i) for i in range(9))
    async with watching(*watches, size=(40, 5)) as (pane, pilot):
        assert pane.selected == "w0"
        await pilot.press("down", "down", "down", "down", "down")
        assert pane.selected == "w5"
        lines = screen_lines(pilot.app)
        assert lines[0].endswith("↑2 ↓3")
        assert [line.split()[0] for line in lines[1:]] == ["w2", "w3", "w4", "w5"]
        await pilot.press("up")
        assert pane.selected == "w4"
        pane.action_select(100)
        assert pane.selected == "w8"
        await pilot.click(WatchPane, offset=(3, 2))
        assert pane.selected == "w6"


def reversed_text(pilot: Pilot[None]) -> str:
    strips = pilot.app.screen._compositor.render_strips()[1:]
    return "".join(s.text for strip in strips for s in strip if s.style and s.style.reverse)


async def test_the_cursor_is_seen_with_the_focus_only() -> None:
    async with watching(watched("L", 1.0), watched("lr", 2.0)) as (pane, pilot):
        await pilot.press("down")
        assert reversed_text(pilot) == "lr"
        pane.screen.set_focus(None)
        await pilot.pause()
        assert reversed_text(pilot) == ""


async def test_the_cursor_goes_to_what_is_added_and_stays_when_something_goes() -> None:
    watches = tuple(watched(f"w{i}", i) for i in range(4))
    async with watching(*watches[:3], size=(40, 3)) as (pane, _):
        show(pane, snapshot(watches=watches))
        assert pane.selected == "w3"
        show(pane, snapshot(watches=watches[:2]))
        assert pane.selected == "w1"
        show(pane, snapshot(watches=()))
        assert pane.selected is None


async def test_scrolling_stays_while_values_change() -> None:
    watches = tuple(watched(f"w{i}", i) for i in range(9))
    async with watching(*watches, size=(40, 4)) as (pane, pilot):
        pane.scroll_by(3)
        show(pane, snapshot(watches=tuple(watched(f"w{i}", 2 * i) for i in range(9))))
        await pilot.pause()
        assert [line.split() for line in screen_lines(pilot.app)[1:]] == [
            ["w3", "6"], ["w4", "8"], ["w5", "10"],
        ]  # fmt: skip


async def test_an_empty_pane_says_how_to_watch_with_the_keys_that_hold() -> None:
    async with shown(pane_of({"watch": "x", "prompt": "semicolon"}), 40, 8) as pilot:
        await pilot.pause()
        text = " ".join(line.strip() for line in screen_lines(pilot.app)[1:])
    assert "x watches the cell under the cursor" in text
    assert "; watch EXPR" in text


def test_a_key_taken_away_is_not_named() -> None:
    pane = pane_of({"prompt": ""})
    assert pane._how_to_add() == "Nothing is watched: w watches the cell under the cursor."


async def test_the_watches_of_a_session() -> None:
    session = Session(network())
    session.watch("W1[0, 0]")
    session.watch("dW1")
    before = dict(session.values())
    session.edit("W1", (0, 0), 2.5)
    pane = pane_of()
    async with OnePane(pane).run_test(size=(60, 6)) as pilot:
        show(pane, session.snapshot(before))
        await pilot.pause()
        cell, gradient = screen_lines(pilot.app)[1:3]
    assert cell.split()[:4] == ["W1[0,", "0]", "2.5", "▲"]
    assert gradient.split()[0] == "dW1"
    assert "no value yet" in gradient


def test_every_way_of_adding_is_an_action() -> None:
    assert {"watch", "prompt"} <= {action.id for action in ACTIONS}
