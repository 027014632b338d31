"""What the first paint does without is there as soon as the screen is."""

import gc
from collections.abc import Iterator

import pytest
from debugging import NARROW, app_of, debugger, focused, shows
from screen_text import until
from textual.pilot import Pilot

from nnstep.tui.app import NnstepApp
from nnstep.tui.panes import PANES


@pytest.fixture
def nothing_collected() -> Iterator[None]:
    """Begin as the command line does."""
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize("app", [app_of, NnstepApp], ids=["debugger", "gallery"])
async def test_garbage_is_collected_again(app: type[NnstepApp], nothing_collected: None) -> None:
    async with app().run_test(size=NARROW) as pilot:
        await until(pilot, gc.isenabled)


def ids(pilot: Pilot[None]) -> set[str | None]:
    return {child.id for child in debugger(pilot).children}


async def test_every_pane_of_numbers_is_there_and_what_textual_lays_over_a_screen() -> None:
    numbers = {row.id for row in PANES if row.roles}
    async with app_of().run_test(size=NARROW, tooltips=True, notifications=True) as pilot:
        await until(pilot, lambda: numbers <= ids(pilot))
        assert {"textual-toastrack", "textual-tooltip"} <= ids(pilot)


async def test_the_first_watched_expression_brings_its_pane() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("6")
        assert shows(pilot, "Nothing is watched")
        await pilot.press("2", "w")
        await until(pilot, lambda: shows(pilot, "6 watch"))
        await pilot.press("6")
        assert focused(pilot) == "watch"
