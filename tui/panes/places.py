"""Where one looks in a calculation: the place of each axis around which its rows are drawn."""

import numpy as np

from nnstep.engine.explain.calculation import Row

from .sheet import View

# Up to so many numbers, the largest of a sum is looked for, to show it first.
LOOKED_THROUGH = 200_000


class Places:
    """Which places of the axes of a calculation are looked at."""

    def __init__(self, view: View) -> None:
        self.rows = view.rows
        self.sizes: dict[int, int] = {}
        for row in self.rows:
            for axis, size in zip(row.axes, row.shape, strict=True):
                self.sizes[axis] = max(size, self.sizes.get(axis, 1))
        self.focus: dict[int, int] = dict(zip(view.row.axes, view.spot.index, strict=True))
        self._look_at_sources(view)
        self._look_at_largest()
        main = max(self.rows, key=lambda row: (len(row.axes), not row.written))
        self.column = main.axes[-1] if main.axes else None
        self.line = main.axes[-2] if len(main.axes) > 1 else None
        self.leading = main.axes[:-2]

    def _look_at_sources(self, view: View) -> None:
        for row in self.rows:
            found = [index for name, index in view.sources if name == row.tensor]
            if not found or row.written or set(row.axes) <= set(self.focus):
                continue
            for axis, at in zip(row.axes, row.stored(min(found)), strict=False):
                self.focus.setdefault(axis, at)

    def _look_at_largest(self) -> None:
        """Look at the largest of what is summed, along the axes that a sum takes away."""
        free = {axis for row in self.rows for axis in row.axes} - set(self.focus)
        summed = [row for row in self.rows if free & set(row.axes) and not row.tensor]
        for row in reversed(summed or [row for row in self.rows if free & set(row.axes)]):
            if np.prod(row.shape) > LOOKED_THROUGH:
                continue
            window = tuple(
                slice(self.focus[axis], self.focus[axis] + 1)
                if axis in self.focus and size > 1
                else slice(None)
                for axis, size in zip(row.axes, row.shape, strict=True)
            )
            numbers = np.abs(row.values[window].astype(np.float64))
            numbers = np.where(np.isnan(numbers), np.inf, numbers)
            if numbers.size:
                largest = np.unravel_index(int(numbers.argmax()), numbers.shape)
                for axis, at in zip(row.axes, largest, strict=True):
                    self.focus.setdefault(axis, int(at))

    def at(self, axis: int, size: int) -> int:
        """Return the place that is looked at of an axis of a row."""
        return min(self.focus.get(axis, 0), size - 1)

    def lines_of(self, row: Row) -> int:
        """Return how many lines a row would take whole."""
        if self.line in row.axes and len(row.axes) > 1:
            return row.shape[row.axes.index(self.line)]
        if len(row.axes) > 1 and self.column not in row.axes:
            return row.shape[-2]
        return row.shape[0] if row.axes == (self.line,) else 1


def keeps_one(row: Row, places: Places) -> bool:
    """Tell whether a row is what is left of the columns of others."""
    at = row.axes.index(places.column) if places.column in row.axes else None
    return at is not None and row.shape[at] == 1 < places.sizes[row.axes[at]]


def place_in_words(view: View, places: Places) -> str:
    """Say which row is looked at, and its class if the calculation has one."""
    if places.line is None or places.sizes[places.line] == 1:
        return ""
    at = places.at(places.line, places.sizes[places.line])
    text = f"row {at} of {places.sizes[places.line]}"
    classed = next((row for row in view.rows if row.classes), None)
    return text if classed is None else f"{text}, {class_of(classed, at)}"


def class_of(row: Row, line: int) -> str:
    """Say which class a row of classes has a 1 at."""
    numbers = row.values[slice(line, line + 1), slice(None)].ravel()
    return f"{row.classes}[{line}] = {int(numbers.argmax())}"
