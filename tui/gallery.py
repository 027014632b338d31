"""The built-in scenarios, by name, and how a scenario is described in one line.

Nothing here imports NumPy until a scenario is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nnstep import scenarios
from nnstep.engine.text import printable

if TYPE_CHECKING:
    from nnstep.engine.scenario.model import Scenario


@dataclass(frozen=True, slots=True)
class Entry:
    """A scenario of the gallery; a broken one has a `problem` in place of a shape and a summary."""

    name: str
    path: Path
    title: str
    shape: str = ""
    summary: str = ""
    problem: str = ""


def built_in() -> dict[str, Path]:
    """Return the built-in scenarios by name, in the order of a course."""
    return {name: scenarios.path(name) for name in scenarios.names()}


def entries() -> Iterator[Entry]:
    """Read every built-in scenario; a broken file gives an entry that says so."""
    from nnstep.engine import ScenarioError, load

    for name, path in built_in().items():
        try:
            scenario = load(path)
        except ScenarioError as error:
            yield Entry(name, path, name, problem=str(error))
        else:
            yield Entry(
                name, path, printable(scenario.title), shape_of(scenario), summary_of(scenario)
            )


def shape_of(scenario: "Scenario") -> str:
    """Write the widths of a network's layers, `2-2-2`."""
    network = scenario.network
    if network is None:
        return "expression"
    return "-".join(map(str, (network.inputs, *(layer.units for layer in network.layers))))


def summary_of(scenario: "Scenario") -> str:
    """Return the first line of the description, without Markdown's marks for code."""
    lines = scenario.description.strip().splitlines()
    return printable(lines[0].strip()).replace("`", "") if lines else ""
