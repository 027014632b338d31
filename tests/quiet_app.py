"""Waiting until an app has nothing left to do, told by what waits in it and not by the clock.

Textual's Pilot waits after each key until the process uses next to no CPU time for a moment. On a
busy machine that takes up to a second a key, and says little.
"""

import asyncio
from typing import Any

from textual._context import active_app
from textual.app import App
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.screen import Screen

from nnstep.tui.debugger import Debugger
from nnstep.tui.typeahead import TypeAheadApp

# What never comes to rest, as something that a test holds up, is left after so many looks, each
# after so many turns of the loop if something is always ready.
_MOST_LOOKS, _MOST_TURNS = 150, 20

_wait_for_screen = Pilot._wait_for_screen


async def until_quiet(min_sleep: float = 0, max_sleep: float = 1) -> None:
    """Wait until every message has been answered and what changed is drawn."""
    app, loop = active_app.get(), asyncio.get_running_loop()
    if min_sleep:
        await asyncio.sleep(min_sleep)
    for _ in range(_MOST_LOOKS):
        for _ in range(_MOST_TURNS):
            await asyncio.sleep(0)
            if not loop._ready:  # type: ignore[attr-defined]
                break
        if _is_quiet(app):
            return
        is_hurried = isinstance(app, TypeAheadApp) and app.is_hurried
        if is_hurried or not _draws(app.screen):
            await asyncio.sleep(0.001)  # for what a thread or a timer does


async def until_screen_is_quiet(pilot: Pilot[Any], timeout: float = 30.0) -> bool:
    """Wait until the screen has answered what it was sent, as Pilot does; if it has, at once."""
    return _is_quiet(pilot.app) or await _wait_for_screen(pilot, timeout)


def _draws(screen: Screen[Any]) -> bool:
    """Have a screen do at once what it would do within a sixtieth of a second, if there is such.

    Not while keys wait: they are to find it as undrawn as they would.
    """
    due = _is_to_draw(screen)
    if due:
        screen._on_timer_update()
    return due and not _is_to_draw(screen)


def _is_to_draw(screen: Screen[Any]) -> bool:
    pending = screen._layout_required, screen._repaint_required, screen._dirty_widgets
    return any(pending) or bool(screen._callbacks)


def _is_quiet(app: App[Any]) -> bool:
    if app._exit or not app.screen_stack:
        return True
    if isinstance(app, TypeAheadApp) and app.is_behind:
        return False
    if any(_is_answering(each) for each in app.screen_stack if isinstance(each, Debugger)):
        return False
    if _is_to_draw(app.screen):
        return False
    return all(map(_waits, (app, *app.screen_stack, *app.screen.walk_children())))


def _waits(node: MessagePump) -> bool:
    """Tell whether a node has answered its messages, the last one too, and waits for another."""
    arrived: Any = node._message_queue.ready_event
    return not arrived.is_set() and bool(arrived._waiters)


def _is_answering(debugger: Debugger) -> bool:
    """Tell whether a command is under way that has an end; a run goes on and on."""
    driver = debugger.driver
    return driver.is_busy and not driver.activity.startswith("running")
