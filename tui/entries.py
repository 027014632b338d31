"""What is said of each built-in scenario where they are listed: on the screen, or a line each."""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from nnstep import scenarios
from nnstep.engine.loading import read
from nnstep.engine.machine.start import run_length
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import printable


class Entry(Struct, frozen=True):
    """A scenario of the gallery; a broken one has a `problem` in place of a shape and a summary."""

    name: str
    path: Path
    title: str
    shape: str = ""
    summary: str = ""
    facts: str = ""
    group: str = ""
    teaches: str = ""
    problem: str = ""


def entries() -> Iterator[Entry]:
    """Read every built-in scenario; a broken file gives an entry that says so."""
    for group, example in scenarios.examples():
        path = scenarios.path(example.name)
        try:
            scenario = read(path)
        except ScenarioError as error:
            yield Entry(example.name, path, example.name, group=group, problem=str(error))
        else:
            yield Entry(
                name=example.name,
                path=path,
                title=printable(scenario.title),
                shape=example.formula or shape_of(scenario),
                summary=summary_of(scenario),
                facts=facts_of(scenario),
                group=group,
                teaches=example.teaches,
            )


FINISHED = "✓"


def progress(path: Path, place: int) -> str:
    """Write how far a run of a scenario has come: its iteration, or a mark if it is at its end."""
    from nnstep.engine.program.compile import program_of

    scenario = read(path)
    at, length = place // len(program_of(scenario)), run_length(scenario)
    return FINISHED if length is not None and at >= length else f"it {at:,}"


_MOST_WIDTHS = 6


def shape_of(scenario: Scenario) -> str:
    """Write the widths of a network's layers, `2-2-2`, those in the middle of many left out."""
    network = scenario.network
    if network is None:
        return "expression"
    widths = [str(network.inputs), *(str(layer.units) for layer in network.layers)]
    if len(widths) > _MOST_WIDTHS:
        widths = [*widths[:2], "…", *widths[-2:]]
    return "-".join(widths)


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
