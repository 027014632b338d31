"""The one seeded source of random numbers of a run."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np


class Draws:
    """Gives NumPy's generator for a seed, made when the first number is drawn.

    Many scenarios draw nothing, and NumPy's random module alone takes a tenth of the start-up time.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @cached_property
    def generator(self) -> "np.random.Generator":
        """The generator; every draw of a run comes from it, in order."""
        return np.random.default_rng(self._seed)

    @property
    def state(self) -> Mapping[str, Any]:
        """Where the generator stands; to set it is to draw the same numbers again."""
        return self.generator.bit_generator.state

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        self.generator.bit_generator.state = state
