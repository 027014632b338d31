"""The gallery: it lists the examples, finds them, opens one and is come back to."""

import threading
from pathlib import Path

import pytest
from debugging import NARROW, debugger, place, small
from screen_text import screen_text, until
from textual.pilot import Pilot

from nnstep import scenarios
from nnstep.engine.loading import load, read
from nnstep.engine.scenario.errors import Problem, ScenarioError
from nnstep.engine.scenario.model import Scenario
from nnstep.tui.app import NnstepApp
from nnstep.tui.debugger import Debugger
from nnstep.tui.gallery import Gallery


async def test_the_gallery_opens_a_scenario_and_comes_back() -> None:
    async with NnstepApp().run_test(size=NARROW) as pilot:
        assert isinstance(pilot.app.screen, Gallery)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, Gallery)
        assert "Mazur's 2-2-2 network" in screen_text(pilot.app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Debugger))
        assert "neuron by neuron" in debugger(pilot).scenario.title
        await pilot.press("o", "enter")
        await until(pilot, lambda: "Mazur" in getattr(pilot.app.screen, "scenario", small()).title)
        await pilot.press("s", "o", "escape", "s")
        assert place(pilot) == 2


async def test_while_what_was_chosen_is_loaded_the_app_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = threading.Event()

    def held_up(path: Path) -> Scenario:
        go_on.wait(20)
        return load(path)

    monkeypatch.setattr("nnstep.engine.loading.load", held_up)
    async with NnstepApp().run_test() as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, Debugger)
        go_on.set()
        await until(pilot, lambda: isinstance(pilot.app.screen, Debugger))


def listed_examples(pilot: Pilot[None]) -> list[str]:
    """Return the first words of the gallery's lines that are names of scenarios."""
    lines = screen_text(pilot.app).replace("[", " ").replace("]", " ").splitlines()
    words = [line.split()[:1] for line in lines]
    return [word for (word,) in filter(None, words) if word in scenarios.names()]


async def test_the_gallery_is_grouped_and_searched() -> None:
    async with NnstepApp().run_test(size=(80, 60)) as pilot:
        await until(pilot, lambda: listed_examples(pilot) == list(scenarios.names()))
        text = screen_text(pilot.app)
        for number, group in enumerate(scenarios.GROUPS, 1):
            assert f"─ {number}  {group} ─" in text
        await pilot.press(*"/SIGM", "space", *"gat")
        await until(pilot, lambda: listed_examples(pilot) == ["neuron"])
        assert "CS231n's neuron" in screen_text(pilot.app)
        await pilot.press("x")
        await until(pilot, lambda: "Nothing has all these words" in screen_text(pilot.app))
        await pilot.press("enter", "escape")
        await until(pilot, lambda: listed_examples(pilot) == list(scenarios.names()))
        await pilot.press(*"/karp", "down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Debugger))
        assert debugger(pilot).scenario.title.startswith("Karpathy's neuron")


async def test_the_line_of_an_example_that_cannot_be_read_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(path: Path) -> Scenario:
        if path.stem == "rows":
            raise ScenarioError([Problem(path.name, 3, 1, "as a test")])
        return read(path)

    monkeypatch.setattr("nnstep.tui.entries.read", broken)
    async with NnstepApp().run_test(size=(80, 60)) as pilot:
        line = f"{'rows':13}cannot be opened: rows.toml:3:1: as a test"
        await until(pilot, lambda: line in screen_text(pilot.app))
