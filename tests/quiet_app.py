"""Waiting until an app has nothing left to do, told by what waits in it and not by the clock.

Textual's Pilot waits after each key until the process uses next to no CPU time for a moment. On a
busy machine that takes up to a second a key, and says little.
"""

import asyncio
from typing import Any

from textual._context import active_app
from textual.app import App

from nnstep.tui.debugger import Debugger
from nnstep.tui.typeahead import TypeAheadApp

# A key is handed from the driver to the app's queue in fewer turns of the loop.
_TURNS = 6
# A widget is quiet if its queue is empty, but may still be at its last message.
_LOOKS = 3
# What never comes to rest, as something that a test holds up, is left after so many looks.
_MOST_LOOKS = 150


async def until_quiet(min_sleep: float = 0, max_sleep: float = 1) -> None:
    """Wait until every message has been answered and what changed is drawn."""
    app = active_app.get()
    if min_sleep:
        await asyncio.sleep(min_sleep)
    quiet = 0
    for _ in range(_MOST_LOOKS):
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        quiet = quiet + 1 if _is_quiet(app) else 0
        if quiet == _LOOKS:
            return
        if not quiet:
            await asyncio.sleep(0.001)


def _is_quiet(app: App[Any]) -> bool:
    if app._exit or not app.screen_stack:
        return True
    if isinstance(app, TypeAheadApp) and app.is_behind:
        return False
    if any(_is_answering(each) for each in app.screen_stack if isinstance(each, Debugger)):
        return False
    screen = app.screen
    pending = screen._layout_required, screen._repaint_required, screen._dirty_widgets
    if any(pending) or screen._callbacks:
        return False
    nodes = (app, *app.screen_stack, *screen.walk_children())
    return not any(node.message_queue_size for node in nodes)


def _is_answering(debugger: Debugger) -> bool:
    """Tell whether a command is under way that has an end; a run goes on and on."""
    driver = debugger.driver
    return driver.is_busy and not driver.activity.startswith("running")
