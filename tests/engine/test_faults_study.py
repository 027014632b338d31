"""How often rules are right: healthy runs of five families, and runs with one fault planted.

`python tests/engine/test_faults_study.py` prints the table.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import count

import numpy as np
import pytest
from building import optimizer
from msgspec.structs import replace

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.faults.fault import Fault
from nnstep.engine.faults.yardstick import yardstick
from nnstep.engine.scenario.model import (
    Activation,
    Data,
    Initializer,
    Layer,
    Loss,
    Network,
    Optimizer,
    Run,
    Scenario,
)
from nnstep.engine.session.session import Session

HEALTHY, PLANTED = 300, 30
ITERATIONS = 300

Generator = np.random.Generator


# Families of data


def xor(draw: Generator) -> tuple[Array, Array]:
    x = np.tile([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], (int(draw.integers(1, 9)), 1))
    y = (x[:, :1] != x[:, 1:]).astype(float)
    return x + (draw.normal(0, 0.1, x.shape) if len(x) > 4 else 0.0), y


def moons(draw: Generator) -> tuple[Array, Array]:
    rows = int(draw.integers(20, 60))
    angle, side = draw.uniform(0, np.pi, rows), draw.integers(0, 2, rows)
    x = np.stack(
        [np.cos(angle) * (1 - 2 * side) + side, np.sin(angle) * (1 - 2 * side) + side / 2], axis=1
    )
    return x + draw.normal(0, 0.1, x.shape), side[:, np.newaxis].astype(float)


def blobs(draw: Generator) -> tuple[Array, Array]:
    rows, classes = int(draw.integers(24, 60)), int(draw.integers(2, 4))
    centres = draw.normal(0, 2, (classes, 2))
    kind = np.arange(rows) % classes
    return centres[kind] + draw.normal(0, 0.5, (rows, 2)), np.eye(classes)[kind]


def circles(draw: Generator) -> tuple[Array, Array]:
    rows = int(draw.integers(24, 60))
    angle, inner = draw.uniform(0, 2 * np.pi, rows), np.arange(rows) % 2
    radius = np.where(inner, 0.5, 1.3) + draw.normal(0, 0.08, rows)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return x, inner[:, np.newaxis].astype(float)


def waves(draw: Generator) -> tuple[Array, Array]:
    rows, size = int(draw.integers(20, 60)), float(draw.choice([0.1, 1.0, 1.0]))
    x = draw.uniform(-1, 1, (rows, int(draw.integers(1, 4))))
    y = np.sin(2 * x.sum(axis=1, keepdims=True)) + draw.normal(0, 0.05, (rows, 1))
    return x, size * y


FAMILIES: Mapping[str, Callable[[Generator], tuple[Array, Array]]] = {
    "xor": xor,
    "moons": moons,
    "blobs": blobs,
    "circles": circles,
    "waves": waves,
}


def scenario(
    family: str,
    draw: Generator,
    *,
    kinds: tuple[str, ...] = ("sigmoid", "tanh", "relu"),
    hidden: tuple[int, ...] | None = None,
    optimized: Optimizer | None = None,
    loss: Loss | None = None,
    dtype: str = "float64",
) -> Scenario:
    """A network on data of a family, its settings drawn from what a sensible person would take."""
    x, y = FAMILIES[family](draw)
    kind = str(draw.choice(kinds))
    sizes = hidden or tuple(int(n) for n in draw.integers(4, 13, draw.integers(1, 3)))
    output, own = _output(family, y, draw)
    init = Initializer("he_normal" if kind == "relu" else "xavier_uniform")
    layers = [Layer(size, Activation(kind), init, Initializer("zeros")) for size in sizes]
    last = Layer(
        y.shape[1], Activation(output), Initializer("xavier_uniform"), Initializer("zeros")
    )
    rows = len(x)
    batch = rows if draw.random() < 0.5 else max(1, rows // int(draw.integers(2, 5)))
    return Scenario(
        title=family,
        dtype=dtype,
        seed=int(draw.integers(1 << 30)),
        network=Network(
            x.shape[1],
            (*layers, last),
            loss or own,
            l2=float(draw.choice([0.0, 0.0, 1e-4, 1e-3])),
        ),
        optimizer=optimized or _optimizer(kind, draw, cautious=family == "waves"),
        data=Data(frozen(x, dtype), frozen(y, dtype), batch, shuffle=bool(draw.random() < 0.5)),
        run=Run(iterations=ITERATIONS),
    )


def _output(family: str, y: Array, draw: Generator) -> tuple[str, Loss]:
    if family == "waves":
        return "identity", Loss("mse", "mean")
    if y.shape[1] > 1:
        return "softmax", Loss("cross_entropy", "batch_mean")
    if draw.random() < 0.3:
        return "sigmoid", Loss("mse", "mean")
    return "sigmoid", Loss("binary_cross_entropy", "mean")


def _optimizer(kind: str, draw: Generator, *, cautious: bool) -> Optimizer:
    which = str(draw.choice(["sgd", "momentum", "adam", "rmsprop"]))
    if which == "adam":
        return optimizer("adam", float(draw.choice([0.01, 0.03])))
    if which == "rmsprop":
        return optimizer("rmsprop", float(draw.choice([0.003, 0.01])))
    rate = float(draw.choice([0.3, 0.5] if kind == "sigmoid" else [0.05, 0.1]))
    if cautious:
        rate /= 3
    if which == "momentum":
        return optimizer("sgd", rate / 10, momentum=0.9)
    return optimizer("sgd", rate)


def faults_of(case: Scenario, iterations: int = ITERATIONS) -> tuple[Array, tuple[Fault, ...]]:
    """The losses and the faults of a run."""
    session = Session(case, iterations=iterations)
    session.run()
    return np.array(session.snapshot().losses), session.faults


def healthy(family: str) -> Iterator[tuple[Scenario, tuple[Fault, ...]]]:
    """Runs that learn: whose loss comes down to half of what it was, and of a blind guess."""
    for number in count():
        draw = np.random.default_rng([number, sorted(FAMILIES).index(family)])
        case = scenario(family, draw)
        losses, found = faults_of(case)
        by = yardstick(case)
        blind = losses[0] if by.blind is None else min(by.blind, float(losses[: by.epoch].mean()))
        if losses[-by.epoch :].mean() < 0.5 * blind:
            yield case, found


# Faults


def weights(case: Scenario, change: Callable[[Layer], Layer], *, last: bool = True) -> Scenario:
    assert case.network is not None
    *hidden, output = case.network.layers
    layers = [change(layer) for layer in hidden] + [change(output) if last else output]
    return replace(case, network=replace(case.network, layers=tuple(layers)))


def drawn(kind: str, **options: float) -> Callable[[Layer], Layer]:
    return lambda layer: replace(layer, weights=Initializer(kind, options))


def any_family(draw: Generator) -> str:
    return str(draw.choice(sorted(FAMILIES)))


def vanishing(draw: Generator) -> Scenario:
    depth = (6,) * int(draw.integers(8, 11))
    return scenario(any_family(draw), draw, kinds=("sigmoid",), hidden=depth)


def no_gradient(draw: Generator) -> Scenario:
    return weights(scenario(any_family(draw), draw, kinds=("relu", "tanh")), drawn("zeros"))


def symmetry(draw: Generator) -> Scenario:
    case = scenario(any_family(draw), draw, hidden=(int(draw.integers(2, 9)),))
    value = float(draw.uniform(0.1, 0.6))
    return weights(case, drawn("uniform", low=value, high=value))


def exploding(draw: Generator) -> Scenario:
    case = scenario("waves", draw, kinds=("identity",), hidden=(8,) * int(draw.integers(3, 6)))
    assert case.data is not None
    return replace(
        weights(case, drawn("normal", mean=0.0, std=float(draw.uniform(15, 40)))),
        data=replace(case.data, y=frozen(100 * case.data.y)),
    )


def diverging(draw: Generator) -> Scenario:
    rate = float(draw.uniform(2.5, 6))
    return scenario("waves", draw, kinds=("tanh", "relu"), optimized=optimizer("sgd", rate))


def dead(draw: Generator) -> Scenario:
    case = scenario(any_family(draw), draw, kinds=("relu",))
    bias = Initializer("normal", {"mean": float(draw.uniform(-30, -12)), "std": 0.5})
    return weights(case, lambda layer: replace(layer, bias=bias), last=False)


def saturated(draw: Generator) -> Scenario:
    case = scenario(any_family(draw), draw, kinds=("sigmoid", "tanh"))
    return weights(
        case,
        lambda layer: replace(layer, bias=Initializer("normal", {"mean": 0.0, "std": 40.0})),
        last=False,
    )


def too_small(draw: Generator) -> Scenario:
    rate = float(10 ** draw.uniform(-7, -5))
    return scenario(any_family(draw), draw, optimized=optimizer("sgd", rate))


def too_large(draw: Generator) -> Scenario:
    kind, rate = str(draw.choice(["adam", "sgd"])), float(draw.uniform(3, 10))
    return scenario("waves", draw, optimized=optimizer(kind, rate if kind == "adam" else 30 * rate))


def lost(draw: Generator) -> Scenario:
    rate = float(10 ** draw.uniform(-5.5, -4.5))
    return scenario(any_family(draw), draw, optimized=optimizer("sgd", rate), dtype="float16")


def unnormalised(draw: Generator) -> Scenario:
    case = scenario(any_family(draw), draw)
    assert case.data is not None
    return replace(case, data=replace(case.data, x=frozen(100 * case.data.x + 20)))


def equal_targets(draw: Generator) -> Scenario:
    case = scenario(any_family(draw), draw)
    assert case.data is not None
    y = np.broadcast_to(case.data.y[:1], case.data.y.shape)
    return replace(case, data=replace(case.data, y=frozen(y.copy())))


def not_finite(draw: Generator) -> Scenario:
    return scenario("waves", draw, kinds=("identity",), optimized=optimizer("sgd", 1e3))


def stalled(draw: Generator) -> Scenario:
    case = no_gradient(draw)
    assert case.data is not None
    data = replace(case.data, batch_size=len(case.data.x), shuffle=False)
    return replace(case, data=data, run=Run(iterations=2 * ITERATIONS))


First = tuple[str, int | None]
"""The tensor at which a fault is expected, and the iteration; None where that depends."""

FAULTS: Mapping[str, tuple[Callable[[Generator], Scenario], First]] = {
    "vanishing gradient": (vanishing, ("dW1", 0)),
    "no gradient": (no_gradient, ("dW1", 0)),
    "symmetry": (symmetry, ("dW1", 0)),
    "exploding gradient": (exploding, ("dW1", 0)),
    "diverging": (diverging, ("L", None)),
    "dead ReLU": (dead, ("a1", 0)),
    "saturation": (saturated, ("z1", 0)),
    "update too small": (too_small, ("W", 0)),
    "update too large": (too_large, ("W", 0)),
    "update lost": (lost, ("W", 0)),
    "unnormalised input": (unnormalised, ("x", 0)),
    "equal targets": (equal_targets, ("y", 0)),
    "non-finite": (not_finite, ("", None)),
    "stalled": (stalled, ("L", None)),
}


def is_found(name: str, first: First, found: tuple[Fault, ...]) -> bool:
    """Whether a fault is found, at its tensor and in its iteration."""
    tensor, iteration = first
    return any(
        fault.name == name
        and fault.tensor.startswith(tensor)
        and iteration in (None, fault.iteration)
        for fault in found
    )


def catches(name: str, runs: int) -> int:
    plant, first = FAULTS[name]
    found = 0
    for number in range(runs):
        draw = np.random.default_rng([number, 99, sorted(FAULTS).index(name)])
        case = plant(draw)
        length = case.run.iterations or 1
        found += is_found(name, first, faults_of(case, length if first[1] is None else 12)[1])
    return found


def false_alarms(family: str, runs: int) -> Counter[str]:
    alarms: Counter[str] = Counter()
    for (case, found), _ in zip(healthy(family), range(runs), strict=False):
        if found:
            alarms["runs"] += 1
            alarms.update({fault.name for fault in found})
            if __name__ == "__main__":
                print(family, case.seed, case.optimizer, *map(str, found), sep="\n   ")
    return alarms


@pytest.mark.slow
def test_healthy_runs_have_no_faults() -> None:
    alarms = sum((false_alarms(family, HEALTHY) for family in FAMILIES), Counter[str]())
    assert alarms["runs"] <= 0.0025 * HEALTHY * len(FAMILIES), alarms


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_found_at_their_step(name: str) -> None:
    assert catches(name, PLANTED) >= 0.95 * PLANTED


@pytest.mark.sweep(3)
@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"diverging", "non-finite", "stalled"}))
def test_a_planted_fault_is_found_at_its_step(name: str) -> None:
    assert catches(name, 2) == 2


def main(runs: int, planted: int) -> None:
    with np.errstate(all="ignore"):
        for name in FAULTS:
            print(f"{name:20} {catches(name, planted)} of {planted}", flush=True)
        for family in FAMILIES:
            print(f"{family:20} {dict(false_alarms(family, runs))} of {runs}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or (HEALTHY, PLANTED)))
