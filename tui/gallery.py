"""The gallery: all built-in scenarios, each with what it shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from nnstep import scenarios
from nnstep.engine.saving.recovery import Leftover, leftovers
from nnstep.engine.text import printable
from nnstep.tui.panes.bars import KeyLine

from .actions import Action
from .debugger import Debugger
from .overlay import Overlay

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
    from nnstep.engine.loading import read
    from nnstep.engine.scenario.errors import ScenarioError

    for name, path in built_in().items():
        try:
            scenario = read(path)
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


class Choices(OptionList):
    """A list that answers no key by pages before it is laid out: it has no lines until then."""

    def _move_page(self, direction: Literal[-1, 1]) -> None:
        if self.scrollable_content_region:
            super()._move_page(direction)


class Gallery(Overlay[Entry | Leftover | None]):
    """Lists the scenarios, then the sessions left over; Enter, or a click, opens one."""

    DEFAULT_CSS = """
    Gallery {
        background: $background;
        #heading { height: 1; padding: 0 1; background: $panel; color: $primary; text-style: bold; }
        OptionList, OptionList:focus {
            height: 1fr;
            border: none;
            padding: 1 1 0 1;
            background: $background;
            text-wrap: nowrap;
            text-overflow: ellipsis;
            scrollbar-size-vertical: 1;
        }
        OptionList > .option-list--option { padding: 0 1 1 1; }
        KeyLine { height: 1; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", show=False)]

    def __init__(self, actions: tuple[Action, ...]) -> None:
        super().__init__()
        self._actions = actions
        self._entries: list[Entry | Leftover] = [*entries(), *leftovers()]

    def compose(self) -> ComposeResult:
        """Show the list between a heading and the keys."""
        yield Static(Content("nnstep: choose a scenario"), id="heading")
        yield Choices(*(Option(_describe(entry)) for entry in self._entries), markup=False)
        yield KeyLine(tuple(action for action in self._actions if action.scope == "app"), id="keys")

    def action_back(self) -> None:
        """Go back to what was open, if anything was."""
        if isinstance(self.app.screen_stack[-2], Debugger):
            self.dismiss()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open a scenario, or say why it cannot be opened."""
        entry = self._entries[event.option_index]
        if entry.problem and not (isinstance(entry, Leftover) and entry.can_be_opened):
            self.notify(entry.problem, severity="error", markup=False)
        else:
            self.dismiss(entry)


def _describe(entry: Entry | Leftover) -> Content:
    """Write an entry in two lines: its name, title and shape, and what it is about."""
    if isinstance(entry, Leftover):
        return Content.assemble(
            ("An earlier session", "$primary"),
            "  ",
            (str(entry), "bold"),
            "\n",
            (printable(str(entry.path)), "$muted"),
        )
    about, style = entry.summary, "$muted"
    if entry.problem:
        about, style = f"cannot be opened: {entry.problem.splitlines()[0]}", "$error"
    return Content.assemble(
        (entry.name, "$primary"),
        "  ",
        (entry.title, "bold"),
        "  ",
        (entry.shape, "$secondary"),
        "\n",
        (about, style),
    )
