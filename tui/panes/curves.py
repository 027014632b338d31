"""Curves over the iterations: the loss of the branches, and a plotted expression."""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from rich.style import Style

from nnstep.engine.arrays import Array
from nnstep.engine.session.snapshot import BranchView, Snapshot
from nnstep.tui.numbers import direction, format_change, format_value

from .braille import Curve, Scale, curve, curves, layered, same_values
from .line_view import Line, Piece, columns, fit
from .pane import Pane, Tab
from .program import shortened
from .scene import Scene

AXIS_WIDTH = 11
# The title, the figures, and the iterations under the curve.
FIXED_LINES = 3
# With fewer under the title, the curve needs them all.
LINES_FOR_LEGEND = 5
ONE_VALUE = "The curve begins with iteration 1."

Figure = list[Piece]

NOTHING: Array = np.empty(0)


class CurvePane(Pane):
    """Shows one number an iteration, in one line or in as many as there are.

    `label` stands before the last value, and `nothing_yet` where there is none. `behind`, if it
    is not empty, is another curve to compare with, drawn dotted behind the first.
    """

    label = ""
    nothing_yet = "no value yet"

    def __init__(self, tab: Tab, *, id: str | None = None) -> None:
        super().__init__(tab, id=id)
        self.values = self.behind = NOTHING

    def legend(self) -> list[Figure]:
        """Paint which curve is which, where there are two."""
        return []

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint everything on one line where there is no room for a curve under the title."""
        if height > FIXED_LINES:
            return super().paint(width, height)
        inner = width - len(self.edge)
        return self.framed([fit(self._one_line(inner), inner, self.palette.text)], inner, height)

    def body(self, width: int, height: int) -> Iterator[Line]:
        """Paint the figures with the curve under them."""
        blank = self.palette.text
        figures = [[self._last(), self._change()]]
        if len(self.values) < 2 and not len(self.behind):
            yield from (fit(fitting(line, width), width, blank) for line in figures)
            yield fit([(f" {ONE_VALUE}", self.palette.muted)], width, blank)
            return
        if len(self.behind) and height >= LINES_FOR_LEGEND:
            figures.append(self.legend())
        rows = height - 1 - len(figures)
        layers = [self.values, self.behind] if len(self.behind) else [self.values]
        drawn = curves(layers, max(1, width - AXIS_WIDTH - 1), rows)
        yield from (fit(fitting(line, width), width, blank) for line in figures)
        yield from (fit(self._curve_row(drawn, y, width), width, blank) for y in range(rows))
        yield fit(self._axis(width, drawn[0].scale), width, blank)

    def _one_line(self, width: int) -> Iterator[Piece]:
        """Paint the figures and, in what is left of the line, a small curve."""
        title = list(self.title(width))
        yield from title
        left = width - _width(title)
        hint: Figure = [(f" {text}", self.palette.muted)] if (text := self.hint()) else []
        figures = list(fitting([self._last(), self._change(), hint], left))
        yield from figures
        left -= _width(figures) + 3
        if left > 0 and len(self.values) > 1:
            yield "  ", self.palette.text
            yield curve(self.values, left, 1).rows[0], self.curve_style

    def _last(self) -> Figure:
        """Paint the last value."""
        if not len(self.values):
            return [(f" {self.nothing_yet}", self.palette.muted)]
        last = float(self.values[-1])
        style = self.palette.strong if math.isfinite(last) else self.palette.error
        return [(f" {self.label}", self.palette.muted), (format_value(last), style)]

    def _change(self) -> Figure:
        """Paint by how much it changed from the iteration before."""
        if len(self.values) < 2:
            return []
        earlier, last = map(float, self.values[-2:])
        arrow, change = direction(earlier, last), format_change(earlier, last)
        return [(f" {arrow} {change if len(change) > 1 else '':<9}", self.palette.muted)]

    def _curve_row(self, drawn: Sequence[Curve], y: int, width: int) -> Iterator[Piece]:
        """Paint one row of the curve, the scale beside its first and last."""
        front, *behind = [each.rows for each in drawn]
        if y >= len(front) or width <= AXIS_WIDTH + 1:
            return
        yield scale_label(drawn[0].scale, y, len(front)), self.palette.muted
        if not behind:
            yield front[y], self.curve_style
            return
        for text, in_front in layered(front[y], behind[0][y]):
            yield text, self.curve_style if in_front else self.palette.muted

    def _axis(self, width: int, scale: Scale) -> Iterator[Piece]:
        """Paint the iterations under the curve."""
        count = max(len(self.values), len(self.behind))
        if not count:
            return
        first, last = " iteration 0", f"{count - 1} " if count > 1 else ""
        room = width - AXIS_WIDTH - len(first)
        if room >= 0:
            yield ("log" if scale.log else "").rjust(AXIS_WIDTH) + first, self.palette.muted
        if room > len(last):
            yield last.rjust(room), self.palette.muted

    @property
    def curve_style(self) -> Style:
        """The style of the curve in front."""
        return self.palette.text


def scale_label(scale: Scale, y: int, rows: int) -> str:
    """Return what stands before a row of a curve: an end of the scale, at its first and last."""
    shown = {rows - 1: scale.low, 0: scale.high}.get(y, math.nan)
    return f"{'' if math.isnan(shown) else format_value(shown):>{AXIS_WIDTH}} "


def _width(pieces: Sequence[Piece]) -> int:
    return sum([columns(text) for text, _ in pieces])


def fitting(figures: Iterable[Figure], width: int) -> Iterator[Piece]:
    """Leave out the figures that do not fit, from the first such one on: none is ever cut."""
    for figure in figures:
        width -= _width(figure)
        if width < 0:
            return
        yield from figure


LINE_SAMPLE, DOTTED_SAMPLE = "⠒⠒", "⠂⠂"
NAME_WIDTH = 12


class LossPane(CurvePane):
    """Shows the losses of all iterations so far, and those of another branch to compare with."""

    nothing_yet = "no loss yet"

    def __init__(self, tab: Tab, *, id: str | None = None) -> None:
        super().__init__(tab, id=id)
        self._names = ("", "")

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Draw the losses of a snapshot, up to its place; of the other branch, all."""
        other = other_branch(snapshot)
        names = snapshot.branch.name, other.name if other else ""
        behind = other.losses if other else NOTHING
        same = same_values(snapshot.losses, self.values) and same_values(behind, self.behind)
        if not same or names != self._names:
            self.values, self.behind, self._names = snapshot.losses, behind, names
            self.label = f"{snapshot.program.loss} "
            self.redraw()

    def hint(self) -> str:
        """Return the smallest of all losses."""
        finite = self.values[np.isfinite(self.values)]
        return f"best {format_value(float(finite.min()))}" if len(finite) else ""

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


class PlotPane(CurvePane):
    """Shows one series under its expression.

    `values` has shape `(iterations,)`, with NaN where the expression had no value.
    """

    def __init__(self, text: str, values: Array, *, id: str | None = None) -> None:
        super().__init__(Tab(None, text), id=id)
        self.values = values
