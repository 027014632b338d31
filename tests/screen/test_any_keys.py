"""Whatever is typed, pasted and clicked, nothing fails, and who wants to leave can.

A failing sequence is shrunk and printed. `NNSTEP_SEED` repeats a run.
"""

import asyncio
import os
import random
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from built_in import built_in
from debugging import app_of
from textual import events
from textual.pilot import Pilot
from typing_ahead import send

from nnstep.scenarios import names
from nnstep.tui.actions import ACTIONS
from nnstep.tui.app import NnstepApp

SECONDS = 60
STEPS = 40

# CPU seconds of the thread that answers keys: other processes do not count.
MOST_AT_ONCE = 1.0

KEYS = sorted({key for action in ACTIONS for key in action.keys.split(",") if key} - {"q"})
EDITING = ["escape", "enter", "ctrl+u", "ctrl+p", "ctrl+w", "backspace", "delete", "colon", "e"]
COMMANDS = [
    "print lr",
    "print W1 @ W1.T",
    "goto 5",
    "goto 400",
    "step 20",
    "back 3",
    "watch norm(W1)",
    "watch sum(exp(spread(lr, (1000, 3000)))) + sum(exp(spread(lr, (1000, 3000))))",
    "break L",
    "break dW1 if norm(dW1) > 0",
    "verify",
    "plot L",
    "help",
    "tensors",
    "branches",
    "set W1[0, 0] = 1/3",
    "undo",
    "save " + "x" * 300,
    "sessions",
    "where",
    "run until L < 0.1",
    "nonsense (",
]
SIZES = [(80, 24), (120, 36), (300, 100), (20, 5), (200, 60), (1, 1), (2, 100), (9, 40)]

DOWN, UP, MOVE = events.MouseDown, events.MouseUp, events.MouseMove
WHEEL = events.MouseScrollDown

Step = tuple[Any, ...]


def any_step(draw: random.Random) -> Step:
    kind = draw.choices(("keys", "line", "paste", "click", "drag", "size"), (10, 4, 2, 4, 1, 1))[0]
    if kind == "keys":
        count = draw.choice((1, 3, 10, 40))
        return kind, [draw.choice(EDITING if draw.random() < 0.2 else KEYS) for _ in range(count)]
    if kind == "line":
        opens = draw.choice((":", ":", "e", "\x10"))
        return kind, opens, draw.choice(COMMANDS), draw.random() < 0.8
    if kind == "paste":
        return (
            kind,
            draw.choice(COMMANDS) + draw.choice(("", "\n", "\t\x1b", "é漢")),
            draw.choice((1, 3000)),
        )
    if kind == "click":
        return kind, *any_cell(draw), draw.choice((1, 2))
    if kind == "drag":
        return kind, *any_cell(draw), *any_cell(draw)
    return kind, *draw.choice(SIZES)


def any_cell(draw: random.Random) -> tuple[int, int]:
    return draw.randrange(300), draw.randrange(100)


async def do(pilot: Pilot[None], step: Step) -> None:
    match step:
        case "keys", keys:
            send(pilot, *(key if len(key) == 1 else f"<{key}>" for key in keys))
        case "line", opens, text, enters:
            send(pilot, "<ctrl+p>" if opens == "\x10" else opens, text, "<enter>" * enters)
        case "paste", text, times:
            send(pilot, events.Paste(text * times))
        case "click", x, y, times:
            send(pilot, *(mouse(pilot, each, x, y) for each in (DOWN, UP) * times))
        case "drag", x, y, to_x, to_y:
            send(pilot, mouse(pilot, DOWN, x, y))
            send(pilot, *(mouse(pilot, each, to_x, to_y) for each in (MOVE, UP, WHEEL)))
        case "size", width, height:
            await pilot.resize_terminal(width, height)


def mouse(pilot: Pilot[None], kind: type[events.MouseEvent], x: int, y: int) -> events.MouseEvent:
    """Return what a terminal sends of the mouse, at a cell that it has.

    Textual's pilot hands a click to the screen that was there before it, even if that has closed.
    """
    x, y = x % max(1, pilot.app.size.width), y % max(1, pilot.app.size.height)
    return kind(None, x, y, 0, 0, 1, False, False, False, x, y)


class Watched:
    """What went wrong with an app, and how long the loop was kept busy at once."""

    def __init__(self, app: NnstepApp) -> None:
        self.problem = ""
        self.longest = 0.0
        self._fail = app.fail
        app.fail = self._failed  # type: ignore[method-assign]

    def _failed(self, error: BaseException | None, what: str = "Something") -> None:
        if not self.problem:
            lines = traceback.format_exception(error) if error else []
            self.problem = f"{what} failed:\n{''.join(lines)}"
        self._fail(error, what)

    async def beat(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.005)
            self.longest = max(self.longest, time.thread_time() - before)


async def tried(scenario: str, size: tuple[int, int], steps: Sequence[Step]) -> str:
    """Return what goes wrong with a sequence, empty for nothing."""
    app = app_of(built_in(scenario))
    async with app.run_test(size=size) as pilot:
        watched = Watched(app)
        beating = asyncio.create_task(watched.beat())
        for step in steps:
            await do(pilot, step)
            await pilot.pause(0)
            if watched.problem or app._exit:
                break
        if not watched.problem and not app._exit and not await leaves(pilot):
            watched.problem = f"Esc, Ctrl+C and q do not end it; {app.screen} is open"
        beating.cancel()
    if not watched.problem and watched.longest > MOST_AT_ONCE:
        return f"the loop was busy for {watched.longest:.2f} s at once"
    return watched.problem


async def leaves(pilot: Pilot[None]) -> bool:
    """Press Esc until nothing is open, and q; tell whether that ends the app."""
    app = pilot.app
    for _ in range(50):
        send(pilot, "<escape>", "<ctrl+c>", "<escape>", "q")
        for _ in range(100):
            await asyncio.sleep(0.01)
            if app._exit:
                return True
    return False


def shrunk(scenario: str, size: tuple[int, int], steps: list[Step]) -> list[Step]:
    """Leave out halves, quarters and so on, as long as something goes wrong."""
    part = len(steps) // 2
    while part:
        for start in range(0, len(steps), part):
            fewer = steps[:start] + steps[start + part :]
            if asyncio.run(tried(scenario, size, fewer)):
                steps = fewer
                break
        else:
            part //= 2
    return steps


@pytest.mark.slow
def test_nothing_that_is_typed_pasted_or_clicked_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NNSTEP_FAILURES", "")
    monkeypatch.chdir(tmp_path)
    seed = int(os.environ.get("NNSTEP_SEED", "0")) or random.randrange(10**6)
    print(f"NNSTEP_SEED={seed}")
    draw = random.Random(seed)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        scenario, size = draw.choice(list(names())), draw.choice(SIZES[:5])
        steps = [any_step(draw) for _ in range(STEPS)]
        if problem := asyncio.run(tried(scenario, size, steps)):
            print(f"{scenario} at {size}: {problem}")
            steps = shrunk(scenario, size, steps)
            pytest.fail(f"NNSTEP_SEED={seed}: {scenario} at {size}\n{steps}\n{problem}")
