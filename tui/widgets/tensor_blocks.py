"""Where everything stands in a tensor pane: which line of it belongs to which tensor.

A pane is a column of blocks, one a tensor, gathered under headings: all of layer 1, then layer 2,
and so on. A block is a title and its rows. Only shapes decide where things stand, never values, so
a layout is made once and a matrix of any size costs the same.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.instruction import Program, Role, Tensor
from nnstep.tui.numbers import CHANGE_WIDTH, VALUE_WIDTH

PLAIN_CELL = VALUE_WIDTH + 1
CHANGE_CELL = VALUE_WIDTH + 1 + CHANGE_WIDTH

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


@dataclass(frozen=True, slots=True)
class Block:
    """One tensor in a pane: its title on line `top`, its rows on the lines below.

    `rows` and `columns` are those of the tensor seen as a matrix; `lead` is the shape of the axes
    that count the rows. A tensor not computed yet has no rows.
    """

    name: str
    top: int
    rows: int
    columns: int
    lead: Shape
    label_width: int
    with_changes: bool

    @property
    def end(self) -> int:
        """The line after the last."""
        return self.top + 1 + self.rows

    @property
    def cell_width(self) -> int:
        """How many columns of the screen a number takes."""
        return CHANGE_CELL if self.with_changes else PLAIN_CELL

    def fitting(self, width: int) -> int:
        """Return how many columns of the tensor fit in `width` columns of the screen."""
        return max(1, (width - self.label_width) // self.cell_width)

    def label(self, row: int) -> str:
        """Return what stands before a row: its index, or all its leading indices."""
        index = leading_index(row, self.lead)
        text = ",".join(map(str, index))
        return f"{text:>{self.label_width}}"

    def cell(self, row: int, column: int) -> Shape:
        """Return the index, in the tensor, of a cell."""
        return () if self.is_scalar else (*leading_index(row, self.lead), column)

    @property
    def is_scalar(self) -> bool:
        """Whether the tensor has no axes; its one cell has an empty index."""
        return self.label_width == 0


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
    def _tops(self) -> list[int]:
        return [block.top for block in self.blocks]

    def block_at(self, y: int) -> Block | None:
        """Return the block that line `y` belongs to, None for a heading."""
        at = bisect_right(self._tops, y) - 1
        if at < 0 or y >= self.blocks[at].end:
            return None
        return self.blocks[at]


def leading_index(row: int, lead: Shape) -> Shape:
    """Return the indices along the leading axes of the `row`-th row of a tensor."""
    index: list[int] = []
    for length in reversed(lead):
        row, position = divmod(row, length)
        index.append(position)
    return tuple(reversed(index))


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
    """Make the block of a tensor of shape `shape` (None: not computed yet)."""
    if shape is None:
        return Block(name, top, 0, 0, (), 0, with_changes=False)
    lead = shape[:-1]
    rows, columns = prod(lead), shape[-1] if shape else 1
    label = ",".join(str(length - 1) for length in lead)
    label_width = max(1, len(label)) if shape else 0
    with_changes = label_width + columns * CHANGE_CELL <= width
    return Block(name, top, rows if columns else 0, columns, lead, label_width, with_changes)
