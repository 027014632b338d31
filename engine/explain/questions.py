"""The questions that apply to a cell, each with the command that answers it."""

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from nnstep.engine.arrays import Shape
from nnstep.engine.program.program import Role
from nnstep.engine.text import cell_name

from .origin import origin_of
from .sentences import number
from .unchanged import unchanged

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline

# A value of this size or more counts as large, a smaller one as small.
_ONE = 1.0


class Offered(Struct, frozen=True):
    """A question about a cell, and the line of the prompt that answers it."""

    text: str
    command: str


def questions_about(
    timeline: "Timeline", name: str, index: Shape, place: int
) -> tuple[Offered, ...]:
    """Return the questions that apply to a cell with the value that it has at a place."""
    cell, tensor = cell_name(name, index), timeline.program.tensors[name]
    value = float(timeline.tensors_at(place)[name][index])
    origin = origin_of(timeline, name, index, place).origin
    found = [Offered(f"Why is {cell} = {number(value)}?", f"why {cell}")]
    if unchanged(timeline, name, index, place) is not None:
        text = f"Why did the last update leave {cell} as it was?"
        found.append(Offered(text, f"unchanged {cell}"))
    has_factors = tensor.role in (Role.GRADIENT, Role.VALUE, Role.LOSS) and origin == "step"
    if has_factors and value and math.isfinite(value):
        size = "small" if abs(value) < _ONE else "large"
        found.append(Offered(f"Why is {cell} so {size}?", f"factors {cell}"))
    condition, said = _first_so(cell, value)
    found.append(Offered(f"When was {cell} first {said}?", f"when {condition}"))
    found.append(Offered(f"What last changed {cell}?", f"who {cell}"))
    return tuple(found)


def _first_so(cell: str, value: float) -> tuple[str, str]:
    """Return a condition that holds of a value as it is, and how it is said in a question."""
    if math.isnan(value):
        return f"isnan({cell})", "NaN"
    if math.isinf(value):
        return f"not isfinite({cell})", "not finite"
    if value == 0:
        return f"{cell} == 0", "0"
    power = math.floor(math.log10(abs(value)))
    if abs(value) < _ONE:
        bound = f"{10.0 ** (power + 1):g}"
        return f"abs({cell}) < {bound}", f"less than {bound} in size"
    bound = f"{10.0**power:g}"
    return f"abs({cell}) >= {bound}", f"{bound} or more in size"
