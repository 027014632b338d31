"""Small scenarios, built in a line, for tests that are not about reading files."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import numpy as np

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.language.parser import parse_program
from nnstep.engine.scenario.model import (
    Activation,
    Clip,
    Data,
    Expression,
    Initializer,
    Layer,
    Loss,
    Network,
    Optimizer,
    Run,
    Scenario,
)

_Given = ParamSpec("_Given")

DEFAULTS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False},
    "adagrad": {
        "lr_decay": 0.0,
        "eps": 1e-10,
        "weight_decay": 0.0,
        "initial_accumulator_value": 0.0,
    },
    "rmsprop": {
        "alpha": 0.99,
        "eps": 1e-8,
        "weight_decay": 0.0,
        "momentum": 0.0,
        "centered": False,
    },
    "adam": {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False},
}


def optimizer(
    kind: str = "sgd", lr: float = 0.5, clip: Clip | None = None, **options: Any
) -> Optimizer:
    return Optimizer(kind, lr, {**DEFAULTS[kind], **options}, clip)


def _built_once(build: Callable[_Given, Scenario]) -> Callable[_Given, Scenario]:
    """Build the same scenario once: it is a value, and its program is remembered with it."""
    built: dict[str, Scenario] = {}

    @wraps(build)
    def once(*given: _Given.args, **named: _Given.kwargs) -> Scenario:
        told = repr((given, named))
        if told not in built:
            built[told] = build(*given, **named)
        return built[told]

    return once


@_built_once
def network(
    sizes: tuple[int, ...] = (2, 2, 1),
    *,
    activations: tuple[str, ...] = (),
    rows: int = 1,
    batch_size: int | None = None,
    shuffle: bool = False,
    dtype: str = "float64",
    optimized: Optimizer | None = None,
    run: Run = Run(),  # noqa: B008
    loss: Loss = Loss("half_squared_error", "sum"),  # noqa: B008
    frozen_biases: bool = False,
) -> Scenario:
    """A network whose weights are drawn from seed 0, on data that depends on the sizes alone."""
    kinds = activations or ("sigmoid",) * (len(sizes) - 1)
    held = frozenset({"bias"} if frozen_biases else ())
    layers = tuple(
        Layer(units, Activation(kind), Initializer("xavier_uniform"), Initializer("zeros"), held)
        for units, kind in zip(sizes[1:], kinds, strict=True)
    )
    generator = np.random.default_rng(7)
    x = frozen(generator.standard_normal((rows, sizes[0])), dtype)
    y = frozen(generator.uniform(0.1, 0.9, (rows, sizes[-1])), dtype)
    return Scenario(
        title="a network",
        dtype=dtype,
        network=Network(sizes[0], layers, loss),
        optimizer=optimized or optimizer(),
        data=Data(x, y, batch_size or rows, shuffle),
        run=run,
    )


def expression(
    code: str,
    loss: str,
    *,
    optimized: Optimizer | None = None,
    data: Data | None = None,
    inputs: dict[str, Any] | None = None,
    dtype: str = "float64",
    run: Run = Run(),  # noqa: B008
    **parameters: Any,
) -> Scenario:
    """An expression scenario; keyword arguments are its parameters."""

    def arrays(values: dict[str, Any]) -> dict[str, Array]:
        return {name: frozen(value, dtype) for name, value in values.items()}

    program = Expression(code, parse_program(code), loss, arrays(parameters), arrays(inputs or {}))
    return Scenario(
        title="an expression",
        dtype=dtype,
        expression=program,
        optimizer=optimized,
        data=data,
        run=run,
    )


def shuffled(kind: int, dtype: str = "float64", run: Run = Run()) -> Scenario:  # noqa: B008
    """A small network with shuffled batches of unequal size, one of several optimizers."""
    kinds = [
        optimizer("sgd", 0.5, momentum=0.9),
        optimizer("adam", 0.1),
        optimizer("rmsprop", 0.05),
        optimizer("adagrad", 0.2, lr_decay=0.1),
    ]
    return network(
        (2, 3, 1),
        rows=5,
        batch_size=2,
        shuffle=True,
        dtype=dtype,
        optimized=kinds[kind % len(kinds)],
        run=run,
    )
