"""The tree: where a number comes from, or where it goes, a cell a line.

The question stays in the first line; one level is opened at a time. Only the way to the node in
brackets stands out.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from rich.style import Style
from textual.message import Message

from nnstep.engine.arrays import has_cell
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.actions import bindings
from nnstep.tui.numbers import format_value
from nnstep.tui.signs import leaf

from .line_view import Line, Piece, columns, fit
from .pane import Pane, Tab
from .program import shortened
from .scene import Scene

if TYPE_CHECKING:
    from nnstep.engine.explain.tree import Direction, TreeNode

    Below = Callable[["TreeNode", Direction], tuple["TreeNode", ...]]

# Where the value and the share end, and where the step and its line begin.
VALUE_END, SHARE_END, STEP, CODE = 37, 45, 48, 57
# A node is not moved to the right further than this.
MOST_INDENT = 16
KEPT = "kept"
# What stands below the nodes: a sentence between two blank lines.
FOOT = 3


class Shown(Struct, frozen=True):
    """A node in its line: `path` are the numbers of the branches that lead to it."""

    path: tuple[int, ...]
    node: "TreeNode"


class Shape(Struct):
    """What a tree shows: its root, what has been opened, and the node in brackets."""

    root: "TreeNode"
    direction: "Direction"
    opened: dict[tuple[int, ...], tuple["TreeNode", ...]]
    cursor: tuple[int, ...] = ()


class TreePane(Pane):
    """Shows the tree that it is given by `grow`; `below` finds what is below a node."""

    BINDINGS = bindings("tree")

    class NodeAsked(Message):
        """Another node is in brackets."""

    class GoThere(Message):
        """Someone wants to go to the step that wrote the node in brackets."""

    class Leave(Message):
        """Someone wants the tree to be closed."""

    def __init__(self, tab: Tab, *, id: str | None = None) -> None:
        super().__init__(tab, id=id)
        self.shape: Shape | None = None
        self.stale: tuple[str, ...] = ()
        self.below: Below = lambda node, direction: ()
        self._snapshot: Snapshot | None = None
        self._rows: list[Shown] = []

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Draw a snapshot: what has not run may have a value of before."""
        self._snapshot = snapshot
        self.redraw()

    def grow(
        self,
        root: "TreeNode",
        direction: "Direction",
        first: tuple["TreeNode", ...],
        stale: tuple[str, ...] = (),
    ) -> None:
        """Show another tree, its first level open; `stale` is what an edit would make so."""
        self.shape, self.stale = Shape(root, direction, {(): first} if first else {}), stale
        self.scrolled.go_to(0)
        self.redraw()

    @property
    def selected(self) -> "TreeNode | None":
        """The node in brackets."""
        if self.shape is None:
            return None
        return next((r.node for r in self._lines_of_nodes() if r.path == self.shape.cursor), None)

    def _lines_of_nodes(self) -> list[Shown]:
        """Return the nodes that can be seen, from the root on."""
        shape = self.shape
        if shape is None:
            return []

        def visit(path: tuple[int, ...], node: "TreeNode") -> Iterator[Shown]:
            yield Shown(path, node)
            for number, each in enumerate(shape.opened.get(path, ())):
                yield from visit((*path, number), each)

        return list(visit((), shape.root))

    # Keys

    def _open(self, path: tuple[int, ...]) -> bool:
        """Open a node, and tell whether there is anything below it."""
        shape = self.shape
        if shape is None:
            return False
        node = next(row.node for row in self._lines_of_nodes() if row.path == path)
        if path not in shape.opened and (found := self.below(node, shape.direction)):
            shape.opened[path] = found
        return path in shape.opened

    def action_open_node(self) -> None:
        """Open the node in brackets; if it is open, go to the first below it."""
        if (shape := self.shape) is None:
            return
        if shape.cursor in shape.opened:
            self._ask((*shape.cursor, 0))
        elif self._open(shape.cursor):
            self._ask(shape.cursor)

    def action_close_node(self) -> None:
        """Close the node in brackets; if it is closed, go to the one above it."""
        if (shape := self.shape) is None:
            return
        if shape.cursor in shape.opened:
            depth = len(shape.cursor)
            for path in [each for each in shape.opened if each[:depth] == shape.cursor]:
                del shape.opened[path]
            self._ask(shape.cursor)
        else:
            self._ask(shape.cursor[:-1])

    def action_node(self, lines: int) -> None:
        """Go up or down by lines."""
        if self.shape is not None:
            rows = self._lines_of_nodes()
            at = next(i for i, row in enumerate(rows) if row.path == self.shape.cursor)
            self._ask(rows[min(max(at + lines, 0), len(rows) - 1)].path)

    def action_go_there(self) -> None:
        """Ask for the step that wrote the node."""
        self.post_message(self.GoThere())

    def action_leave(self) -> None:
        """Ask for the panes that were there before."""
        self.post_message(self.Leave())

    def _ask(self, path: tuple[int, ...]) -> None:
        assert self.shape is not None
        self.shape.cursor = path
        self._reveal()
        self.redraw()
        self.post_message(self.NodeAsked())

    def clicked(self, x: int, y: int) -> None:
        """Put the node of a line in brackets."""
        at = self.scrolled.top + y
        if at < len(self._rows) and y < self.scrolled.shown:
            self._ask(self._rows[at].path)

    def _reveal(self) -> None:
        if self.shape is not None:
            self._rows = self._lines_of_nodes()
            self.scrolled.fit(len(self._rows), self.scrolled.shown)
            at = next((i for i, r in enumerate(self._rows) if r.path == self.shape.cursor), 0)
            self.scrolled.reveal(at, at + 1)

    # Drawing

    def fit_body(self, width: int, height: int) -> None:
        """Find the lines, and bring the node in brackets into view."""
        self._rows = self._lines_of_nodes()
        self.scrolled.fit(len(self._rows), height - (FOOT if self._foot else 0))
        self._reveal()

    @property
    def _foot(self) -> str:
        """What an edit of the root would do; empty where the tree goes to the sources.

        Of a value that nothing reads, it says that.
        """
        if self.shape is None or self.shape.direction == "sources":
            return ""
        if () not in self.shape.opened:
            return f"No line of the run reads this value of {self.shape.root.cell}."
        if not self.stale:
            return ""
        names = list(self.stale)
        some = names if len(names) <= _MOST_STALE else [*names[:3], "…", *names[-2:]]
        count = "1 tensor becomes" if len(names) == 1 else f"{len(names)} tensors become"
        cell = self.shape.root.cell
        return f"If you edit {cell} here, {count} stale (≈): {' '.join(some)}."

    def title(self, width: int, hint: str = "") -> Iterator[Piece]:
        """Paint which of the two trees it is, and over which columns what stands."""
        palette = self.palette
        sources = self.shape is None or self.shape.direction == "sources"
        head = "[p where from]" if sources else "[P where to]"
        yield head, palette.focused_title if self.has_focus else palette.active_tab
        written = "written by" if sources else "read by"
        rest = f"{'value':>{VALUE_END - len(head)}}{'share':>{SHARE_END - VALUE_END}}"
        rest = f"{rest}{' ' * (STEP - SHARE_END)}{written}"
        left = width - len(head) - len(rest)
        yield rest, palette.tab
        if 0 < len(hint) <= left:
            yield hint.rjust(left), palette.tab

    def body(self, width: int, height: int) -> Iterator[Line]:
        """Paint a line for each node that is visible, and what an edit would do."""
        palette = self.palette
        for row in self._rows[self.scrolled.visible]:
            yield fit(self._line(row, width), width, palette.text)
        if foot := self._foot:
            drawn = min(len(self._rows), self.scrolled.shown)
            for _ in range(self.scrolled.shown - drawn + 1):
                yield fit([("", palette.text)], width, palette.text)
            yield fit([(f"  {foot}", palette.text)], width, palette.text)

    def _line(self, row: Shown, width: int) -> Iterator[Piece]:
        palette, shape, node = self.palette, self.shape, row.node
        assert shape is not None
        is_asked = row.path == shape.cursor
        on_path = shape.cursor[: len(row.path)] == row.path
        style = palette.strong if is_asked else palette.text if on_path else palette.muted
        style = style if node.has_run else palette.muted
        is_leaf = node.is_leaf or not (row.path or row.path in shape.opened)
        sign = leaf(self.app) if is_leaf else "▾" if row.path in shape.opened else "▸"
        yield " " * (2 + min(2 * len(row.path), MOST_INDENT)), palette.text
        yield sign, style
        name = f"[{node.cell}]" if is_asked else f" {node.cell} "
        yield name, palette.selected if is_asked else style
        used = 3 + min(2 * len(row.path), MOST_INDENT) + len(name)
        value, share = self._value(node), "" if node.share is None else _percent(node.share)
        yield f"{value:>{max(0, VALUE_END - used)}}", style
        if VALUE_END - used <= len(value):
            yield " ", style
        used = max(VALUE_END, used + len(value) + 1)
        yield f"{share:>{max(0, SHARE_END - used)}}{' ' * (STEP - SHARE_END)}", style
        yield from self._written(row, style, width)

    def _value(self, node: "TreeNode") -> str:
        """Write a value; of what has not run yet that of before, if there is one."""
        if node.value is not None:
            return format_value(node.value)
        array = self._snapshot.tensors.get(node.name) if self._snapshot else None
        if array is None or not has_cell(array.shape, node.index):
            return "–"
        return format_value(array[node.index].item())

    def _written(self, row: Shown, style: Style, width: int) -> Iterator[Piece]:
        """Paint the step and its line, or what else the cell has its value from."""
        node, palette = row.node, self.palette
        if node.step is None:
            yield node.what, style
            return
        step = self._step(node.step, has_run=node.has_run)
        if not row.path and self.shape is not None and self.shape.direction == "readers":
            yield f"written by {step}", style
            return
        text = node.what or node.code if node.has_run else "not run yet"
        step = f"{step:<{CODE - STEP - 1}} "
        room = max(0, width - STEP - columns(step) - (len(KEPT) + 1 if node.kept else 0))
        yield step, style
        yield f"{shortened(text, 0, room):<{room}}", style
        if node.kept:
            yield f" {KEPT}", palette.read

    def _step(self, step: int, *, has_run: bool) -> str:
        """Write a step, with its iteration if that is not the one that the status names."""
        snapshot = self._snapshot
        if snapshot is None or not has_run:
            return f"step {step}"
        length = len(snapshot.program)
        here = (snapshot.place - 1) // length if snapshot.finished else snapshot.iteration
        iteration = step // length
        return f"step {step}" if iteration == here else f"it {iteration} step {step}"


_MOST_STALE = 6


def _percent(share: float) -> str:
    hundredths = 100 * share
    return f"{hundredths:.0f} %" if hundredths >= 1 else "< 1 %"
