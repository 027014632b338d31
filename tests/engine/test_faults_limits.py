"""Where rules of faults are not judged, and what they make of other dtypes and expressions."""

from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from faulty import MEAN, Recorded, faults, given, kinds, named, noisy, with_layers
from in_one_test import each_of
from msgspec.structs import replace

from nnstep.engine.arrays import frozen
from nnstep.engine.faults.monitor import Monitor
from nnstep.engine.scenario.model import Data, Loss


def test_a_low_loss_is_no_occasion_for_warnings() -> None:
    case = given(
        network((3, 4, 1), activations=("sigmoid", "identity"), rows=20, loss=MEAN), W1=60.0
    )
    assert case.data is not None
    run = Recorded(case, 1)
    assert ("saturation", 1) in kinds(run.faults())
    answer = frozen(run.written("a2", 0, "forward") + 0.1)
    solved = replace(case, data=replace(case.data, y=answer), optimizer=optimizer("sgd", 1e-9))
    later = Recorded(solved, 4)
    assert later.losses.max() < 0.05
    # Before the first loss nobody knows that it is low.
    assert [(fault.name, fault.iteration) for fault in later.faults()] == [("saturation", 0)]


@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    ("losses", "judged"),
    [
        ([4.0, 3.0, 0.149], set()),
        ([4.0, 3.0, 0.151], {"symmetry"}),
        ([4.0, 3.0, 0.89], {"symmetry"}),
        ([4.0, 3.0, 0.91], {"symmetry", "saturation"}),
        ([0.5, 0.4, 0.074], set()),
        ([0.5, 0.4, 0.076], {"symmetry"}),
        ([0.5, 0.4, 0.46], {"symmetry", "saturation"}),
        ([0.04, 0.04, 0.04], {"symmetry", "saturation"}),
    ],
)
@pytest.mark.parametrize(("reduction", "rows"), [("sum", 200), ("mean", 20)])
def test_a_loss_is_low_beside_where_it_began_and_what_a_blind_guess_gives(
    losses: list[float], judged: set[str], reduction: Any, rows: int
) -> None:
    """Only what is wrong with a run that has not learned is told of one that has not, and so on.

    `losses` are in units of the best loss that there is without looking at the inputs."""
    activations, loss = ("sigmoid", "identity"), Loss("half_squared_error", reduction)
    case = given(network((3, 4, 1), activations=activations, rows=rows, loss=loss), W1=60.0, W2=0.1)
    assert case.data is not None
    off = (case.data.y - case.data.y.mean()) ** 2 / 2
    unit = off.sum() if reduction == "sum" else off.mean()
    run = Recorded(case, 1)
    monitor = Monitor(case, run.program)
    found = monitor.examine(3, run.records, run.before, unit * np.array([*losses, losses[-1]]), ())
    assert {fault.name for fault in found} & {"symmetry", "saturation"} == judged


def test_a_run_that_comes_to_rest_is_healthy() -> None:
    case = noisy(network((3, 1), activations=("identity",), rows=20, loss=MEAN))
    run = Recorded(replace(case, optimizer=optimizer("sgd", 0.02)), 2000)
    assert run.losses[-1] > 0.05
    assert np.abs(run.written("dW1", 1999, "backward")).mean() < 1e-7
    assert run.faults() == []


def test_frozen_weights_need_no_gradient() -> None:
    case = given(network((3, 4, 1), rows=20, loss=MEAN), W1=0.0, W2=0.0)
    assert kinds(faults(case)) == {("symmetry", 1), ("no gradient", 1)}
    assert case.network is not None
    first, last = case.network.layers
    held = with_layers(case, [replace(first, frozen=frozenset({"weights"})), last])
    assert faults(held) == []


def test_the_gradients_of_one_layer_do_not_vanish() -> None:
    case = given(network((3, 1), rows=20, loss=MEAN, optimized=optimizer("sgd", 10.0)), b1=12.0)
    assert "vanishing gradient" not in {fault.name for fault in faults(case)}


def test_without_an_optimizer_there_are_no_updates_to_judge() -> None:
    case = replace(given(network((3, 4, 1), rows=20, loss=MEAN), W1=0.0, W2=0.0), optimizer=None)
    assert kinds(faults(case)) == {("symmetry", 1), ("no gradient", 1)}


# Other dtypes, and expressions


@each_of("dtype", ["float16", "float32"])
def test_narrow_dtypes_are_measured_in_float64(dtype: str) -> None:
    case = network((3, 4, 1), rows=20, loss=MEAN, dtype=dtype, optimized=optimizer("sgd", 500.0))
    run = Recorded(case, 1)
    fault = named(run.faults(), "update too large", 1)
    before = run.before["W1"].astype(np.float64)
    moved = run.written("W1", 0, "update") - before
    assert fault.value == pytest.approx(np.linalg.norm(moved) / np.linalg.norm(before), rel=1e-12)


def test_float16_overflows_at_its_own_limit() -> None:
    case = network((2, 2, 1), activations=("identity",) * 2, rows=4, loss=MEAN, dtype="float16")
    found = faults(given(case, W1=3e4, W2=3e4))
    fault = next(each for each in found if each.name == "non-finite")
    assert (fault.tensor, fault.threshold) == ("z2", 65504)


def test_expressions_are_judged_by_their_loss_and_gradients() -> None:
    diverging = expression("e = w * w", "e", w=1.0, optimized=optimizer("sgd", 3.0))
    run = Recorded(diverging, 400)
    found = run.faults()
    assert [f.name for f in found[:3]] == ["diverging", "exploding gradient", "non-finite"]
    assert found[0].place == run.place("e", 3, "loss")
    assert found[1].tensor == "dw"
    assert found[2].tensor == "e"
    idle = expression("e = w * w + 1", "e", w=0.0, optimized=optimizer("sgd", 0.1))
    assert [(f.name, f.tensor) for f in faults(idle, 3)] == [("no gradient", "dw")]
    falling = expression("e = (w - 3) * (w - 3) + 1", "e", w=0.0, optimized=optimizer("sgd", 0.1))
    assert faults(falling, 300) == []


def test_a_loss_below_zero_is_no_fault() -> None:
    falling = expression("e = -(w * w)", "e", w=1.0, optimized=optimizer("sgd", 0.5))
    assert faults(falling, 12) == []


def test_an_expression_without_an_optimizer_is_only_arithmetic() -> None:
    case = expression("e = a * b + 9", "e", a=0.0, b=0.0)
    assert faults(case) == []


def test_weights_of_an_expression_have_two_axes() -> None:
    data = Data(frozen(np.ones((20, 3))), frozen(np.zeros((20, 1))), 20)
    case = expression(
        "z = x @ W + b\nL = mean((z - y) ** 2)",
        "L",
        data=data,
        optimized=optimizer("sgd", 40.0),
        W=[[1.0], [2.0], [3.0]],
        b=1e-9,
    )
    found = [fault for fault in faults(case) if fault.name == "update too large"]
    assert [fault.tensor for fault in found] == ["W"]
