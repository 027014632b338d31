"""The debugger's screen: its panes, and what keys do there."""

import secrets
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual import events, work
from textual.app import ComposeResult
from textual.layout import Layout
from textual.screen import Screen

from nnstep.engine.arrays import Shape
from nnstep.engine.program.program import Role, Tensor
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.text import cell_name, printable
from nnstep.tui.panes.bars import CellLine, KeyLine, StatusLine
from nnstep.tui.panes.curves import LossPane
from nnstep.tui.panes.line_view import LineView
from nnstep.tui.panes.pane import Tab
from nnstep.tui.panes.program import ProgramPane, natural_width
from nnstep.tui.panes.tensors import TensorPane, TensorView
from nnstep.tui.panes.timeline import TimelinePane
from nnstep.tui.panes.watch import WatchPane

from .actions import PANES, Action, bindings
from .control import Control, Unit
from .layout import TENSOR_COLUMN, Arrangement, Needs, is_narrow

if TYPE_CHECKING:
    from nnstep.engine.faults.fault import Fault
    from nnstep.engine.saving.opening import Opened

    from .app import NnstepApp
    from .recovery import Offer


class Debugger(Screen[None]):
    """Shows one scenario being run.

    `opened` is a session of it that is to be restored, and `continued` the offer that the session
    was restored from.
    """

    app: "NnstepApp"
    AUTO_FOCUS = "#program"
    BINDINGS = bindings("debugger")

    def __init__(
        self,
        session: Session,
        actions: tuple[Action, ...],
        *,
        opened: "Opened | None" = None,
        continued: "Offer | None" = None,
    ) -> None:
        super().__init__()
        self.scenario = scenario = session.scenario
        self.control = Control(session, self._show, self._start)
        self.pinned = False
        self.typed: list[str] = []
        self.opened = opened
        self.continued = continued
        self.offer: Offer | None = None
        self.last_fault: Fault | None = None
        self._place = 0
        program, *tensors, loss, watch, timeline = tabs_of(scenario)
        self._arrangement = Arrangement()
        self._shows_timeline = False
        self._status = StatusLine(printable(scenario.title), id="status")
        self._program = ProgramPane(program, id="program")
        self._views = tuple(map(TensorView, tensors, map(has_role, ROLES.values())))
        self._tensor_panes = tuple(
            TensorPane(view, id=name) for view, name in zip(self._views, ROLES, strict=True)
        )
        self._loss = LossPane(loss, id="loss")
        self._watch = WatchPane(watch, actions, id="watch")
        self._timeline = TimelinePane(timeline, id="timeline")
        self._keys = KeyLine(actions, id="keys")
        self._panes: tuple[LineView, ...] = (
            self._program,
            *self._tensor_panes,
            self._loss,
            self._watch,
            self._timeline,
        )
        self._active = self._views[0]
        self._cell = CellLine(self._active, id="cell")
        for view in self._views:
            view.show(self.control.snapshot, follow=False)

    def compose(self) -> ComposeResult:
        """Put the panes between the status and the keys."""
        self._arrange()
        yield self._status
        yield from self._panes
        yield self._cell
        yield self._keys

    def _start(self, work: Coroutine[Any, Any, None]) -> object:
        return self.run_worker(work, group="control")

    def on_mount(self) -> None:
        """Show the state before the first step."""
        self._show()
        if count := len(self.scenario.warnings):
            what = "1 warning" if count == 1 else f"{count} warnings"
            self.say(f"{what}: {self.app.key_of('help')} shows {'it' if count == 1 else 'them'}.")

        if self.continued is None:
            self.call_after_refresh(self.begin_to_keep)
        else:
            self.begin_to_keep()

    def on_unmount(self) -> None:
        """Leave no run behind; the session stays on disk if nobody wanted to end it."""
        self.control.end(keep=not self.app.quits)

    # Showing.

    def _show(self) -> None:
        """Hand the snapshot of the moment to every pane.

        Only a step brings what it wrote into view; after an edit, a reader stays where it was made.
        """
        snapshot, control = self.control.snapshot, self.control
        moved, self._place = snapshot.place != self._place, snapshot.place
        follow = moved and bool(snapshot.written) and control.is_calm and not self.pinned
        for view in self._views:
            view.show(snapshot, follow=follow)
            if follow and self.is_narrow and view.holds(snapshot.written[0]):
                self._choose(view)
        self._status.show(snapshot, self._activity())
        self._program.show(snapshot)
        self._redraw_tensors()
        self._loss.show(snapshot)
        self._watch.show(snapshot)
        self.call_after_refresh(control.hand_over)
        if self._timeline.display:
            self._timeline.show(snapshot, snapshot.branch.hits)
        if len(snapshot.watches) != self._arrangement.needs.watches:
            self._arrange()
        if control.notice:
            self.say(printable(control.notice))

    def _redraw_tensors(self) -> None:
        for pane in self._tensor_panes:
            pane.redraw()
        self._cell.show(self._active)

    def _activity(self) -> str:
        seed = self.control.seed
        drawn = f"seed {seed}" if seed != self.scenario.seed else ""
        kept = "tab kept" if self.pinned else ""
        return " · ".join(filter(None, (self.control.activity, drawn, kept)))

    def on_key(self) -> None:
        """Take the answer to the last key away; what is bound to this one runs afterwards."""
        self.say("")

    def say(self, message: str) -> None:
        """Answer a key on the last line."""
        self._keys.message = message
        if (lines := self._keys.lines_at(self.app.size.width)) != self._arrangement.needs.message:
            self._arrangement.needs = replace(self._arrangement.needs, message=lines)
            self._place_panes()

    # Arranging.

    @property
    def layout(self) -> Layout:
        """What places the panes."""
        return self._arrangement

    @property
    def selected(self) -> tuple[str, Shape] | None:
        """The name and the index of the cell under the cursor, of the pane looked at last."""
        return self._active.selected

    @property
    def selected_line(self) -> int:
        """The position of the line of the listing under the cursor."""
        return self._program.selected_line

    @property
    def selected_watch(self) -> str | None:
        """The expression under the cursor of the watch pane, None if keys go elsewhere."""
        return self._watch.selected if self._watch.has_focus else None

    def reveal_cell(self) -> None:
        """Bring the selected cell into view."""
        self._active.reveal_cursor()
        self._redraw_tensors()

    @property
    def is_narrow(self) -> bool:
        """Whether the tensor views take turns in one pane."""
        return is_narrow(self.app.size)

    def _activate(self, view: TensorView) -> TensorPane:
        """Show a view as the one looked at; return its pane."""
        pane = self._choose(view)
        self._redraw_tensors()
        return pane

    def _choose(self, view: TensorView) -> TensorPane:
        """Make a view the one looked at, in the only pane where there is one; return its pane."""
        self._active = view
        pane = self._tensor_panes[self._views.index(view)]
        if self.is_narrow:
            pane = self._tensor_panes[0]
            pane.turn_to(view, tuple(each.tab for each in self._views))
        for each in self._tensor_panes:
            each.looked_at = each is pane
        return pane

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Remember which tensors were looked at last."""
        if isinstance(event.widget, TensorPane):
            self._activate(event.widget.view)

    def on_resize(self, event: events.Resize) -> None:
        """Arrange the panes for another size; what was looked at stays in view."""
        in_tensors = isinstance(self.focused, TensorPane)
        pane = self._arrange()
        if in_tensors:
            self._go_to(pane)

    def _arrange(self) -> TensorPane:
        """Choose the arrangement, and which view each pane shows; return the active one's."""
        snapshot = self.control.snapshot
        self._arrangement.needs = Needs(
            natural_width(snapshot.program),
            self._views[0].lines_at(TENSOR_COLUMN - 1),
            len(snapshot.watches),
            self._shows_timeline,
            self._keys.lines_at(self.app.size.width),
        )
        if not self.is_narrow:
            for pane, view in zip(self._tensor_panes, self._views, strict=True):
                pane.turn_to(view, (view.tab,))
        active = self._activate(self._active)
        self._place_panes()
        return active

    def _place_panes(self) -> None:
        regions = self._arrangement.regions(self.app.size)
        for pane in self._panes:
            pane.display = pane.id in regions
        # A child has to ask: a screen that does keeps the arrangement that it remembers.
        self._program.refresh(layout=True)

    # Looking around.

    def action_pane(self, digit: int) -> None:
        """Go to a pane by its digit."""
        pane = self._panes[digit - 1]
        if pane is self._timeline and not self._shows_timeline:
            self.action_timeline()
        elif pane is self._watch and not self.control.snapshot.watches:
            self.say(f"Nothing is watched: {self.app.key_of('watch')} watches a cell.")
        else:
            if isinstance(pane, TensorPane):
                pane = self._activate(self._views[digit - 2])
            self._go_to(pane)

    def _go_to(self, pane: LineView) -> None:
        """Focus a pane; if one was shown alone, it takes that place."""
        if self._arrangement.zoomed:
            self._zoom(pane)
        pane.focus()

    def action_next_pane(self, direction: int) -> None:
        """Go to the next pane, or to the one before."""
        there = [
            digit
            for digit, pane in enumerate(self._panes, 1)
            if isinstance(pane, TensorPane) or pane.id in self._arrangement.regions(self.app.size)
        ]
        at = next((d for d, pane in enumerate(self._panes, 1) if pane.has_focus), 1)
        if isinstance(self.focused, TensorPane):
            at = self.focused.view.tab.digit
        self.action_pane(there[(there.index(at) + direction) % len(there)])

    def on_tensor_pane_cursor_moved(self) -> None:
        """Show the cell that the cursor is on now."""
        self._cell.show(self._active)

    def on_tensor_pane_tab_clicked(self, message: TensorPane.TabClicked) -> None:
        """Go to the pane whose tab was clicked."""
        self.action_pane(message.digit)

    def action_timeline(self) -> None:
        """Show the timeline and go to it, or hide it."""
        self._shows_timeline = not self._shows_timeline
        self._arrange()
        if self._shows_timeline:
            snapshot = self.control.snapshot
            self._timeline.show(snapshot, snapshot.branch.hits)
            self._go_to(self._timeline)
        elif self._timeline.has_focus:
            self._go_to(self._program)

    def on_timeline_pane_go_to(self, message: TimelinePane.GoTo) -> None:
        """Go to a place chosen on the timeline."""
        self.control.go(message.place)

    def on_timeline_pane_switch_to(self, message: TimelinePane.SwitchTo) -> None:
        """Go to a branch chosen on the timeline."""
        self.switch_branch(message.name)

    def action_zoom(self) -> None:
        """Show the focused pane alone, or all panes again."""
        focused = self.focused if isinstance(self.focused, LineView) else self._program
        self._zoom(None if self._arrangement.zoomed else focused)

    def _zoom(self, zoomed: LineView | None) -> None:
        self._arrangement.zoomed = zoomed.id if zoomed else None
        self._place_panes()

    def action_pin(self) -> None:
        """Stop following the step, or start again."""
        self.pinned = not self.pinned
        self._status.show(self.control.snapshot, self._activity())
        self.say("This tab stays." if self.pinned else "The tab follows the step again.")

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
        from .dialogs import EditValue

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

        from .dialogs import Report

        control = self.control
        verification = await control.do_long(
            lambda session: session.verify(control.progress), "verifying"
        )
        self.app.push_screen(Report("The gradients, verified", report_lines(verification)))

    def action_prompt(self) -> None:
        """Ask for a command."""
        from .prompt import Prompt

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

    def action_open_gallery(self) -> None:
        """Go to the gallery."""
        self.control.pause()
        self.app.open_gallery()


# An expression has no layers, and so no weights and activations.
_EXPRESSION_PANES = ("program", "parameters", "values", *PANES[3:])

# What each of the three views shows.
ROLES = {
    "weights": {Role.PARAMETER, Role.BUFFER, Role.RATE, Role.SCRATCH},
    "values": {Role.DATA, Role.CONSTANT, Role.VALUE, Role.LOSS},
    "gradients": {Role.GRADIENT},
}


def tabs_of(scenario: Scenario) -> list[Tab]:
    """Return the tab of every pane."""
    titles = PANES if scenario.network else _EXPRESSION_PANES
    return [Tab(digit, title) for digit, title in enumerate(titles, 1)]


def has_role(roles: set[Role]) -> Callable[[Tensor], bool]:
    """Return the question whether a tensor has one of some roles."""
    return lambda tensor: tensor.role in roles
