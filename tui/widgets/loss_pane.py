"""The loss: its latest value, its best, by how much it changed, and the curve of the whole run.

Where the run has taken more than one course, the curve of the branch that was left stands behind.
"""

from collections.abc import Iterator

import numpy as np

from nnstep.engine.snapshot import BranchView, Snapshot
from nnstep.tui.numbers import format_value
from nnstep.tui.widgets.curve_pane import NOTHING, CurvePane, Figure, same_values
from nnstep.tui.widgets.line_view import Piece
from nnstep.tui.widgets.program_rows import shortened
from nnstep.tui.widgets.tab_line import Tab, tab_line

LINE_SAMPLE, DOTTED_SAMPLE = "⠒⠒", "⠂⠂"
NAME_WIDTH = 12


class LossPane(CurvePane):
    """Shows the losses of all iterations so far, and those of another branch to compare with."""

    def __init__(self, tab: Tab, *, id: str) -> None:
        super().__init__(id=id, nothing="no loss yet")
        self.tab = tab
        self._names = ("", "")

    def show(self, snapshot: Snapshot) -> None:
        """Draw the losses of a snapshot, up to its place; of the other branch, all."""
        other = other_branch(snapshot)
        names = snapshot.branch.name, other.name if other else ""
        behind = other.losses if other else NOTHING
        same = same_values(snapshot.losses, self.values) and same_values(behind, self.behind)
        if not same or names != self._names:
            self.values, self.behind, self._names = snapshot.losses, behind, names
            self.label = f"{snapshot.program.loss} "
            self.redraw()

    def title(self, width: int, hint: str = "") -> Iterator[Piece]:
        """Paint the tab."""
        tabs = (self.tab,)
        return tab_line(tabs, self.tab.digit, self.palette, width, hint, focused=self.has_focus)

    def hint(self) -> Figure:
        """Paint the smallest of all losses."""
        finite = self.values[np.isfinite(self.values)]
        if not len(finite):
            return []
        return [(f" best {format_value(float(finite.min()))}", self.palette.muted)]

    def legend(self) -> list[Figure]:
        """Paint the names of the two branches, and the loss of the other one in this iteration."""
        palette, here = self.palette, len(self.values) - 1
        one, other = (shortened(name, 0, NAME_WIDTH) for name in self._names)
        figures = [
            [(f" {LINE_SAMPLE} ", self.curve_style), (one, palette.text)],
            [(f"  {DOTTED_SAMPLE} {other}", palette.muted)],
        ]
        if 0 <= here < len(self.behind):
            figures.append([(f" {format_value(float(self.behind[here]))}", palette.muted)])
        return figures


def other_branch(snapshot: Snapshot) -> BranchView | None:
    """Return the branch to compare with: the one that was left last, or else the parent."""
    if len(snapshot.branches) < 2:
        return None
    here, found = snapshot.branch.name, None
    for branch in snapshot.branches:
        if branch.name == snapshot.left != here:
            return branch
        if branch.name == snapshot.branch.parent:
            found = branch
    return found
