"""Which pane stands where, and which has the keys."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from textual.geometry import Region, Size

from nnstep.tui.panes import PANES, Row, row_of
from nnstep.tui.panes.pane import Pane, Tab
from nnstep.tui.panes.step import StepPane
from nnstep.tui.panes.tensors import TensorPane

from .actions import Action
from .layout import Arrangement, Needs, regions_of

PaneOfKind = TypeVar("PaneOfKind", bound=Pane)

PROGRAM, STEP = row_of(1), row_of(0)
# The width of the pane of the step at 80 columns, within its edge.
MAIN_WIDTH = 43


class Stage:
    """The panes of the table, and the choice of those that are seen.

    Panes that share a region of the screen take turns: the one looked at last is shown. One pane
    has the keys; it is always seen, alone if there is no room for it beside the others. `fit` comes
    first: before it, no pane has a region.

    A pane is made when it is first wanted, and then handed to `made`; one that is shown
    `when filled` not before `is_filled` says that there is something for it.
    """

    def __init__(
        self,
        actions: tuple[Action, ...],
        made: Callable[[Pane], None] = lambda pane: None,
        is_filled: Callable[[], bool] = lambda: True,
        *,
        network: bool,
    ) -> None:
        self.layout = Arrangement()
        self.panes: dict[Row, Pane] = {}
        self._actions, self._network = actions, network
        self._made, self._is_filled = made, is_filled
        self.is_zoomed = self.is_large = False
        self._size = Size(0, 0)
        # The panes, the one looked at last first; the one that has the keys; those asked for.
        self._lately = sorted(PANES, key=lambda row: row is not STEP)
        self._here = PROGRAM
        self._asked: set[Row] = set()
        # The region of each pane that may be seen now, and which pane stands in each region.
        self._regions: dict[Row, str] = {}
        self._standing: dict[str, Pane] = {}

    # What can be asked

    @property
    def here(self) -> Row:
        """The pane that has the keys."""
        return self._here

    @property
    def focus(self) -> Pane:
        """The pane that is to have the keys, as it stands on the screen."""
        return self._standing[self._regions[self._here]]

    @property
    def is_in_numbers(self) -> bool:
        """Whether a pane of tensors has the keys that does not follow the step."""
        return isinstance(self.focus, TensorPane) and not isinstance(self.focus, StepPane)

    def row_at(self, pane: Pane) -> Row | None:
        """Return the row of what a pane shows, None if it does not stand on the screen."""
        regions = (name for name, stands in self._standing.items() if stands is pane)
        region = next(regions, None)
        return None if region is None else self._turn_in(region)

    def pane(self, row: Row) -> Pane:
        """Return the pane of a row."""
        if row not in self.panes:
            self.panes[row] = row.make(network=self._network, actions=self._actions)
            self.panes[row].display = False
            self._made(self.panes[row])
        return self.panes[row]

    def make_numbers(self) -> None:
        """Make all panes of numbers: one that is not seen follows the steps all the same."""
        for row in PANES:
            if row.roles:
                self.pane(row)

    @property
    def seen(self) -> list[Pane]:
        """The panes that are seen now."""
        return [pane for pane in self.panes.values() if pane.display]

    def find(self, kind: type[PaneOfKind]) -> PaneOfKind:
        """Return the first pane of a kind that is there."""
        return next(pane for pane in self.panes.values() if isinstance(pane, kind))

    @property
    def kept(self) -> Row | None:
        """The kind of numbers that stands in place of the step until that is asked for."""
        shown = self._turn_in("main")
        return None if shown is STEP else shown

    def is_open(self, row: Row) -> bool:
        """Tell whether a pane is to be shown, where there is room for it."""
        if row.shown == "when asked for":
            return row in self._asked
        if row.shown == "with room":
            return row.region in self._there
        if row.shown == "when filled" and row not in self.panes and not self._is_filled():
            return False
        return row.shown == "always" or not self.pane(row).nothing

    def next(self, direction: int) -> Row:
        """Return the next pane (1) of those that can be seen beside others, or the one before."""
        here, count = PANES.index(self._here), len(PANES)
        there = self._there
        seen = [self._turn_in(region) for region in {*self._regions.values()} & {*there}]
        return min(seen, key=lambda row: direction * (PANES.index(row) - here) % count or count)

    # What it can be told

    def fit(self, size: Size) -> None:
        """Arrange the panes for a terminal of a size; in a narrow one the program goes first.

        What stood in place of the step, and now has room beside it, goes there.
        """
        before = {*self._there}
        self._size = size
        kept = self.kept if self._regions else None
        for row in PANES:
            is_new = row.region in self._there and row.region not in before
            if kept and is_new and row.shown == "with room" and row.digit == kept.digit:
                self._lately.sort(key=lambda each: each is not STEP)
                self._here = row if self._here is kept else self._here
        if self._here is PROGRAM and not self.is_zoomed and "listing" not in self._there:
            self._here = STEP
        self._arrange()

    @property
    def _there(self) -> Mapping[str, Region]:
        """The regions that there are while no pane is alone."""
        return regions_of(self._size, self.layout.needs)

    def update(self) -> None:
        """Arrange the panes anew if one has come or gone, or if the lines below others changed."""
        opened = [row for row in PANES if self.is_open(row)]
        if opened != list(self._regions) or self._wanted("below").height != self.layout.needs.below:
            self._arrange()

    def go_to(self, row: Row) -> None:
        """Give a pane the keys, and bring it into view.

        If there is no more room for it beside the others, the one of its digit has them; if it has
        nothing to show any more, one that always has.
        """
        if row.shown == "with room" and not self.is_open(row):
            row = row_of(row.digit)
        self._here = row
        left = {each for each in self._asked if each.region == "whole" and each is not row}
        self._asked -= left
        if row.shown == "when asked for":
            self._asked.add(row)
        self._look_at(row)
        if left or self._regions.get(self._here) not in self.layout.shown.values():
            self._arrange()

    def close(self, row: Row) -> None:
        """Show a pane that was asked for no longer."""
        self._asked.remove(row)
        self._arrange()

    def zoom(self) -> None:
        """Show the pane that has the keys alone; then, of the step, large; then all panes again."""
        if self.is_zoomed and not self.is_large and self._here is STEP:
            self.is_large = True
        else:
            self.is_zoomed, self.is_large = not self.is_zoomed, False
        there = self._there
        if not self.is_zoomed and self._regions[self._here] not in there:
            self._here = PROGRAM if "listing" in there else self._turn_in("main")
        self._arrange()

    # Arranging

    def _arrange(self) -> None:
        """Choose which pane stands in each region, and which of these are seen.

        The pane that has the keys keeps them, and is shown alone if there is no room for it.
        """
        needs = self.layout.needs = Needs(
            weights=self._wanted("weights").height + 1,
            values=self._wanted("values").height + 1,
            gradients=self._wanted("gradients").height + 1,
            below=self._wanted("below").height,
            listing=self._wanted("listing").height + 1,
            bottom=any(row.region == "bottom" and self.is_open(row) for row in PANES),
            large=self.is_large,
            tree=any(row.region == "tree" and self.is_open(row) for row in PANES),
            whole=any(row.region == "whole" and self.is_open(row) for row in PANES),
        )
        there = regions_of(self._size, needs)
        self._regions = {row: row.region for row in PANES if self.is_open(row)}
        if self._here not in self._regions:
            self._here = PROGRAM if "listing" in there else self._turn_in("main")
        here = self._regions[self._here]
        self.is_zoomed = self.is_zoomed or here not in there
        if self.is_large and self._here is not STEP:
            self.is_large = False
            self._arrange()
            return
        standing = {here, *self._regions.values()} & {here, *there}
        self._standing = {region: self._stand(region) for region in standing}
        seen = {here} if self.is_zoomed else standing
        for pane in self.panes.values():
            pane.display = any(self._standing[region] is pane for region in seen)
        self.layout.shown = {self._standing[region].id or "": region for region in seen}
        self.layout.zoomed = here if self.is_zoomed else None
        self._lay_out()

    def _wanted(self, region: str) -> Size:
        """Return in how much room all that belongs in a region could be seen.

        What belongs in a region that a terminal of this size never has, is not asked.
        """
        if region in ("weights", "values", "gradients") and region not in self._possible:
            return Size(0, 0)
        wanted = [
            self.pane(row).wanted(MAIN_WIDTH)
            for row in PANES
            if row.region == region and (row.shown == "with room" or self.is_open(row))
        ]
        width = max((size.width for size in wanted), default=0)
        return Size(width, max((size.height for size in wanted), default=0))

    @property
    def _possible(self) -> Mapping[str, Region]:
        """The regions that there can be: nothing is at the bottom, and nothing over the others."""
        return regions_of(self._size, Needs(large=self.is_large))

    def _turn_in(self, region: str) -> Row:
        """Return which of the panes that share a region was looked at last."""
        sharing = [row for row, name in self._regions.items() if name == region]
        return min(sharing, key=self._lately.index)

    def _stand(self, region: str) -> Pane:
        """Return the pane that is to stand in a region: it shows what was looked at last there."""
        sharing = [row for row, name in self._regions.items() if name == region]
        shown = self.pane(self._turn_in(region))
        stands = next(pane for row in sharing if (pane := self.pane(row)).take(shown))
        stands.tabs = tuple(Tab(row.digit, row.title_of(network=self._network)) for row in sharing)
        return stands

    def _lay_out(self) -> None:
        # A child has to ask: a screen that does keeps the arrangement that it remembers.
        self.pane(PROGRAM).refresh(layout=True)

    def _look_at(self, row: Row) -> None:
        """Give a pane its turn, as the one looked at last; where that is possible, at once."""
        self._lately.remove(row)
        self._lately.insert(0, row)
        stands = self._standing.get(self._regions.get(row, ""))
        if stands is None or not stands.take(self.pane(row)):
            self._arrange()
        else:
            stands.redraw()
