"""The gallery tells which examples were left, and how far; `y` goes on with one."""

import pytest
from built_in import built_in
from debugging import NARROW, debugger, place
from left_sessions import leave
from screen_text import assert_snapshot, screen_text, until

from nnstep.engine.saving.recovery import state_folder
from nnstep.tui.app import NnstepApp
from nnstep.tui.debugger import Debugger
from nnstep.tui.gallery import Gallery


@pytest.fixture
def left() -> None:
    """Leave `graph` at its end and `mazur` with an edit in the middle."""
    leave(state_folder(), "run", scenario=built_in("graph"))
    leave(state_folder(), "goto 200", "set W1[0, 0] = 3")


async def test_an_example_that_was_left_is_marked_and_taken_up(left: None) -> None:
    async with NnstepApp().run_test(size=NARROW) as pilot:
        await pilot.pause()
        lines = screen_text(pilot.app).splitlines()
        assert next(each for each in lines if each.startswith("  graph")).rstrip().endswith(" ✓")
        assert (
            next(each for each in lines if each.startswith(" [mazur]")).rstrip().endswith("it 12")
        )
        assert "Left at iteration 12, with 1 edit: y takes it up again." in screen_text(pilot.app)
        assert_snapshot(pilot.app, "gallery-left-80x24")
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, Debugger))
        await until(pilot, lambda: place(pilot) == 200)
        assert debugger(pilot).driver.snapshot.tensors["W1"][0, 0] == 3


async def test_where_nothing_was_left_y_says_so() -> None:
    async with NnstepApp().run_test(size=NARROW) as pilot:
        await until(pilot, lambda: "Mazur's 2-2-2" in screen_text(pilot.app))
        await pilot.press("y")
        assert isinstance(pilot.app.screen, Gallery)
        await until(pilot, lambda: "No session of this example" in screen_text(pilot.app))
        await pilot.press(*"/nothing", "y", "escape", "y")
        assert isinstance(pilot.app.screen, Gallery)


async def test_the_name_that_is_looked_for_is_under_the_cursor() -> None:
    """`rounds` says "printed" too, and stands before it."""
    async with NnstepApp().run_test(size=NARROW) as pilot:
        await until(pilot, lambda: "Mazur's 2-2-2" in screen_text(pilot.app))
        await pilot.press(*"/printe", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Debugger))
        assert debugger(pilot).driver.snapshot.tensors["W1"].shape == (3, 3)
