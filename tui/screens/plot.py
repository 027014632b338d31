"""A plot: a curve over all iterations, over the lower part of the screen, until a key closes it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from nnstep.engine.arrays import Array
from nnstep.tui.widgets.plot_pane import PlotPane


class Plot(ModalScreen[None]):
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

    def __init__(self, text: str, values: Array, *, complete: bool) -> None:
        super().__init__()
        self._text = text
        self._values = values
        self._complete = complete

    def compose(self) -> ComposeResult:
        """Show the curve, and whether it was waited for to the end."""
        with Vertical():
            yield PlotPane(self._text, self._values)
            end = "" if self._complete else " It was interrupted: the end is missing."
            yield Static(Content(f"Escape closes this.{end}"), id="close")
