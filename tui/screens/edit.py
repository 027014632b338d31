"""The question for a new value: it starts with the exact present one, and mistakes stay."""

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class EditValue(ModalScreen[None]):
    """Asks for a number; `change` makes the change or raises `ValueError` saying why not."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", show=False)]
    DEFAULT_CSS = """
    EditValue {
        align: center middle;
        background: transparent;
        Vertical { width: 60; max-width: 100%; height: auto; background: $panel; padding: 1 2; }
        Input, Input:focus { border: none; height: 1; padding: 0; background: $background; }
        #prompt { text-style: bold; margin-bottom: 1; }
        #reason { color: $muted; margin-top: 1; }
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
