"""The listing has breakpoints in its gutter and a cursor that every step brings back."""

import pytest
from one_pane import CODE, PROGRAM, show, shown, snapshot
from rich.style import Style
from screen_text import screen_lines
from textual.pilot import Pilot

from nnstep.engine.program.program import Program
from nnstep.tui.panes.pane import Tab
from nnstep.tui.panes.program import ProgramPane

LONG = Program(CODE * 40, PROGRAM.tensors, "L", (), ())


def program_pane() -> ProgramPane:
    return ProgramPane(Tab(1, "program"), id="program")


def marked(pilot: Pilot[None], attribute: str) -> str:
    """The text of the listing that has an attribute, such as `reverse`."""
    strips = pilot.app.screen._compositor.render_strips()[1:]
    return "".join(
        segment.text
        for strip in strips
        for segment in strip
        if isinstance(segment.style, Style) and getattr(segment.style, attribute)
    )


async def test_breakpoints_stand_in_the_gutter_enabled_or_not() -> None:
    pane = program_pane()
    async with shown(pane) as pilot:
        show(pane, snapshot(place=4, position=1, breakpoints={0: False, 1: True, 2: True}))
        await pilot.pause()
        assert screen_lines(pilot.app)[1:4] == [
            "-● forward 1  z1 = x @ W1.T",
            "*▶ backward 1 dW1 = z1.T @ x",
            "*  update     W1 = W1 - lr * dW1",
        ]
        show(pane, snapshot(position=1, breakpoints={}))
        await pilot.pause()
        assert [line[0] for line in screen_lines(pilot.app)[1:4]] == [" ", " ", " "]


async def test_all_lines_of_a_unit_have_just_run() -> None:
    pane = program_pane()
    async with shown(pane) as pilot:
        for place, position, ran, marks in (
            (0, 0, range(0), "▶  "),
            (1, 1, range(1), "●▶ "),
            (2, 2, range(2), "●●▶"),
            (2, 2, range(0), "·●▶"),
            (3, 0, range(3), "▶●●"),
            (4, 1, range(3, 4), "●▶ "),
        ):
            show(pane, snapshot(place=place, position=position), ran=ran)
            await pilot.pause()
            assert "".join(line[1] for line in screen_lines(pilot.app)[1:4]) == marks


async def test_the_selected_line_is_the_current_one_until_the_cursor_is_moved() -> None:
    pane = program_pane()
    assert pane.selected_line == 0
    async with shown(pane) as pilot:
        show(pane, snapshot(position=1))
        assert pane.selected_line == 1
        await pilot.pause()
        assert marked(pilot, "reverse") == ""
        await pilot.press("down")
        assert pane.selected_line == 2
        assert marked(pilot, "reverse") == "W1 = W1 - lr * dW1"
        await pilot.press("down", "up", "up", "up", "up")
        assert pane.selected_line == 0
        assert screen_lines(pilot.app)[2].startswith(" ▶")


async def test_a_step_brings_the_cursor_back_and_other_changes_do_not() -> None:
    pane = program_pane()
    async with shown(pane) as pilot:
        show(pane, snapshot(place=4, position=1))
        await pilot.press("down")
        show(pane, snapshot(place=4, position=1, breakpoints={2: True}))
        assert pane.selected_line == 2
        show(pane, snapshot(place=1, position=1))
        assert pane.selected_line == 1
        await pilot.pause()
        assert marked(pilot, "reverse") == ""


async def test_without_the_focus_the_moved_cursor_is_underlined() -> None:
    pane = program_pane()
    async with shown(pane) as pilot:
        show(pane, snapshot(position=1))
        await pilot.press("up")
        pilot.app.screen.set_focus(None)
        await pilot.pause()
        assert marked(pilot, "reverse") == ""
        assert marked(pilot, "underline") == "z1 = x @ W1.T"


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["end"], 119),
        (["end", "down"], 119),
        (["end", "pageup"], 111),
        (["pagedown"], 68),
        (["home"], 0),
        (["home", "up"], 0),
    ],
)
async def test_the_listing_scrolls_with_the_cursor(keys: list[str], line: int) -> None:
    pane = program_pane()
    async with shown(pane, height=10) as pilot:
        show(pane, snapshot(program=LONG, place=60, position=60))
        await pilot.press(*keys)
        assert pane.selected_line == line
        assert marked(pilot, "reverse") == LONG.instructions[line].code


async def test_the_wheel_scrolls_and_leaves_the_cursor_where_it_is() -> None:
    pane = program_pane()
    async with shown(pane, height=10) as pilot:
        show(pane, snapshot(program=LONG, place=60, position=60))
        pane.scroll_by(-40)
        await pilot.pause()
        assert pane.selected_line == 60
        assert not any("▶" in line for line in screen_lines(pilot.app))


async def test_a_click_chooses_a_line() -> None:
    pane = program_pane()
    async with shown(pane) as pilot:
        show(pane, snapshot(position=1))
        await pilot.click(ProgramPane, offset=(5, 3))
        assert pane.selected_line == 2


async def test_the_line_just_run_has_lines_around_it_where_the_listing_has_scrolled() -> None:
    pane = program_pane()
    async with shown(pane, height=18) as pilot:
        show(pane, snapshot(program=LONG, place=60, position=60))
        await pilot.pause()
        assert screen_lines(pilot.app)[12][1] == "●"
        top = screen_lines(pilot.app)[1]
        show(pane, snapshot(program=LONG, place=61, position=61))
        await pilot.pause()
        assert screen_lines(pilot.app)[13][1] == "●"
        assert screen_lines(pilot.app)[1][2:] == top[2:]


async def test_before_there_is_a_program_the_keys_do_nothing() -> None:
    pane = program_pane()
    async with shown(pane) as pilot:
        await pilot.press("down", "end", "pageup")
        assert pane.selected_line == 0
