"""What is said of each built-in scenario where they are listed: on the screen, or a line each."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from nnstep import scenarios
from nnstep.engine.loading import read
from nnstep.engine.machine.start import run_length
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import printable


class About(Struct, frozen=True):
    """What the file of a scenario says of it; of a broken one, there is only a `problem`."""

    title: str
    summary: str = ""
    facts: str = ""
    problem: str = ""


class Entry(Struct, frozen=True, dict=True):
    """A scenario of the gallery; its file is read when it is first asked what it is `about`."""

    name: str
    path: Path
    shape: str
    group: str
    teaches: str

    @cached_property
    def about(self) -> About:
        """What its file says of it."""
        try:
            scenario = read(self.path)
        except ScenarioError as error:
            return About(self.name, problem=str(error))
        return About(printable(scenario.title), summary_of(scenario), facts_of(scenario))

    @property
    def is_read(self) -> bool:
        """Whether its file has been read."""
        return "about" in vars(self)

    @property
    def problem(self) -> str:
        """What is wrong with its file; empty if nothing is."""
        return self.about.problem


def entries() -> Iterator[Entry]:
    """Yield all built-in scenarios, in gallery order."""
    for group, example in scenarios.examples():
        path = scenarios.path(example.name)
        yield Entry(example.name, path, example.shape, group, example.teaches)


FINISHED = "✓"


def progress(path: Path, place: int) -> str:
    """Write how far a run of a scenario has come: its iteration, or a mark if it is at its end."""
    from nnstep.engine.program.compile import program_of

    scenario = read(path)
    at, length = place // len(program_of(scenario)), run_length(scenario)
    return FINISHED if length is not None and at >= length else f"it {at:,}"


def facts_of(scenario: Scenario) -> str:
    """Write how much there is of a scenario: inputs, rows, and how long it runs."""
    facts = []
    if scenario.network is not None:
        facts.append(_counted(scenario.network.inputs, "input"))
    if scenario.data is not None:
        facts.append(_counted(len(scenario.data.x), "row"))
    if scenario.optimizer is None:
        facts.append("one pass")
    elif scenario.run.iterations is not None:
        facts.append(_counted(scenario.run.iterations, "iteration"))
    elif scenario.run.epochs is not None:
        facts.append(_counted(scenario.run.epochs, "epoch"))
    return ", ".join(facts)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def summary_of(scenario: Scenario) -> str:
    """Return the first line of the description, without Markdown's marks for code."""
    lines = scenario.description.strip().splitlines()
    return printable(lines[0].strip()).replace("`", "") if lines else ""
