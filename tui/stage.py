"""Which pane stands where, which has the keys, and which was looked at last."""

from dataclasses import replace

from textual.geometry import Size

from nnstep.engine.program.program import Tensor
from nnstep.tui.panes import PANES, Row
from nnstep.tui.panes.pane import Pane
from nnstep.tui.panes.tensors import TensorPane, TensorView

from .actions import Action
from .layout import NUMBERS_WIDTH, Arrangement, Needs, regions_of


class Stage:
    """The panes of the table, and the choice of those that are seen.

    Panes that share a region of the screen take turns: the one looked at last is shown. One pane
    has the keys; it is always seen, alone if there is no room for it beside the others. `fit` comes
    first: before it, no pane has a region.
    """

    def __init__(self, actions: tuple[Action, ...], *, network: bool) -> None:
        self.layout = Arrangement()
        self.panes = {row: row.make(network=network, actions=actions) for row in PANES}
        self.is_zoomed = False
        self._size = Size(0, 0)
        # The panes, the one looked at last first; the one that has the keys; those asked for.
        self._lately = list(PANES)
        self._here = PANES[0]
        self._asked: set[Row] = set()
        # The region of each pane that may be seen now, and which pane stands in each region.
        self._regions: dict[Row, str] = {}
        self._standing: dict[str, Pane] = {}

    # What can be asked

    @property
    def focus(self) -> Pane:
        """The pane that is to have the keys."""
        return self._standing[self._regions[self._here]]

    @property
    def active(self) -> TensorView:
        """The tensors looked at last."""
        panes = (self.panes[row] for row in self._lately)
        return next(pane.own_view for pane in panes if isinstance(pane, TensorPane))

    def is_open(self, row: Row) -> bool:
        """Tell whether a pane is to be shown, where there is room for it."""
        if row.shown == "when asked for":
            return row in self._asked
        return row.shown == "always" or not self.panes[row].nothing

    def next(self, direction: int) -> Row:
        """Return the next pane (1) of those that there is room for, or the one before (-1)."""
        here, count = PANES.index(self._here), len(PANES)
        return min(
            (row for row in self._regions if self._has_room(row)),
            key=lambda row: direction * (PANES.index(row) - here) % count or count,
        )

    def _has_room(self, row: Row) -> bool:
        """Tell whether a pane can be shown beside the others."""
        return self._regions[row] in regions_of(self._size, self.layout.needs)

    # What it can be told

    def fit(self, size: Size, message: int) -> None:
        """Arrange the panes for a terminal of a size, where a message takes so many lines."""
        self._size = size
        self.layout.needs = replace(self.layout.needs, message=message)
        self._arrange()

    def leave_lines(self, message: int) -> None:
        """Leave a message as many lines as it takes; no pane moves for it."""
        if message != self.layout.needs.message:
            self.layout.needs = replace(self.layout.needs, message=message)
            self._lay_out()

    def update(self) -> None:
        """Arrange the panes anew if one has come or gone, or if the lines below others changed."""
        opened = [row for row in PANES if self.is_open(row)]
        if opened != list(self._regions) or self._wanted("below").height != self.layout.needs.below:
            self._arrange()

    def go_to(self, row: Row) -> None:
        """Give a pane that has something to show the keys, and bring it into view."""
        self._here = row
        if row.shown == "when asked for":
            self._asked.add(row)
        self._look_at(row)
        if self._regions[row] in self.layout.shown.values():
            self.draw_cursors()
        else:
            self._arrange()

    def close(self, row: Row) -> None:
        """Show a pane that was asked for no longer."""
        self._asked.remove(row)
        self._arrange()

    def zoom(self) -> None:
        """Show the pane that has the keys alone, or all panes again."""
        self.is_zoomed = not self.is_zoomed
        if not self.is_zoomed and not self._has_room(self._here):
            self._here = PANES[0]
        self._arrange()

    def turn_to(self, tensor: Tensor) -> None:
        """Give the pane that has a tensor its turn, if it takes turns with others."""
        for row, region in self._regions.items():
            stands = self._standing.get(region)
            if stands and len(stands.tabs) > 1 and self.panes[row].holds(tensor):
                if self._regions[self._here] == region:
                    self._here = row
                self._look_at(row)
                return

    def draw_cursors(self) -> None:
        """Draw the cursor where it is now, and no longer where it was."""
        for pane in self._standing.values():
            if isinstance(pane, TensorPane):
                pane.redraw()

    # Arranging

    def _arrange(self) -> None:
        """Choose which pane stands in each region, and which of these are seen.

        The pane that has the keys keeps them, and is shown alone if there is no room for it.
        """
        needs = self.layout.needs = Needs(
            self._wanted("listing").width,
            self._wanted("first").height,
            self._wanted("below").height,
            any(row.region == "bottom" and self.is_open(row) for row in PANES),
            self.layout.needs.message,
        )
        there = regions_of(self._size, needs)
        self._regions = {
            row: next((name for name in (row.region, row.group) if name in there), row.region)
            for row in PANES
            if self.is_open(row)
        }
        if self._here not in self._regions:
            self._here = PANES[0]
        here = self._regions[self._here]
        self.is_zoomed = self.is_zoomed or here not in there
        standing = {here, *self._regions.values()} & {here, *there}
        self._standing = {region: self._turn_in(region) for region in standing}
        seen = {here} if self.is_zoomed else standing
        for pane in self.panes.values():
            pane.display = any(self._standing[region] is pane for region in seen)
        self.layout.shown = {self._standing[region].id or "": region for region in seen}
        self.layout.zoomed = here if self.is_zoomed else None
        self._lay_out()
        self._mark_active()
        self.draw_cursors()

    def _wanted(self, region: str) -> Size:
        """Return in how much room all that belongs in a region could be seen."""
        wanted = [
            pane.wanted(NUMBERS_WIDTH - 1)
            for row, pane in self.panes.items()
            if row.region == region and self.is_open(row)
        ]
        width = max((size.width for size in wanted), default=0)
        return Size(width, max((size.height for size in wanted), default=0))

    def _turn_in(self, region: str) -> Pane:
        """Return the pane that is to stand in a region: it shows what was looked at last there."""
        sharing = [row for row, name in self._regions.items() if name == region]
        shown = self.panes[min(sharing, key=self._lately.index)]
        stands = next(pane for row in sharing if (pane := self.panes[row]).take(shown))
        stands.tabs = tuple(self.panes[row].own_tab for row in sharing)
        return stands

    def _lay_out(self) -> None:
        # A child has to ask: a screen that does keeps the arrangement that it remembers.
        self.panes[PANES[0]].refresh(layout=True)

    def _look_at(self, row: Row) -> None:
        """Give a pane its turn, as the one looked at last; where that is possible, at once."""
        self._lately.remove(row)
        self._lately.insert(0, row)
        stands = self._standing.get(self._regions.get(row, ""))
        if stands is not None and stands.take(self.panes[row]):
            self._mark_active()
        else:
            self._arrange()

    def _mark_active(self) -> None:
        """Have the cursor shown in the tensors looked at last, and nowhere else."""
        active = self.active
        for pane in self._standing.values():
            if isinstance(pane, TensorPane):
                pane.look_at(pane.view is active)
