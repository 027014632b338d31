"""What is in question: the cell in brackets, on which keys act and of which the strip speaks."""

from msgspec import Struct

from nnstep.engine.arrays import Shape
from nnstep.engine.text import cell_name

Cell = tuple[str, Shape]


class Asked(Struct, frozen=True):
    """The cell in question, and the cells that it was computed from.

    It is shown in every pane that has it while `is_shown`; else only in the pane of the step.
    """

    name: str
    index: Shape
    sources: frozenset[Cell] = frozenset()
    is_shown: bool = False

    @property
    def cell(self) -> Cell:
        """The name of the tensor and the index in it."""
        return self.name, self.index

    @property
    def text(self) -> str:
        """The cell as it is written."""
        return cell_name(self.name, self.index)


def followed(index: Shape, shape: Shape) -> Shape:
    """Return the cell of a tensor that stands for the index followed: the same, or else the first.

    Of a tensor with fewer axes it is that of the last ones, of one with more the first on the
    others.
    """
    if not shape:
        return ()
    aligned = (*(0,) * len(shape), *index)[-len(shape) :]
    fits = all(at < length for at, length in zip(aligned, shape, strict=True))
    return aligned if fits else (0,) * len(shape)
