"""What opens over the panes and closes again: the editor of a value, reports, plots."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from nnstep.engine.commands.command import Answer
from nnstep.engine.driver import Driver
from nnstep.engine.language.typed import TextError
from nnstep.tui.panes.curves import PlotPane

from .actions import of_id, shown_key
from .overlay import Dialog, Field, Question

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
                field = Field(self._current)
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
        self.refuse(str(error.counted_from(len(self._beginning))))

    def refuse(self, reason: str) -> None:
        """Say why something is not done, and keep what was typed."""
        said = self.query_one("#reason", Static)
        said.update(Content(reason))
        said.add_class("-error")


class Shown(Dialog[bool]):
    """Shows what was asked for. The result tells whether the prompt's key has closed it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", show=False),
        Binding(of_id("verify").keys, "dismiss", show=False, id="verify"),
        Binding(of_id("prompt").keys, "dismiss(True)", show=False, id="prompt"),
    ]

    @property
    def ways_out(self) -> str:
        """How one goes on."""
        keys = self.active_bindings
        prompt = next((key for key, each in keys.items() if each.binding.id == "prompt"), "")
        begins = f" {shown_key(prompt)} begins a command." if prompt else ""
        return f"Escape closes this.{begins}"


class Report(Shown):
    """Shows lines under a title."""

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
        yield Static(Content(self.ways_out), id="close")


class Plot(Shown):
    """Shows the values of an expression over the history of a branch."""

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
            yield Static(Content(f"{self.ways_out}{end}"), id="close")
