"""The help: every key, and what the opened scenario is about."""

from itertools import groupby
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Markdown, Static

from nnstep.engine.text import printable
from nnstep.tui.actions import Action

MARKS = """\
 ●  written by the last step        ○  read by the last step
 ≈  computed from something edited since, not yet again
 ■ □  a breakpoint, and one that is disabled        !  faults that have shown
 ▲ ▼  grown or shrunk since the last command        ≠  changed, without a difference
 Colour is size: blue below a thousandth, a shade for every ten times more, orange from ten on."""


class Help(Screen[None]):
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
    from nnstep.engine.commands.registry import COMMANDS

    rows = [f" {command.synopsis}\n     {command.summary}" for command in COMMANDS]
    return Text("\n".join(rows))


def _table(actions: list[Action]) -> Text:
    """Write a line for every action: its keys, and what it does."""
    rows = [f" {' '.join(action.shown_keys):<14} {action.description}" for action in actions]
    return Text("\n".join(rows))
