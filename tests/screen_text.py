"""What is on the screen, as text: the compositor's lines, and pictures of them kept in files."""

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from nnstep.tui.debugger import Debugger
from nnstep.tui.prompt import Prompt

SNAPSHOTS = Path(__file__).parent / "screen" / "snapshots"
UPDATE = "NNSTEP_UPDATE_SNAPSHOTS"


def screen_lines(app: App[Any]) -> list[str]:
    """Return the lines of the screen, without the blanks at their ends."""
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


def screen_text(app: App[Any]) -> str:
    """Return the whole screen as one text."""
    return "\n".join(screen_lines(app)) + "\n"


def at_each_size(cases: Iterable[tuple[Any, ...]], sizes: Iterable[str]) -> list[Any]:
    """Return the cases at all sizes; the first size of a case is another with each case.

    So a sweep that leaves one size of each case quick has all cases in it, and all sizes.
    """
    sizes = list(sizes)
    return [
        pytest.param(*case, sizes[(first + at) % len(sizes)])
        for first, case in enumerate(cases)
        for at in range(len(sizes))
    ]


def assert_snapshot(app: App[Any], name: str) -> None:
    """Compare the screen with the file of that name, or write it if told to."""
    assert_text(screen_text(app), name)


def assert_text(text: str, name: str) -> None:
    """Compare a text with the file of that name, or write it if told to."""
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get(UPDATE):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), f"{UPDATE}=1 accepts the new screen"


async def type_command(pilot: Pilot[Any], text: str) -> None:
    """Type a command at the prompt of the debugger, and wait until it has been executed."""
    debugger = next(screen for screen in pilot.app.screen_stack if isinstance(screen, Debugger))
    await pilot.press("colon")
    await until(pilot, lambda: isinstance(pilot.app.screen, Prompt))
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")
    await until(pilot, lambda: _is_answered(pilot.app.screen) and not debugger.driver.is_busy)
    await pilot.pause()


def _is_answered(screen: Screen[Any]) -> bool:
    """Tell whether the prompt has closed, shows an answer, or says what is wrong."""
    if not isinstance(screen, Prompt):
        return True
    return not screen.query_one(Input).value or screen.query_one("#hint").has_class("-error")


async def until(pilot: Pilot[Any], condition: Callable[[], bool]) -> None:
    """Let the app go on until a condition holds."""
    for _ in range(7000):
        await pilot.pause()
        if condition():
            return
        await asyncio.sleep(0.003)
    raise AssertionError("what was waited for never came")
