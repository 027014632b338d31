"""A plot: the values of an expression in every iteration, as if they had always been logged."""

from collections.abc import Iterator

from nnstep.engine.arrays import Array
from nnstep.tui.widgets.curve_pane import CurvePane
from nnstep.tui.widgets.line_view import Piece, columns


class PlotPane(CurvePane):
    """Shows one series under its expression.

    `values` has shape `(iterations,)`, with NaN where the expression had no value.
    """

    def __init__(self, text: str, values: Array, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = text
        self.values = values

    def show_series(self, text: str, values: Array) -> None:
        """Draw another series."""
        self._text, self.values = text, values
        self.redraw()

    def title(self, width: int, hint: str = "") -> Iterator[Piece]:
        """Paint the expression."""
        text = f" {self._text} "
        yield text, self.palette.focused_title if self.has_focus else self.palette.title
        if 0 < len(hint) <= width - columns(text):
            yield hint.rjust(width - columns(text)), self.palette.tab
