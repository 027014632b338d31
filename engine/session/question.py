"""Which cell is in question: one rule for the screen and for plain text."""

from collections.abc import Mapping

from msgspec import Struct

from nnstep.engine.arrays import Array, Shape, has_cell
from nnstep.engine.program.program import Instruction

Place = tuple[str, Shape]
"""A cell by the name of its tensor and its index."""


class Question(Struct):
    """What is asked for: the `index` that is followed, or a cell that somebody has `chosen`.

    `narrates` says whether the cell in question is told of after each move.
    """

    index: Shape | None = None
    chosen: Place | None = None
    narrates: bool = False

    def choose(self, name: str, index: Shape) -> None:
        """Ask for a cell, and for the same index of what is written once `follow` is called."""
        self.index, self.chosen = index, (name, index)

    def follow(self) -> None:
        """Let the question follow what is written again."""
        self.chosen = None

    def cell(self, last: Instruction | None, tensors: Mapping[str, Array]) -> Place | None:
        """Return the cell in question after a line; None before the first."""
        if self.chosen and self.chosen[0] in tensors:
            return self.chosen
        return cell_in_question(last, tensors, self.index)


def cell_in_question(
    last: Instruction | None, tensors: Mapping[str, Array], index: Shape | None
) -> Place | None:
    """Return the cell at the same index of the tensor just written, or else at [0, 0].

    After the batch line that is x[0, 0], and after several lines one of the last one's. None before
    the first line has run.
    """
    if last is None:
        return None
    name = last.writes[0]
    shape = tensors[name].shape
    is_first = not last.reads  # a batch has other indices than what is computed from it
    if index is None or is_first or not has_cell(shape, index):
        return name, (0,) * len(shape)
    return name, index
