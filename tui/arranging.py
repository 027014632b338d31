"""Which panes are seen and which has the keys: by digit, tab and zoom; tree and map over others."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from textual import events
from textual.layout import Layout
from textual.widget import Widget

from nnstep.tui.panes import Row, row_of
from nnstep.tui.panes.pane import Pane
from nnstep.tui.panes.step import StepPane
from nnstep.tui.panes.strip import Strip

from .actions import Action
from .blanks import NO_VALUE
from .commanding import Commanding
from .stage import Stage
from .trees import Trees

if TYPE_CHECKING:
    from nnstep.engine.explain.tree import Direction
    from nnstep.tui.panes.map import MapPane
    from nnstep.tui.panes.watch import WatchPane

MAP, WATCH = row_of(8), row_of(6)


class Arranging(Commanding, inherit_css=False):
    """Has a stage show the panes that are asked for; what is said of them, a screen of its own."""

    DEFAULT_CSS = """
    Arranging {
        background: $background;
        overflow: hidden;
        & > .screen--selection {
            background: $screen-selection-background;
            color: $screen-selection-foreground;
        }
    }
    """

    stage: Stage
    _trees: Trees
    _strip: Strip

    def __init__(self, actions: tuple[Action, ...], history: int) -> None:
        super().__init__(actions, history)
        # Which pane had the keys before the map.
        self._before_map = row_of(1)

    @abstractmethod
    def _visit(self) -> None:
        """Ask about the cell that the pane with the keys points at."""

    @property
    def layout(self) -> Layout:
        """What places the panes."""
        return self.stage.layout

    def _extend_compose(self, widgets: list[Widget]) -> None:
        """Leave notices and tooltips, which Textual lays over a screen, until that is seen."""

    def _mount_rest(self) -> None:
        """Mount what was not seen at first: all other panes there are, and notices and tooltips."""
        self.stage.make_numbers()
        self._mount(self.stage.panes.values())
        over: list[Widget] = []
        super()._extend_compose(over)
        self.mount_all(over)
        self.app._refresh_notifications()

    def _fit(self) -> None:
        self.stage.fit(self.app.size)

    def on_resize(self, event: events.Resize) -> None:
        """Arrange the panes for another size; what was looked at stays in view."""
        self._fit()
        self._focus()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Remember which pane has the keys, and which tensors were looked at last.

        The first that Textual gives them to may be one that there is no room for.
        """
        if isinstance(event.widget, Pane) and event.widget is self.focused:
            row = self.stage.row_at(event.widget)
            if row is None:
                self._focus()
            else:
                self.stage.go_to(row)
                self._visit()

    def _focus(self) -> None:
        """Give the keys to the pane that is to have them, and show the cell under the cursor."""
        if self.is_mounted:
            self._mount(self.stage.seen)
        self.set_focus(self.stage.focus)
        self._visit()

    def _mount(self, panes: Iterable[Pane]) -> None:
        """Put panes on the screen that are not there yet; one that is hidden waits for that."""
        if new := [pane for pane in panes if not pane.is_attached]:
            self.mount_all(new)

    def _go_to(self, row: Row) -> None:
        """Have the keys go to a pane, which comes into view; say so if nothing else is left."""
        was_zoomed = self.stage.is_zoomed
        self.stage.go_to(row)
        if self._strip.large != self.stage.is_large:
            self._enlarge()
        self._focus()
        if self.stage.is_zoomed and not was_zoomed:
            self.say(f"There is room for this pane alone: {self._key_of('zoom')} shows all.")

    def action_pane(self, digit: int) -> None:
        """Go to a pane by its digit."""
        row = row_of(digit)
        if row.shown == "when filled" and (reason := self.stage.pane(row).nothing):
            self.say(reason)
            return
        if row is MAP and self.stage.here is not MAP:
            if self._trees.is_open:
                self._trees.close()
            self._before_map = self.stage.here
            self._map.begin()
        self._go_to(row)

    def action_next_pane(self, direction: int) -> None:
        """Go to the next pane of those that there is room for, or to the one before."""
        self._go_to(self.stage.next(direction))

    def action_toggle_pane(self, digit: int) -> None:
        """Show a pane and go to it, or hide it."""
        row = row_of(digit)
        if self.stage.is_open(row):
            self.stage.close(row)
            self._focus()
        else:
            self._go_to(row)

    def action_zoom(self) -> None:
        """Show the focused pane alone, or all panes again."""
        self.stage.zoom()
        self._enlarge()
        self._focus()

    def _enlarge(self) -> None:
        """Draw the step and the strip large, or as usual."""
        step = self.stage.find(StepPane)
        step.large = self._strip.large = self.stage.is_large
        step.repaint()
        self._strip.repaint()

    @property
    def selected_watch(self) -> str | None:
        """The expression under the cursor of the watch pane, None if keys go elsewhere."""
        watch = cast("WatchPane | None", self.stage.panes.get(WATCH))
        return watch.selected if watch is not None and self.focused is watch else None

    @property
    def _map(self) -> "MapPane":
        return cast("MapPane", self.stage.pane(MAP))

    def action_map(self) -> None:
        """Show the map; then its layers; then what was there before."""
        if self.stage.here is not MAP:
            self.action_pane(8)
        elif self._map.turn():
            self._visit()
        else:
            self._close_map()

    def _close_map(self) -> None:
        self._go_to(self._before_map)

    def on_pane_tab_clicked(self, message: Pane.TabClicked) -> None:
        """Go to the pane whose tab was clicked."""
        self.action_pane(message.digit)

    def action_tree(self, direction: "Direction") -> None:
        """Open the tree on the cell in question, turn it round, or close it again."""
        if self.selected is None:
            self.say(NO_VALUE)
        else:
            self._trees.turn(self.selected, direction)
