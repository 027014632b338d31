"""The engine: compiles a scenario into a program of tensor instructions and steps it.

    from nnstep.engine import Session, load
    session = Session(load("xor.toml"))
    for step in session.steps():
        print(step.code, step.writes)

Names are imported when first asked for, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .commands.interpreter import Interpreter
    from .language.evaluate import parse_value
    from .language.nodes import ConditionError, GrammarError
    from .loading import load
    from .machine.step import Step
    from .override.override import OverrideError
    from .scenario.errors import ScenarioError
    from .scenario.model import Scenario
    from .session.edits import EditError, UndoError
    from .session.session import Session
    from .session.snapshot import Snapshot
    from .stops.points import Breakpoint, PointError, Watchpoint

__all__ = [
    "Breakpoint",
    "ConditionError",
    "EditError",
    "GrammarError",
    "Interpreter",
    "OverrideError",
    "PointError",
    "Scenario",
    "ScenarioError",
    "Session",
    "Snapshot",
    "Step",
    "UndoError",
    "Watchpoint",
    "load",
    "parse_value",
]

_MODULES = {
    "Breakpoint": "stops.points",
    "ConditionError": "language.evaluate",
    "GrammarError": "language.nodes",
    "EditError": "session.edits",
    "OverrideError": "override.override",
    "Interpreter": "commands.interpreter",
    "PointError": "stops.points",
    "Scenario": "scenario.model",
    "ScenarioError": "scenario.errors",
    "Session": "session.session",
    "Snapshot": "session.snapshot",
    "Step": "machine.machine",
    "UndoError": "session.edits",
    "Watchpoint": "stops.points",
    "load": "loading",
    "parse_value": "language.evaluate",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
