"""What the first paint has no need of is done once the screen is there: imports, and collecting."""

import gc
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnstep.engine.scenario.model import Scenario

_NEEDED = (
    "nnstep.engine.commands.interpreter",
    "nnstep.engine.faults.monitor",
    "nnstep.engine.explain.explain",
    "nnstep.engine.explain.just_run",
    "nnstep.tui.panes.drawing",
    "nnstep.tui.panes.map",
    "nnstep.tui.panes.timeline",
    "nnstep.tui.panes.tree",
    "nnstep.tui.panes.watch",
)
"""What executes a command, looks for faults, explains and draws a step, and the other panes."""


def get_ready(later: Callable[[Callable[[], object]], object], scenario: "Scenario") -> None:
    """Have what no first screen needs, and every first key, imported `later`, module by module.

    So a key that is pressed meanwhile waits for no more than it needs itself. The first step of a
    run that shuffles its rows draws their order.
    """
    shuffles = scenario.data is not None and scenario.data.shuffle
    for name in ("numpy.random", *_NEEDED) if shuffles else _NEEDED:
        later(partial(import_module, name))


def collect_garbage() -> None:
    """Have garbage collected from now on, if the start put that off.

    It takes a tenth off the time to the first paint; and what is frozen is never looked at again.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
