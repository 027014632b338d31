"""An edit: at a place of the run, one cell of one tensor gets another value."""

from msgspec import Struct

from nnstep.engine.arrays import Array, Shape, sealed
from nnstep.engine.text import cell_name


class Edit(Struct, frozen=True):
    """What is changed, and where: `place` counts the instructions executed before it.

    One of targets can be `weighting`: with it a row of them no longer sums to 1, and from there on
    the program's derivative of the loss is one that allows for it.
    """

    place: int
    name: str
    index: Shape
    value: float
    weighting: bool = False

    @property
    def cell(self) -> str:
        """The cell as a listing would write it: `W1[0, 1]`."""
        return cell_name(self.name, self.index)

    def __str__(self) -> str:
        return f"{self.cell} = {self.value:g}"

    def apply(self, tensors: dict[str, Array]) -> None:
        """Put an edited copy in the place of the tensor."""
        array = tensors[self.name].copy()
        array[self.index] = self.value
        tensors[self.name] = sealed(array)
