"""A person's own line on the screen: typed over the listing's, told of beside the rule's."""

import pytest
from building import network
from built_in import built_in
from debugging import NARROW, WIDE, app_of, debugger, said, shows
from screen_text import screen_lines, screen_text
from textual.pilot import Pilot
from textual.widgets import Input

from nnstep.engine.scenario.model import Clip, Optimizer, Scenario
from nnstep.tui.signs import in_ascii


def clipped() -> Scenario:
    """A network whose gradients are written backward, and again when they are clipped."""
    clip = Clip("norm", 0.5)
    return network((2, 2, 1), optimized=Optimizer("sgd", 0.1, clip=clip))


async def typed_over(pilot: Pilot[None], old: str, new: str) -> None:
    """Change the line that the prompt begins with, and execute it."""
    field = pilot.app.screen.query_one(Input)
    field.value = field.value.replace(old, new)
    await pilot.press("enter")
    await pilot.pause()


async def test_the_key_opens_the_prompt_with_the_line_under_the_cursor() -> None:
    app = app_of(built_in("mazur"))
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("s", *["down"] * 7, "O")
        await pilot.pause()
        assert app.screen.query_one(Input).value == "override dW2 = dz2.T @ a1"
        await typed_over(pilot, "a1", "a2")
        assert "≠ dW2 = dz2.T @ a2" in screen_text(app)
        assert debugger(pilot).driver.snapshot.program.instructions[8].code == "dW2 = dz2.T @ a2"


async def test_of_several_lines_that_write_a_tensor_the_key_says_which() -> None:
    app = app_of(clipped())
    async with app.run_test(size=NARROW) as pilot:
        lines = debugger(pilot).driver.snapshot.program.instructions
        first = next(
            at for at, line in enumerate(lines) if line.phase == "update" and "dW1" in line.writes
        )
        await pilot.press(*["down"] * first, "O")
        await pilot.pause()
        line = app.screen.query_one(Input).value
        assert line.startswith("override dW1 = dW1 * ")
        assert line.endswith(" in update 1")


async def test_the_batch_line_cannot_be_overridden_and_says_so() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("O")
        await pilot.pause()
        assert said(pilot) == "x is taken from the data; change a number with set x[…] = …"


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_step_and_the_strip_have_the_rule_beside_it(size: tuple[int, int]) -> None:
    app = app_of(built_in("mazur"))
    async with app.run_test(size=size) as pilot:
        debugger(pilot).do("override dW2 = dz2.T @ a2")
        debugger(pilot).do("goto 9")
        await pilot.pause()
        await pilot.press("S", "s")
        await pilot.pause()
        assert shows(pilot, "≠ in place of dW2 = dz2.T @ a1")
        assert shows(pilot, "dW2[0, :]   0.0822  ≠0.0827")
        assert shows(pilot, "The rule gives 0.082167 here. a2 stands where a1 belongs.") == (
            size == NARROW
        )
        assert shows(pilot, " dW2 = dz2ᵀ a2 ")
        await pilot.press("f", "s", "s")
        await pilot.pause()
        assert shows(pilot, "It rests on your dW2 (≠).")


async def test_one_that_gives_the_same_says_so() -> None:
    app = app_of(built_in("mazur"))
    async with app.run_test(size=NARROW) as pilot:
        debugger(pilot).do("override dW2 = a1.T @ dz2 * 0 + dz2.T @ a1")
        await pilot.press("f", "f", "f", "s", "s", "s")
        await pilot.pause()
        assert shows(pilot, "which gives the same numbers.")
        assert shows(pilot, "The rule, dW2 = dz2.T @ a1, gives the same.")


async def test_a_cell_that_is_printed_otherwise_carries_a_mark_and_the_strip_says_which_rule() -> (
    None
):
    app = app_of(built_in("mazur"))
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("f", "f", "f")
        debugger(pilot).do("expect L = 0.14919")
        await pilot.pause()
        await pilot.press("S", "s")
        await pilot.pause()
        assert any("[0.2984]?" in line for line in screen_lines(app))
        assert shows(pilot, "Printed is 0.14919: the mean over all in place of the sum over all")
        debugger(pilot).do("expect L off")
        await pilot.pause()
        assert not shows(pilot, "[0.2984]?")


def test_in_ascii_the_mark_of_a_line_has_two_signs_and_a_formula_its_own() -> None:
    assert in_ascii("≠ dW1 = dz1") == "#!dW1 = dz1"
    assert in_ascii("your dW1 (≠).") == "your dW1 #! ."
    assert in_ascii("1 if x ≠ 0") == "1 if x !=0"
