"""The line above the keys: the cell under the cursor, to the last digit.

The table rounds; here stand the exact value, the exact value that it had, and the difference.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from nnstep.engine.text import cell_name
from nnstep.tui.numbers import direction, format_exact, is_same
from nnstep.tui.theme import Palette
from nnstep.tui.widgets.line_view import Line, LineView, Piece, columns, fit
from nnstep.tui.widgets.tensor_view import TensorView


class CellLine(LineView):
    """Shows the cell of one view; on two lines, the change below the value, where it is narrow."""

    def __init__(self, view: TensorView, *, id: str) -> None:
        super().__init__(id=id)
        self._view = view

    def show(self, view: TensorView) -> None:
        """Draw the cell that a view's cursor is on."""
        self._view = view
        self.redraw()

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint what is known of the cell, as much of it as fits."""
        snapshot, selected, palette = self._view.snapshot, self._view.selected, self.palette
        value: list[Piece] = []
        change: list[Piece] = []
        if snapshot is not None and selected is not None:
            name, index = selected
            array, before = snapshot.tensors[name], snapshot.before.get(name)
            texts = f" {cell_name(name, index)}", f" = {format_exact(array[index])}"
            value = [(text, palette.note_strong) for text in texts]
            if before is not None and before is not array and before.shape == array.shape:
                room = width - (columns("".join(texts)) + 1 if height == 1 else 0)
                change = list(_change(before[index], array[index], room, palette))
        if height == 1:
            value, change = [*value, (" ", palette.note), *change], []
        return [fit(_fitting(line, width), width, palette.note) for line in (value, change)][
            :height
        ]


def _change(old: Any, new: Any, width: int, palette: Palette) -> Iterator[Piece]:
    """Paint the earlier value and the difference, with fewer digits if all do not fit."""
    was = f" was {format_exact(old)}"
    yield was, palette.note
    before, after = old.item(), new.item()
    if is_same(before, after):
        return
    yield f" {direction(before, after)}", palette.note_strong
    with np.errstate(all="ignore"):
        difference = new - old
    if np.isfinite(difference):
        exact, short = format_exact(difference), f"{difference.item():+.6g}"
        signed = exact if exact.startswith("-") else f"+{exact}"
        yield f" {signed if len(was) + 3 + len(signed) <= width else short}", palette.note


def _fitting(pieces: Iterable[Piece], width: int) -> Iterator[Piece]:
    """Leave out what does not fit: a number that is cut would be another number."""
    for text, style in pieces:
        width -= columns(text)
        if width < 0:
            return
        yield text, style
