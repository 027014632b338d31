"""What the keys do to the session; where they are looked for is in the list of actions."""

import secrets
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from textual import work
from textual.screen import Screen

from nnstep.engine.arrays import Shape
from nnstep.engine.text import cell_name
from nnstep.tui.control import Control, Unit

if TYPE_CHECKING:
    from nnstep.engine.faults.fault import Fault
    from nnstep.engine.saving.opening import Opened
    from nnstep.tui.app import NnstepApp
    from nnstep.tui.recovery import Offer


class Driving(Screen[None]):
    """The actions that go on, go back, change and ask; `selected` is the cell they are about."""

    app: "NnstepApp"
    control: Control
    typed: list[str]
    last_fault: "Fault | None" = None
    opened: "Opened | None"
    continued: "Offer | None"
    offer: "Offer | None"

    @property
    def selected(self) -> tuple[str, Shape] | None:
        """The name and the index of the cell under the cursor, of the pane looked at last."""
        raise NotImplementedError

    @property
    def selected_line(self) -> int:
        """The position of the line of the listing under the cursor."""
        raise NotImplementedError

    @property
    def selected_watch(self) -> str | None:
        """The expression under the cursor of the watch pane, None if keys go elsewhere."""
        raise NotImplementedError

    def say(self, message: str) -> None:
        """Answer a key on the last line."""
        raise NotImplementedError

    def reveal_cell(self) -> None:
        """Bring the selected cell into view."""
        raise NotImplementedError

    # Going on, and back

    def action_step(self, unit: Unit) -> None:
        """Execute a unit."""
        if not self._say_at_end():
            self.control.step(unit)

    def action_back(self, unit: Unit) -> None:
        """Go back a unit."""
        if self._is_at_start():
            self.say("This is the first step.")
        else:
            self.control.back(unit)

    def action_go_to_edge(self, edge: int) -> None:
        """Go to the first step (0) or to the newest (-1)."""
        self.control.go(self.control.snapshot.newest if edge else 0)

    def action_run(self) -> None:
        """Run, or pause."""
        if self.control.is_busy or not self._say_at_end():
            self.control.toggle_run()

    def action_to_stop(self, direction: int) -> None:
        """Go on to the next stop (1), or back to the previous one (-1)."""
        if direction < 0:
            self.control.to_previous_stop()
        elif not self._say_at_end():
            self.control.to_next_stop()

    def _is_at_start(self) -> bool:
        return self.control.snapshot.place == 0 and not self.control.is_busy

    def _say_at_end(self) -> bool:
        """Tell, and say, whether the run is at its end."""
        finished = self.control.snapshot.finished and not self.control.is_busy
        if finished:
            again, back = self.app.key_of("restart"), self.app.key_of("back-op")
            self.say(f"This is the end of the run: {back} steps back, {again} starts again.")
        return finished

    def action_change_speed(self, faster: int) -> None:
        """Run faster or slower."""
        self.control.change_pace(faster)
        self.say(f"Speed: {self.control.pace}")

    def action_interrupt(self) -> None:
        """Pause a run; with nothing to pause, say how to quit."""
        if self.control.is_busy:
            self.control.pause()
        else:
            self.say(f"{self.app.key_of('quit')} quits.")

    # Changing

    @work
    async def action_edit(self) -> None:
        """Ask for a new value of the cell under the cursor."""
        from nnstep.tui.screens.edit import EditValue

        await self.control.settle()
        if self.selected is None:
            self.say("There is no value to edit here yet.")
            return
        name, index = self.selected
        self.reveal_cell()
        current = self.control.snapshot.tensors[name][index]

        async def change(text: str) -> None:
            branch = self.control.snapshot.branch.name
            await self.control.edit(name, index, text)
            if (new := self.control.snapshot.branch.name) != branch:
                self.say(f"This is branch {new}; the future on {branch} is kept.")

        self.app.push_screen(EditValue(cell_name(name, index), str(current), change))

    @work
    async def action_undo(self) -> None:
        """Take the last edit back, or say why that cannot be."""
        await self._answer(self.control.undo(), "{} is again what it was.")

    @work
    async def action_redo(self) -> None:
        """Make the edit that was taken back once more."""
        await self._answer(self.control.redo(), "{} is changed again.")

    async def _answer(self, work: Awaitable[Any], text: str) -> None:
        """Say what came of something, or why nothing did."""
        try:
            self.say(text.format(await work))
        except ValueError as reason:
            self.say(str(reason))

    @work
    async def action_restart(self) -> None:
        """Start again with the same seed."""
        seed = await self.control.restart()
        self.say(f"Started again, seed {seed}.")

    @work
    async def action_reseed(self) -> None:
        """Start again with a new seed."""
        seed = await self.control.restart(secrets.randbelow(10_000))
        self.say(f"Started again with a new seed, {seed}.")

    @work
    async def switch_branch(self, name: str) -> None:
        """Go to a branch, to where it was left."""
        await self.control.do_long(lambda session: session.branches.switch(name))

    # Stopping and asking

    @work
    async def action_toggle_breakpoint(self) -> None:
        """Set a breakpoint on the line under the cursor, or remove it."""
        line = self.selected_line
        point, is_set = await self.control.do(lambda session: session.stops.toggle(line))
        self.say(f"{point} is {'set' if is_set else 'removed'}.")

    @work
    async def action_watch(self) -> None:
        """Watch the cell under the cursor, or no longer; in the watch pane, what is under it."""
        cell = self.selected_watch
        if cell is None and self.selected is not None:
            cell = cell_name(*self.selected)
        if cell is None:
            self.say("There is no value to watch here yet.")
            return
        watched = await self.control.do(lambda session: session.toggle_watch(cell))
        self.say(f"{cell} is {'watched' if watched else 'no longer watched'}.")

    @work
    async def action_last_change(self) -> None:
        """Go to where the cell under the cursor got its value, and say how."""
        if self.selected is None:
            self.say("There is no value to ask about here yet.")
            return
        name, index = self.selected
        change = await self.control.do_long(
            lambda session: session.go_to_last_change(name, index), "looking back"
        )
        if change is None and self.control.was_interrupted:
            self.say("It was interrupted.")
        else:
            unchanged = f"{cell_name(name, index)} has not changed since step 0"
            self.say(f"{change or unchanged}.")

    def action_go_to_fault(self) -> None:
        """Go to the next fault of the branch, after the last to the first; say what it is."""
        snapshot = self.control.snapshot
        faults = snapshot.branch.faults
        if not faults:
            self.say("No fault has shown so far.")
            return
        later = [fault for fault in faults if fault.place > snapshot.place]
        here = [fault for fault in faults if fault.place == snapshot.place]
        if self.last_fault in here:
            # Several may show at one step.
            later = here[here.index(self.last_fault) + 1 :] + later
        fault = self.last_fault = (later or faults)[0]
        if fault.place != snapshot.place:
            self.control.go(fault.place)
        self.say(f"! {fault}. {fault.advice}")

    @work
    async def action_verify(self) -> None:
        """Verify the gradients here, and show the report."""
        from nnstep.engine.verification.report import report_lines
        from nnstep.tui.screens.report import Report

        control = self.control
        verification = await control.do_long(
            lambda session: session.verify(control.progress), "verifying"
        )
        self.app.push_screen(Report("The gradients, verified", report_lines(verification)))

    def action_prompt(self) -> None:
        """Ask for a command."""
        from nnstep.tui.screens.prompt import Prompt

        self.app.push_screen(Prompt(self.control, self.typed, self.say))

    # Keeping it

    def begin_to_keep(self) -> None:
        """Begin to keep the session on disk, once it is on the screen; offer an earlier one."""
        offer = self.control.keep(lambda message: self.call_later(self.say, message))
        if self.continued is not None:
            self.control.take_over(self.continued)
            self.say(f"Taken up again at step {self.control.snapshot.place}.")
        elif self.opened is not None:
            self.restore(self.opened)
        elif offer is not None:
            self.offer = offer
            self.say(offer.text(self.app.key_of("recover")))

    @work
    async def action_recover(self) -> None:
        """Take the earlier session up again that was offered."""
        if self.offer is None:
            self.say("There is no earlier session to take up.")
            return
        from nnstep.engine.saving.opening import open_session

        try:
            self.restore(open_session(self.offer.path), self.offer)
        except ValueError as error:
            self.say(str(error))

    @work
    async def restore(self, opened: "Opened", offer: "Offer | None" = None) -> None:
        """Run a session again that was opened, and go on with it; `offer` is where it is from."""
        try:
            session = await self.control.restored(opened, self.app.history)
        except ValueError as error:
            self.say(str(error))
            return
        if session is None:
            self.say("It was interrupted; the session is still where it was.")
        else:
            self.app.show_session(session, offer, opened.warning)
