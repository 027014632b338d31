"""How long a run takes against the same arithmetic written by hand in NumPy."""

import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.operations.activations import relu, sigmoid, softmax
from nnstep.engine.operations.losses import cross_entropy, half_squared_error
from nnstep.engine.scenario.model import (
    Activation,
    Data,
    Layer,
    Loss,
    Network,
    Optimizer,
    Run,
    Scenario,
)
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import Breakpoint, Watchpoint

LR = 0.1


def scenario(
    sizes: tuple[int, ...], activations: tuple[str, ...], loss: str, rows: int, iterations: int
) -> Scenario:
    """A network with drawn weights on drawn data, all rows in one batch."""
    generator = np.random.default_rng(0)
    layers = tuple(
        Layer(
            units,
            Activation(kind),
            frozen(generator.standard_normal((units, inputs)) / np.sqrt(inputs)),
            frozen(np.zeros(units)),
        )
        for inputs, units, kind in zip(sizes, sizes[1:], activations, strict=False)
    )
    x = frozen(generator.standard_normal((rows, sizes[0])))
    y = frozen(np.eye(sizes[-1])[generator.integers(0, sizes[-1], rows)])
    sgd = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
    reduction = "sum" if loss == "half_squared_error" else "batch_mean"
    return Scenario(
        title="benchmark",
        network=Network(sizes[0], layers, Loss(loss, reduction)),  # type: ignore[arg-type]
        optimizer=Optimizer("sgd", LR, sgd),
        data=Data(x, y, rows),
        run=Run(iterations=iterations),
    )


def small_by_hand(case: Scenario) -> None:
    """2-2-2, sigmoid, half the squared error, one sample, gradient descent."""
    W1, b1, W2, b2 = parameters(case)
    assert case.data is not None
    x, y = case.data.x, case.data.y
    for _ in range(case.run.iterations or 0):
        z1 = x @ W1.T + b1
        a1 = sigmoid(z1)
        z2 = a1 @ W2.T + b2
        a2 = sigmoid(z2)
        half_squared_error(a2, y)
        da2 = a2 - y
        dz2 = da2 * a2 * (1 - a2)
        dW2 = dz2.T @ a1
        db2 = dz2.sum(axis=0)
        da1 = dz2 @ W2
        dz1 = da1 * a1 * (1 - a1)
        dW1 = dz1.T @ x
        db1 = dz1.sum(axis=0)
        W1 = W1 - LR * dW1
        b1 = b1 - LR * db1
        W2 = W2 - LR * dW2
        b2 = b2 - LR * db2


def large_by_hand(case: Scenario) -> None:
    """784-128-10, ReLU and softmax, cross-entropy, 64 rows, gradient descent."""
    W1, b1, W2, b2 = parameters(case)
    assert case.data is not None
    x, y = case.data.x, case.data.y
    for _ in range(case.run.iterations or 0):
        z1 = x @ W1.T + b1
        a1 = relu(z1)
        z2 = a1 @ W2.T + b2
        a2 = softmax(z2)
        cross_entropy(a2, y)
        dz2 = (a2 - y) / len(a2)
        dW2 = dz2.T @ a1
        db2 = dz2.sum(axis=0)
        da1 = dz2 @ W2
        dz1 = np.where(z1 > 0, da1, 0)
        dW1 = dz1.T @ x
        db1 = dz1.sum(axis=0)
        W1 = W1 - LR * dW1
        b1 = b1 - LR * db1
        W2 = W2 - LR * dW2
        b2 = b2 - LR * db2


def parameters(case: Scenario) -> list[Array]:
    assert case.network is not None
    found: list[Any] = []
    for layer in case.network.layers:
        found += [layer.weights, layer.bias]
    return found


def stepped(case: Scenario) -> None:
    for _ in Session(case, history=None).steps():
        pass


def remembered(case: Scenario) -> None:
    """Keep the history, and look for faults."""
    for _ in Session(case).steps():
        pass


def debugged(case: Scenario) -> None:
    """Look for stops as well: a breakpoint and a watchpoint that never fire."""
    session = Session(case)
    session.stops.add(Breakpoint("dW1", "norm(dW1) > 1e9"))
    session.stops.add(Watchpoint("L", "crosses", 1e9))
    session.advance("run")


def ratio(
    run: Callable[[Scenario], None],
    case: Scenario,
    by_hand: Callable[[Scenario], None],
    rounds: int = 9,
) -> float:
    """The median over rounds of the time of a run by the time by hand, taken in turn."""
    ratios = []
    for _ in range(rounds):
        start = time.perf_counter()
        run(case)
        middle = time.perf_counter()
        by_hand(case)
        ratios.append((middle - start) / (time.perf_counter() - middle))
    return statistics.median(ratios)


def rows() -> Iterator[tuple[str, float, float]]:
    """What is measured, the ratio, and the most that it may be."""
    small = scenario((2, 2, 2), ("sigmoid", "sigmoid"), "half_squared_error", 1, 2000)
    large = scenario((784, 128, 10), ("relu", "softmax"), "cross_entropy", 64, 200)
    for run, what, most_small, most_large in (
        (stepped, "steps()", 1.5, 1.1),
        (remembered, "steps() with history and faults", 2.0, 1.3),
        (debugged, "running with history, faults and stops", math.inf, math.inf),
    ):
        yield f"{what}, 2-2-2, batch 1 / by hand", ratio(run, small, small_by_hand), most_small
        yield (
            f"{what}, 784-128-10, batch 64 / by hand",
            ratio(run, large, large_by_hand),
            most_large,
        )
