"""The lines under a tensor pane: the cell under the cursor, to the last digit.

The table rounds; here stand the exact value, the exact value that it had, and the difference.
"""

import math
from collections.abc import Iterator

from nnstep.engine.arrays import Shape
from nnstep.engine.snapshot import Snapshot
from nnstep.tui.numbers import direction, is_same
from nnstep.tui.theme import Palette
from nnstep.tui.widgets.line_view import Piece

CURSOR_LINES = 2


def cell_name(name: str, index: Shape) -> str:
    """Write a cell as NumPy would: `W1[0, 1]`, a 0-d tensor by its name alone."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def cursor_lines(
    snapshot: Snapshot, selected: tuple[str, Shape] | None, width: int, palette: Palette
) -> tuple[list[Piece], list[Piece]]:
    """Paint what is known of the selected cell in two lines."""
    if selected is None:
        return [], []
    name, index = selected
    array, before = snapshot.tensors[name], snapshot.before.get(name)
    first = [
        (f" {cell_name(name, index)}", palette.note_strong),
        (f" = {array[index]}", palette.note_strong),
    ]
    if before is None or before is array or before.shape != array.shape:
        return first, []
    return first, list(_change(before[index], array[index], width, palette))


def _change(old: float, new: float, width: int, palette: Palette) -> Iterator[Piece]:
    """Paint the earlier value and the difference, with fewer digits if all do not fit."""
    was = f" was {old}"
    yield was, palette.note
    if is_same(old, new):
        return
    difference = float(new) - float(old)
    arrow = direction(old, new)
    yield f" {arrow}", palette.note_strong
    if math.isfinite(difference):
        exact, short = f" {difference:+}", f" {difference:+.6g}"
        yield exact if len(was) + 2 + len(exact) <= width else short, palette.note
