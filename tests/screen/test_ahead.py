"""What the next step will show is drawn before it is asked for, and nobody sees that."""

import random
from pathlib import Path
from typing import Any

import pytest
from built_in import built_in
from debugging import NARROW, WIDE, app_of, debugger, place
from screen_text import screen_lines, type_command, until
from textual.pilot import Pilot

from nnstep.engine.driver import AT_ONCE
from nnstep.engine.explain.tree import Tree
from nnstep.engine.loading import load
from nnstep.tui.app import NnstepApp
from nnstep.tui.debugger import Debugger
from nnstep.tui.panes.program import ProgramPane
from nnstep.tui.panes.scene_view import SceneView
from nnstep.tui.panes.strip import Strip

SIZES = (NARROW, WIDE, (100, 30), (200, 60))
STEPS = ("s",) * 8
BEGUN: tuple[list[str], ...] = ([], ["s", "m"], ["s", "s", "s", "p"], ["s", "s", "P"], ["m", "m"])
OTHERS = (
    *("b", "i", "n", "up", "down", "left", "right", "tab", "2", "3", "4", "0", "1", "enter"),
    *("pagedown", "end", "home", "z", "u", "m", "p", "escape", "t", "v", "semicolon", "5"),
)


TYPED = (
    *(":goto 7", ":goto start", ":watch L", ":break L if L < 0.5", ":set b1[0] = 0.5", ":undo"),
    *(":expect L = 0.3", ":override L = 2 * L", ":restart", ":step iteration", ":branches"),
)


class TakenAsItComes(NnstepApp):
    """The app, but that it never looks ahead."""

    def answered(self, *, is_read: bool) -> None:
        """Do nothing."""


async def screens_after(app: NnstepApp, size: tuple[int, int], keys: list[str]) -> list[list[str]]:
    """Press keys, and return the lines of the screen after each."""
    found = []
    async with app.run_test(size=size) as pilot:
        for key in keys:
            await (type_command(pilot, key[1:]) if key in TYPED else pilot.press(key))
            await settled(pilot)
            if not isinstance(app.screen, Debugger):
                await pilot.press("escape")
            app.answered(is_read=True)
            found.append(screen_lines(app))
    return found


async def settled(pilot: Pilot[None]) -> None:
    await until(pilot, lambda: not debugger(pilot).driver.is_busy)
    await pilot.pause()


@pytest.mark.sweep(26)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize(
    "name",
    [
        *("mazur", "vanishing", "xor", "printed", "graph", "overflow", "two-layer"),
        *("blocks", "digits", "misprint", "gradcheck", "rounds", "iris"),
    ],
)
async def test_after_each_of_many_keys_the_screen_is_as_if_nothing_was_drawn_ahead(
    name: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(f"{name}{size}")
    keys = [
        *draw.choice(BEGUN),
        *(draw.choice((*STEPS, draw.choice(OTHERS), draw.choice(TYPED))) for _ in range(30)),
    ]
    scenario = load(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "one"))
    ahead = await screens_after(app_of(scenario), size, keys)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    as_it_comes = await screens_after(TakenAsItComes(scenario), size, keys)
    for at, (one, other) in enumerate(zip(ahead, as_it_comes, strict=True)):
        assert one == other, keys[: at + 1]


async def taken(pilot: Pilot[None], monkeypatch: pytest.MonkeyPatch, *keys: str) -> set[str | None]:
    """Press keys, and return which views have shown what was drawn ahead of the last step."""
    found: set[str | None] = set()
    put = SceneView._put

    def noted(view: SceneView, state: Any) -> None:
        if not view._is_aside:
            found.add(view.id)
        put(view, state)

    monkeypatch.setattr(SceneView, "_put", noted)
    for key in keys:
        found.clear()
        await pilot.press(key)
        await until(pilot, lambda: not behind(pilot) and looked_from(pilot) == place(pilot))
    return found


def behind(pilot: Pilot[None]) -> bool:
    assert isinstance(pilot.app, NnstepApp)
    return pilot.app.is_behind


def looked_from(pilot: Pilot[None]) -> int | None:
    """Return the place from which the app has looked ahead last."""
    here = debugger(pilot)._ahead.here
    return here.place if here else None


async def test_a_step_after_another_is_shown_as_it_was_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with app_of(built_in("mazur")).run_test(size=WIDE) as pilot:
        found = await taken(pilot, monkeypatch, "s", "s", "s")
        panes = {"step", "program", "more-weights", "more-values", "more-gradients"}
        assert found == {*panes, "status", "strip"}


async def test_where_something_was_done_meanwhile_that_is_drawn_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with app_of(built_in("mazur")).run_test(size=WIDE) as pilot:
        found = await taken(pilot, monkeypatch, "s", "s")
        assert "program" in found
        debugger(pilot).query_one(ProgramPane).action_scroll_lines(5)
        found = await taken(pilot, monkeypatch, "s")
        assert "program" not in found
        assert "step" in found


async def test_a_message_is_gone_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("s", "s")
        debugger(pilot).say("Something.")
        await pilot.pause()
        debugger(pilot)._ahead.here = None
        debugger(pilot).look_ahead(is_read=True)
        assert "strip" in await taken(pilot, monkeypatch, "s")
        assert debugger(pilot).query_one(Strip).message == ""
        assert not any("Something." in line for line in screen_lines(pilot.app))


async def test_what_keys_would_wait_for_too_long_is_left_until_the_step_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        screen = debugger(pilot)
        monkeypatch.setattr(NnstepApp, "answered", lambda app, is_read: None)
        await pilot.press("s", "s")
        screen.look_ahead(is_read=False)
        assert looked_from(pilot) == place(pilot)
        took = screen._ahead._took
        assert 0 < took[screen.driver.snapshot.position] < AT_ONCE
        took |= dict.fromkeys(range(len(screen.driver.snapshot.program)), 2 * AT_ONCE)
        await pilot.press("s")
        screen.look_ahead(is_read=False)
        assert looked_from(pilot) == place(pilot) - 1
        screen.look_ahead(is_read=True)
        assert looked_from(pilot) == place(pilot)
        assert took[screen.driver.snapshot.position] != 2 * AT_ONCE, "it is timed each time"


async def test_whoever_presses_nothing_for_a_while_reads() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        lines = range(len(debugger(pilot).driver.snapshot.program))
        debugger(pilot)._ahead._took.update(dict.fromkeys(lines, 2 * AT_ONCE))
        await pilot.press("s")
        await until(pilot, lambda: looked_from(pilot) == place(pilot))


async def test_nothing_is_looked_for_after_other_keys() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press("i")
        await pilot.press("down", "i", "b", "2", "left")
        await pilot.pause()
        assert looked_from(pilot) is None
        await pilot.press("s")
        await until(pilot, lambda: looked_from(pilot) == place(pilot))


@pytest.mark.parametrize(("keys", "size"), [(("s", "m"), NARROW), (("s", "m", "m"), WIDE)])
async def test_a_map_is_drawn_ahead_too(
    keys: tuple[str, ...], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app_of(built_in("mazur")).run_test(size=size) as pilot:
        await pilot.press(*keys)
        found = await taken(pilot, monkeypatch, "s", "s")
        assert {"map", "strip", "status"} <= found


async def test_the_tree_of_the_next_step_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"ssssp", "s")
        await until(pilot, lambda: looked_from(pilot) == place(pilot))
        asked: list[str] = []
        root = Tree.root

        def noted(tree: Tree, name: str, *more: Any) -> Any:
            asked.append(name)
            return root(tree, name, *more)

        monkeypatch.setattr(Tree, "root", noted)
        assert "strip" in await taken(pilot, monkeypatch, "s")
        assert len(asked) == 1  # that of the step after it
