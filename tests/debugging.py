"""The app, driven without a terminal: how it is opened, and what a test asks of it."""

from collections.abc import Mapping

from building import network
from screen_text import screen_text
from textual.pilot import Pilot

from nnstep.engine.scenario.model import Run, Scenario
from nnstep.tui.app import NnstepApp
from nnstep.tui.config import Config
from nnstep.tui.debugger import Debugger
from nnstep.tui.panes.strip import Strip

NARROW, WIDE, ROOMY = (80, 24), (120, 36), (200, 60)


def small() -> Scenario:
    return network((2, 2, 1), run=Run(iterations=3))


def app_of(scenario: Scenario | None = None, keys: Mapping[str, str] | None = None) -> NnstepApp:
    return NnstepApp(scenario or small(), Config(keys or {}))


def shows(pilot: Pilot[None], text: str) -> bool:
    return text in screen_text(pilot.app)


def debugger(pilot: Pilot[None]) -> Debugger:
    """Return the debugger's screen, also while something is asked over it."""
    return next(each for each in pilot.app.screen_stack[::-1] if isinstance(each, Debugger))


def place(pilot: Pilot[None]) -> int:
    return debugger(pilot).driver.snapshot.place


def focused(pilot: Pilot[None]) -> str | None:
    return pilot.app.focused.id if pilot.app.focused else None


def said(pilot: Pilot[None]) -> str:
    return debugger(pilot).query_one(Strip).message
