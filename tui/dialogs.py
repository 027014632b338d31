"""What opens over the panes and closes again: the editor of a value, reports, plots, help."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Markdown, Static

from nnstep.engine.commands.command import Answer
from nnstep.engine.driver import Driver
from nnstep.engine.language.typed import TextError
from nnstep.engine.text import printable
from nnstep.tui.panes.curves import PlotPane

from .actions import Action
from .overlay import Dialog, Overlay, Question

if TYPE_CHECKING:
    from nnstep.engine.session.queries import Series


class EditValue(Question):
    """Asks for a new value of a cell, and has it changed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("ctrl+c", "leave", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    EditValue {
        align: left bottom;
        background: transparent;
        Vertical { height: auto; background: $panel; padding: 0 1; }
        Horizontal { height: 1; }
        Input, Input:focus { border: none; height: 1; padding: 0; background: $background; }
        Input { width: 1fr; }
        #prompt { text-style: bold; width: auto; margin-right: 1; }
        #reason { color: $muted; }
        #reason.-error { color: $error; }
    }
    """

    def __init__(self, driver: Driver, cell: str, current: str) -> None:
        super().__init__(driver)
        self._cell = cell
        self._current = current

    def compose(self) -> ComposeResult:
        """Ask, with the present value filled in, and leave a line for what is wrong."""
        with Vertical():
            with Horizontal():
                yield Static(Content(f"New value of {self._cell}"), id="prompt")
                field = Input(self._current, select_on_focus=True)
                field.cursor_blink = False
                yield field
            yield Static(Content("Enter changes it, Escape leaves it."), id="reason")

    def line_of(self, text: str) -> str:
        """Return the command that changes the cell."""
        return f"{self._beginning}{text}"

    @property
    def _beginning(self) -> str:
        return f"set {self._cell} = "

    def show_answer(self, answer: Answer) -> None:
        """Close: the change is seen on the screen."""
        self.dismiss(answer)

    def show_mistake(self, error: TextError) -> None:
        """Say what is wrong with the text, and keep it."""
        reason = self.query_one("#reason", Static)
        reason.update(Content(str(error.counted_from(len(self._beginning)))))
        reason.add_class("-error")


class Report(Dialog[None]):
    """Shows lines under a title."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,v", "dismiss", show=False),
    ]
    DEFAULT_CSS = """
    Report {
        align: left bottom;
        background: transparent;
        VerticalScroll {
            height: auto; max-height: 75%; background: $panel; padding: 0 1;
            scrollbar-size-vertical: 1;
        }
        #title { color: $primary; text-style: bold; }
        #close { color: $muted; background: $panel; padding: 0 1; height: 1; }
    }
    """

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._lines = lines

    def compose(self) -> ComposeResult:
        """Show the title and the lines, which scroll if they are many."""
        with VerticalScroll():
            yield Static(Content(self._title), id="title")
            yield Static(Content("\n".join(self._lines)))
        yield Static(Content("Escape closes this."), id="close")


class Plot(Dialog[None]):
    """Shows the values of an expression over the history of a branch."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss", show=False)]
    DEFAULT_CSS = """
    Plot {
        align: left bottom;
        background: transparent;
        Vertical { height: 60%; min-height: 10; background: $background; }
        PlotPane { height: 1fr; }
        #close { color: $muted; background: $panel; padding: 0 1; height: 1; }
    }
    """

    def __init__(self, series: "Series") -> None:
        super().__init__()
        self._series = series

    def compose(self) -> ComposeResult:
        """Show the curve, and whether it was waited for to the end."""
        with Vertical():
            yield PlotPane(self._series.text, self._series.values)
            end = "" if self._series.complete else " It was interrupted: the end is missing."
            yield Static(Content(f"Escape closes this.{end}"), id="close")


MARKS = """\
 ●  written by the last step        ○  read by the last step
 ≈  computed from something edited since, not yet again
 ■ □  a breakpoint, and one that is disabled        !  faults that have shown
 ▲ ▼  grown or shrunk since the last command        ≠  changed, without a difference
 Colour is size: blue below a thousandth, a shade for every ten times more, orange from ten on."""


class Help(Overlay[None]):
    """Shows what a scenario is about, its warnings if it has any, the actions, and the marks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "dismiss", show=False)
    ]
    DEFAULT_CSS = """
    Help {
        background: $background;
        VerticalScroll { padding: 1 2; scrollbar-size-vertical: 1; }
        .heading { color: $primary; text-style: bold; margin-top: 1; }
        Markdown { padding: 0; margin: 0; background: $background; }
        #close { height: 1; background: $panel; color: $muted; padding: 0 1; }
    }
    """

    def __init__(
        self,
        actions: tuple[Action, ...],
        title: str,
        description: str,
        warnings: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self._actions = actions
        self._title = title
        self._description = description
        self._warnings = warnings

    def compose(self) -> ComposeResult:
        """Show what the scenario is about first, and what is doubtful, then the keys."""
        with VerticalScroll():
            if self._title:
                yield Static(Content(self._title), classes="heading")
                yield Markdown(self._description, open_links=False)
            if self._warnings:
                yield Static(Content("Warnings"), classes="heading")
                yield Static(Content("\n".join(map(printable, self._warnings))))
            for group, actions in groupby(self._actions, lambda action: action.group):
                yield Static(Content(group), classes="heading")
                yield Static(_table(list(actions)))
            yield Static(Content("Commands, typed after :"), classes="heading")
            yield Static(_commands())
            yield Static(Content("Marks"), classes="heading")
            yield Static(Content(MARKS))
        yield Static(Content("Escape closes this page."), id="close")


def _commands() -> Text:
    """Write two lines for every command: how it is typed, and what it does."""
    from nnstep.engine.commands.interpreter import COMMANDS

    rows = [f" {command.synopsis}\n     {command.summary}" for command in COMMANDS]
    return Text("\n".join(rows))


def _table(actions: list[Action]) -> Text:
    """Write a line for every action: its keys, and what it does."""
    rows = [f" {' '.join(action.shown_keys):<14} {action.description}" for action in actions]
    return Text("\n".join(rows))
