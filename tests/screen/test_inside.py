"""Inside a cell: `;` goes in and on, `,` goes out, and what else goes on leaves it."""

import pytest
from built_in import built_in
from debugging import NARROW, ROOMY, WIDE, app_of, debugger, said
from screen_text import screen_lines, screen_text, until
from textual.pilot import Pilot

from nnstep.tui.debugger import Debugger


def strip(pilot: Pilot[None]) -> list[str]:
    region = debugger(pilot).query_one("#strip").region
    return [line.rstrip() for line in screen_lines(pilot.app)[region.y : region.bottom]]


@pytest.mark.parametrize("size", [NARROW, WIDE, ROOMY])
async def test_the_parts_become_their_values_one_by_one(size: tuple[int, int]) -> None:
    async with app_of(built_in("mazur")).run_test(size=size) as pilot:
        await pilot.press("s", "s", "semicolon")
        text = "\n".join(strip(pilot))
        assert "─ inside z1[0, 0] = 0.3775 ─" in text
        assert "0 of 4 parts done" in text
        assert "= [0.05 × 0.15] + 0.1 × 0.2 + 0.35" in text
        assert "0.05 × 0.15 = 0.0075" in text
        await pilot.press("semicolon")
        assert "= 0.0075 + [0.1 × 0.2] + 0.35" in "\n".join(strip(pilot))
        await pilot.press(*["semicolon"] * 3)
        assert "= 0.3775" in "\n".join(strip(pilot))
        await pilot.press("semicolon")
        assert said(pilot) == ", leaves the cell."
        await pilot.press("comma")
        assert "─ z1[0, 0] = 0.3775 ─" in "\n".join(strip(pilot))


async def test_the_key_line_says_what_goes_on() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "s", "semicolon")
        assert screen_lines(pilot.app)[-1].startswith(" ; next part  , leave  s step")
        await pilot.press("escape")
        assert screen_lines(pilot.app)[-1].startswith(" s step  S back")


@pytest.mark.parametrize("key", ["s", "S", "i", "escape"])
async def test_whatever_goes_on_leaves_the_cell(key: str) -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "s", "semicolon", key)
        await until(pilot, lambda: not debugger(pilot).driver.is_busy)
        assert "inside" not in screen_text(pilot.app)


async def test_another_cell_leaves_it_and_comma_goes_back_where_none_is_inside() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "s", "tab", "semicolon", "right")
        assert "inside" not in screen_text(pilot.app)
        await pilot.press(*"sss", "3", "home", "enter")
        screen = debugger(pilot)
        here = screen.driver.snapshot.place
        await pilot.press("semicolon", "comma")
        assert screen.driver.snapshot.place == here
        await pilot.press("comma")
        await until(pilot, lambda: screen.driver.snapshot.place == 5)


async def test_a_cell_that_no_step_has_calculated_has_no_inside() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("semicolon")
        assert said(pilot) == "There is no value here yet."
        await pilot.press("s", "semicolon")
        assert said(pilot) == "There is nothing to calculate in this cell."


async def test_large_for_the_projector() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "s", "tab", "z", "z", "semicolon")
        lines = strip(pilot)
        assert lines[2] == "   z1 = x W1ᵀ + b1"
        assert lines[4] == "   = [0.05 × 0.15] + 0.1 × 0.2 + 0.35"
        assert lines[1] == lines[3] == ""
        assert isinstance(pilot.app.screen, Debugger)


async def test_it_can_be_gone_through_on_the_map() -> None:
    async with app_of(built_in("graph")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "s", "m", "semicolon")
        assert "= [3 × (-3)]" in "\n".join(strip(pilot))
        await pilot.press("comma")
        assert "[m map]" in screen_text(pilot.app)
        assert "inside" not in screen_text(pilot.app)
