"""The questions that apply to a cell, to choose one of; its answer stands in place of them then."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from .overlay import LowDialog

if TYPE_CHECKING:
    from nnstep.engine.explain.questions import Offered


class Questions(LowDialog[str]):
    """Offers questions; the result is the line of the prompt that answers the one chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", show=False),
        Binding("enter", "choose", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        *(Binding(str(n), f"choose({n})", show=False) for n in range(1, 10)),
    ]
    DEFAULT_CSS = """
    Questions .chosen { text-style: bold reverse; }
    """

    def __init__(self, title: str, offered: "Sequence[Offered]") -> None:
        super().__init__()
        self._title = title
        self._offered = offered
        self._chosen = 0

    def compose(self) -> ComposeResult:
        """Show a question a line, with its number, and how one chooses."""
        with Vertical():
            yield Static(Content(self._title), id="title")
            for _ in self._offered:
                yield Static(classes="question")
            last = len(self._offered)
            yield Static(
                Content(f"1 to {last}, or ↑ ↓ and Enter, asks. Escape leaves."), id="close"
            )

    def on_mount(self) -> None:
        """Begin with the first question."""
        self._draw()

    def _draw(self) -> None:
        lines = self.query(".question").results(Static)
        for number, (line, each) in enumerate(zip(lines, self._offered, strict=True), 1):
            is_chosen = number == self._chosen + 1
            text = f"{number}  {each.text}"
            line.update(Content(f"[{text}]" if is_chosen else f" {text} "))
            line.set_class(is_chosen, "chosen")

    def action_move(self, by: int) -> None:
        """Go to the question below or above."""
        self._chosen = (self._chosen + by) % len(self._offered)
        self._draw()

    def action_choose(self, number: int = 0) -> None:
        """Ask the question of a number, or the one that is marked."""
        if number <= len(self._offered):
            self.dismiss(self._offered[number - 1 if number else self._chosen].command)
