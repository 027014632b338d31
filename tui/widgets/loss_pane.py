"""The loss: its latest value, its best, by how much it changed, and the curve of the whole run."""

from collections.abc import Iterator

import numpy as np
from rich.style import Style

from nnstep.engine.arrays import Array
from nnstep.engine.snapshot import Snapshot
from nnstep.tui.braille import Curve, curve
from nnstep.tui.numbers import direction, format_change, format_value
from nnstep.tui.widgets.line_view import Line, LineView, Piece, fit
from nnstep.tui.widgets.tab_line import Tab, tab_line

AXIS_WIDTH = 11
# The title, the figures, and the iterations under the curve.
FIXED_LINES = 3


class LossPane(LineView, can_focus=True):
    """Shows the losses of all iterations so far, in one line or in as many as there are."""

    def __init__(self, tab: Tab, *, id: str) -> None:
        super().__init__(id=id)
        self.tab = tab
        self._losses: Array = np.empty(0)
        self._name = "L"

    def show(self, snapshot: Snapshot) -> None:
        """Draw the losses of a snapshot."""
        grown = len(snapshot.losses) != len(self._losses)
        self._losses, self._name = snapshot.losses, snapshot.program.loss
        if grown:
            self.redraw()

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint one line, or the figures with the curve under them."""
        blank = self.palette.text
        if height < FIXED_LINES + 1:
            return [fit(self._one_line(width), width, blank)]
        rows = height - FIXED_LINES
        drawn = curve(self._losses, width - AXIS_WIDTH - 1, rows)
        return [
            fit(self._title(), width, self.palette.tab),
            fit(self._figures(), width, blank),
            *(fit(self._curve_row(drawn, y), width, blank) for y in range(rows)),
            fit(self._axis(width, drawn), width, blank),
        ]

    def _title(self) -> Iterator[Piece]:
        return tab_line((self.tab,), self.tab.digit, self.palette, focused=self.has_focus)

    def _one_line(self, width: int) -> Iterator[Piece]:
        """Paint the figures and, in what is left of the line, a small curve."""
        pieces = [*self._title(), *self._figures()]
        yield from pieces
        left = width - sum(len(text) for text, _ in pieces) - 3
        if left > 0 and len(self._losses):
            yield "  ", self.palette.text
            yield curve(self._losses, left, 1).rows[0], self._curve_style

    def _figures(self) -> Iterator[Piece]:
        """Paint the last loss, its change from the iteration before, and the best."""
        palette = self.palette
        if not len(self._losses):
            yield " no loss yet", palette.muted
            return
        last = float(self._losses[-1])
        text = format_value(last)
        yield f" {self._name} ", palette.muted
        yield f"{text}", palette.strong if np.isfinite(last) else palette.error
        if len(self._losses) > 1:
            earlier = float(self._losses[-2])
            arrow, change = direction(earlier, last), format_change(earlier, last)
            yield f" {arrow} {change if len(change) > 1 else '':<9}", palette.muted
        finite = self._losses[np.isfinite(self._losses)]
        if len(finite):
            yield f" best {format_value(float(finite.min()))}", palette.muted

    def _curve_row(self, drawn: Curve, y: int) -> Iterator[Piece]:
        """Paint one row of the curve, the scale beside its first and last."""
        if not len(self._losses):
            return
        scale = {0: drawn.high, len(drawn.rows) - 1: drawn.low}.get(y)
        text = "" if scale is None else format_value(scale)
        yield f"{text:>{AXIS_WIDTH}} ", self.palette.muted
        yield drawn.rows[y], self._curve_style

    def _axis(self, width: int, drawn: Curve) -> Iterator[Piece]:
        """Paint the iterations under the curve."""
        count = len(self._losses)
        if not count:
            return
        scale = "log" if drawn.log else ""
        yield f"{scale:>{AXIS_WIDTH}} iteration 0", self.palette.muted
        last = f"{count - 1} "
        if count - 1 > 0:
            yield last.rjust(width - AXIS_WIDTH - len(" iteration 0")), self.palette.muted

    @property
    def _curve_style(self) -> Style:
        return self.palette.heat[1]
