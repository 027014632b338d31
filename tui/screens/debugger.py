"""The debugger: the program, the tensors and the loss of one run, and the keys that drive it."""

from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult
from textual.layout import Layout

from nnstep.engine import Session
from nnstep.engine.arrays import Shape
from nnstep.engine.text import printable
from nnstep.tui.actions import Action, bindings
from nnstep.tui.control import Control
from nnstep.tui.screens.arrangement import TENSOR_COLUMN, Arrangement, Needs, is_narrow
from nnstep.tui.screens.driving import Driving
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
from nnstep.tui.widgets.timeline_pane import TimelinePane
from nnstep.tui.widgets.watch_pane import WatchPane

if TYPE_CHECKING:
    from nnstep.engine.saving.opening import Opened
    from nnstep.tui.recovery import Offer


class Debugger(Driving):
    """Shows one scenario being run.

    `opened` is a session of it that is to be restored, and `continued` the offer that the session
    was restored from.
    """

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

    def action_open_gallery(self) -> None:
        """Go to the gallery."""
        self.control.pause()
        self.app.open_gallery()
