"""The prompt: a line for commands, which completes names, remembers, and keeps what was wrong.

It stands on the last lines of the screen, and answers stand above it. It stays open until a command
has moved the run, or it is closed; what was moved is seen on the screen below.
"""

import os
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from nnstep.engine.commands.command import Answer
from nnstep.engine.driver import Driver
from nnstep.engine.language.typed import TextError

from .overlay import Field, Question

_HINT = "Esc, an empty line or a move closes this. Tab completes, ↑ recalls; try help."


class Prompt(Question):
    """Asks for commands and has them executed; the result is the answer that has closed it.

    `typed` are the commands so far, the oldest first; new ones are added to it. `begun` stands
    there already, to be changed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("tab", "complete", show=False, priority=True),
        Binding("up", "recall(-1)", show=False, priority=True),
        Binding("down", "recall(1)", show=False, priority=True),
        Binding("pageup", "scroll_answer(-1)", show=False, priority=True),
        Binding("pagedown", "scroll_answer(1)", show=False, priority=True),
        Binding("ctrl+c", "interrupt", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    Prompt {
        align: left bottom;
        background: transparent;
        Vertical { height: auto; background: $panel; padding: 0 1; }
        VerticalScroll { height: 0; scrollbar-size-vertical: 1; }
        Horizontal { height: 1; }
        Input, Input:focus { border: none; height: 1; padding: 0; background: $background; }
        Input { width: 1fr; }
        #colon { text-style: bold; width: auto; margin-right: 1; }
        #hint { color: $muted; height: auto; }
        #hint.-error { color: $error; }
    }
    """

    def __init__(self, driver: Driver, typed: list[str], begun: str = "") -> None:
        super().__init__(driver)
        self._begun = begun
        self._typed = typed
        self._recalled = len(typed)
        self._lines: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        """Leave room for an answer, ask, and leave a line for what is wrong."""
        with Vertical():
            with VerticalScroll(id="answer", can_focus=False):
                yield Static(id="text")
            with Horizontal():
                yield Static(Content(":"), id="colon")
                field = Field(self._begun, select_on_focus=False)
                field.cursor_blink = False
                yield field
            yield Static(Content(_HINT), id="hint")

    def line_of(self, text: str) -> str:
        """Take a line as it is, and keep it to be recalled."""
        if (line := text.strip().lstrip(": ")) and self._typed[-1:] != [line]:
            self._typed.append(line)
        self._recalled = len(self._typed)
        return line

    def show_ready(self) -> None:
        """Say what the keys do."""
        self._hint(_HINT)

    def show_working(self) -> None:
        """Say that the line takes longer."""
        self._hint("Working; Escape interrupts.")

    def show_mistake(self, error: TextError) -> None:
        """Say what is wrong, and keep what was typed."""
        self.refuse(str(error))

    def refuse(self, reason: str) -> None:
        """Say why something is not done, and keep what was typed."""
        self._hint(reason, error=True)

    def show_answer(self, answer: Answer) -> None:
        """Show an answer here, and a curve above; where the run was moved, leave to show that."""
        if answer.moved or answer.quit or answer.asks:
            self.dismiss(answer)
            return
        self.query_one(Input).value = ""
        self.show_ready()
        if answer.plot is not None:
            from .dialogs import Plot

            self.app.push_screen(Plot(answer.plot))
            return
        self._lines = answer.lines
        self.query_one("#text", Static).update(Content("\n".join(answer.lines)))
        self.query_one(VerticalScroll).scroll_home(animate=False)
        self._make_room()

    def _make_room(self) -> None:
        """Give the answer as many lines as it needs, up to two thirds of the screen."""
        size = self.app.size
        needed = sum(max(1, -(-cell_len(line) // (size.width - 3))) for line in self._lines)
        self.query_one(VerticalScroll).styles.height = min(needed, size.height * 2 // 3)

    def on_resize(self) -> None:
        """Make room anew."""
        self._make_room()

    def _hint(self, text: str, *, error: bool = False) -> None:
        hint = self.query_one("#hint", Static)
        hint.update(Content(text))
        hint.set_class(error, "-error")

    def on_input_changed(self) -> None:
        """Take what was said of the last command away."""
        self.show_ready()

    def action_interrupt(self) -> None:
        """Interrupt what is running; with nothing running, say how to leave."""
        if self.is_working:
            self.driver.pause()
        else:
            self._hint("Escape leaves the prompt.")

    def action_complete(self) -> None:
        """Complete the last word as far as it is clear, and show what it could be."""
        from nnstep.engine.commands.interpreter import completed

        field = self.query_one(Input)
        before, after = field.value[: field.cursor_position], field.value[field.cursor_position :]
        if words := self.driver.completions(before):
            start = completed(before, os.path.commonprefix(words))  # noqa: RUF071 - of names
            field.value = start + after
            field.cursor_position = len(start)
        if len(words) > 1:
            self.call_after_refresh(self._hint, "  ".join(words))

    def action_recall(self, direction: int) -> None:
        """Go through the commands typed before."""
        self._recalled = min(max(self._recalled + direction, 0), len(self._typed))
        field = self.query_one(Input)
        field.value = self._typed[self._recalled] if self._recalled < len(self._typed) else ""
        field.cursor_position = len(field.value)

    def action_scroll_answer(self, pages: int) -> None:
        """Scroll a long answer by pages."""
        view = self.query_one(VerticalScroll)
        (view.scroll_page_down if pages > 0 else view.scroll_page_up)(animate=False)
