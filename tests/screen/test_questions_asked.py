"""Enter on a cell whose own step is on the screen: the questions that apply."""

import pytest
from built_in import built_in
from debugging import NARROW, app_of, debugger, place, said, shows
from screen_text import assert_snapshot, screen_lines, screen_text, until
from textual.pilot import Pilot

from nnstep.tui.debugger import Debugger
from nnstep.tui.questions import Questions


def asks(pilot: Pilot[None]) -> bool:
    return isinstance(pilot.app.screen, Questions)


def marked(pilot: Pilot[None]) -> str:
    return next(line.strip() for line in screen_lines(pilot.app) if line.startswith(" ["))


async def test_enter_offers_them_where_the_step_is_shown_and_goes_there_elsewhere() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 9, "tab")
        assert "  enter why  e edit" in screen_lines(pilot.app)[-1]
        await pilot.press("3", "home")
        assert "  enter its step  e edit" in screen_lines(pilot.app)[-1]
        await pilot.press("down", "enter")
        await until(pilot, lambda: place(pilot) != 9 and not debugger(pilot).driver.is_busy)
        assert isinstance(pilot.app.screen, Debugger)
        assert "  enter why  e edit" in screen_lines(pilot.app)[-1]
        await pilot.press("enter")
        assert asks(pilot)
        assert marked(pilot).startswith("[1  Why is ")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, Debugger)


async def test_a_digit_or_an_arrow_and_enter_asks() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 9, "enter")
        assert_snapshot(pilot.app, "questions-80x24")
        await pilot.press("9")
        assert asks(pilot)
        await pilot.press("1")
        await until(pilot, lambda: shows(pilot, "cause     "))
        await pilot.press("escape", "enter", "down", "enter")
        await until(pilot, lambda: shows(pilot, "What makes dW2[0, 0] so small or large?"))
        await pilot.press("escape", "enter", "up", "up")
        assert marked(pilot) == "[3  When was dW2[0, 0] first less than 0.1 in size?]"
        await pilot.press("enter")
        await until(pilot, lambda: "was so first after step 8" in said(pilot))


async def test_of_a_value_that_no_step_has_changed_one_can_ask_why() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("i", "2", "home", "colon", *"cell b1", "left_square_bracket", "0")
        await pilot.press("right_square_bracket", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Debugger))
        assert debugger(pilot).selected == ("b1", (0,))
        await pilot.press("enter")
        assert "Why did the last update leave b1[0] as it was?" in screen_text(pilot.app)
        await pilot.press("2")
        await until(pilot, lambda: "frozen" in said(pilot))


@pytest.mark.parametrize("keys", [["p"], ["m"]])
async def test_it_is_asked_in_the_tree_and_on_the_map_too(keys: list[str]) -> None:
    async with app_of(built_in("blocks")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 20, *keys)
        await pilot.press("enter")
        assert asks(pilot)
        assert "What can be asked about dW2[0, 0]" in screen_text(pilot.app)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, Debugger)
        assert place(pilot) == 20


async def test_a_node_of_the_tree_whose_step_is_another_is_gone_to() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 13, "p", "right", "enter")
        await until(pilot, lambda: place(pilot) == 12)
        assert isinstance(pilot.app.screen, Debugger)
