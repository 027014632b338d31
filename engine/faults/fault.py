"""A fault is something wrong with a training run, at the step where it first shows."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

Level = Literal["stop", "warning", "info"]

Key = tuple[str, int | None, str]

NON_FINITE = "non-finite"


class Fault(Struct, frozen=True):
    """What is wrong, where, by which number, and what to do about it.

    `place` is the number of instructions executed when the fault first holds: the last of them
    wrote `tensor`, in pass `iteration`. `value` is on the wrong side of `threshold`, and `quantity`
    is what it is a value of (by default the tensor). `advice` is a sentence. A fault of level
    `stop` ends a run unless it is told otherwise; `info` may be no fault at all. `passed_on` counts
    the lines of the same pass that only hand a value on which is not finite.
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
    passed_on: int = 0

    @property
    def key(self) -> Key:
        """What a run has one fault of."""
        return fault_key(self.name, self.layer, self.tensor)

    @property
    def title(self) -> str:
        """Its name, and its layer if it is one of a layer."""
        return self.name if self.layer is None else f"{self.name} in layer {self.layer}"

    @property
    def step(self) -> int:
        """The step that wrote the tensor, as a trace numbers it."""
        return self.place - 1

    @property
    def where(self) -> str:
        """The step at which it shows."""
        return f"at step {self.step}"

    def __str__(self) -> str:
        text = f"{self.title}: {self._finding} {self.where}"
        if not self.passed_on:
            return text
        lines = "1 line passes" if self.passed_on == 1 else f"{self.passed_on} lines pass"
        return f"{text}, {lines} it on"

    @property
    def _finding(self) -> str:
        quantity = self.quantity or self.tensor
        if not math.isfinite(self.value):
            return f"{quantity} is {self.value}"
        sign = "<" if self.value < self.threshold else ">" if self.value > self.threshold else "≥"
        value = _apart(self.value, self.threshold)
        return f"{quantity} = {value} {sign} {self.threshold:g}"


def _apart(value: float, threshold: float) -> str:
    """Return a value with as many digits, from three on, as tell it from a threshold."""
    for digits in range(3, 17):
        text = f"{value:.{digits}g}"
        if value == threshold or float(text) != float(f"{threshold:g}"):
            return text
    return repr(value)


def fault_key(name: str, layer: int | None, tensor: str) -> Key:
    """Return what a run has one fault of: of each kind one a layer, non-finite ones one a line."""
    return name, layer, tensor if name == NON_FINITE else ""


def merged(known: Sequence[Fault], new: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return faults with new ones, which take the place of those of the same key."""
    by_key = {fault.key: fault for fault in known}
    by_key |= {fault.key: fault for fault in new}
    return tuple(by_key.values())


_TOO_LARGE = ("unnormalised input", "update too large", "exploding gradient", "diverging")
_LOST = (*_TOO_LARGE, "saturation", "dead ReLU", "symmetry", NON_FINITE)

CAUSES: Mapping[str, Sequence[str]] = {
    "saturation": _TOO_LARGE,
    "dead ReLU": _TOO_LARGE,
    "update too large": ("unnormalised input", "exploding gradient"),
    "exploding gradient": _TOO_LARGE,
    "diverging": _TOO_LARGE,
    NON_FINITE: _TOO_LARGE,
    "vanishing gradient": _LOST,
    "no gradient": (*_LOST, "equal targets", "vanishing gradient"),
    "update too small": (*_LOST, "equal targets", "no gradient", "vanishing gradient"),
    "update lost": ("update too large", "diverging", "exploding gradient"),
    "stalled": (
        *_LOST,
        "equal targets",
        "no gradient",
        "vanishing gradient",
        "update too small",
        "update lost",
    ),
}
"""Which faults, if they come first, explain a fault of a kind."""


def explained(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return faults in order of their places, those that an earlier one explains saying so."""
    told: list[Fault] = []
    for fault in sorted(faults, key=lambda each: each.place):
        causes = CAUSES.get(fault.name, ())
        earlier = (one for one in told if one.place < fault.place)
        first = next(
            (one for one in earlier if one.name in causes and one.name != fault.name), None
        )
        if first is not None:
            advice = f"It follows from the {first.title} {first.where}: look there first."
            fault = replace(fault, advice=advice)  # noqa: PLW2901
        told.append(fault)
    return tuple(told)
