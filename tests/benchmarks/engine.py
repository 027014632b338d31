"""How much processor time a run takes against the same arithmetic written by hand in NumPy."""

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
from nnstep.engine.stops.points import Breakpoint

LR = 0.1

Row = tuple[str, float, float]


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
    outputs = sizes[-1]
    classes = generator.integers(0, max(outputs, 2), rows)
    y = frozen(np.eye(outputs)[classes] if outputs > 1 else classes[:, np.newaxis] * 1.0)
    sgd = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
    reduction = "sum" if loss == "half_squared_error" else "batch_mean"
    return Scenario(
        title="benchmark",
        network=Network(sizes[0], layers, Loss(loss, reduction)),  # type: ignore[arg-type]
        optimizer=Optimizer("sgd", LR / rows if reduction == "sum" else LR, sgd),
        data=Data(x, y, rows),
        run=Run(iterations=iterations),
    )


SMALL = scenario((2, 2, 2), ("sigmoid", "sigmoid"), "half_squared_error", 1, 2000)
MIDDLE = scenario((2, 8, 8, 1), ("sigmoid",) * 3, "half_squared_error", 32, 1000)
LARGE = scenario((784, 128, 10), ("relu", "softmax"), "cross_entropy", 64, 300)


def small_by_hand(case: Scenario) -> None:
    """Sigmoid layers, half the squared error, gradient descent."""
    W1, b1, W2, b2 = parameters(case)
    assert case.data is not None
    assert case.optimizer is not None
    x, y, lr = case.data.x, case.data.y, case.optimizer.lr
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
        W1 = W1 - lr * dW1
        b1 = b1 - lr * db1
        W2 = W2 - lr * dW2
        b2 = b2 - lr * db2


def middle_by_hand(case: Scenario) -> None:
    """The same with one more layer."""
    W1, b1, W2, b2, W3, b3 = parameters(case)
    assert case.data is not None
    assert case.optimizer is not None
    x, y, lr = case.data.x, case.data.y, case.optimizer.lr
    for _ in range(case.run.iterations or 0):
        z1 = x @ W1.T + b1
        a1 = sigmoid(z1)
        z2 = a1 @ W2.T + b2
        a2 = sigmoid(z2)
        z3 = a2 @ W3.T + b3
        a3 = sigmoid(z3)
        half_squared_error(a3, y)
        da3 = a3 - y
        dz3 = da3 * a3 * (1 - a3)
        dW3 = dz3.T @ a2
        db3 = dz3.sum(axis=0)
        da2 = dz3 @ W3
        dz2 = da2 * a2 * (1 - a2)
        dW2 = dz2.T @ a1
        db2 = dz2.sum(axis=0)
        da1 = dz2 @ W2
        dz1 = da1 * a1 * (1 - a1)
        dW1 = dz1.T @ x
        db1 = dz1.sum(axis=0)
        W1 = W1 - lr * dW1
        b1 = b1 - lr * db1
        W2 = W2 - lr * dW2
        b2 = b2 - lr * db2
        W3 = W3 - lr * dW3
        b3 = b3 - lr * db3


def large_by_hand(case: Scenario) -> None:
    """ReLU and softmax, cross-entropy, gradient descent."""
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
    """Ask for every step."""
    for _ in Session(case).steps():
        pass


def through(case: Scenario) -> None:
    """Run to the end with nothing to stop at."""
    Session(case).advance("run")


def conditioned(case: Scenario) -> None:
    """Run past a condition on a gradient."""
    session = Session(case)
    session.stops.add(Breakpoint("dW1", "norm(dW1) > 1e9"))
    session.advance("run")


def until(case: Scenario) -> None:
    """Run until a condition that never holds."""
    Session(case).run(until="L < -1")


def ratio(
    run: Callable[[Scenario], None],
    case: Scenario,
    other: Callable[[Scenario], None],
    rounds: int = 9,
) -> float:
    """The median over rounds of the processor time of one by that of the other, taken in turn."""
    ratios = []
    for _ in range(rounds):
        start = time.process_time()
        run(case)
        middle = time.process_time()
        other(case)
        ratios.append((middle - start) / (time.process_time() - middle))
    return statistics.median(ratios)


def rows() -> Iterator[Row]:
    """What is measured, the ratio, and the most that it may be."""
    cases = (
        (SMALL, small_by_hand, "2-2-2, one row", 1.8, 1.6),
        (MIDDLE, middle_by_hand, "2-8-8-1, 32 rows", 1.9, 1.6),
        (LARGE, large_by_hand, "784-128-10, 64 rows", 1.35, 1.35),
    )
    for case, by_hand, name, most_stepped, most_run in cases:
        yield f"steps(), {name} / by hand", ratio(stepped, case, by_hand), most_stepped
        yield f"running to a stop, {name} / by hand", ratio(through, case, by_hand), most_run
    yield "run with break if norm(dW1) > c / without", ratio(conditioned, SMALL, through), 2
    yield "run(until='L < c') / run to a stop", ratio(until, SMALL, through), 2
