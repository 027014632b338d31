"""Editing a value: what is asked, what is refused and why, and how it is undone."""

import pytest
from built_in import built_in
from debugging import NARROW, WIDE, app_of, debugger, place, said
from screen_text import screen_lines, screen_text, until
from textual.pilot import Pilot
from textual.widgets import Input

from nnstep.tui.debugger import Debugger
from nnstep.tui.dialogs import EditValue
from nnstep.tui.panes.tensors import TensorPane


async def ask(pilot: Pilot[None], *keys: str) -> Input:
    await pilot.press(*keys, "e")
    await until(pilot, lambda: isinstance(pilot.app.screen, EditValue))
    return pilot.app.screen.query_one(Input)


async def answer(pilot: Pilot[None], text: str) -> None:
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")
    await pilot.pause()


def value(pilot: Pilot[None], name: str, *index: int) -> float:
    return float(debugger(pilot).driver.snapshot.tensors[name][index])


async def test_it_starts_with_the_exact_value_and_changes_it() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        exact = value(pilot, "W1", 0, 1)
        field = await ask(pilot, "2", "right")
        assert "New value of W1[0, 1]" in screen_text(pilot.app)
        assert float(field.value) == exact
        await answer(pilot, "1/3")
        assert isinstance(pilot.app.screen, Debugger)
        assert value(pilot, "W1", 0, 1) == 1 / 3
        assert f"was {exact}" in screen_text(pilot.app)


async def test_a_mistake_is_explained_and_the_text_stays() -> None:
    reasons = {
        "": "a value is missing",
        "abc": "the program has no tensor 'abc'",
        "1e999": "larger than any",
        "0.5.5": "column",
        "1/0": "inf",
        "__import__('os')": "column",
    }
    async with app_of().run_test(size=WIDE) as pilot:
        before = value(pilot, "W1", 0, 0)
        field = await ask(pilot, "2")
        for text, reason in reasons.items():
            await answer(pilot, text)
            assert isinstance(pilot.app.screen, EditValue)
            assert field.value == text
            assert field.has_focus
            assert reason in screen_text(pilot.app)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, Debugger)
        assert value(pilot, "W1", 0, 0) == before


async def test_nan_and_infinity_can_be_meant() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        await ask(pilot, "2")
        await answer(pilot, "nan")
        assert "NaN" in screen_text(pilot.app)
        await ask(pilot, "down")
        await answer(pilot, "-inf")
        assert "-inf" in screen_text(pilot.app)


async def test_an_edit_is_undone_exactly() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        before = value(pilot, "W1", 0, 0)
        await ask(pilot, "2")
        await answer(pilot, "7")
        await pilot.press("u")
        await until(pilot, lambda: value(pilot, "W1", 0, 0) == before)
        assert said(pilot) == "The change of W1[0, 0] is undone."
        await pilot.press("u")
        await until(pilot, lambda: said(pilot) == "there is no edit to undo")
        await ask(pilot, "2")
        await answer(pilot, "7")
        await pilot.press("s", "u")
        await until(pilot, lambda: said(pilot) == "The change of W1[0, 0] is undone.")
        assert value(pilot, "W1", 0, 0) == before
        await pilot.press("U")
        await until(pilot, lambda: said(pilot) == "The change of W1[0, 0] is made again.")
        assert value(pilot, "W1", 0, 0) == 7


async def test_what_was_computed_from_it_is_marked_as_stale() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        await pilot.press("s", "s", "s")
        await ask(pilot, "2")
        await answer(pilot, "7")
        assert any("│●≈ a1" in line for line in screen_lines(pilot.app))
        assert any("│ e W1" in line for line in screen_lines(pilot.app))
        await pilot.press("i", "i")
        assert "≈" not in screen_text(pilot.app)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_what_an_edit_makes_stale_is_said(size: tuple[int, int]) -> None:
    async with app_of().run_test(size=size) as pilot:
        await pilot.press("s", "s", "s")
        await ask(pilot, "2")
        await answer(pilot, "7")
        assert said(pilot).endswith(". Stale until computed again: z1 and a1.")
        assert "Stale until computed again: z1 and a1." in " ".join(screen_text(pilot.app).split())


async def test_an_edit_in_a_run_pauses_it() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        await pilot.press("space")
        await until(pilot, lambda: place(pilot) > 0)
        await ask(pilot, "2")
        await answer(pilot, "0.5")
        assert value(pilot, "W1", 0, 0) == 0.5
        assert not debugger(pilot).driver.is_busy


async def test_what_is_not_there_cannot_be_edited() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("4", "e")
        await until(pilot, lambda: said(pilot) != "")
        assert said(pilot) == "There is no value here yet."


async def test_buffers_data_and_the_learning_rate_can_be_edited() -> None:
    async with app_of(built_in("two-layer")).run_test(size=WIDE) as pilot:
        await ask(pilot, "2", "ctrl+end")
        assert "New value of t" in screen_text(pilot.app)
        await answer(pilot, "3")
        assert value(pilot, "t") == 3
        await ask(pilot, "up")
        await answer(pilot, "0.25")
        assert value(pilot, "lr") == 0.25
        await pilot.press("s")
        await ask(pilot, "3")
        await answer(pilot, "0.75")
        assert value(pilot, "x", 0, 0) == 0.75


async def test_a_reader_stays_at_the_value_that_was_edited() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await ask(pilot, "n", "n", "n", "2")
        await answer(pilot, "0.5")
        assert debugger(pilot).selected == ("W1", (0, 0))
        assert "3 z/a" in screen_text(pilot.app)
        assert "[0.5000]e" in screen_text(pilot.app)
        await pilot.press("plus")
        assert "[0.5000]e" in screen_text(pilot.app)


async def test_the_cell_that_is_edited_comes_into_view() -> None:
    async with app_of(built_in("two-layer")).run_test(size=NARROW) as pilot:
        await pilot.press("i", "n", "2", "ctrl+home")
        pane = pilot.app.focused
        assert isinstance(pane, TensorPane)
        pane.scroll_by(9)
        await pilot.pause()
        assert "[" not in "".join(line[45:] for line in screen_lines(pilot.app)[2:18])
        await ask(pilot)
        assert "[0.6000]" in screen_text(pilot.app)
