"""What a pane follows stays in view when the panes are laid out anew."""

import pytest
from built_in import built_in
from debugging import WIDE, app_of
from screen_text import screen_lines, screen_text

WRITTEN = "●  da6 (4, 3)"
"""As the pane of gradients has it: the step's own pane has one space less."""


@pytest.mark.sweep(2)
@pytest.mark.parametrize("keys", ["t", "tt", "ttt", "mm", "zz"])
async def test_the_gradient_just_written_is_in_view_in_its_new_place(keys: str) -> None:
    async with app_of(built_in("vanishing")).run_test(size=WIDE) as pilot:
        await pilot.press(*"fffnnnn")
        assert WRITTEN in screen_text(pilot.app)
        strip = [line for line in screen_lines(pilot.app) if line.startswith("─ da6[0, 0] = ")]
        assert strip
        await pilot.press(*keys)
        await pilot.pause()
        assert WRITTEN in screen_text(pilot.app)
        assert strip == [line for line in screen_lines(pilot.app) if line.startswith("─ da6")]


async def test_a_cell_that_was_chosen_stays_in_view_in_its_new_place() -> None:
    async with app_of(built_in("vanishing")).run_test(size=WIDE) as pilot:
        await pilot.press(*"fffnnnn", "4", "k", "k")
        chosen = pilot.app.screen_stack[-1].selected  # type: ignore[attr-defined]
        assert chosen is not None
        name, index = chosen
        assert name != "da6"
        await pilot.press("t")
        await pilot.pause()
        assert any(f" {name} (" in line for line in screen_lines(pilot.app))
        assert pilot.app.screen_stack[-1].selected == (name, index)  # type: ignore[attr-defined]
