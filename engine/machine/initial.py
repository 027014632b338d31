"""The values that tensors have before step 0, and the one source of random numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array, Shape, frozen, sealed
from nnstep.engine.operations.initializers import INITIALIZERS
from nnstep.engine.program.program import Drawn, Program, Role
from nnstep.engine.scenario.model import Initializer


class Draws:
    """Gives NumPy's generator for a seed, made when the first number is drawn.

    Many scenarios draw nothing before the first step, and NumPy's random module alone takes a tenth
    of the start-up time.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._generator: np.random.Generator | None = None

    @property
    def generator(self) -> "np.random.Generator":
        """The generator; every draw of a run comes from it, in order."""
        if self._generator is None:
            self._generator = np.random.default_rng(self._seed)
        return self._generator

    @property
    def state(self) -> int | Mapping[str, Any]:
        """Where the generator stands: the seed before the first number is drawn, then its own.

        To set it is to draw the same numbers again.
        """
        return self._seed if self._generator is None else self._generator.bit_generator.state

    @state.setter
    def state(self, state: int | Mapping[str, Any]) -> None:
        if isinstance(state, int):
            self._seed, self._generator = state, None
        else:
            self.generator.bit_generator.state = state


def initial_tensors(program: Program, dtype: str, draws: Draws) -> dict[str, Array]:
    """Return the tensors that are live before step 0.

    Parameters that have no values of their own come from `draws`, in the order of the program.
    """
    tensors: dict[str, Array] = {}
    for tensor in program.tensors.values():
        match tensor.start:
            case None:
                continue
            case Drawn(by, fan_in, fan_out):
                value = frozen(_drawn(by, draws, tensor.shape, fan_in, fan_out), dtype)
            case np.ndarray() as value:
                pass
            case number if tensor.of is not None:
                value = sealed(np.full_like(tensors[tensor.of], number))
            case number:
                value = frozen(number, None if tensor.role is Role.BUFFER else dtype)
        tensors[tensor.name] = value
    return tensors


def _drawn(rule: Initializer, draws: Draws, shape: Shape, inputs: int, units: int) -> Array:
    row = INITIALIZERS[rule.kind]
    generator = draws.generator if row.is_random else None
    return row.draw(generator, shape, inputs, units, row.filled(rule.options))
