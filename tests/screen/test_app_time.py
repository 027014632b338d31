"""Going back, stopping, watching and asking, by keys and at the prompt, as a user does it."""

import pytest
from building import network
from built_in import built_in
from msgspec.structs import replace
from screen_text import screen_text, type_command, until
from textual.pilot import Pilot
from textual.widgets import Input

from nnstep.engine.scenario.model import Run, Scenario
from nnstep.engine.scenario.schema import Breakpoint
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.app import NnstepApp
from nnstep.tui.config import Config
from nnstep.tui.debugger import Debugger
from nnstep.tui.dialogs import Plot, Report
from nnstep.tui.panes.strip import Strip
from nnstep.tui.prompt import Prompt

NARROW, WIDE, ROOMY = (80, 24), (120, 36), (200, 60)
LENGTH = 18


def small() -> Scenario:
    return network((2, 2, 1), run=Run(iterations=5))


def app_of(scenario: Scenario | None = None) -> NnstepApp:
    return NnstepApp(scenario or small())


def debugger(pilot: Pilot[None]) -> Debugger:
    screen = next(s for s in pilot.app.screen_stack if isinstance(s, Debugger))
    assert isinstance(screen, Debugger)
    return screen


def shown(pilot: Pilot[None]) -> Snapshot:
    return debugger(pilot).driver.snapshot


def said(pilot: Pilot[None]) -> str:
    return debugger(pilot).query_one(Strip).message


def at_prompt(pilot: Pilot[None]) -> bool:
    return isinstance(pilot.app.screen, Prompt)


async def settled(pilot: Pilot[None]) -> None:
    await until(pilot, lambda: not debugger(pilot).driver.is_busy)


async def test_a_key_goes_back_by_its_unit() -> None:
    places = {"S": 39, "left": 39, "N": 39, "F": 37, "I": 36, "g": 0, "G": 40}
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("i", "i", "s", "s", "s", "s")
        assert shown(pilot).place == 40
        for key, expected in places.items():
            await pilot.press(key)
            await settled(pilot)
            assert shown(pilot).place == expected, key
            await pilot.press("G")
            await settled(pilot)
            assert shown(pilot).place == shown(pilot).newest == 40


async def test_there_is_nothing_before_the_first_step() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("S")
        assert said(pilot) == "This is the first step; there is nothing before it."


async def test_at_the_end_one_can_go_back() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("i", "i", "i", "i", "i", "s")
        assert "go back, or start again" in said(pilot)
        await pilot.press("S")
        assert shown(pilot).place == 5 * LENGTH - 1


@pytest.mark.slow
async def test_a_breakpoint_stops_in_both_directions() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("s", "s", "b")
        await settled(pilot)
        assert said(pilot) == "Breakpoint 1: break a1"
        assert shown(pilot).breakpoints == {2: True}
        await pilot.press("c")
        await until(pilot, lambda: shown(pilot).place == LENGTH + 2)
        assert "Stopped by 1: break a1." in said(pilot)
        await pilot.press("space")
        await settled(pilot)
        assert shown(pilot).place == 2 * LENGTH + 2
        await pilot.press("C")
        await settled(pilot)
        assert shown(pilot).place == LENGTH + 2
        await pilot.press("i")
        await settled(pilot)
        assert shown(pilot).place == 2 * LENGTH
        await pilot.press("s", "s", "b")
        await settled(pilot)
        assert shown(pilot).breakpoints == {}
        await pilot.press("c")
        await settled(pilot)
        assert shown(pilot).finished


async def test_a_breakpoint_is_set_on_the_line_under_the_cursor() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("down", "down", "down", "b")
        await settled(pilot)
        assert shown(pilot).breakpoints == {3: True}


async def test_the_breakpoints_of_a_scenario_hold() -> None:
    case = replace(small(), breakpoints=(Breakpoint(at="dW1", when="iteration == 2"),))
    async with app_of(case).run_test(size=NARROW) as pilot:
        await pilot.press("c")
        await settled(pilot)
        assert shown(pilot).iteration == 2
        assert shown(pilot).current.writes == ("dW1",)


async def test_a_cell_is_watched_and_no_longer() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("2", "w")
        await settled(pilot)
        assert [watch.text for watch in shown(pilot).watches] == ["W1[0, 0]"]
        assert "6 watch" in screen_text(pilot.app)
        await pilot.press("w")
        await settled(pilot)
        assert shown(pilot).watches == ()
        assert "6 watch" not in screen_text(pilot.app)


async def test_who_last_changed_a_cell() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        await pilot.press("i", "s", "s", "2", "ctrl+home", "enter")
        await settled(pilot)
        place = shown(pilot).place
        assert shown(pilot).last is not None
        assert shown(pilot).written == ("W1",)
        value = shown(pilot).tensors["W1"][0, 0].item()
        assert f"became {value!r} by W1 = W1 - lr * dW1, step {place - 1}." in said(pilot)
        await pilot.press("g", "enter")
        await settled(pilot)
        assert said(pilot) == "W1[0, 0] has not changed since the start."


async def test_an_edit_in_the_past_says_that_it_is_a_branch() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        await pilot.press("i", "I", "2", "e")
        await until(pilot, lambda: bool(pilot.app.screen.query(Input)))
        pilot.app.screen.query_one(Input).value = "0.5"
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is debugger(pilot))
        assert shown(pilot).branch.name == "b1"
        assert "A new branch, b1, begins here; what came after stays on main." in said(pilot)
        assert "branch b1" in screen_text(pilot.app)
        await pilot.press("u")
        await settled(pilot)
        assert shown(pilot).branch.name == "main"
        assert said(pilot) == "The change of b2[0] is undone."
        await pilot.press("U")
        await settled(pilot)
        assert shown(pilot).tensors["b2"][0] == 0.5


async def test_the_gradients_are_verified() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("s", "v")
        await until(pilot, lambda: isinstance(pilot.app.screen, Report))
        assert "Gradients verified: 9 of 9 cells" in screen_text(pilot.app)
        await pilot.press("escape")
        assert pilot.app.screen is debugger(pilot)
        assert shown(pilot).place == 1


@pytest.mark.parametrize(("key", "as_written"), [("colon", ":"), ("f6", "F6")])
async def test_the_prompt_s_key_leads_from_what_is_shown_to_the_prompt(
    key: str, as_written: str
) -> None:
    async with NnstepApp(small(), Config(keys={"prompt": key})).run_test(size=NARROW) as pilot:
        await pilot.press("s", "v")
        await until(pilot, lambda: isinstance(pilot.app.screen, Report))
        assert f"{as_written} begins a command" in screen_text(pilot.app)
        await pilot.press(key, *"print")
        await until(pilot, lambda: bool(pilot.app.screen.query(Input)))
        assert pilot.app.screen.query_one(Input).value == "print"
        assert not any(isinstance(screen, Report) for screen in pilot.app.screen_stack)


async def test_a_fault_is_gone_to_and_said() -> None:
    async with app_of(built_in("vanishing")).run_test(size=WIDE) as pilot:
        await pilot.press("exclamation_mark")
        assert said(pilot) == "no fault has been found"
        await pilot.press("i")
        await settled(pilot)
        assert said(pilot).startswith("! ")
        await pilot.press("exclamation_mark")
        await settled(pilot)
        faults = shown(pilot).branch.faults
        assert "vanishing gradient" in {fault.name for fault in faults}
        assert shown(pilot).place == faults[0].place
        assert faults[0].advice[:20] in said(pilot)
        await pilot.press("exclamation_mark")
        await settled(pilot)
        assert shown(pilot).place == faults[1].place


async def test_a_value_that_is_not_finite_stops_a_run() -> None:
    async with app_of(built_in("overflow")).run_test(size=NARROW) as pilot:
        await pilot.press("c")
        await settled(pilot)
        assert shown(pilot).iteration == 153
        assert shown(pilot).written == ("L",)
        assert "L is inf" in said(pilot)
        stops = [shown(pilot).place]
        while not shown(pilot).finished:
            await pilot.press("c")
            await settled(pilot)
            stops.append(shown(pilot).place)
        assert 2 <= len(stops) < 9, "what only passes on what is not finite stops nothing"
        for place in reversed(stops[:-1]):
            await pilot.press("C")
            await settled(pilot)
            assert shown(pilot).place == place


# The prompt


async def test_a_command_moves_and_the_prompt_closes() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await type_command(pilot, "goto 20")
        assert pilot.app.screen is debugger(pilot)
        assert shown(pilot).place == 20
        await type_command(pilot, "back iteration")
        assert shown(pilot).place == LENGTH


async def test_a_cell_asked_for_at_the_prompt_is_the_one_in_question() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press(*"nnn")
        await type_command(pilot, "cell W1[1, 0]")
        assert not at_prompt(pilot)
        assert debugger(pilot).selected == ("W1", (1, 0))
        assert "─ W1[1, 0] = " in screen_text(pilot.app)


async def test_a_command_that_does_not_move_is_answered_and_the_prompt_stays() -> None:
    answers = {
        "print W1": "W1: shape (2, 2), float64",
        "print lr": "lr = 0.5 (float64)",
        "watch L": "Watch: L: L has no value yet",
        "break dW1": "Breakpoint 1: break dW1",
        "branches": "main (here): seed 0, reaches step 0",
        "rename main first": "The branch main is now called first.",
    }
    async with app_of().run_test(size=NARROW) as pilot:
        for command, line in answers.items():
            await type_command(pilot, command)
            assert at_prompt(pilot)
            assert line in screen_text(pilot.app)
            await pilot.press("s")
            assert pilot.app.screen.query_one(Input).value == "s"


@pytest.mark.parametrize("key", ["escape", "enter"])
async def test_the_prompt_closes_and_says_how(key: str) -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await type_command(pilot, "print lr")
        assert "Esc, an empty line or a move closes this." in screen_text(pilot.app)
        await pilot.press(key)
        assert not at_prompt(pilot)
        await pilot.press("s")
        assert shown(pilot).place == 1


async def test_a_wrong_command_stays_with_the_reason() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await type_command(pilot, "break dW1 if norm(dW1) >")
        assert isinstance(pilot.app.screen, Prompt)
        assert pilot.app.screen.query_one(Input).value == "break dW1 if norm(dW1) >"
        assert "expected a value" in screen_text(pilot.app)


@pytest.mark.slow
async def test_commands_are_recalled_and_completed() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await type_command(pilot, "goto 20")
        await type_command(pilot, "goto 30")
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(pilot.app.screen, Prompt))
        field = pilot.app.screen.query_one(Input)
        await pilot.press("up", "up")
        assert field.value == "goto 20"
        await pilot.press("down")
        assert field.value == "goto 30"
        await pilot.press("down")
        assert field.value == ""
        field.value = "brea"
        await pilot.press("end", "tab")
        assert field.value.startswith("break")
        field.value = "print dW"
        await pilot.press("end", "tab")
        await until(pilot, lambda: "dW1  dW2" in screen_text(pilot.app))


async def test_a_plot_is_shown_until_it_is_closed() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        await pilot.press("i", "i", "i")
        await type_command(pilot, "plot norm(dW1)")
        await until(pilot, lambda: isinstance(pilot.app.screen, Plot))
        assert "norm(dW1)" in screen_text(pilot.app)
        await pilot.press("escape")
        assert at_prompt(pilot)
        await pilot.press("s")
        assert pilot.app.screen.query_one(Input).value == "s"


# The timeline


@pytest.mark.parametrize("size", [NARROW, WIDE, ROOMY])
async def test_the_timeline_scrubs(size: tuple[int, int]) -> None:
    async with app_of().run_test(size=size) as pilot:
        await pilot.press("i", "i", "i", "t")
        assert "7 timeline" in screen_text(pilot.app)
        await pilot.press("left")
        await settled(pilot)
        assert shown(pilot).place == 2 * LENGTH
        await pilot.press("home")
        await settled(pilot)
        assert shown(pilot).place == 0
        await pilot.press("end")
        await settled(pilot)
        assert shown(pilot).place == 3 * LENGTH
        await pilot.press("t")
        assert "7 timeline" not in screen_text(pilot.app)
        assert pilot.app.focused is not None
        assert pilot.app.focused.id == "program"


async def test_a_branch_is_gone_to_on_the_timeline() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        await pilot.press("i", "i")
        await type_command(pilot, "goto 3")
        await type_command(pilot, "set W1[0, 0] = 0.25")
        assert shown(pilot).branch.name == "b1"
        await pilot.press("t", "up", "enter")
        await until(pilot, lambda: shown(pilot).branch.name == "main")
