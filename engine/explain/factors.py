"""Why a cell is so small or large: what it is multiplied by on its way, layer by layer.

From a gradient the gradients that it was computed from are followed, up to the first; from a value
those before it in the forward pass. Each hop divided by the one that it leads to is a factor, and
their product with the last hop is the cell itself.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Shape
from nnstep.engine.program.program import Role
from nnstep.engine.text import cell_name

from .explain import Walk
from .follow import Followed
from .origin import origin_of
from .sentences import number
from .why import expression_followed, follower_of

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline

FORWARD = (Role.VALUE, Role.LOSS, Role.DATA)


class FactorHop(Struct, frozen=True):
    """A cell on the way: it is `factor` times the value of the next hop.

    There is no factor at the last hop, and none where the next value is 0 or not finite.
    """

    cell: str
    value: float
    step: int | None
    code: str
    layer: int | None
    factor: float | None


class Factors(Struct, frozen=True):
    """The hops from a cell on, and the product of the factors of each layer, in the same order."""

    hops: tuple[FactorHop, ...]
    layers: tuple[tuple[int, float], ...]

    @property
    def sentence(self) -> str:
        """What the factors make of the last hop, and the smallest or the largest of them."""
        first, last = self.hops[0], self.hops[-1]
        said = f"{first.cell} = {number(first.value)}"
        known = [hop for hop in self.hops[:-1] if hop.factor]
        if not known or not last.value or not math.isfinite(first.value / last.value):
            return f"{said}: there is no chain of factors to follow."
        ratio = first.value / last.value
        is_less = abs(ratio) < 1
        sizes = [abs(hop.factor or 1.0) for hop in known]
        extreme = known[sizes.index(min(sizes) if is_less else max(sizes))]
        which = "smallest" if is_less else "largest"
        return (
            f"{said} is {number(ratio)} times {last.cell} = {number(last.value)}; the {which} "
            f"factor is {number(extreme.factor or 1.0)}, at {extreme.cell}."
        )


def factors_of(
    timeline: "Timeline", name: str, index: Shape, place: int, cancelled: Callable[[], bool]
) -> Factors:
    """Return what a gradient or a value is multiplied by on its way to where it is at a place.

    If it is `cancelled`, that is a part of the way.
    """
    hops: list[FactorHop] = []
    with np.errstate(all="ignore"):
        while True:
            value = float(timeline.tensors_at(place)[name][index])
            step = _own_step(timeline, name, index, place)
            found = None if step is None else _next(timeline, name, index, step)
            code = ""
            if step is not None:
                _, _, code = timeline.line_of(step).code.partition(" = ")
            factor = None if found is None else _ratio(value, float(found.value))
            layer = timeline.program.tensors[name].layer
            hops.append(FactorHop(cell_name(name, index), value, step, code, layer, factor))
            if found is None or step is None or cancelled():
                return Factors(tuple(hops), _by_layer(hops))
            name, index, place = found.name, found.index, step


def _own_step(timeline: "Timeline", name: str, index: Shape, place: int) -> int | None:
    """Return the step that computed a cell; None for data, first values and edits."""
    written = origin_of(timeline, name, index, place)
    return written.step if written.origin == "step" else None


def _next(timeline: "Timeline", name: str, index: Shape, step: int) -> Followed | None:
    """Return the next cell of the same pass direction; None where the way ends."""
    value = timeline.tensors_at(step + 1)[name][index]
    walk = Walk(timeline, name, index, value, step)
    found = follower_of(timeline, walk).follow(expression_followed(walk), walk.where)
    if found is None or found.is_off:
        return None
    roles = timeline.program.tensors
    here, there = roles[name].role, roles[found.name].role
    alike = there is Role.GRADIENT if here is Role.GRADIENT else there in FORWARD
    return found if alike else None


def _ratio(value: float, source: float) -> float | None:
    """Return one value divided by another, None where that says nothing."""
    if not source or not math.isfinite(source) or not math.isfinite(value):
        return None
    return value / source


def _by_layer(hops: list[FactorHop]) -> tuple[tuple[int, float], ...]:
    products: dict[int, float] = {}
    for hop in hops:
        if hop.layer is not None and hop.factor is not None:
            products[hop.layer] = products.get(hop.layer, 1.0) * hop.factor
    return tuple(products.items())
