"""The tree: a cell, and the cells that it was computed from, or that are computed from it.

A node is a cell at the place where it had a value. What is below one is found when it is asked for
and costs no more than the line that wrote it, however far back that ran.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.history.stale import stale_tensors
from nnstep.engine.machine.edit import Edit
from nnstep.engine.program.program import Phase, Role
from nnstep.engine.scenario.model import Data
from nnstep.engine.text import cell_name

from .expansion import cells_of
from .explain import Walk
from .origin import Written, origin_of
from .readers import readers_of
from .why import row_of, rows_taken

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline

Direction = Literal["sources", "readers"]
MOST_CHILDREN = 200


class TreeNode(Struct, frozen=True):
    """A cell of a tree. At `place` it has its `value`, None where it has not run yet.

    `step` wrote it, `code` is what that line computes; `what` says of a cell that no line computed
    what it is. `share` is that of its term in the sum that the node above it is, or it is a term
    of. `kept` says that the backward pass has it from the forward pass, or that is done here.
    """

    name: str
    index: Shape
    place: int
    value: float | None
    step: int | None
    code: str = ""
    what: str = ""
    share: float | None = None
    kept: bool = False
    is_leaf: bool = False

    @property
    def cell(self) -> str:
        """The cell as a listing writes it."""
        return cell_name(self.name, self.index)

    @property
    def has_run(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


class Tree:
    """Finds the nodes of a tree over the branch that the run is on; `total` is where it ends."""

    def __init__(self, timeline: "Timeline", data: Data | None, total: int | None) -> None:
        self._timeline = timeline
        self._data = data
        self._total = total
        self._rows: dict[int, tuple[int, ...]] = {}
        self._tensors: dict[int, Mapping[str, Array]] = {}

    def root(
        self, name: str, index: Shape, place: int, direction: Direction = "sources"
    ) -> TreeNode:
        """Return a cell with the value that it has at a place."""
        self._tensors.clear()
        node = self._node(name, index, place)
        return node if direction == "sources" else replace(node, is_leaf=not self._is_read(name))

    def below(self, node: TreeNode, direction: Direction) -> tuple[TreeNode, ...]:
        """Return the nodes below one: its sources, the largest term first, or its readers."""
        if node.is_leaf:
            return ()
        self._tensors.clear()
        return tuple(self._sources(node) if direction == "sources" else self._readers(node))

    def stale(self, name: str, place: int) -> tuple[str, ...]:
        """Return the tensors that would be stale if somebody edited a cell of one at a place."""
        timeline = self._timeline
        long_ago = place - 2 * len(timeline.program)
        made = timeline.current.cells_edited_until(place, after=long_ago)
        names = stale_tensors(timeline.program, place, [*made, Edit(place, name, (), 0.0)])
        length, written = len(timeline.program), timeline.program.instructions
        order = [written[step % length].writes[0] for step in range(max(0, place - length), place)]
        return tuple(dict.fromkeys(each for each in order if each in names))

    def _tensors_at(self, place: int) -> Mapping[str, Array]:
        """Return the tensors at a place; those of far back are put together once for a node."""
        if place not in self._tensors:
            self._tensors[place] = self._timeline.tensors_at(place)
        return self._tensors[place]

    # Where from

    def _node(self, name: str, index: Shape, place: int) -> TreeNode:
        timeline = self._timeline
        written = origin_of(timeline, name, index, place)
        value = self._tensors_at(place)[name][index].item()
        step = written.step
        if written.origin == "step" and step is not None:
            line = timeline.line_of(step)
            _, _, code = line.code.partition(" = ")
            what = "a line of your own" if line.rule is not None else ""
            is_leaf = not line.reads
            return TreeNode(name, index, place, value, step, code, what, is_leaf=is_leaf)
        return TreeNode(
            name, index, place, value, None, what=self._given(name, index, written), is_leaf=True
        )

    def _given(self, name: str, index: Shape, written: Written) -> str:
        if written.edit is not None:
            return f"edited before step {written.edit.place}"
        if written.step is None:
            frozen = self._timeline.program.tensors[name].frozen
            return "first value, frozen" if frozen else "first value"
        if written.step not in self._rows:
            self._rows[written.step] = rows_taken(self._timeline, written.step)
        return ", ".join(filter(None, ("data", row_of(index, self._rows[written.step]))))

    def _sources(self, node: TreeNode) -> Iterator[TreeNode]:
        assert node.step is not None, "what no step has written has nothing below it"
        value = self._tensors_at(node.place)[node.name][node.index]
        before = self._tensors_at(node.step)
        walk = Walk(self._timeline, node.name, node.index, value, node.step, before)
        for name, index, share in cells_in_order(walk):
            source = self._past_copies(name, index, node.step)
            yield replace(self._node(*source), share=share)

    def _past_copies(self, name: str, index: Shape, place: int) -> tuple[str, Shape, int]:
        """Go past lines that only copy, as those of identities do."""
        while True:
            written = origin_of(self._timeline, name, index, place)
            if written.origin != "step" or written.step is None:
                return name, index, place
            line = self._timeline.line_of(written.step)
            if line.formula is None or not line.formula.is_variable or line.rule is not None:
                return name, index, place
            source = line.names[line.formula.parameters[0]]
            if self._tensors_at(written.step)[source].shape != (
                self._tensors_at(place)[name].shape
            ):
                return name, index, place
            name, place = source, written.step

    # Where to

    def _readers(self, node: TreeNode) -> Iterator[TreeNode]:
        timeline = self._timeline
        found = readers_of(timeline, self._data, self._total, node.name, node.index, at=node.place)
        is_forward = self._is_forward(node)
        for reader in islice(found, MOST_CHILDREN):
            line = timeline.line_of(reader.step)
            _, _, code = line.code.partition(" = ")
            has_run = reader.value is not None
            yield TreeNode(
                reader.name,
                reader.index,
                reader.step + 1,
                reader.value,
                reader.step,
                code,
                share=self._share(node, reader.name, reader.index, reader.step)
                if has_run
                else None,
                kept=is_forward and line.phase is Phase.BACKWARD,
                is_leaf=not has_run or not self._is_read(reader.name),
            )

    def _is_forward(self, node: TreeNode) -> bool:
        role = self._timeline.program.tensors[node.name].role
        return role in (Role.VALUE, Role.DATA)

    def _is_read(self, name: str) -> bool:
        return any(name in line.reads for line in self._timeline.program.instructions)

    def _share(self, node: TreeNode, name: str, index: Shape, step: int) -> float | None:
        """Return the share of the terms with a cell in the sum that another one is."""
        value = self._tensors_at(step + 1)[name][index]
        walk = Walk(self._timeline, name, index, value, step, self._tensors_at(step))
        shares = [
            share
            for one, at, share in cells_in_order(walk, all_of_a_term=True)
            if (one, at) == (node.name, node.index) and share is not None
        ]
        return sum(shares) if shares else None


def cells_in_order(
    walk: Walk, *, all_of_a_term: bool = False
) -> "list[tuple[str, Shape, float | None]]":
    """Return the cells that a line read for one cell, by the size of the terms that they are in.

    The first cell of a term has its share, or with `all_of_a_term` all cells have. Where the value
    is no sum of several terms, they stand in the order of the formula, without shares.
    """
    with np.errstate(all="ignore"):
        total, part = walk.shown
    found: dict[tuple[str, Shape], float | None] = {}
    if total is not None and total.count > 1 and total.absolute:
        for term in total.terms:
            share: float | None = abs(term.value) / total.absolute
            for cell, _ in cells_of(term.part):
                if cell not in found:
                    found[cell] = share
                    share = share if all_of_a_term else None
            if len(found) >= MOST_CHILDREN:
                break
    else:
        found = {cell: None for cell, _ in cells_of(part)}
    return [(name, index, share) for (name, index), share in [*found.items()][:MOST_CHILDREN]]
