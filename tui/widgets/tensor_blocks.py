"""Where everything stands in a tensor pane: which line of it belongs to which tensor.

A pane is a column of blocks, one a tensor, gathered under headings: all of layer 1, then layer 2,
and so on. A block is a title and its rows; a single number stands beside its title if there is
room. Only shapes decide where things stand, never values, so a layout is made once and a matrix of
any size costs the same.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.instruction import Program, Role, Tensor
from nnstep.tui.numbers import CHANGE_WIDTH, VALUE_WIDTH

# A number, and an arrow or its change; between two cells of a row there is a blank.
PLAIN_CELL = VALUE_WIDTH + 1
CHANGE_CELL = VALUE_WIDTH + 1 + CHANGE_WIDTH
GAP = 1
# The title of a single number without its name: marks, shape and dtype.
TITLE_WIDTH = len("●○  () float64 ≈ ")

_HEADINGS = {
    Role.DATA: "data",
    Role.CONSTANT: "constants",
    Role.PARAMETER: "parameters",
    Role.VALUE: "values",
    Role.GRADIENT: "gradients",
    Role.LOSS: "loss",
    Role.BUFFER: "optimizer",
    Role.RATE: "optimizer",
    Role.SCRATCH: "optimizer",
}
_ORDER = ("data", "constants", "parameters", "values", "layers", "loss", "gradients", "optimizer")


class Block(Struct, frozen=True):
    """One tensor in a pane: its title on line `top`, its rows on the lines below.

    The tensor is seen as a matrix: its last axis runs along a row, all others count the rows. One
    that has not been computed yet has no shape and no rows.
    """

    name: str
    top: int
    shape: Shape | None
    rows: int
    columns: int
    label_width: int
    with_changes: bool
    beside_title: bool = False

    @property
    def end(self) -> int:
        """The line after the last."""
        return self.line_of(self.rows)

    def line_of(self, row: int) -> int:
        """Return the line of the pane that a row stands on."""
        return self.top + row + (not self.beside_title)

    @property
    def cell_width(self) -> int:
        """How many columns of the screen a number takes, the gap after it included."""
        return (CHANGE_CELL if self.with_changes else PLAIN_CELL) + GAP

    def fitting(self, width: int) -> int:
        """Return how many columns of the tensor fit in `width` columns of the screen."""
        return max(1, (width + GAP - self.label_width) // self.cell_width)

    def leading_index(self, row: int) -> Shape:
        """Return the indices of a row along all axes but the last."""
        index: list[int] = []
        for length in reversed((self.shape or ())[:-1]):
            row, position = divmod(row, length)
            index.append(position)
        return tuple(reversed(index))

    def cell(self, row: int, column: int) -> Shape:
        """Return the index, in the tensor, of a cell."""
        return (*self.leading_index(row), column) if self.shape else ()

    def label(self, row: int) -> str:
        """Return what stands before a row: its index, or all its leading indices."""
        index = ",".join(map(str, self.leading_index(row)))
        return f"{index.rjust(self.label_width - 1)} "


@dataclass(frozen=True)
class Layout:
    """The blocks of a pane and its headings by line, for one width and one set of shapes."""

    blocks: tuple[Block, ...]
    headings: Mapping[int, str]
    height: int

    @cached_property
    def by_name(self) -> dict[str, Block]:
        """The blocks by the names of their tensors."""
        return {block.name: block for block in self.blocks}

    @cached_property
    def with_cells(self) -> list[Block]:
        """The blocks that have a cell to point at."""
        return [block for block in self.blocks if block.rows]

    @cached_property
    def _tops(self) -> list[int]:
        return [block.top for block in self.blocks]

    def block_at(self, y: int) -> Block | None:
        """Return the block that line `y` belongs to, None for a heading."""
        at = bisect_right(self._tops, y) - 1
        if at < 0 or y >= self.blocks[at].end:
            return None
        return self.blocks[at]


def heading_of(tensor: Tensor) -> str:
    """Return the heading that a tensor stands under."""
    return _HEADINGS[tensor.role] if tensor.layer is None else f"layer {tensor.layer}"


def names_of(program: Program, belongs: Callable[[Tensor], bool]) -> list[str]:
    """Return the names of the tensors that belong in a pane, in the order of their blocks."""

    def place(tensor: Tensor) -> tuple[int, int]:
        group = "layers" if tensor.layer is not None else _HEADINGS[tensor.role]
        return _ORDER.index(group), tensor.layer or 0

    chosen = [tensor for tensor in program.tensors.values() if belongs(tensor)]
    return [tensor.name for tensor in sorted(chosen, key=place)]


def lay_out(names: list[str], program: Program, tensors: Mapping[str, Array], width: int) -> Layout:
    """Place the named tensors one under the other in a pane `width` columns wide."""
    blocks: list[Block] = []
    headings: dict[int, str] = {}
    y, heading = 0, ""
    for name in names:
        if (own := heading_of(program.tensors[name])) != heading:
            headings[y] = heading = own
            y += 1
        array = tensors.get(name)
        block = _block(name, y, None if array is None else array.shape, width)
        blocks.append(block)
        y = block.end
    return Layout(tuple(blocks), headings, y)


def _block(name: str, top: int, shape: Shape | None, width: int) -> Block:
    """Make the block of a tensor."""
    if shape is None:
        return Block(name, top, shape, 0, 0, 0, with_changes=False)
    if not shape and (room := width - TITLE_WIDTH - len(name)) >= PLAIN_CELL:
        return Block(name, top, shape, 1, 1, 0, room >= CHANGE_CELL, beside_title=True)
    columns = shape[-1] if shape else 1
    rows = prod(shape[:-1]) if columns else 0
    label_width = max(1, len(",".join(str(length - 1) for length in shape[:-1]))) + 1
    with_changes = label_width + columns * (CHANGE_CELL + GAP) - GAP <= width
    return Block(name, top, shape, rows, columns, label_width, with_changes)
