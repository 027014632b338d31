"""A report: lines of text over the lower part of the screen, until a key closes it."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static


class Report(ModalScreen[None]):
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
