"""The loss: its latest value, its best, by how much it changed, and the curve of the whole run."""

from collections.abc import Iterator

import numpy as np
from rich.style import Style

from nnstep.engine.arrays import Array
from nnstep.engine.snapshot import Snapshot
from nnstep.tui.braille import Curve, curve
from nnstep.tui.numbers import direction, format_change, format_value
from nnstep.tui.widgets.line_view import Line, LineView, Piece, empty, fit
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
        """Paint one line, or the figures with the curve under them, an edge before each line."""
        edge = self.edge
        return [edge + line for line in self._lines_of(width - len(edge), height)]

    def _lines_of(self, width: int, height: int) -> list[Line]:
        blank = self.palette.text
        if height < FIXED_LINES + 1:
            return [fit(self._one_line(width), width, blank), *[empty(width, blank)] * (height - 1)]
        rows = height - FIXED_LINES
        drawn = curve(self._losses, max(1, width - AXIS_WIDTH - 1), rows)
        best = "".join(text for text, _ in self._best()) + " "
        return [
            fit(self._title(width, best), width, self.palette.tab),
            fit(_fitting([self._last(), self._change()], width), width, blank),
            *(fit(self._curve_row(drawn, y, width), width, blank) for y in range(rows)),
            fit(self._axis(width, drawn), width, blank),
        ]

    def _title(self, width: int, hint: str = "") -> Iterator[Piece]:
        tabs = (self.tab,)
        return tab_line(
            tabs, self.tab.digit, self.palette, width, hint.lstrip(), focused=self.has_focus
        )

    def _one_line(self, width: int) -> Iterator[Piece]:
        """Paint the figures and, in what is left of the line, a small curve."""
        yield from self._title(width)
        left = width - len(self.tab.text)
        figures = list(_fitting([self._last(), self._change(), self._best()], left))
        yield from figures
        left -= sum(len(text) for text, _ in figures) + 3
        if left > 0 and len(self._losses):
            yield "  ", self.palette.text
            yield curve(self._losses, left, 1).rows[0], self._curve_style

    def _last(self) -> list[Piece]:
        """Paint the last loss."""
        palette = self.palette
        if not len(self._losses):
            return [(" no loss yet", palette.muted)]
        last = float(self._losses[-1])
        style = palette.strong if np.isfinite(last) else palette.error
        return [(f" {self._name} ", palette.muted), (format_value(last), style)]

    def _change(self) -> list[Piece]:
        """Paint by how much it changed from the iteration before."""
        if len(self._losses) < 2:
            return []
        earlier, last = map(float, self._losses[-2:])
        arrow, change = direction(earlier, last), format_change(earlier, last)
        return [(f" {arrow} {change if len(change) > 1 else '':<9}", self.palette.muted)]

    def _best(self) -> list[Piece]:
        """Paint the smallest of all losses."""
        finite = self._losses[np.isfinite(self._losses)]
        if not len(finite):
            return []
        return [(f" best {format_value(float(finite.min()))}", self.palette.muted)]

    def _curve_row(self, drawn: Curve, y: int, width: int) -> Iterator[Piece]:
        """Paint one row of the curve, the scale beside its first and last."""
        if y >= len(drawn.rows) or not len(self._losses) or width <= AXIS_WIDTH + 1:
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
        first, last = " iteration 0", f"{count - 1} " if count > 1 else ""
        room = width - AXIS_WIDTH - len(first)
        if room >= 0:
            yield ("log" if drawn.log else "").rjust(AXIS_WIDTH) + first, self.palette.muted
        if room > len(last):
            yield last.rjust(room), self.palette.muted

    @property
    def _curve_style(self) -> Style:
        return self.palette.heat[1]


def _fitting(figures: list[list[Piece]], width: int) -> Iterator[Piece]:
    """Leave out the figures that do not fit, from the first such one on: none is ever cut."""
    for figure in figures:
        width -= sum(len(text) for text, _ in figure)
        if width < 0:
            return
        yield from figure
