"""The debugger: the program, the tensors and the loss of one run, and the keys that drive it."""

import secrets
from typing import TYPE_CHECKING, Any

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen

from nnstep.engine import Session, parse_value
from nnstep.engine.program.instruction import Role, Tensor
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import printable
from nnstep.tui.actions import PANES, Action, bindings
from nnstep.tui.control import Control, Unit
from nnstep.tui.widgets.cursor_line import cell_name
from nnstep.tui.widgets.key_line import KeyLine
from nnstep.tui.widgets.line_view import LineView
from nnstep.tui.widgets.loss_pane import LossPane
from nnstep.tui.widgets.program_pane import ProgramPane
from nnstep.tui.widgets.status_line import StatusLine
from nnstep.tui.widgets.tab_line import Tab
from nnstep.tui.widgets.tensor_pane import TensorPane

if TYPE_CHECKING:
    from nnstep.tui.app import NnstepApp

WIDE = (120, 36)
ROOMY_WIDTH = 176
TINY_WIDTH = 64

_WEIGHT_ROLES = frozenset({Role.PARAMETER, Role.BUFFER, Role.RATE, Role.SCRATCH})
_VALUE_ROLES = frozenset({Role.DATA, Role.CONSTANT, Role.VALUE, Role.LOSS})


class Debugger(Screen[None]):
    """Shows one scenario being run."""

    AUTO_FOCUS = "#program"
    BINDINGS = bindings("debugger")
    app: "NnstepApp"

    def __init__(self, scenario: Scenario, actions: tuple[Action, ...]) -> None:
        super().__init__()
        self.scenario = scenario
        self.control = Control(Session(scenario), self._show, self._start)
        self.pinned = False
        tabs = [Tab(digit, title) for digit, title in enumerate(PANES, 1)]
        self._status = StatusLine(printable(scenario.title), id="status")
        self._program = ProgramPane(tabs[0], id="program")
        self._weights = TensorPane(tabs[1], _has_role(_WEIGHT_ROLES), id="weights")
        self._values = TensorPane(tabs[2], _has_role(_VALUE_ROLES), id="values")
        self._gradients = TensorPane(tabs[3], _has_role({Role.GRADIENT}), id="gradients")
        self._loss = LossPane(tabs[4], id="loss")
        self._keys = KeyLine(actions, id="keys")
        self._tensor_panes = (self._weights, self._values, self._gradients)
        self._panes: tuple[LineView, ...] = (self._program, *self._tensor_panes, self._loss)
        self._active = self._weights

    def compose(self) -> ComposeResult:
        """Put the panes between the status and the keys."""
        yield self._status
        with Container(id="body"):
            yield from self._panes
        yield self._keys

    def _start(self, work: Any) -> object:
        return self.run_worker(work, group="control")

    def on_mount(self) -> None:
        """Show the state before the first step."""
        self._activate(self._weights)
        self._show()
        for warning in self.scenario.warnings:
            self.notify(printable(warning), severity="warning", markup=False)

    def on_unmount(self) -> None:
        """Leave no run behind."""
        self.control.pause()

    # Showing.

    def _show(self) -> None:
        """Hand the snapshot of the moment to every pane."""
        snapshot, control = self.control.snapshot, self.control
        follow = control.is_calm and not self.pinned and snapshot.place > 0
        self._keys.message = ""
        with self.app.batch_update():
            if follow and self.has_class("-narrow") and not self.has_class("-zoom"):
                self._activate(self._pane_of(snapshot.written[0]))
            self._status.show(snapshot, self._activity())
            self._program.show(snapshot)
            for pane in self._tensor_panes:
                pane.show(snapshot, follow=follow)
            self._loss.show(snapshot)

    def _pane_of(self, name: str) -> TensorPane:
        """Return the pane that a tensor belongs to."""
        return next((pane for pane in self._tensor_panes if pane.holds(name)), self._active)

    def _activity(self) -> str:
        kept = "tab kept" if self.pinned else ""
        return " · ".join(filter(None, (self.control.activity, kept)))

    def _say(self, message: str) -> None:
        self._keys.message = message

    def _activate(self, active: TensorPane) -> None:
        """Make a tensor pane the one that is shown where there is room for one."""
        had_focus = self.focused in self._tensor_panes
        self._active = active
        for pane in self._tensor_panes:
            pane.set_class(pane is not active, "-inactive")
        if had_focus and self.focused is not active and self.has_class("-narrow"):
            active.focus()

    def on_resize(self, event: events.Resize) -> None:
        """Arrange the panes for the size of the terminal."""
        width, height = event.size
        narrow = width < WIDE[0] or height < WIDE[1]
        self.set_class(narrow, "-narrow")
        self.set_class(not narrow and width < ROOMY_WIDTH, "-wide")
        self.set_class(width < TINY_WIDTH, "-tiny")
        tabs = tuple(pane.tab for pane in self._tensor_panes)
        for pane in self._tensor_panes:
            pane.tabs = tabs if narrow else (pane.tab,)

    # Stepping and running.

    def action_step(self, unit: Unit) -> None:
        """Execute a unit."""
        if self.control.snapshot.finished:
            self._say("This is the end of the run: r starts it again.")
        else:
            self.control.step(unit)

    def action_run(self) -> None:
        """Run, or pause."""
        if self.control.snapshot.finished and not self.control.is_busy:
            self._say("This is the end of the run: r starts it again.")
        else:
            self.control.toggle_run()

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

        pane = self.focused if isinstance(self.focused, TensorPane) else self._active
        await self.control.settle()
        if pane.selected is None:
            self._say("There is no value to edit here yet.")
            return
        name, index = pane.selected
        current = self.control.snapshot.tensors[name][index]

        async def change(text: str) -> None:
            await self.control.edit(name, index, parse_value(text))

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
            self._activate(pane)
        if self.has_class("-zoom"):
            self._zoom(pane)
        pane.focus()

    def action_next_pane(self, direction: int) -> None:
        """Go to the next pane, or to the one before."""
        focused = self.focused
        at = self._panes.index(focused) if isinstance(focused, LineView) else 0
        self.action_pane((at + direction) % len(self._panes) + 1)

    def on_tensor_pane_tab_clicked(self, message: TensorPane.TabClicked) -> None:
        """Go to the pane whose tab was clicked."""
        self.action_pane(message.digit)

    def action_zoom(self) -> None:
        """Show the focused pane alone, or all panes again."""
        alone = self.has_class("-zoom")
        focused = self.focused if isinstance(self.focused, LineView) else self._program
        self._zoom(None if alone else focused)

    def _zoom(self, zoomed: LineView | None) -> None:
        self.set_class(zoomed is not None, "-zoom")
        for pane in self._panes:
            pane.set_class(pane is zoomed, "-zoomed")

    def action_pin(self) -> None:
        """Stop following the step, or start again."""
        self.pinned = not self.pinned
        self._status.show(self.control.snapshot, self._activity())
        self._say("This tab stays." if self.pinned else "The tab follows the step again.")

    def action_open_gallery(self) -> None:
        """Go to the gallery."""
        self.control.pause()
        self.app.open_gallery()


def _has_role(roles: set[Role] | frozenset[Role]) -> Any:
    """Return the question whether a tensor has one of some roles."""

    def belongs(tensor: Tensor) -> bool:
        return tensor.role in roles

    return belongs
