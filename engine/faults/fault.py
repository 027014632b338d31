"""A fault is something wrong with a training run, at the step where it first shows."""

import math
from typing import Literal

from msgspec import Struct

Level = Literal["stop", "warning", "info"]

Key = tuple[str, int | None]

NON_FINITE = "non-finite"


class Fault(Struct, frozen=True):
    """What is wrong, where, by which number, and what to do about it.

    `place` is the number of instructions executed when the fault first holds: the last of them
    wrote `tensor`, in pass `iteration`. `value` is on the wrong side of `threshold`, and `quantity`
    is what it is a value of (by default the tensor). `advice` is a sentence. A fault of level
    `stop` ends a run unless it is told otherwise; `info` may be no fault at all.
    """

    name: str
    layer: int | None
    tensor: str
    place: int
    iteration: int
    value: float
    threshold: float
    level: Level
    advice: str
    quantity: str = ""

    @property
    def key(self) -> Key:
        """What a run has one fault of."""
        return fault_key(self.name, self.layer)

    @property
    def title(self) -> str:
        """Its name, and its layer if it is one of a layer."""
        return self.name if self.layer is None else f"{self.name} in layer {self.layer}"

    def __str__(self) -> str:
        return f"{self.title}: {self._finding} at step {self.place}"

    @property
    def _finding(self) -> str:
        quantity = self.quantity or self.tensor
        if not math.isfinite(self.value):
            return f"{quantity} is {self.value}"
        sign = "<" if self.value < self.threshold else ">" if self.value > self.threshold else "≥"
        return f"{quantity} = {self.value:.3g} {sign} {self.threshold:g}"


def fault_key(name: str, layer: int | None) -> Key:
    """Return what a run has one fault of: of each kind one a layer, and one non-finite value."""
    return name, None if name == NON_FINITE else layer
