"""The step for the back row: one line and its calculation, with air, in 80 columns of the screen.

Where there is room, they stand in the middle, and the lines of the program around the one that has
just run at their left.
"""

from collections.abc import Mapping, Sequence

from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.theme import Palette

from .line_view import Line, empty, fit
from .program import label_column, listed, ran_lines
from .scene import Scene

# The columns of the drawing, what is left free at either side of it, and the lines above it.
COLUMNS, MARGIN, ABOVE = 80, 4, 4
# The columns that the program needs, and how many of its lines are shown.
LISTING, LISTED = 36, 5


def left_of(width: int) -> int:
    """Return where the drawing begins: at the left, in the middle, or after the program."""
    middle = max(0, (width - COLUMNS) // 2)
    return max(middle, LISTING) if width >= LISTING + COLUMNS else middle


def room_in(width: int) -> int:
    """Return how many columns there are for a calculation."""
    return max(1, min(width, COLUMNS) - 2 * MARGIN)


def lines_in(height: int) -> int:
    """Return how many lines of a calculation there is room for: a blank stands after each."""
    return (height - ABOVE + 1) // 2


def place_of(x: int, y: int, width: int) -> tuple[int, int]:
    """Return where a column and line of a calculation stand on the screen."""
    return left_of(width) + MARGIN + x, ABOVE + 2 * y


def place_in(x: int, y: int, width: int) -> tuple[int, int] | None:
    """Return what stands at a place of the screen: a column and line of a calculation."""
    return None if y < ABOVE else (x - left_of(width) - MARGIN, (y - ABOVE) // 2)


def enlarged(
    body: Sequence[Line], snapshot: Snapshot, scene: Scene | None, width: int, palette: Palette
) -> list[Line]:
    """Paint a line of code over its calculation, a blank after every line."""
    left, text = left_of(width), palette.text
    code = snapshot.last.code if snapshot.last else ""
    lines: dict[int, Line] = {1: ((code, palette.strong),)}
    lines |= {ABOVE + 2 * at: line for at, line in enumerate(body)}
    beside = _around(snapshot, scene, left, palette) if left >= LISTING else {}
    blank, margin = empty(left, text), (" " * MARGIN, text)
    return [
        fit([*beside.get(y, blank), margin, *lines.get(y, ())], width, text)
        for y in range(1 + max([*lines, *beside]))
    ]


def _around(
    snapshot: Snapshot, scene: Scene | None, width: int, palette: Palette
) -> Mapping[int, Line]:
    """Paint the program's lines around the one that has just run, by the lines they stand on."""
    count = len(snapshot.program)
    ran = ran_lines(snapshot, scene)
    middle = (snapshot.place - 1) % count if snapshot.place else 0
    first = max(0, min(middle - LISTED // 2, count - LISTED))
    shown = range(first, min(first + LISTED, count))
    labels = label_column(snapshot.program, wide=False)
    return {
        1 + 2 * at: listed(snapshot, ran, labels, line, line == first, width, palette)
        for at, line in enumerate(shown)
    }
