"""What opens over another screen, and closes once, however often it is told to.

Keys, pastes and clicks can each close a screen, and what closes it may come twice, or late, when
something else stands on top. Textual would take the topmost screen away each time.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import work
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, OptionList

from nnstep.engine.language.typed import TextError

from .typeahead import hold

if TYPE_CHECKING:
    from nnstep.engine.commands.command import Answer
    from nnstep.engine.driver import Driver

Result = TypeVar("Result")

MOST_TYPED = 4_000
"""So many characters can be typed in a line."""

_ANSWERS = (Input.Submitted, OptionList.OptionSelected)


class Overlay(Screen[Result]):
    """A screen that is answered once: the first result counts, and no other screen goes for it."""

    _is_answered = False
    _close_on_top: Callable[[], object] | None = None

    @property
    def is_answered(self) -> bool:
        """Whether there is a result, and nothing more to do here."""
        return self._is_answered

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Close with a result, now or once nothing stands on top any more."""
        if self._is_answered:
            return AwaitComplete()
        self._is_answered = True
        if self.is_active:
            return super().dismiss(result)
        self._close_on_top = lambda: super(Overlay, self).dismiss(result)
        return AwaitComplete()

    async def _dispatch_message(self, message: Message) -> None:
        if not (self._is_answered and isinstance(message, _ANSWERS)):
            await super()._dispatch_message(message)

    def on_screen_resume(self) -> None:
        """Close, if that was to be done when another screen stood on top."""
        if self._close_on_top is not None and self.is_active:
            close, self._close_on_top = self._close_on_top, None
            close()


class Field(Input):
    """A line to type in; what would make it longer than it can be is left out.

    A line is drawn in a time that grows with the square of its length, if there are wide
    characters in it.
    """

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        select_on_focus: bool = True,
        id: str | None = None,
    ) -> None:
        super().__init__(
            value, placeholder, select_on_focus=select_on_focus, max_length=MOST_TYPED, id=id
        )

    class Full(Message):
        """Something was left out, since the line would have become too long."""

    def restricted(self) -> None:
        """Leave out what would make the line too long."""
        super().restricted()
        self.post_message(self.Full())


class Dialog(ModalScreen[Result], Overlay[Result]):
    """An overlay that has all the keys."""


class LowDialog(Dialog[Result]):
    """A dialog in place of the strip: a title, some lines, and how one leaves."""

    DEFAULT_CSS = """
    LowDialog {
        align: left bottom;
        background: transparent;
        Vertical { height: auto; background: $panel; padding: 0 1; }
        #title { color: $primary; text-style: bold; }
        #close { color: $muted; }
    }
    """


class Question(Dialog["Answer | None"]):
    """Asks for a line, and has it executed; keys that come meanwhile wait for what it answers.

    A subclass has one `Input`, makes a line of what was typed, and shows the answer or the mistake.
    """

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, driver: "Driver") -> None:
        super().__init__()
        self.driver = driver
        self._answering: asyncio.Future[Answer] | None = None

    @property
    def is_working(self) -> bool:
        """Whether a line is being executed."""
        return self._answering is not None

    def line_of(self, text: str) -> str:
        """Return the line to execute for what was typed; empty for none."""
        raise NotImplementedError

    def show_ready(self) -> None:
        """Say what can be done."""

    def show_working(self) -> None:
        """Say that the line takes longer."""

    def show_answer(self, answer: "Answer") -> None:
        """Show what a line has answered."""
        raise NotImplementedError

    def show_mistake(self, error: TextError) -> None:
        """Show what is wrong with a line."""
        raise NotImplementedError

    def refuse(self, reason: str) -> None:
        """Say why something is not done, and keep what was typed."""
        raise NotImplementedError

    def on_field_full(self) -> None:
        """Say why something was left out."""
        self.refuse(f"A line has at most {MOST_TYPED:,} characters; this was left out.")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Execute what was typed, or leave if that is nothing."""
        if self.is_answered or self.is_working:
            return
        if not (line := self.line_of(event.value)):
            self.dismiss()
            return
        answering = self._answering = self.driver.do(line)
        if answering.done():
            self._tell(answering)
        else:
            self.show_working()
            hold(self.app, self._tell_later(answering))

    @work
    async def _tell_later(self, answering: "asyncio.Future[Answer]") -> None:
        await asyncio.wait({answering})
        self._tell(answering)

    def _tell(self, answering: "asyncio.Future[Answer]") -> None:
        self._answering = None
        try:
            self.show_answer(answering.result())
        except TextError as error:
            self.show_mistake(error)
        except Exception:
            self.show_ready()
            raise

    def action_leave(self) -> None:
        """Interrupt what is running; with nothing running, close."""
        if self.is_working:
            self.driver.pause()
        else:
            self.dismiss()


class Palette(CommandPalette, Overlay[None]):
    """Textual's palette; its list answers no key before there is room for it on the screen.

    Until then it has no lines, and the keys that go by pages look for one.
    """

    def on_mount(self) -> None:
        """Take no longer a line than others do."""
        self.query_one(Input).max_length = MOST_TYPED

    def _watch__list_visible(self) -> None:
        """Show the list or not, unless it has gone: a search may end after the palette."""
        if self.query(OptionList):
            super()._watch__list_visible()

    def _action_command_list(self, action: str) -> None:
        if self.query_one(OptionList).scrollable_content_region:
            super()._action_command_list(action)
