"""What is sent at once, past Textual's round, leaves the screen as Textual would leave it."""

import io
import random
from typing import Any

import pyte
import pytest
from built_in import built_in
from debugging import app_of, debugger, place
from quick_screen import QuickScreen
from rich.console import Console
from screen_text import screen_lines, until
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.screen import Screen
from typing_ahead import send

from nnstep.tui.app import NnstepApp
from nnstep.tui.debugger import Debugger
from nnstep.tui.panes.at_once import PiecesUpdate

CONSOLE = Console(file=io.StringIO(), force_terminal=True, color_system="256")
KEYS = (
    *("s", "s", "s", "n", "f", "i", "b", "N", "down", "up", "left", "right", "tab", "enter"),
    *("2", "3", "4", "0", "1", "5", "p", "P", "m", "v", "z", "semicolon", "comma", "escape"),
    *("colon", "e", "question_mark", "x", "u", "pagedown", "home", "W", "t"),
)
SIZES = (80, 24), (120, 36), (100, 30)


class Watched:
    """A terminal that is sent what an app displays; how often that was past Textual's round."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, width: int, height: int) -> None:
        self.screen = QuickScreen(width, height)
        self.screen.set_mode(pyte.modes.LNM)
        self.stream = pyte.Stream(self.screen)
        self.at_once = 0

        def display(_app: App[Any], _screen: Screen[Any], update: object) -> None:
            if isinstance(update, CompositorUpdate):
                self.at_once += isinstance(update, PiecesUpdate)
                self.stream.feed(update.render_segments(CONSOLE))

        monkeypatch.setattr(App, "_display", display)

    @property
    def lines(self) -> list[str]:
        """The lines on the terminal, without the blanks at their ends."""
        return [line.rstrip() for line in self.screen.display]


@pytest.mark.sweep(10)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("name", ["mazur", "vanishing", "digits", "graph", "printed"])
async def test_after_each_of_many_keys_the_terminal_shows_the_screen(
    name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched, draw = Watched(monkeypatch, *size), random.Random(f"{name}{size}")
    pressed = []
    async with app_of(built_in(name)).run_test(size=size) as pilot:
        for _ in range(40):
            pressed.append(draw.choice(KEYS))
            await pilot.press(pressed[-1])
            if not isinstance(pilot.app.screen, Debugger):
                await pilot.press("escape")
            if isinstance(pilot.app.screen, Debugger):
                assert watched.lines == screen_lines(pilot.app), pressed
    assert watched.at_once > 10


async def test_while_something_is_said_over_the_panes_textual_draws_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch, 80, 24)
    async with app_of(built_in("mazur")).run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("s")
        pilot.app.notify("Over the panes.", timeout=100)
        await pilot.pause()
        before = watched.at_once
        await pilot.press("s", "s", "s")
        assert watched.at_once == before
        assert any("Over the panes." in line for line in watched.lines)
        assert watched.lines == screen_lines(pilot.app)


async def test_a_key_draws_each_pane_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # What the next step will show is drawn too, and sometimes before the key.
    monkeypatch.setattr(NnstepApp, "answered", lambda app, **_: None)
    async with app_of(built_in("mazur")).run_test(size=(120, 36)) as pilot:
        await pilot.press("s", "s")
        painted: list[str | None] = []
        for pane in debugger(pilot).stage.panes.values():
            paint = pane.paint

            def counted(width: int, height: int, pane: Any = pane, paint: Any = paint) -> Any:
                painted.append(pane.id)
                return paint(width, height)

            monkeypatch.setattr(pane, "paint", counted)
        await pilot.press("s")
        assert len(painted) == len(set(painted)) > 3


async def test_of_keys_that_wait_for_each_other_not_every_state_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch, 80, 24)
    async with app_of(built_in("mazur")).run_test(size=(80, 24)) as pilot:
        monkeypatch.setattr("nnstep.tui.panes.at_once.FRAME", 600)  # however slow the machine is
        before = watched.at_once
        send(pilot, "s" * 100)
        await until(pilot, lambda: place(pilot) == 100)
        await pilot.pause()
        assert watched.at_once - before < 10
        assert watched.lines == screen_lines(pilot.app)
