"""The question for a new value: it starts with the exact present one, and mistakes stay.

It stands on the last lines of the screen, so that the cell that is changed stays in view.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class EditValue(ModalScreen[None]):
    """Asks for a number; `change` makes the change or raises `ValueError` saying why not."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", show=False)]
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

    def __init__(self, cell: str, current: str, change: Callable[[str], Awaitable[None]]) -> None:
        super().__init__()
        self._cell = cell
        self._current = current
        self._change = change

    def compose(self) -> ComposeResult:
        """Ask, with the present value filled in, and leave a line for what is wrong."""
        with Vertical():
            with Horizontal():
                yield Static(Content(f"New value of {self._cell}"), id="prompt")
                field = Input(self._current, select_on_focus=True)
                field.cursor_blink = False
                yield field
            yield Static(Content("Enter changes it, Escape leaves it."), id="reason")

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Change the value, or say what is wrong with the text and keep it."""
        try:
            await self._change(event.value)
        except ValueError as error:
            reason = self.query_one("#reason", Static)
            reason.update(Content(str(error)))
            reason.add_class("-error")
        else:
            self.dismiss()
