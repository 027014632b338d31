"""A screen that executes commands, by key or by prompt, and shows what they answer."""

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING

from textual import work

from nnstep.engine.arrays import Shape
from nnstep.engine.commands.command import Answer
from nnstep.engine.driver import Driver
from nnstep.engine.language.typed import TextError
from nnstep.engine.text import cell_name
from nnstep.tui.panes.at_once import DrawnAtOnce

from .actions import Action, key_of
from .autosave import Autosave
from .blanks import NO_VALUE
from .messages import OpenGallery, OpenSession, Quit
from .typeahead import TypeAheadApp, hold

if TYPE_CHECKING:
    from nnstep.engine.saving.recovery import Taken
    from nnstep.engine.saving.replay import Opened
    from nnstep.tui.panes.timeline import TimelinePane


class Commanding(DrawnAtOnce):
    """Has a driver execute commands; what there is to see of it, a screen of its own shows.

    `history` is how many bytes of the past are kept of a session that is brought back.
    """

    driver: Driver
    autosave: Autosave

    def __init__(self, actions: tuple[Action, ...], history: int) -> None:
        super().__init__()
        self.typed: list[str] = []
        self._actions = actions
        self._history = history
        # Whether an earlier session was offered when the last key came.
        self._is_offered = False

    @property
    def is_hurried(self) -> bool:
        """Whether a key waits for its turn."""
        return isinstance(self.app, TypeAheadApp) and self.app.is_hurried

    @property
    @abstractmethod
    def selected(self) -> tuple[str, Shape] | None:
        """The name and the index of the cell in question."""

    @property
    @abstractmethod
    def is_at_its_step(self) -> bool:
        """Whether the step that is shown wrote the cell in question, or none has."""

    @abstractmethod
    def choose(self, cell: tuple[str, Shape]) -> None:
        """Have a cell be the one in question."""

    @abstractmethod
    def filled(self, line: str) -> str:
        """Return a line of the prompt with its blanks filled in."""

    @abstractmethod
    def say(self, message: str) -> None:
        """Answer a key."""

    @abstractmethod
    def reveal_cell(self) -> None:
        """Bring the selected cell into view."""

    def show_answer(self, answer: Answer | None) -> None:
        """Show what a command has answered: in the strip, or over the panes if it is long."""
        if answer is None:
            return
        if answer.quit:
            self.post_message(Quit())
        elif answer.plot is not None:
            from .dialogs import Plot

            self.app.push_screen(Plot(answer.plot), self._go_on)
        elif answer.asks is not None:
            self.choose(answer.asks)
        elif answer.told or answer.moved or len(answer.lines) < 2:
            if message := answer.told or " ".join(() if answer.moved else answer.lines):
                self.say(message)
        else:
            from .dialogs import Report

            self.app.push_screen(Report(answer.title, answer.lines), self._go_on)

    def _go_on(self, to_prompt: bool | None) -> None:
        """Ask for a command, if that is why what was shown has been closed."""
        if to_prompt:
            self.action_prompt()

    def action_do(self, line: str) -> None:
        """Execute a line of the prompt, its blanks filled in with what the cursor is on by then."""
        self.autosave.begin()
        self._answer(self.driver.do(line, self.filled))

    def do(self, text: str) -> None:
        """Execute a line of the prompt, now or when it is its turn, and show the answer."""
        self.autosave.begin()
        self._answer(self.driver.do(text))

    def _answer(self, answer: "asyncio.Future[Answer]") -> None:
        if answer.done():
            self._tell(answer)
        else:
            self._answer_later(answer)

    @work
    async def _answer_later(self, answer: "asyncio.Future[Answer]") -> None:
        await asyncio.wait({answer})
        self._tell(answer)

    def _tell(self, answer: "asyncio.Future[Answer]") -> None:
        try:
            self.show_answer(answer.result())
        except TextError as error:
            self.say(error.message)

    def on_timeline_pane_go_to(self, message: "TimelinePane.GoTo") -> None:
        """Go to a place chosen on the timeline."""
        self.do(f"goto {message.place}")

    def on_timeline_pane_switch_to(self, message: "TimelinePane.SwitchTo") -> None:
        """Go to a branch chosen on the timeline."""
        self.do(f"switch {message.name}")

    def action_prompt(self, begun: str = "") -> None:
        """Ask for a command, the beginning of which may stand there already, its blanks filled."""
        from .prompt import Prompt

        self.autosave.begin()
        try:
            begun = self.filled(begun)
        except TextError as error:
            self.say(error.message)
            return
        self.app.push_screen(Prompt(self.driver, self.typed, begun), self.show_answer)

    def action_edit(self) -> None:
        """Ask for a new value of the cell under the cursor, once nothing is under way."""
        self.autosave.begin()
        settled = self.driver.settle()
        if settled.done():
            self._ask_for_value()
        else:
            hold(self.app, self._ask_later(settled))

    @work
    async def _ask_later(self, settled: "asyncio.Future[None]") -> None:
        await settled
        self._ask_for_value()

    def _ask_for_value(self) -> None:
        from .dialogs import EditValue

        if self.selected is None:
            self.say(NO_VALUE)
            return
        name, index = self.selected
        self.reveal_cell()
        cell, current = cell_name(name, index), self.driver.snapshot.tensors[name][index]
        self.app.push_screen(EditValue(self.driver, cell, str(current)), self.show_answer)

    def action_copy(self) -> None:
        """Copy what is selected, or the cell in question; an earlier session offered goes first."""
        if self._is_offered and not self.selections:
            self.action_recover()
        else:
            self.copy()

    def copy(self) -> None:
        """Copy what is selected by mouse, or else the cell in question."""
        prompt = self._key_of("prompt")
        if text := self.get_selected_text():
            self.app.copy_to_clipboard("\n".join(map(str.rstrip, text.splitlines())))
            self.clear_selection()
            self.say("The selected text is copied, if this terminal allows it.")
        elif self.selected is None:
            self.say(NO_VALUE)
        else:
            name, index = self.selected
            cell, value = cell_name(name, index), self.driver.snapshot.tensors[name][index]
            self.app.copy_to_clipboard(str(value))
            self.say(
                f"{value} is copied, if this terminal allows it; "
                f"in any, {prompt}copy {cell} > FILE writes it to a file."
            )

    def action_what_if(self) -> None:
        """Ask what the loss would be if the cell in question were another."""
        from .what_if import WhatIfValue

        if self.selected is None:
            self.say(NO_VALUE)
            return
        name, index = self.selected
        current = self.driver.snapshot.tensors[name][index]
        self.app.push_screen(WhatIfValue(self.driver, name, index, current))

    def action_writer(self) -> None:
        """Go to the step that wrote the cell in question; if that is here, offer what to ask."""
        if self.is_at_its_step and not self.driver.is_busy:
            self._offer_questions()
        else:
            self.action_do("who {cell}")

    def _offer_questions(self) -> None:
        """Offer the questions that apply to the cell in question, and ask the one chosen."""
        from .questions import Questions

        assert self.selected is not None, "it has a step"
        name, index = self.selected
        offered = self.driver.consult(lambda run, _: run.questions(name, index))
        if offered is not None:
            title = f"What can be asked about {cell_name(name, index)}"
            self.app.push_screen(Questions(title, offered), self._ask_chosen)

    def _ask_chosen(self, line: str | None) -> None:
        if line is not None:
            self.do(line)

    def action_run(self) -> None:
        """Run at the speed of the moment, or pause."""
        self.autosave.begin()
        if answer := self.driver.run_or_pause():
            self._answer(answer)

    def action_change_speed(self, faster: int) -> None:
        """Run faster or slower."""
        self.driver.change_pace(faster)
        self.say(f"Speed: {self.driver.pace}")

    def action_interrupt(self) -> None:
        """Pause a run; with nothing to pause, say how to quit."""
        if self.driver.is_busy:
            self.driver.pause()
        else:
            self.say(f"{self._key_of('quit')} quits.")

    def action_recover(self) -> None:
        """Take the earlier session up again that was offered."""
        try:
            hold(self.app, self._bring_back(*self.autosave.take_up_offer()))
        except ValueError as error:
            self.say(str(error))

    @work
    async def _bring_back(self, opened: "Opened", taken: "Taken | None") -> None:
        """Execute a session again that was opened, and go on with it, or with a part of it."""
        replayed, taken = await self.autosave.replay(opened, taken, history=self._history)
        self.post_message(OpenSession(replayed, taken))

    def action_open_gallery(self) -> None:
        """Go to the gallery."""
        self.driver.pause()
        self.post_message(OpenGallery())

    def _key_of(self, action_id: str) -> str:
        return key_of(self._actions, action_id)
