"""Of large passes only excerpts are held: their faults are those of passes that are held whole."""

import random

import numpy as np
import pytest
from msgspec.structs import replace

from nnstep.engine.arrays import frozen
from nnstep.engine.faults.monitor import Monitor
from nnstep.engine.faults.seen import LARGE, Seen, Start, excerpt, is_plain
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.machine.step import Record
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

SGD = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}


def large(seed: int, lr: float, deviation: float, dtype: str = "float64") -> Scenario:
    """A network whose first weights are 130 by 64, on drawn data in batches of two sizes."""
    generator = np.random.default_rng(seed)

    def layer(inputs: int, units: int, activation: str) -> Layer:
        weights = generator.standard_normal((units, inputs)) * deviation
        bias = np.zeros(units)
        return Layer(units, Activation(activation), frozen(weights, dtype), frozen(bias, dtype))

    layers = layer(130, 64, "relu"), layer(64, 3, "softmax")
    x = frozen(generator.standard_normal((50, 130)), dtype)
    y = frozen(np.eye(3)[generator.integers(0, 3, 50)], dtype)
    return Scenario(
        title="large",
        dtype=dtype,
        network=Network(130, layers, Loss("cross_entropy", "batch_mean")),
        optimizer=Optimizer("sgd", lr, SGD),
        data=Data(x, y, 32, shuffle=True),
        run=Run(iterations=70),
    )


def faults_of(scenario: Scenario, seed: int) -> list[str]:
    """Go to and fro with edits, and return the faults known after each move, digit by digit."""
    choose, run = random.Random(seed), Session(scenario)
    found: list[str] = []
    for _ in range(6):
        match choose.randrange(4):
            case 0:
                run.advance(min(run.total or 0, run.place + choose.randrange(1, 200)))
            case 1:
                for _, _ in zip(range(choose.randrange(1, 120)), run.steps(), strict=False):
                    pass
            case 2:
                name = choose.choice(["W1", "b2", "W2"])
                value = choose.choice([0.0, 3.0, float("nan")])
                run.edit(name, (0,) * run.values()[name].ndim, value)
            case _:
                run.seek(choose.randrange(run.newest + 1))
        found.append(repr(run.faults))
    return found


@pytest.mark.sweep(4)
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("lr", "deviation", "dtype"),
    [
        pytest.param(0.1, 0.05, "float64", id="learns"),
        pytest.param(1e4, 0.1, "float64", id="diverges"),
        pytest.param(1e4, 0.1, "float16", id="overflows", marks=pytest.mark.slow),
        pytest.param(1e-5, 0.05, "float32", id="slow"),
        pytest.param(0.1, 0.0, "float64", id="all alike"),
        pytest.param(30.0, 1.0, "float32", id="dead"),
    ],
)
def test_faults_are_those_of_passes_held_whole(
    lr: float, deviation: float, dtype: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = large(seed, lr, deviation, dtype)
    found = faults_of(case, seed)
    monkeypatch.setattr(Monitor, "let_go", lambda *_: None)
    monkeypatch.setattr(Monitor, "start", lambda _, tensors, again: tensors)
    assert faults_of(case, seed) == found


def test_a_pass_that_is_suspected_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    records = Timeline.records

    def noted(self: Timeline, first: int, count: int) -> list[Record]:
        ran.append(count)
        return records(self, first, count)

    monkeypatch.setattr(Timeline, "records", noted)
    healthy = Session(replace(large(1, 0.1, 0.05), run=Run(iterations=40)))
    healthy.advance("run")
    assert not ran
    wild = Session(large(1, 1e4, 0.1))
    wild.advance("run")
    assert wild.faults
    assert ran


def test_of_a_pass_that_is_let_go_excerpts_are_left() -> None:
    one, small = frozen(np.arange(3.0 * LARGE).reshape(-1, 64)), frozen(np.ones(3))
    seen = Seen((small, one), frozenset({1}), frozenset({1}))
    assert np.array_equal(seen.parts[1], excerpt(one))
    seen.let_go(lambda: (small, one))
    assert seen.parts[1].base is None
    assert sum(array.size for array in seen.held) < LARGE
    assert seen.is_plain(0)
    assert seen.is_plain(1)
    assert seen[0] is small
    assert not seen.was_asked
    assert seen[1] is one
    assert seen.was_asked
    assert [*seen] == [small, one]


def test_whether_it_is_finite_is_looked_up_before_it_is_let_go() -> None:
    broken = np.ones((300, 64))
    broken[77, 5] = np.inf
    seen = Seen((broken,), frozenset({0}), frozenset({0}))
    seen.let_go(lambda: ())
    assert is_plain(seen.parts[0])
    assert not seen.is_plain(0)


def test_a_start_has_excerpts_until_somebody_wants_a_tensor() -> None:
    tensors = {"W1": frozen(np.ones((300, 64))), "b1": frozen(np.ones(3))}
    wanted: list[str] = []

    def again() -> dict[str, np.ndarray]:
        wanted.append("all")
        return tensors

    start = Start(tensors, again)
    assert start.part("b1") is tensors["b1"]
    assert np.array_equal(start.part("W1"), excerpt(tensors["W1"]))
    assert not wanted
    assert {**start} == tensors
    assert wanted == ["all"]
