"""The tree of branches: where each left which other one, by what edit, and how far it came."""

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct
from rich.style import Style

from nnstep.engine.machine.edit import Change, Edit
from nnstep.engine.session.snapshot import BranchView, Snapshot
from nnstep.tui.numbers import VALUE_WIDTH, format_value
from nnstep.tui.theme import Palette

from .line_view import Piece, columns
from .program import shortened

CURRENT = "▶"
NAME_WIDTH = 20
# From this width on there is room to say that the numbers are iterations.
WIDTH_FOR_WORDS = 56
GAP = 2


class BranchRow(Struct, frozen=True):
    """A branch as its row tells of it; `indent` are the lines that tie it to its parent.

    It has iterations of its own from `first` to `last`.
    """

    indent: str
    name: str
    first: int
    last: int
    cause: str
    loss: float | None
    is_current: bool

    @property
    def span(self) -> str:
        """The iterations as they are written."""
        return f"{self.first}–{self.last}"


def branch_rows(snapshot: Snapshot) -> tuple[BranchRow, ...]:
    """Return a row for each branch, those that left a branch under it."""
    steps, branches = len(snapshot.program), snapshot.branches
    by_name = {branch.name: branch for branch in branches}
    seeds = len({branch.seed for branch in branches}) > 1

    def row(branch: BranchView, indent: str) -> BranchRow:
        return BranchRow(
            indent,
            branch.name,
            branch.fork // steps,
            branch.newest // steps,
            _cause(branch, by_name.get(branch.parent or ""), seeds),
            float(branch.losses[-1]) if len(branch.losses) else None,
            branch.name == snapshot.branch.name,
        )

    return tuple(row(branch, indent) for branch, indent in _ordered(branches, None, ""))


def _ordered(
    branches: Sequence[BranchView], parent: str | None, indent: str
) -> Iterator[tuple[BranchView, str]]:
    """Return each branch, and the lines before it, ahead of those that left it."""
    children = [branch for branch in branches if branch.parent == parent]
    for branch in children:
        last = branch is children[-1]
        tie, trunk = ("", "") if parent is None else ("└ ", "  ") if last else ("├ ", "│ ")
        yield branch, indent + tie
        yield from _ordered(branches, branch.name, indent + trunk)


def _cause(branch: BranchView, parent: BranchView | None, seeds: bool) -> str:
    """Write what makes a branch another course than its parent's: edits, or edits taken back."""
    before = [edit for edit in parent.edits if edit.place <= branch.fork] if parent else []
    causes = [f"seed {branch.seed}"] if parent is None and seeds else []
    theirs, own = ({_apart(edit) for edit in edits} for edits in (before, branch.edits))
    causes += [str(edit) for edit in branch.edits if _apart(edit) not in theirs]
    causes += [f"without {edit}" for edit in before if _apart(edit) not in own]
    return ", ".join(causes)


def _apart(edit: Change) -> object:
    """Return what tells edits apart."""
    return (edit.place, edit.name, edit.index, edit.value) if isinstance(edit, Edit) else id(edit)


class TreePainter(Struct, frozen=True):
    """Paints the rows of a tree in so many columns; `loss` is what the loss is called."""

    rows: tuple[BranchRow, ...]
    loss: str
    width: int
    palette: Palette

    def row(self, row: BranchRow, cursor: Style) -> Iterator[Piece]:
        """Paint a row, the name in the style of the cursor; the cause has what room is left."""
        palette = self.palette
        names = min(NAME_WIDTH, max(columns(each.indent + each.name) for each in self.rows))
        spans = max(len(each.span) for each in self.rows)
        words = "iterations " if self.width >= WIDTH_FOR_WORDS else ""
        name = shortened(row.name, 0, max(1, names - len(row.indent)))
        yield f"{CURRENT if row.is_current else ' '} ", palette.strong
        yield row.indent, palette.rule
        yield name, (palette.strong if row.is_current else palette.text) + cursor
        yield " " * (names - len(row.indent) - columns(name) + GAP), palette.text
        yield f"{words}{row.span:<{spans}}", palette.muted
        loss_width = len(self.loss) + 1 + VALUE_WIDTH
        room = self.width - names - len(words) - spans - loss_width - 3 * GAP - 3
        cause = shortened(row.cause, 0, room) if room > 0 else ""
        yield " " * GAP + cause + " " * (room - columns(cause) + GAP), palette.text
        if row.loss is not None and room >= 0:
            style = palette.muted if math.isfinite(row.loss) else palette.error
            yield f"{self.loss} ".rjust(loss_width - VALUE_WIDTH), palette.muted
            value = format_value(row.loss)
            yield " " * (VALUE_WIDTH - len(value)), palette.muted
            yield value, style
