"""Every pane of the table can be made, and keys always go to one that is seen."""

import pytest
from built_in import built_in
from debugging import NARROW, ROOMY, WIDE, app_of, debugger, said
from hypothesis import given, settings
from hypothesis import strategies as st
from screen_text import screen_text, type_command, until
from textual.geometry import Size
from textual.pilot import Pilot

from nnstep.engine.program.program import Role
from nnstep.tui.actions import ACTIONS, bindings
from nnstep.tui.layout import Needs, regions_of
from nnstep.tui.panes import PANES, Row
from nnstep.tui.panes.pane import Pane

SIZES = [NARROW, WIDE, ROOMY]


async def at(pilot: Pilot[None]) -> str:
    """The title of the pane that has the keys, once it is seen on the screen."""
    pane = debugger(pilot).focused
    assert isinstance(pane, Pane)
    assert pane.display
    await until(pilot, lambda: bool(pane.region))
    await until(pilot, lambda: pane.tab.title in screen_text(pilot.app))
    return pane.tab.title


def seen(pilot: Pilot[None]) -> set[str]:
    """The titles of the panes on the screen."""
    return {pane.tab.title for pane in debugger(pilot).query(Pane) if pane.display}


def test_ids_and_digits_are_there_once() -> None:
    own = [row for row in PANES if row.shown != "with room"]
    assert len({row.id for row in PANES}) == len(PANES)
    assert len({row.digit for row in own}) == len(own)
    assert {row.digit for row in PANES} == {row.digit for row in own}


@pytest.mark.parametrize("row", PANES, ids=lambda row: row.id)
def test_a_row_makes_its_pane(row: Row) -> None:
    pane = row.make(network=True, actions=ACTIONS)
    assert (pane.id, pane.tab.digit, pane.tab.title) == (row.id, row.digit, row.title)
    assert list(type(pane).BINDINGS) == bindings(row.scope)
    beside = regions_of(Size(*ROOMY), Needs(6, 6, 6, below=1, bottom=True))
    assert row.region in {*beside, "tree", "whole"}


def test_every_scope_is_that_of_a_pane_or_listened_to_everywhere() -> None:
    assert {action.scope for action in ACTIONS} <= {
        "app", "debugger", "gallery", *(row.scope for row in PANES)
    }  # fmt: skip


def test_every_tensor_is_in_one_pane() -> None:
    shown = [role for row in PANES if row.region == "main" for role in row.roles]
    assert sorted(shown) == sorted(Role)


async def test_a_pane_without_room_beside_the_others_is_shown_alone() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("t", "5")
        assert await at(pilot) == "loss"
        assert seen(pilot) == {"loss"}
        assert said(pilot) == "There is room for this pane alone: z shows all."
        await pilot.press("tab")
        assert await at(pilot) == "timeline"
        await pilot.press("z")
        assert seen(pilot) == {"program", "step", "timeline"}
        await pilot.press("5", "z")
        assert await at(pilot) == "program"
        assert seen(pilot) == {"program", "step", "timeline"}
        await pilot.press("t", "5")
        assert await at(pilot) == "loss"
        assert seen(pilot) == {"loss"}


@pytest.mark.sweep(2)
@pytest.mark.parametrize("size", SIZES)
async def test_tab_goes_on_from_the_pane_that_has_the_keys(size: tuple[int, int]) -> None:
    async with app_of().run_test(size=size) as pilot:
        for keys, there in (
            ("6 tab", "step"),  # nothing is watched: the keys stay where they are
            ("7 tab", "program"),
            ("7 t tab", "step"),
            ("t t 1 tab", "step"),
            ("3 shift+tab", "program"),
            ("tab", "z/a"),  # it stays
            ("0 1 tab", "step"),
        ):
            await pilot.press(*keys.split())
            assert await at(pilot) == there, keys


@pytest.mark.sweep(2)
@pytest.mark.parametrize("size", SIZES)
async def test_one_while_another_is_zoomed(size: tuple[int, int]) -> None:
    async with app_of().run_test(size=size) as pilot:
        await pilot.press("2", "z", "1")
        assert await at(pilot) == "program"
        assert seen(pilot) == {"program"}
        await pilot.press("tab")
        assert await at(pilot) == "weights"
        assert seen(pilot) == {"weights"}
        await pilot.press("z")
        assert {"program", "weights"} <= seen(pilot)
        assert await at(pilot) == "weights"


@pytest.mark.sweep(2)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("zoom", [[], ["z"]])
async def test_the_last_watch_takes_its_pane_away(size: tuple[int, int], zoom: list[str]) -> None:
    async with app_of(keys={"watch": "D"}).run_test(size=size) as pilot:
        await pilot.press("6")
        assert await at(pilot) == "program"
        assert said(pilot) == "Nothing is watched: D watches a cell."
        await type_command(pilot, "watch L")
        await pilot.press("escape", "6", *zoom)
        assert await at(pilot) == "watch"
        await pilot.press("D")
        await until(pilot, lambda: not debugger(pilot).driver.snapshot.watches)
        await pilot.pause()
        assert await at(pilot) == "program"
        await pilot.press("tab")
        assert await at(pilot) == "step"


@pytest.mark.slow
async def test_the_keys_stay_with_what_was_looked_at_at_every_size() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        for digit, title in ((4, "gradients"), (3, "z/a"), (5, "loss"), (7, "timeline")):
            await pilot.press(str(digit))
            for size in (NARROW, ROOMY, (40, 10), WIDE):
                await pilot.resize_terminal(*size)
                await pilot.pause()
                assert await at(pilot) == title


async def test_a_click_on_a_pane_or_its_tab_brings_the_keys_there() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        left = debugger(pilot).query_one("#step").region.x
        await pilot.click(offset=(left + len("│[0 step] 2 weights  3"), 1))
        assert await at(pilot) == "z/a"
        await pilot.click(offset=(3, 5))
        assert await at(pilot) == "program"
        await pilot.press("tab")
        assert await at(pilot) == "z/a"


KEYS = [
    *"012345678",
    "tab",
    "shift+tab",
    "z",
    "t",
    "m",
    "escape",
    "s",
    "w",
    "enter",
    "comma",
    "resize",
]


@pytest.mark.slow
@settings(max_examples=12)
@given(st.sampled_from(SIZES), st.lists(st.sampled_from(KEYS), min_size=5, max_size=25))
async def test_the_keys_always_go_to_a_pane_that_is_seen(
    size: tuple[int, int], keys: list[str]
) -> None:
    async with app_of().run_test(size=size) as pilot:
        for key in keys:
            if key == "resize":
                size = SIZES[(SIZES.index(size) + 1) % len(SIZES)]
                await pilot.resize_terminal(*size)
            else:
                await pilot.press(key)
            await until(pilot, lambda: not debugger(pilot).driver.is_busy)
            await pilot.pause()
            await at(pilot)
