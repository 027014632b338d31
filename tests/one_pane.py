"""A pane alone on the screen, and snapshots made up for it to draw."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from nnstep.engine.program.program import Instruction, Phase, Program, Role, Tensor
from nnstep.engine.session.snapshot import BranchView, Snapshot
from nnstep.tui.panes.line_view import LineView
from nnstep.tui.panes.pane import Pane
from nnstep.tui.panes.scene import Scene, Scenes
from nnstep.tui.theme import DARK

CODE = (
    Instruction(Phase.FORWARD, 1, "linear", ("x", "W1"), ("z1",), "z1 = x @ W1.T"),
    Instruction(Phase.BACKWARD, 1, "rule", ("x", "z1"), ("dW1",), "dW1 = z1.T @ x"),
    Instruction(Phase.UPDATE, None, "sgd", ("W1", "lr", "dW1"), ("W1",), "W1 = W1 - lr * dW1"),
)
TO_LR = Instruction(Phase.UPDATE, None, "decay", ("lr",), ("lr",), "lr = lr / 2")
TENSORS = (
    Tensor("W1", Role.PARAMETER, 1),
    Tensor("W2", Role.PARAMETER, 2),
    Tensor("lr", Role.RATE),
    Tensor("v_W1", Role.BUFFER, 1),
)


def program(*tensors: Tensor) -> Program:
    return Program(CODE, {tensor.name: tensor for tensor in tensors or TENSORS}, "L", (), ())


PROGRAM = program()
W1 = np.array([[0.15, 0.2], [0.25, 0.3]])
LIVE = {"W1": W1, "W2": np.ones((1, 2)), "lr": np.array(0.5), "v_W1": np.zeros((2, 2))}


def branch(**changes: Any) -> BranchView:
    given: dict[str, Any] = {
        "name": "main",
        "parent": None,
        "fork": 0,
        "newest": 2,
        "seed": 0,
        "edits": (),
        "faults": (),
        "losses": np.empty(0),
    }
    return BranchView(**{**given, **changes})


def snapshot(**changes: Any) -> Snapshot:
    given: dict[str, Any] = {
        "program": PROGRAM,
        "place": 2,
        "total": 30,
        "position": 2,
        "iteration": 0,
        "epoch": 0,
        "finished": False,
        "last": None,
        "tensors": LIVE,
        "before": {},
        "stale": frozenset(),
        "losses": np.empty(0),
        "branches": (branch(),),
        "left": None,
        "breakpoints": {},
        "watches": (),
    }
    given |= changes
    given.setdefault("branch", given["branches"][0])
    return Snapshot(**given)


def scene(now: Snapshot, **told: Any) -> Scene:
    """What there is to see around a snapshot, as the debugger tells its panes."""
    return Scenes(now.program).scene(now, **told)


def show(pane: Pane, now: Snapshot, **told: Any) -> None:
    pane.show(now, scene(now, **told))


class OnePane(App[None]):
    """A pane alone on the screen."""

    CSS = "Screen { layout: vertical; }"

    def __init__(self, pane: LineView) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name
        self.pane = pane

    def compose(self) -> ComposeResult:
        yield self.pane


@asynccontextmanager
async def shown(pane: LineView, width: int = 60, height: int = 20) -> AsyncIterator[Pilot[None]]:
    async with OnePane(pane).run_test(size=(width, height)) as pilot:
        yield pilot
