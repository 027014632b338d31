"""The values that tensors have before step 0, and the one source of random numbers."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array, Shape, frozen, sealed
from nnstep.engine.program.program import Program, Role
from nnstep.engine.scenario.model import Initializer, Layer, Network, Scenario


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


def initial_tensors(scenario: Scenario, program: Program, draws: Draws) -> dict[str, Array]:
    """Return the tensors that are live before step 0.

    Parameters that have no values of their own come from `draws`, layer by layer, weights
    before biases.
    """
    if scenario.network:
        tensors = _network_parameters(scenario.network, scenario.dtype, draws)
    else:
        assert scenario.expression is not None, "a scenario is a network or an expression"
        tensors = {**scenario.expression.inputs, **scenario.expression.parameters}
    if scenario.optimizer:
        tensors["lr"] = frozen(scenario.optimizer.lr, scenario.dtype)
    for buffer in program.with_role(Role.BUFFER):
        if buffer.of is None:
            tensors[buffer.name] = frozen(int(buffer.start))
        else:
            tensors[buffer.name] = sealed(np.full_like(tensors[buffer.of], buffer.start))
    return tensors


def _network_parameters(network: Network, dtype: str, draws: Draws) -> dict[str, Array]:
    tensors: dict[str, Array] = {}
    fan_in = network.inputs
    for number, layer in enumerate(network.layers, start=1):
        shape = (layer.units, fan_in) if network.layout == "out_in" else (fan_in, layer.units)
        for name, value, shape_ in _of_layer(layer, number, shape):
            if isinstance(value, Initializer):
                drawn = draw(value, draws, shape_, fan_in, layer.units)
                tensors[name] = frozen(drawn, dtype)
            else:
                tensors[name] = value
        fan_in = layer.units
    return tensors


def _of_layer(
    layer: Layer, number: int, shape: Shape
) -> list[tuple[str, Array | Initializer, Shape]]:
    weights = (f"W{number}", layer.weights, shape)
    if layer.bias is None:
        return [weights]
    return [weights, (f"b{number}", layer.bias, (layer.units,))]


def draw(
    initializer: Initializer,
    draws: Draws,
    shape: Shape,
    fan_in: int,
    fan_out: int,
) -> Array:
    """Return an array of `shape` drawn as `initializer` says.

    Xavier's are from Glorot and Bengio 2010, He's from He et al. 2015 (arXiv:1502.01852).
    """
    options: Mapping[str, float] = initializer.options  # type: ignore[assignment]
    match initializer.kind:
        case "zeros":
            return np.zeros(shape)
        case "constant":
            return np.full(shape, options["value"])
        case "normal":
            return options["mean"] + options["std"] * draws.generator.standard_normal(shape)
        case "uniform":
            return draws.generator.uniform(options["low"], options["high"], shape)
        case "xavier_normal":
            return draws.generator.standard_normal(shape) * np.sqrt(2 / (fan_in + fan_out))
        case "xavier_uniform":
            limit = np.sqrt(6 / (fan_in + fan_out))
            return draws.generator.uniform(-limit, limit, shape)
        case "he_normal":
            return draws.generator.standard_normal(shape) * np.sqrt(2 / fan_in)
        case "he_uniform":
            limit = np.sqrt(6 / fan_in)
            return draws.generator.uniform(-limit, limit, shape)
        case kind:
            raise ValueError(f"there is no initialiser '{kind}'")
