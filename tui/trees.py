"""The tree on the screen: opened on the cell in question, turned round, left and come back into."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from nnstep.engine.arrays import Shape, has_cell
from nnstep.engine.driver import Driver
from nnstep.engine.foresight import Foresight
from nnstep.engine.machine.edit import Change
from nnstep.engine.session.asked import Asked
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.panes import TREE, Row, row_of
from nnstep.tui.panes.scene import Cell

from .stage import Stage

if TYPE_CHECKING:
    from nnstep.engine.explain.tree import Direction, TreeNode
    from nnstep.tui.panes.tree import TreePane


Origin = tuple[int, str, tuple[Change, ...]]
"""A place, the branch that it is on, and the changes there: what values hang on."""


class Rooted(Struct, frozen=True):
    """The question for the tree of a cell: its root, the first level, and what an edit makes stale.

    It is a key by itself: the same cell and direction are the same question.
    """

    name: str
    index: Shape
    direction: "Direction"

    def answer(
        self, run: Asked, snapshot: Snapshot
    ) -> "tuple[TreeNode, tuple[TreeNode, ...], tuple[str, ...]]":
        """Return all three at the place of a snapshot."""
        tree, place = run.tree, snapshot.place
        root = tree.root(self.name, self.index, place, self.direction)
        return root, tree.below(root, self.direction), tree.stale(self.name, place)


class Trees:
    """Grows a tree in the pane that the stage has for it.

    `go_to` gives a pane the keys, and `ask` shows which cell is in question now.
    """

    def __init__(
        self,
        stage: Stage,
        driver: Driver,
        go_to: Callable[[Row], None],
        ask: Callable[[], None],
    ) -> None:
        self._stage, self._driver = stage, driver
        self._go_to, self._ask = go_to, ask
        # Which pane had the keys before, and where the tree was left by a jump.
        self._before = row_of(1)
        self._left: Origin | None = None
        # Of when the tree is that is on the screen.
        self._seen = self._now

    @property
    def _pane(self) -> "TreePane":
        return cast("TreePane", self._stage.pane(TREE))

    @property
    def _now(self) -> Origin:
        snapshot = self._driver.snapshot
        return snapshot.place, snapshot.branch.name, snapshot.branch.edits

    @property
    def is_open(self) -> bool:
        """Whether there is a tree on the screen."""
        return self._stage.is_open(TREE)

    @property
    def node(self) -> "TreeNode | None":
        """The node in brackets, None if there is no tree on the screen."""
        return self._pane.selected if self.is_open else None

    @property
    def cell(self) -> Cell | None:
        """The cell of the node in brackets, if it has a value."""
        node, tensors = self.node, self._driver.snapshot.tensors
        if node is None or node.name not in tensors:
            return None
        is_there = has_cell(tensors[node.name].shape, node.index)
        return (node.name, node.index) if is_there else None

    @property
    def place(self) -> int | None:
        """The place at which the node in brackets has its value, None for what it is now."""
        node = self.node
        return node.place if node is not None and node.has_run else None

    @property
    def is_at_its_step(self) -> bool:
        """Whether the step that is shown wrote the node in brackets."""
        node, last = self.node, self._driver.snapshot.place - 1
        return node is not None and node.has_run and node.step == last

    @property
    def asked(self) -> str | None:
        """The node in brackets as a command has it: with the step that wrote it."""
        node = self.node
        if node is None:
            return None
        return (
            f"{node.cell} at {node.step}" if node.step is not None and node.has_run else node.cell
        )

    @property
    def feeds(self) -> str:
        """Say how many cells of which pass the node in brackets goes into; empty if not known."""
        shape = self._pane.shape if self.is_open else None
        if shape is None or shape.direction == "sources":
            return ""
        found = shape.opened.get(shape.cursor, ())
        back = sum(node.kept for node in found)
        ahead = len(found) - back
        if not back or not ahead:
            return ""
        cells = "1 cell" if ahead == 1 else f"{ahead} cells"
        return f"Feeds {cells} of the forward pass and {back} of the backward pass, which kept it."

    def _below(self, node: "TreeNode", direction: "Direction") -> tuple["TreeNode", ...]:
        return self._driver.consult(lambda run, _: run.tree.below(node, direction)) or ()

    def turn(self, cell: Cell, direction: "Direction") -> None:
        """Open the tree of a cell; turn one round that is open, or close it if it goes that way."""
        shape = self._pane.shape
        if self.is_open and shape is not None:
            if shape.direction == direction:
                self.close()
            else:
                self._grow(shape.root.name, shape.root.index, direction)
                self._ask()
            return
        self._before = self._stage.here
        if self._grow(*cell, direction):
            self._go_to(TREE)

    def _grow(self, name: str, index: Shape, direction: "Direction") -> bool:
        """Have the tree of a cell drawn; tell whether that could be done."""
        question = Rooted(name, index, direction)
        if (found := self._driver.consult(question.answer, question)) is None:
            return False
        root, first, stale = found
        self._pane.below = self._below
        self._pane.grow(root, direction, first, stale)
        return True

    def ahead(self, foresight: Foresight) -> "TreeNode | None":
        """Return the root of the tree that there will be after the next step, None for none."""
        shape = self._pane.shape if self.is_open else None
        if shape is None or shape.root.name not in foresight.snapshot.tensors:
            return None
        question = Rooted(shape.root.name, shape.root.index, shape.direction)
        return foresight.ask(question, question.answer)[0]

    def follow(self) -> None:
        """After a move or a change, have the tree be of the present value, or come back into one.

        One that was left by a jump to a step is there again when that jump is taken back.
        """
        if self._now == self._seen or self._driver.is_on_the_way:
            return
        self._seen = self._now
        if self.is_open and (shape := self._pane.shape) is not None:
            root = shape.root
            if root.name in self._driver.snapshot.tensors:
                self._grow(root.name, root.index, shape.direction)
        elif self._left == self._now:
            self._left = None
            self._go_to(TREE)

    def leave_for_step(self) -> int | str:
        """Close the tree for the step that wrote the node; return its place, or why there is none.

        The tree stays as it is until the jump is taken back.
        """
        node = self.node
        if node is None or not node.has_run:
            return "This step has not run yet."
        if node.step is None:
            return f"{node.cell}: {node.what}."
        self._left = self._now
        self.close()
        return node.step + 1

    def close(self) -> None:
        """Give the panes back that were there before."""
        self._stage.close(TREE)
        self._go_to(self._before)
