"""The tree on the screen, what one asks from it, and what if."""

import threading
from typing import Any

import pytest
from built_in import built_in
from debugging import NARROW, WIDE, app_of, debugger, focused, place, said, shows
from screen_text import screen_lines, type_command, until
from textual.pilot import Pilot

from nnstep.engine.session.session import Session


def brackets(pilot: Pilot[None]) -> str:
    """The cell in brackets of the tree."""
    node = debugger(pilot)._trees.node
    return node.cell if node else ""


async def test_opening_walking_and_closing() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 13, "p")
        assert focused(pilot) == "tree"
        await until(pilot, lambda: shows(pilot, "[p where from]"))
        assert brackets(pilot) == "dW1[0, 0]"
        await pilot.press("right", "right", "right")
        assert brackets(pilot) == "da1[0, 0]"
        await until(pilot, lambda: shows(pilot, "∂L/∂a1 = ∂L/∂z2 W2"))
        await pilot.press("left")
        assert brackets(pilot) == "dz1[0, 0]"
        await pilot.press("left", "down")
        assert brackets(pilot) == "x[0, 0]"
        await until(pilot, lambda: shows(pilot, "data, row 0"))
        await pilot.press("escape")
        assert focused(pilot) == "program"
        await until(pilot, lambda: not shows(pilot, "where from"))


async def test_the_other_key_turns_it_round_and_the_same_closes() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 13, "p", "P")
        await until(pilot, lambda: shows(pilot, "[P where to]"))
        await pilot.press("P")
        await until(pilot, lambda: not shows(pilot, "where to"))


async def test_enter_goes_there_and_comma_comes_back_to_the_same_node() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 13, "p", "right", "right", "right", "right", "right")
        assert brackets(pilot) == "dz2[0, 0]"
        await pilot.press("enter")
        await until(pilot, lambda: place(pilot) == 8)
        await until(pilot, lambda: not shows(pilot, "where from"))
        await pilot.press("comma")
        await until(pilot, lambda: place(pilot) == 13)
        assert brackets(pilot) == "dz2[0, 0]"
        assert focused(pilot) == "tree"


async def test_enter_where_there_is_no_step() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 13, "p")
        await pilot.press("down", "down", "enter")
        assert said(pilot) == "x[0, 0]: data, row 0."
        assert place(pilot) == 13
        await pilot.press("escape", "P", "right", "enter")
        assert said(pilot) == "This step has not run yet."


async def test_a_value_of_an_earlier_iteration() -> None:
    """The strip explains the value that the node had, not the present one."""
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await type_command(pilot, "goto 40")
        await type_command(pilot, "cell W1[0, 0]")
        await pilot.press("p")
        await pilot.press("escape")
        await type_command(pilot, "goto 47")
        await pilot.press("p", "right", "right")
        node = debugger(pilot)._trees.node
        assert node is not None
        assert node.cell == "W1[0, 0]"
        await until(pilot, lambda: shows(pilot, f"W1[0, 0] = {node.value}"))
        await until(pilot, lambda: shows(pilot, "it 1 step 30"))


async def test_what_this_pass_has_not_computed_yet_has_the_iteration_that_it_is_of() -> None:
    """At the beginning of a pass too, where the status names the new iteration already."""
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await type_command(pilot, "goto 16")
        await type_command(pilot, "cell a2[0, 0]")
        await pilot.press("p")
        await until(pilot, lambda: shows(pilot, "it 0 step 4 sigmoid(z2)"))
        await pilot.press("P")
        await until(pilot, lambda: shows(pilot, "written by it 0 step 4"))


async def test_what_nothing_reads_says_so_and_a_first_value_has_readers() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 14, "P")
        await until(pilot, lambda: shows(pilot, "No line of the run reads this value of db1[0]."))
        await pilot.press("escape", "g", "2", "P", "right", "down")
        await until(pilot, lambda: shows(pilot, "W1[0, 0]"))
        assert brackets(pilot) == "W1[0, 0]"


async def test_stepping_keeps_the_question() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 13, "p", "i", "i")
        await until(pilot, lambda: shows(pilot, "[p where from]"))
        assert brackets(pilot) == "dW1[0, 0]"
        await until(pilot, lambda: shows(pilot, "step 28"))


async def test_before_the_first_step_there_is_nothing() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("p")
        assert "no value" in said(pilot)
        await pilot.press("x")
        assert "no value" in said(pilot)


async def test_on_a_wide_screen_the_panes_at_the_right_stay() -> None:
    async with app_of(built_in("mazur")).run_test(size=WIDE) as pilot:
        await pilot.press(*"s" * 13, "p")
        await until(pilot, lambda: "where from" in screen_lines(pilot.app)[1][:80])
        lines = screen_lines(pilot.app)
        assert "gradients" in "\n".join(line[80:] for line in lines)
        await pilot.press("tab")
        assert focused(pilot) != "tree"
        await until(pilot, lambda: shows(pilot, "where from"))


async def test_why_is_told_over_the_panes() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 13, "W")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        await until(pilot, lambda: shows(pilot, "Why is dW1[0, 0] = 0.000438568?"))
        await until(pilot, lambda: shows(pilot, "b2[0] = 0.6 is a first value, and frozen"))
        await pilot.press("escape")
        await until(pilot, lambda: not shows(pilot, "Why is"))


async def test_what_if_of_a_long_pass_does_not_hold_the_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened, what_if = threading.Event(), Session.what_if

    def waiting(self: Session, *asked: Any) -> Any:
        opened.wait()
        return what_if(self, *asked)

    monkeypatch.setattr("nnstep.engine.driver.MAX_WORK_AT_ONCE", 0)
    monkeypatch.setattr(Session, "what_if", waiting)
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "2", "x")
        await until(pilot, lambda: shows(pilot, "Running the pass…"))
        await pilot.press("up")
        assert shows(pilot, "What if W1[0, 0] = 0.165?")
        opened.set()
        await until(pilot, lambda: shows(pilot, "If W1[0, 0] were 0.165"))
        opened.clear()
        await pilot.press("up", "escape")
        opened.set()
        await until(pilot, lambda: not debugger(pilot).driver.is_busy)


async def test_what_if_and_the_run_is_untouched() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 13)
        await type_command(pilot, "set W2[0, 1] = 0.5")
        await pilot.press("u")
        screen = debugger(pilot)
        before = screen.driver.snapshot
        await pilot.press("2", "x")
        await until(pilot, lambda: shows(pilot, "What if W1[0, 0] = 0.15?"))
        await pilot.press("up", "up", "down", "right")
        found = screen.driver.consult(lambda run, _: run.what_if("W1", (0, 0), 0.315))
        assert found is not None
        await until(pilot, lambda: shows(pilot, "What if W1[0, 0] = 0.315?"))
        await until(pilot, lambda: shows(pilot, f"as it comes out           {found.exact:.8g}"))
        await until(pilot, lambda: shows(pilot, f"as the gradient predicts  {found.predicted:.8g}"))
        await until(pilot, lambda: shows(pilot, f"loss as it is             {found.before:.8g}"))
        await pilot.press("escape")
        after = screen.driver.snapshot
        assert after.tensors["W1"] is before.tensors["W1"]
        assert len(after.branches) == len(before.branches)
