"""A rule: one measure of a pass, and the threshold beyond which something is wrong."""

from collections.abc import Callable

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array

from .fault import Key, Level, fault_key
from .passes import Measure, Passes
from .yardstick import ALWAYS, Gates

ROUNDING = 1e-9
"""The share by which measures of stacked arrays may be off those of a single one."""

OF_EXCERPT = 4.0
"""The factor by which the measure of an excerpt is taken to differ from the whole's at most."""


class Rule(Struct, frozen=True, eq=False, kw_only=True):
    """One kind of fault in one tensor, decided when the instruction at `position` has written it.

    It holds in a pass whose `measure` is above the `threshold`, or below it where `below` says so;
    `reached` is enough with `at_least`. NumPy's warnings are off while it is taken. `indices` are
    those, in the record of a pass, of what is measured. `confirm`, if there is one, looks closer at
    a single pass that is suspected.

    It is judged only where its `gates` are open. What is common in a few rows and not in many is
    judged `on_sample` too, if a batch has few rows. Iterations before `settled` are not judged.
    `slack` is how far the measure of an excerpt may be off.
    """

    name: str
    layer: int | None
    tensor: str
    position: int
    indices: tuple[int, ...]
    measure: Measure
    threshold: float
    quantity: str
    advice: str
    below: bool = False
    at_least: bool = False
    level: Level = "warning"
    gates: Gates = ALWAYS
    on_sample: bool = False
    settled: int = 0
    slack: float = OF_EXCERPT
    confirm: Callable[[Passes], bool] | None = None

    @property
    def key(self) -> Key:
        """What a run has one fault of."""
        return fault_key(self.name, self.layer, self.tensor)

    @property
    def sign(self) -> float:
        """What a measure is multiplied by, so that more is worse."""
        return -1.0 if self.below else 1.0

    def limit(self, passes: Passes) -> float:
        """Return the measure, times the sign, from which on a pass is suspected."""
        of_excerpt = any(passes.is_excerpt(index) for index in self.indices)
        slack = self.slack if of_excerpt else 1 + ROUNDING
        return -self.threshold * slack if self.below else self.threshold / slack

    def value(self, single: Passes) -> float | None:
        """Return the measure of a single pass, None if the rule does not hold in it."""
        (value,) = self.measure(single)
        if self.below:
            holds = value < self.threshold
        else:
            holds = value >= self.threshold if self.at_least else value > self.threshold
        # What is not finite has a fault of its own.
        if (
            not holds
            or not np.isfinite(value)
            or (self.confirm is not None and not self.confirm(single))
        ):
            return None
        return float(value)


def nothing(passes: Passes) -> Array:
    """Return a measure of nothing, to be filled in where there is something."""
    measure = np.empty(len(passes))
    measure.fill(np.nan)
    return measure
