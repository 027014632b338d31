"""Every key of the debugger does what the help says, at every size."""

from functools import partial

import pytest
from building import network, optimizer
from built_in import built_in
from debugging import NARROW, ROOMY, WIDE, app_of, debugger, focused, place, said, shows, small
from screen_text import screen_lines, screen_text, until
from textual.command import CommandPalette
from textual.pilot import Pilot

from nnstep.engine.scenario.model import Run
from nnstep.engine.session.session import Session
from nnstep.tui.actions import ACTIONS
from nnstep.tui.app import NnstepApp
from nnstep.tui.config import Config
from nnstep.tui.debugger import Debugger
from nnstep.tui.gallery import Gallery
from nnstep.tui.help import Help
from nnstep.tui.panes.line_view import LineView


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("s", 1), ("f11", 1), ("right", 1),
        ("n", 1), ("f10", 1), ("f", 1), ("i", 18),
    ],
)  # fmt: skip
async def test_a_key_steps_by_its_unit(key: str, expected: int) -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press(key)
        assert place(pilot) == expected


async def test_layers_and_phases_end_where_they_change() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("s", "n")
        assert debugger(pilot).driver.snapshot.current.layer == 2
        await pilot.press("f")
        assert debugger(pilot).driver.snapshot.current.phase == "loss"
        await pilot.press("i")
        assert debugger(pilot).driver.snapshot.iteration == 1


async def test_the_arrow_steps_only_in_the_program_pane() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        assert focused(pilot) == "program"
        await pilot.press("2", "right")
        assert place(pilot) == 0
        await pilot.press("1", "right")
        assert place(pilot) == 1


async def test_tab_goes_through_the_panes_that_are_seen() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        seen = []
        for _ in range(7):
            await pilot.press("tab")
            seen.append(focused(pilot))
        assert seen == [
            "step", "more-weights", "more-values", "more-gradients", "loss", "program", "step",
        ]  # fmt: skip
        await pilot.press("shift+tab")
        assert focused(pilot) == "program"


async def test_a_digit_keeps_its_tab_and_0_follows_again() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("4")
        assert "[4 gradients]" in screen_lines(pilot.app)[1]
        assert "dW1 (2, 2)    not computed yet" in screen_text(pilot.app)
        await pilot.press("s", "n")
        assert "[4 gradients]" in screen_lines(pilot.app)[1]
        await pilot.press("tab")
        assert focused(pilot) == "program"
        await pilot.press("0")
        assert "[0 step]" in screen_lines(pilot.app)[1]
        assert "● a1 (1, 2)" in screen_text(pilot.app)


async def test_the_cell_in_question_follows_the_same_index() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "s")
        assert debugger(pilot).selected == ("z1", (0, 0))
        await pilot.press("0", "right")
        assert debugger(pilot).selected == ("z1", (0, 1))
        await pilot.press("s")
        assert debugger(pilot).selected == ("a1", (0, 1))
        await pilot.press("k")
        assert debugger(pilot).selected == ("z1", (0, 1))
        await pilot.press("s")
        assert debugger(pilot).selected == ("z2", (0, 1))
        await pilot.press("escape")
        assert debugger(pilot).selected == ("z2", (0, 0))
        await pilot.press("S")
        assert debugger(pilot).selected == ("a1", (0, 0))


async def test_a_cell_chosen_in_a_pane_stays_while_that_has_the_keys() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "s", "2", "l", "s", "s")
        assert debugger(pilot).selected == ("W1", (0, 1))
        await pilot.press("1")
        assert debugger(pilot).selected == ("W1", (0, 1))
        await pilot.press("s")
        assert debugger(pilot).selected == ("a2", (0, 1))
        await pilot.press("2", "escape", "s")
        assert debugger(pilot).selected != ("a2", (0, 1))


async def test_enter_goes_to_the_step_of_a_cell_and_comma_back() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"sssssssss", "0", "up")
        name, _ = debugger(pilot).selected or ("", ())
        assert name == "a1"
        await pilot.press("enter")
        await until(pilot, lambda: place(pilot) == 3)
        assert "a1 = sigmoid(z1), step 2" in said(pilot)
        await pilot.press("comma")
        await until(pilot, lambda: place(pilot) == 9)
        await pilot.press("full_stop")
        await until(pilot, lambda: place(pilot) == 3)
        await pilot.press("full_stop")
        await until(pilot, lambda: said(pilot) == "There is no jump to go on from.")


async def test_y_copies_the_cell() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("y")
        assert said(pilot) == "There is no value here yet."
        await pilot.press("s", "s", "y")
        assert pilot.app.clipboard == "0.3775"
        assert ":copy z1[0, 0] > FILE" in said(pilot)


async def test_the_cursor_of_the_terminal_stands_on_the_cell() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "s")
        x, y = pilot.app.cursor_position
        assert screen_lines(pilot.app)[y][: x + 1].endswith("0.3775"), "at the number's last digit"
        await pilot.press("2", "down")
        x, y = pilot.app.cursor_position
        assert screen_lines(pilot.app)[y][x:].startswith("0.2500")


async def test_text_is_selected_with_the_mouse() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.pause()
        await pilot.mouse_down(offset=(10, 2))
        await pilot.hover(offset=(30, 3))
        await pilot.mouse_up(offset=(30, 3))
        await pilot.pause()
        selected = pilot.app.screen.get_selected_text()
        assert selected is not None
        assert selected.startswith("x, y = next(batches)")
        assert "z1 = x @ W1.T" in selected
        await pilot.press("escape")
        assert not pilot.app.screen.get_selected_text()


async def test_zoom_shows_a_pane_alone_then_the_step_large_and_all_again() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        before = screen_text(pilot.app)
        await pilot.press("2", "z")
        assert "1 program" not in screen_text(pilot.app)
        assert "2 weights" in screen_text(pilot.app)
        await pilot.press("5")
        assert "5 loss" in screen_text(pilot.app)
        assert "weights" not in screen_text(pilot.app)
        await pilot.press("z", "0", "escape", "1")
        assert screen_text(pilot.app) == before
        await pilot.press("s", "0", "z", "z")
        beside, line = screen_lines(pilot.app)[2][:36], screen_lines(pilot.app)[2][36:]
        assert (beside.split()[:2], line) == (["●", "batch"], "    x, y = next(batches)")
        await pilot.press("z", "1")
        assert screen_lines(pilot.app)[2].startswith(" ● batch")


async def test_help_lists_every_action_with_its_keys_and_the_description() -> None:
    scenario = built_in("mazur")
    async with app_of(scenario, {"quit": "X"}).run_test(size=(100, 260)) as pilot:
        await pilot.press("?")
        await until(pilot, lambda: "THREE KEYS TO BEGIN" in screen_text(pilot.app))
        await pilot.press("right")
        await until(pilot, lambda: "COMMANDS" in screen_text(pilot.app))
        text = screen_text(pilot.app)
        for action in ACTIONS:
            assert action.description in text
        assert " X " in text
        await pilot.resize_terminal(100, 40)
        await pilot.press("right")
        await until(pilot, lambda: "best-known worked example" in screen_text(pilot.app))
        await pilot.press("escape", "a")
        await until(pilot, lambda: "best-known worked example" in screen_text(pilot.app))
        await pilot.press("slash", *"kink")
        await until(pilot, lambda: "a point without a slope" in screen_text(pilot.app))
        assert "a breakpoint" not in screen_text(pilot.app)
        await pilot.press("escape", "escape", "f1")
        assert isinstance(pilot.app.screen, Help)


async def test_the_palette_offers_the_same_actions_and_runs_them() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("ctrl+p")
        assert isinstance(pilot.app.screen, CommandPalette)
        await pilot.press(*"finish")
        await until(pilot, lambda: "run to the end of the phase" in screen_text(pilot.app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Debugger) and place(pilot) == 1)
    offered = {
        command.title
        for command in pilot.app.get_system_commands(Debugger(Session(small()), ACTIONS))
    }
    assert offered == {
        action.label for action in ACTIONS if action.scope in {"app", "debugger"}
    } - {"Command palette"}


async def test_q_quits_at_once() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("q")
    assert pilot.app.return_code == 0


async def test_ctrl_c_says_how_to_quit() -> None:
    async with app_of(keys={"quit": "x"}).run_test(size=NARROW) as pilot:
        await pilot.press("ctrl+c")
        assert said(pilot) == "x quits."
        await pilot.press("s")
        assert said(pilot) == ""


async def test_keys_can_be_remapped() -> None:
    keys = {"step-op": "J", "run": "D"}
    async with app_of(keys=keys).run_test(size=NARROW) as pilot:
        await pilot.press("s", "f11")
        assert place(pilot) == 0
        await pilot.press("J")
        assert place(pilot) == 1
        assert screen_lines(pilot.app)[-1].startswith(" J step")


async def test_a_wrong_configuration_is_told_and_not_a_crash() -> None:
    config = Config(theme="sunshine", problems=("config.toml: no [such] thing",))
    async with NnstepApp(small(), config).run_test(size=NARROW, notifications=True) as pilot:
        for problem in ("no [such] thing", "there is no theme 'sunshine'"):
            await until(pilot, partial(shows, pilot, problem))


async def test_a_theme_can_be_configured_and_changed() -> None:
    async with NnstepApp(small(), Config(theme="nnstep-light")).run_test(size=NARROW) as pilot:
        await pilot.pause()
        assert pilot.app.theme == "light"
        light = pilot.app.export_screenshot()
        pilot.app.theme = "dark"
        await until(pilot, lambda: pilot.app.export_screenshot() != light)


async def test_the_end_of_the_run_says_so_and_stays_alive() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("i", "i", "i")
        assert "end of the run" in screen_lines(pilot.app)[0]
        for key in ("s", "n", "f", "i", "space"):
            await pilot.press(key)
            assert "end of the run" in said(pilot)
        await pilot.press("r")
        await until(pilot, lambda: place(pilot) == 0)


@pytest.mark.slow
async def test_resizing_keeps_the_place() -> None:
    async with app_of(network((2, 30, 1), run=Run(iterations=3))).run_test(size=WIDE) as pilot:
        await pilot.press("2", *["down"] * 20, "right")
        screen = debugger(pilot)
        for size in (NARROW, (40, 10), (20, 5), (3, 2), ROOMY, (119, 36), (120, 35), WIDE):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert screen.selected == ("W1", (20, 1))
            assert focused(pilot) == "weights"
        assert "W1[20, 1] =" in screen_text(pilot.app)
        await pilot.press("4")
        await pilot.resize_terminal(*NARROW)
        await pilot.pause()
        assert "dz1" in screen_text(pilot.app)


@pytest.mark.sweep(2)
@pytest.mark.parametrize("size", [(1, 1), WIDE, (2, 2), NARROW, (10, 3), ROOMY, (40, 10)])
async def test_any_size_can_be_stepped_and_zoomed(size: tuple[int, int]) -> None:
    async with app_of().run_test(size=size) as pilot:
        await pilot.press("i", "s", "2", "down", "z", "5", "3", "z", "s")
        assert place(pilot) == 20


async def test_a_scenario_can_be_opened_where_there_is_no_room_for_the_program() -> None:
    async with app_of().run_test(size=(20, 5)) as pilot:
        first = debugger(pilot)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, Gallery))
        await pilot.press("enter")
        await until(
            pilot, lambda: isinstance(pilot.app.screen, Debugger) and debugger(pilot) is not first
        )
        await until(pilot, lambda: focused(pilot) == "step")
        await pilot.press("s")
        await until(pilot, lambda: place(pilot) == 1)


async def test_titles_are_never_markup() -> None:
    title = "[red]bold[/red] [@click=app.quit]x[/]"
    scenario = network(optimized=optimizer("adam"))
    strange = type(scenario)(
        title=title,
        description=title,
        network=scenario.network,
        data=scenario.data,
        warnings=(f"beware of {title}",),
    )
    async with app_of(strange).run_test(size=WIDE, notifications=True) as pilot:
        await pilot.pause()
        assert title in screen_lines(pilot.app)[0]
        assert said(pilot) == "1 warning: a shows it."
        pilot.app.push_screen(Help(ACTIONS, title, title, (f"beware of {title}",), 2))
        await until(pilot, lambda: "beware of [red]bold[/red]" in screen_text(pilot.app))
        assert title in screen_text(pilot.app)


async def test_the_focused_title_is_told_by_more_than_colour() -> None:
    def reversed_text(pilot: Pilot[None]) -> str:
        return "".join(
            segment.text
            for strip in pilot.app.screen._compositor.render_strips()
            for segment in strip
            if segment.style and segment.style.reverse
        )

    for size in (NARROW, WIDE):
        async with app_of().run_test(size=size) as pilot:
            await pilot.pause()
            for digit, title in enumerate(("program", "weights", "z/a", "gradients", "loss"), 1):
                await pilot.press(str(digit))
                await pilot.pause()
                assert f"{digit} {title}" in reversed_text(pilot)


async def test_an_expression_has_parameters_and_values() -> None:
    async with app_of(built_in("graph")).run_test(size=NARROW) as pilot:
        assert "[0 step] 2 params  3 values  4 gradients" in screen_lines(pilot.app)[1]


async def test_mazur_is_whole_on_a_wide_screen() -> None:
    async with app_of(built_in("mazur")).run_test(size=WIDE) as pilot:
        await pilot.press("i", "i")
        titles = [line for line in screen_lines(pilot.app)[:28] if "z/a" in line]
        assert not set("↑↓") & set("".join(titles))


@pytest.mark.sweep(3)
@pytest.mark.parametrize("name", ["mazur", "two-layer"])
@pytest.mark.parametrize("size", [NARROW, WIDE, ROOMY])
async def test_panes_stay_where_they_are_while_stepping(name: str, size: tuple[int, int]) -> None:
    async with app_of(built_in(name)).run_test(size=size) as pilot:
        panes = list(debugger(pilot).query(LineView))
        before = [pane.region for pane in panes]
        await pilot.press("s", "i", "s", "f", "f")
        await pilot.pause()
        assert [pane.region for pane in panes] == before


async def test_the_active_tab_is_in_view_on_the_smallest_screen() -> None:
    async with app_of().run_test(size=(40, 10)) as pilot:
        await pilot.press("4")
        assert "[4 gradients]" in screen_lines(pilot.app)[1]


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_question_for_a_value_leaves_the_panes_in_view(size: tuple[int, int]) -> None:
    async with app_of(built_in("mazur")).run_test(size=size) as pilot:
        await pilot.press("i", "2")
        before = screen_lines(pilot.app)[:-2]
        await pilot.press("e")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 2)
        await pilot.pause()
        after = screen_lines(pilot.app)
        assert after[:-2] == before
        assert after[-2].split()[:5] == ["New", "value", "of", "W2[0,", "0]"]


async def test_ctrl_c_says_how_to_leave_everywhere_and_ctrl_q_does_nothing() -> None:
    async with NnstepApp().run_test(size=NARROW, notifications=True) as pilot:
        await pilot.press("ctrl+c")
        await until(pilot, partial(shows, pilot, "q quits."))
        await pilot.press("ctrl+q", "enter", "question_mark")
        await pilot.press("ctrl+c")
        await until(pilot, partial(shows, pilot, "Escape goes back."))
