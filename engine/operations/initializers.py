"""Initialisers: how a parameter gets its first value.

Xavier's are from Glorot and Bengio 2010, He's from He et al. 2015 (arXiv:1502.01852).
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from nnstep.engine.arrays import Array, Shape

from .operation import Kind, Setting, Settings, no_mistakes

if TYPE_CHECKING:
    from numpy.random import Generator  # a tenth of the start-up time, and often not needed

Draw = Callable[..., Array]
"""Takes a generator, a shape, the layer's inputs and units, and the settings by name."""


class Initializer(Kind, frozen=True, kw_only=True):
    """A row: a rule by which weights or a bias can be drawn.

    `values` is a formula, so that a script can have its text. `is_random` tells whether it asks its
    generator for numbers at all.
    """

    values: Draw
    is_random: bool = True

    def draw(
        self,
        generator: "Generator | None",
        shape: Shape,
        inputs: int,
        units: int,
        settings: Settings,
    ) -> Array:
        """Return an array of `shape` for a layer of `units`, each of which has `inputs`.

        The generator may be None where nothing is random.
        """
        return self.values(generator, shape, inputs, units, **settings)


def _initializer(
    name: str,
    description: str,
    values: Draw,
    is_random: bool = True,
    mistakes: Callable[[Settings], Iterable[tuple[str, str]]] = no_mistakes,
    **settings: Setting,
) -> Initializer:
    return Initializer(
        name=name,
        description=description,
        values=values,
        is_random=is_random,
        mistakes=mistakes,
        settings=settings,
    )


def _interval_mistakes(settings: Settings) -> Iterable[tuple[str, str]]:
    low, high = settings["low"], settings["high"]
    if low > high:
        yield "high", f"'high' must not be below 'low', {low}"
    elif not math.isfinite(high - low):
        yield "high", f"the interval from 'low', {low}, to 'high' is too wide"


INITIALIZERS: Mapping[str, Initializer] = {
    row.name: row
    for row in (
        _initializer(
            "zeros",
            "Zero everywhere.",
            lambda random, shape, inputs, units: np.zeros(shape),
            is_random=False,
        ),
        _initializer(
            "constant",
            "The same value everywhere.",
            lambda random, shape, inputs, units, value: np.full(shape, value),
            is_random=False,
            value=Setting(None, "That value."),
        ),
        _initializer(
            "normal",
            "Drawn from a normal distribution.",
            lambda random, shape, inputs, units, std, mean: (
                mean + std * random.standard_normal(shape)
            ),
            std=Setting(None, "Its standard deviation.", at_least=0),
            mean=Setting(0.0, "Its mean."),
        ),
        _initializer(
            "uniform",
            "Drawn evenly from an interval.",
            lambda random, shape, inputs, units, low, high: random.uniform(low, high, shape),
            low=Setting(None, "The interval's lower end."),
            high=Setting(None, "The interval's upper end."),
            mistakes=_interval_mistakes,
        ),
        _initializer(
            "xavier_uniform",
            "Uniform up to ±sqrt(6 / (inputs + units)), the default for weights.",
            lambda random, shape, inputs, units: random.uniform(
                -np.sqrt(6 / (inputs + units)), np.sqrt(6 / (inputs + units)), shape
            ),
        ),
        _initializer(
            "xavier_normal",
            "Normal with standard deviation sqrt(2 / (inputs + units)).",
            lambda random, shape, inputs, units: (
                random.standard_normal(shape) * np.sqrt(2 / (inputs + units))
            ),
        ),
        _initializer(
            "he_uniform",
            "Uniform up to ±sqrt(6 / inputs).",
            lambda random, shape, inputs, units: random.uniform(
                -np.sqrt(6 / inputs), np.sqrt(6 / inputs), shape
            ),
        ),
        _initializer(
            "he_normal",
            "Normal with standard deviation sqrt(2 / inputs).",
            lambda random, shape, inputs, units: (
                random.standard_normal(shape) * np.sqrt(2 / inputs)
            ),
        ),
    )
}
