"""The lines under a tensor pane: the cell under the cursor, to the last digit.

The table rounds; here stand the exact value, the exact value that it had, and the difference.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from nnstep.engine.arrays import Shape
from nnstep.engine.snapshot import Snapshot
from nnstep.engine.text import cell_name as cell_name
from nnstep.tui.numbers import direction, format_exact, is_same
from nnstep.tui.theme import Palette
from nnstep.tui.widgets.line_view import Piece

CURSOR_LINES = 2


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
        (f" = {format_exact(array[index])}", palette.note_strong),
    ]
    if before is None or before is array or before.shape != array.shape:
        return first, []
    return first, list(_change(before[index], array[index], width, palette))


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
