"""The debugger: the program, the tensors and the loss of one run, and the keys that drive it."""

import secrets
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from textual import events, work
from textual.app import ComposeResult
from textual.layout import Layout
from textual.screen import Screen

from nnstep.engine.arrays import Shape
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import cell_name, printable
from nnstep.tui.actions import Action, bindings
from nnstep.tui.control import Control, Unit
from nnstep.tui.screens.arrangement import TENSOR_COLUMN, Arrangement, Needs, is_narrow
from nnstep.tui.screens.panes import ROLES, has_role, tabs_of
from nnstep.tui.widgets.cell_line import CellLine
from nnstep.tui.widgets.key_line import KeyLine
from nnstep.tui.widgets.line_view import LineView
from nnstep.tui.widgets.loss_pane import LossPane
from nnstep.tui.widgets.program_pane import ProgramPane
from nnstep.tui.widgets.program_rows import natural_width
from nnstep.tui.widgets.status_line import StatusLine
from nnstep.tui.widgets.tensor_pane import TensorPane
from nnstep.tui.widgets.tensor_view import TensorView

if TYPE_CHECKING:
    from nnstep.tui.app import NnstepApp


class Debugger(Screen[None]):
    """Shows one scenario being run."""

    AUTO_FOCUS = "#program"
    BINDINGS = bindings("debugger")
    app: "NnstepApp"

    def __init__(self, scenario: Scenario, actions: tuple[Action, ...]) -> None:
        super().__init__()
        self.scenario = scenario
        self.control = Control(scenario, self._show, self._start)
        self.pinned = False
        self._place = 0
        program, *tensors, loss = tabs_of(scenario)
        self._arrangement = Arrangement()
        self._status = StatusLine(printable(scenario.title), id="status")
        self._program = ProgramPane(program, id="program")
        self._views = tuple(map(TensorView, tensors, map(has_role, ROLES.values())))
        self._tensor_panes = tuple(
            TensorPane(view, id=name) for view, name in zip(self._views, ROLES, strict=True)
        )
        self._loss = LossPane(loss, id="loss")
        self._keys = KeyLine(actions, id="keys")
        self._panes: tuple[LineView, ...] = (self._program, *self._tensor_panes, self._loss)
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
            self._say(f"{what}: {self.app.key_of('help')} shows {'it' if count == 1 else 'them'}.")

    def on_unmount(self) -> None:
        """Leave no run behind."""
        self.control.pause()

    # Showing.

    def _show(self) -> None:
        """Hand the snapshot of the moment to every pane.

        Only a step brings what it wrote into view; after an edit, a reader stays where it was made.
        """
        snapshot, control = self.control.snapshot, self.control
        stepped, self._place = snapshot.place > self._place, snapshot.place
        follow = stepped and control.is_calm and not self.pinned
        for view in self._views:
            view.show(snapshot, follow=follow)
            if follow and self.is_narrow and view.holds(snapshot.written[0]):
                self._choose(view)
        self._status.show(snapshot, self._activity())
        self._program.show(snapshot)
        self._redraw_tensors()
        self._loss.show(snapshot)

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
        self._keys.message = ""

    def _say(self, message: str) -> None:
        self._keys.message = message

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
        program = self.control.snapshot.program
        self._arrangement.needs = Needs(
            natural_width(program), self._views[0].lines_at(TENSOR_COLUMN - 1)
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
        self.refresh(layout=True)

    # Stepping and running.

    def action_step(self, unit: Unit) -> None:
        """Execute a unit."""
        if not self._say_at_end():
            self.control.step(unit)

    def action_run(self) -> None:
        """Run, or pause."""
        if self.control.is_busy or not self._say_at_end():
            self.control.toggle_run()

    def _say_at_end(self) -> bool:
        """Tell, and say, whether the run is at its end."""
        if self.control.snapshot.finished:
            again = self.app.key_of("restart")
            self._say(f"This is the end of the run: {again} starts it again.")
        return self.control.snapshot.finished

    def action_change_speed(self, faster: int) -> None:
        """Run faster or slower."""
        self.control.change_pace(faster)
        self._say(f"Speed: {self.control.pace}")

    def action_interrupt(self) -> None:
        """Pause a run; with nothing to pause, say how to quit."""
        if self.control.is_busy:
            self.control.pause()
        else:
            self._say(f"{self.app.key_of('quit')} quits.")

    # Changing.

    @work
    async def action_edit(self) -> None:
        """Ask for a new value of the cell under the cursor."""
        from nnstep.tui.screens.edit import EditValue

        await self.control.settle()
        if self.selected is None:
            self._say("There is no value to edit here yet.")
            return
        name, index = self.selected
        self._active.reveal_cursor()
        self._redraw_tensors()
        current = self.control.snapshot.tensors[name][index]

        async def change(text: str) -> None:
            await self.control.edit(name, index, text)

        self.app.push_screen(EditValue(cell_name(name, index), str(current), change))

    @work
    async def action_undo(self) -> None:
        """Take the last edit back, or say why that cannot be."""
        try:
            cell = await self.control.undo()
            self._say(f"{cell} is again what it was.")
        except ValueError as reason:
            self._say(str(reason))

    @work
    async def action_restart(self) -> None:
        """Start again with the same seed."""
        seed = await self.control.restart()
        self._say(f"Started again, seed {seed}.")

    @work
    async def action_reseed(self) -> None:
        """Start again with a new seed."""
        seed = await self.control.restart(secrets.randbelow(10_000))
        self._say(f"Started again with a new seed, {seed}.")

    # Looking around.

    def action_pane(self, digit: int) -> None:
        """Go to a pane by its digit."""
        pane = self._panes[digit - 1]
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
        at = next((i for i, pane in enumerate(self._panes) if pane.has_focus), 0)
        if isinstance(self.focused, TensorPane):
            at = self.focused.view.tab.digit - 1
        self.action_pane((at + direction) % len(self._panes) + 1)

    def on_tensor_pane_cursor_moved(self) -> None:
        """Show the cell that the cursor is on now."""
        self._cell.show(self._active)

    def on_tensor_pane_tab_clicked(self, message: TensorPane.TabClicked) -> None:
        """Go to the pane whose tab was clicked."""
        self.action_pane(message.digit)

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
        self._say("This tab stays." if self.pinned else "The tab follows the step again.")

    def action_open_gallery(self) -> None:
        """Go to the gallery."""
        self.control.pause()
        self.app.open_gallery()
