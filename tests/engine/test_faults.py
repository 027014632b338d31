"""Planted faults are named at the right step, with the right numbers; healthy runs have none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from built_in import built_in
from faulty import (
    MEAN,
    Recorded,
    far_off,
    faults,
    given,
    kinds,
    named,
    relu_layers,
    wide,
    with_data,
)
from in_one_test import each_of
from msgspec.structs import replace

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.faults.fault import Fault, explained
from nnstep.engine.faults.monitor import Monitor
from nnstep.engine.loading import load
from nnstep.engine.scenario.model import Clip, Loss, Scenario
from nnstep.engine.session.session import Session
from nnstep.scenarios import names

FIELD = Path(__file__).parent.parent / "field"
PLANTED = {"overflow", "vanishing"}
# Their faults are there: one has nothing left to learn, in the other two units are alike.
WITH_REASON = {"goodfellow", "zhou"}
# The built-in scenarios


@pytest.mark.sweep(13)
@pytest.mark.parametrize("name", sorted(set(names()) - PLANTED - WITH_REASON))
def test_the_healthy_built_in_scenarios_have_no_faults(name: str) -> None:
    case = built_in(name)
    run = Session(case)
    passes = 2000 if run.total is None else run.total // len(run.program)
    assert faults(case, passes) == []


def test_vanishing_names_the_first_layer_in_the_first_pass() -> None:
    run = Recorded(built_in("vanishing"), 30)
    found = run.faults()
    fault = named(found, "vanishing gradient", 1)
    first = np.linalg.norm(run.written("dW1", 0, "backward"))
    last = np.linalg.norm(run.written("dW10", 0, "backward"))
    assert (fault.tensor, fault.iteration) == ("dW1", 0)
    assert fault.place == run.place("dW1", 0, "backward") == 61
    assert fault.value == pytest.approx(first / last)
    assert fault.threshold == 1e-3 > fault.value
    assert str(fault) == (
        "vanishing gradient in layer 1: ‖dW1‖/‖dW10‖ = 3.63e-09 < 0.001 at step 60"
    )
    assert kinds(found) == {
        ("vanishing gradient", 1),
        ("no gradient", 1),
        ("no gradient", 2),
    }


def test_overflow_diverges_and_is_infinite_in_iteration_153() -> None:
    run = Recorded(built_in("overflow"), 154)
    found = run.faults()
    diverging, stop = named(found, "diverging"), found[-1]
    assert diverging.place == run.place("L", 2, "loss")
    assert diverging.value == pytest.approx(run.losses[2] / run.losses[0])
    assert (stop.tensor, stop.iteration, stop.level) == ("L", 153, "stop")
    assert stop.place == run.place("L", 153, "loss")
    assert str(stop) == f"non-finite: L is inf at step {stop.place - 1}"
    assert [fault.name for fault in found].count("non-finite") == 1
    assert [fault.place for fault in found] == sorted(fault.place for fault in found)


# Planted, one after the other


def test_dead_units_are_named_where_the_layer_writes_them() -> None:
    run = Recorded(given(relu_layers(), b1=[-50, -50, -50, -50, 0, 0]), 3)
    fault = named(run.faults(), "dead ReLU", 1)
    a1 = run.written("a1", 0, "forward")
    assert fault.place == run.place("a1", 0, "forward")
    assert fault.value == np.mean((a1 == 0).all(axis=0)) == pytest.approx(4 / 6)
    assert fault.threshold == 0.5


def test_half_of_the_units_may_be_dead() -> None:
    assert faults(given(relu_layers(), b1=[-50, -50, -50, 0, 0, 0]), 3) == []


@each_of("batch_size", [1, 3, 20])
def test_dead_units_are_named_in_the_first_pass_whatever_the_batch(batch_size: int) -> None:
    case = given(relu_layers(batch_size=batch_size), b1=-50.0)
    fault = named(faults(case, 5), "dead ReLU", 1)
    assert (fault.iteration, fault.value) == (0, 1.0)


def test_units_that_die_later_are_named_when_they_do() -> None:
    case = relu_layers(optimized=optimizer("sgd", 1.0))
    run = Recorded(case, 12)
    dead = [np.mean((run.written("a1", i, "forward") == 0).all(axis=0)) for i in range(12)]
    first = next(i for i, share in enumerate(dead) if share > 0.5)
    fault = named(run.faults(), "dead ReLU", 1)
    assert 0 < first == fault.iteration
    assert fault.value == dead[first]


@each_of("batch_size", [1, 2])
def test_units_off_for_the_rows_of_a_small_batch_are_not_dead(batch_size: int) -> None:
    run = Recorded(relu_layers(batch_size=batch_size, optimized=optimizer("sgd", 0.01)), 200)
    off = [np.mean((run.written("a1", i, "forward") == 0).all(axis=0)) for i in range(200)]
    assert max(off) > 0.5, "the test is about batches for which more than half are off"
    assert run.faults() == []


@each_of(("off", "rows", "dead"), [(5, 1, False), (6, 1, True), (4, 4, False)])
def test_with_few_rows_of_data_it_takes_more_units(off: int, rows: int, dead: bool) -> None:
    case = given(relu_layers(rows=rows), W1=np.eye(6, 3), b1=[-50.0] * off + [50.0] * (6 - off))
    assert (("dead ReLU", 1) in kinds(faults(case))) == dead


def test_zero_weights_have_symmetry_and_no_gradient() -> None:
    case = far_off(network((3, 4, 4, 1), rows=8, loss=MEAN))
    run = Recorded(given(case, W1=0.0, W2=0.0, W3=0.0), 2)
    found = run.faults()
    assert kinds(found) == {
        ("symmetry", 1),
        ("symmetry", 2),
        ("no gradient", 1),
        ("no gradient", 2),
    }
    for layer in (1, 2):
        for fault in (named(found, "symmetry", layer), named(found, "no gradient", layer)):
            assert fault.tensor == f"dW{layer}"
            assert fault.place == run.place(f"dW{layer}", 0, "backward")
        assert named(found, "no gradient", layer).value == 0
        assert named(found, "symmetry", layer).value == 4


@each_of("layout", ["out_in", "in_out"])
def test_two_units_alike_are_enough_for_symmetry(layout: Any) -> None:
    case = network((2, 3, 1), rows=8, loss=MEAN)
    assert case.network is not None
    case = replace(case, network=replace(case.network, layout=layout))
    rows = np.array([[0.1, 0.2], [0.3, -0.4], [0.1, 0.2]])
    outgoing = np.array([[0.5, 0.7, 0.5]])
    alike = [rows, outgoing] if layout == "out_in" else [rows.T, outgoing.T]
    run = Recorded(given(case, W1=alike[0], W2=alike[1]), 1)
    fault = named(run.faults(), "symmetry", 1)
    assert (fault.value, fault.threshold) == (2, 1)
    assert fault.place == run.place("dW1", 0, "backward")
    apart = np.array([[0.5, 0.7, 0.6]])
    assert faults(given(case, W1=alike[0], W2=apart if layout == "out_in" else apart.T)) == []
    assert faults(given(case, W1=alike[0], W2=alike[1], b1=[0.0, 0.0, 0.1])) == []


@each_of("activation", ["sigmoid", "tanh"])
def test_saturation_is_named_where_z_is_written(activation: str) -> None:
    case = network((3, 6, 1), activations=(activation, "identity"), rows=20, loss=MEAN)
    weights = 40 * np.random.default_rng(1).standard_normal((6, 3))
    run = Recorded(given(case, W1=weights), 2)
    fault = named(run.faults(), "saturation", 1)
    assert fault.place == run.place("z1", 0, "forward")
    assert fault.value == np.mean(np.abs(run.written("z1", 0, "forward")) >= 5)
    assert fault.threshold == 0.5 < fault.value


def test_a_fused_output_may_be_far_out() -> None:
    loss = Loss("binary_cross_entropy", "mean")
    case = given(network((3, 1), rows=20, loss=loss), W1=40.0)
    assert ("saturation", 1) not in kinds(faults(case))
    assert case.network is not None
    unfused = replace(case, network=replace(case.network, loss=replace(loss, fuse=False)))
    assert ("saturation", 1) in kinds(faults(unfused))


def test_unnormalised_inputs_are_named_with_the_first_batch_that_has_them() -> None:
    def large(x: Array) -> Array:
        return x + np.where(np.arange(len(x)) == 13, 300.0, 0.0)[:, None]

    case = with_data(network((3, 2, 1), rows=20, batch_size=5, loss=MEAN), large)
    run = Recorded(case, 4)
    fault = named(run.faults(), "unnormalised input")
    assert (fault.tensor, fault.iteration) == ("x", 2)
    assert fault.place == run.place("x", 2, "batch")
    assert fault.value == np.abs(run.written("x", 2, "batch")).max()
    assert fault.threshold == 10


def test_a_low_learning_rate_gives_small_updates() -> None:
    run = Recorded(network((3, 4, 1), rows=20, loss=MEAN, optimized=optimizer("sgd", 1e-6)), 3)
    (fault,) = run.faults()
    moved = [run.written(name, 0, "update") - run.before[name] for name in ("W1", "W2")]
    norms = [np.sqrt(sum(np.sum(a**2) for a in arrays)) for arrays in (moved, weights_of(run))]
    assert (fault.name, fault.layer, fault.tensor) == ("update too small", None, "W2")
    assert fault.place == run.place("W2", 0, "update")
    assert fault.value == pytest.approx(norms[0] / norms[1])
    assert fault.threshold == 1e-4 > fault.value


def weights_of(run: Recorded) -> list[Array]:
    return [run.before["W1"], run.before["W2"]]


def test_momentum_gathers_before_updates_are_too_small() -> None:
    slow = optimizer("sgd", 1e-6, momentum=0.9)
    (fault,) = faults(network((3, 4, 1), rows=20, loss=MEAN, optimized=slow), 30)
    assert (fault.name, fault.iteration) == ("update too small", 10)


def test_a_high_learning_rate_gives_large_updates() -> None:
    run = Recorded(network((3, 4, 1), rows=20, loss=MEAN, optimized=optimizer("sgd", 500.0)), 1)
    found = run.faults()
    for layer, name in ((1, "W1"), (2, "W2")):
        fault = named(found, "update too large", layer)
        moved = run.written(name, 0, "update") - run.before[name]
        assert fault.place == run.place(name, 0, "update")
        assert fault.value == pytest.approx(
            np.linalg.norm(moved) / np.linalg.norm(run.before[name])
        )
        assert fault.threshold == 1 < fault.value


def test_decay_and_step_of_adamw_are_one_update() -> None:
    adamw = replace(optimizer("adam", 1.0, weight_decay=0.6), kind="adamw")
    run = Recorded(network((3, 4, 1), rows=20, loss=MEAN, optimized=adamw), 1)
    fault = named(run.faults(), "update too large", 1)
    moved = run.written("W1", 0, "update") - run.before["W1"]
    assert fault.place == run.place("W1", 0, "update")
    assert fault.value == pytest.approx(np.linalg.norm(moved) / np.linalg.norm(run.before["W1"]))


def test_weights_that_start_at_zero_have_to_grow_first() -> None:
    momentum = optimizer("sgd", 0.005, momentum=0.9)
    case = network((3, 1), activations=("identity",), rows=20, loss=MEAN, optimized=momentum)
    run = Recorded(given(case, W1=0.0), 9)
    second = run.records[1][run.names.index("W1")] - run.records[0][run.names.index("W1")]
    assert np.linalg.norm(second) > np.linalg.norm(run.records[0][run.names.index("W1")])
    assert run.faults() == []


def test_exploding_gradients_are_named_at_the_gradient() -> None:
    case = network((3, 4, 1), activations=("identity", "identity"), rows=20, loss=MEAN)
    run = Recorded(given(case, W1=1e4, W2=1e4), 1)
    fault = named(run.faults(), "exploding gradient", 1)
    assert fault.place == run.place("dW1", 0, "backward")
    assert fault.value == pytest.approx(np.abs(run.written("dW1", 0, "backward")).mean())
    assert fault.threshold == 1e6 < fault.value


@each_of("clip", [Clip("norm", 1.0), Clip("value", 0.1)])
def test_clipping_does_not_hide_an_exploding_gradient(clip: Clip) -> None:
    clipped = optimizer("sgd", 0.1, clip)
    case = network((3, 4, 1), activations=("identity",) * 2, rows=20, loss=MEAN, optimized=clipped)
    run = Recorded(given(case, W1=1e4, W2=1e4), 1)
    assert named(run.faults(), "exploding gradient", 1).place == run.place("dW1", 0, "backward")


def test_a_loss_that_grows_diverges_at_the_end_of_an_epoch() -> None:
    linear = {"activations": ("identity",), "loss": MEAN, "optimized": optimizer("sgd", 1.02)}
    run = Recorded(network((2, 1), rows=20, batch_size=10, **linear), 40)  # type: ignore[arg-type]
    epochs = run.losses.reshape(-1, 2).mean(axis=1)
    growth = {i: epochs[i - 9 : i + 1].min() / epochs[: i - 9].min() for i in range(10, 20)}
    growth |= {i: epochs[i] / epochs[:i].min() for i in range(1, 10)}
    at_once = {i for i in range(1, 10) if growth[i] > 1000}
    first = min([*at_once, *(i for i in range(10, 20) if growth[i] > 2)])
    fault = named(run.faults(), "diverging")
    assert fault.place == run.place("L", 2 * first + 1, "loss")
    assert fault.value == pytest.approx(growth[first])


def test_a_loss_that_comes_down_again_is_no_divergence() -> None:
    """Whole runs that learned were more than twice their lowest for up to 26 epochs."""
    case = network((3, 4, 1), rows=20, loss=MEAN)
    run = Recorded(case, 40)
    for bad in ([3.0], [3.0, 4.0, 5.0, 6.0, 5.0, 4.0], [3.0] * 26):
        losses = np.concatenate([[1.0, 0.9], bad, np.linspace(0.8, 0.5, 38 - len(bad))])
        found = Monitor(case, run.program).examine(0, run.records, run.before, losses, ())
        assert "diverging" not in {fault.name for fault in found}
    losses = np.concatenate([[1.0, 0.9], np.full(38, 3.0)])
    (fault,) = Monitor(case, run.program).examine(0, run.records, run.before, losses, ())
    assert (fault.name, fault.iteration) == ("diverging", 31)
    assert fault.value == pytest.approx(3 / 0.9)


def test_a_loss_that_stays_where_it_is_has_stalled() -> None:
    case = network((3, 4, 1), rows=20, loss=MEAN, optimized=optimizer("sgd", 1e-7))
    found = faults(case, 250)
    assert kinds(found) == {("update too small", None), ("stalled", None)}
    fault = named(found, "stalled")
    assert (fault.level, fault.tensor, fault.iteration) == ("info", "L", 200)
    assert fault.value < fault.threshold


def test_a_plateau_is_no_stall() -> None:
    """From the field: XOR, whose loss hardly changes for 500 epochs, and which is learned."""
    case = load(FIELD / "26_xor_shown_loss.toml")
    run = Recorded(case, 2001)
    shown = 2 * run.losses[[0, 1000, 2000]] / 4
    assert shown == pytest.approx([0.2832, 0.2452, 0.2124], abs=5e-5)
    assert run.faults() == []


def test_large_arrays_are_judged_as_small_ones_are() -> None:
    assert faults(wide(optimized=optimizer("sgd", 0.01)), 3) == []
    run = Recorded(wide(optimized=optimizer("sgd", 900.0)), 2)
    fault = named(run.faults(), "update too large", 1)
    moves = [run.written("W1", i, "update") - run.before_pass(i)["W1"] for i in (0, 1)]
    norms = [np.linalg.norm(run.before_pass(i)["W1"]) for i in (0, 1)]
    first = next(i for i in (0, 1) if np.linalg.norm(moves[i]) > norms[i])
    assert fault.place == run.place("W1", first, "update")
    assert fault.value == pytest.approx(np.linalg.norm(moves[first]) / norms[first])


# What hid faults, and what explains them


@each_of(
    ("l2", "dtype"),
    [(0.0, "float64"), (1e-4, "float64"), (0.5, "float64"), (1e-4, "float32"), (1e-2, "float32")],
)
def test_a_penalty_hides_no_lost_gradient(l2: float, dtype: str) -> None:
    case = network((3, *(6,) * 10, 1), rows=20, loss=MEAN, dtype=dtype)
    assert case.network is not None
    case = replace(case, network=replace(case.network, l2=l2))
    found = faults(case)
    assert ("vanishing gradient", 1) in kinds(found)
    assert ("no gradient", 1) in kinds(found)
    dead = given(relu_layers(), W1=0.5, b1=-50.0)
    assert dead.network is not None
    dead = replace(dead, network=replace(dead.network, l2=l2))
    assert named(faults(dead), "no gradient", 1).value == 0


@each_of("scale", [1.0, 0.1, 1e-3])
def test_small_targets_hide_no_fault(scale: float) -> None:
    case = given(network((3, 4, 1), rows=20, loss=MEAN), W1=0.0, W2=0.0)
    assert case.data is not None
    y = frozen(scale * np.sin(np.arange(20.0))[:, np.newaxis])
    found = faults(replace(case, data=replace(case.data, y=y)))
    assert {("symmetry", 1), ("no gradient", 1)} <= kinds(found)


def test_a_loss_that_depends_on_nothing_has_no_gradient() -> None:
    """From the field: outputs that are divided by their sum, and a loss that cancels."""
    run = Recorded(load(FIELD / "19_xor_normalised_output.toml"), 5)
    fault = named(run.faults(), "no gradient")
    assert fault.iteration == 0
    for code in ("L = sum(o - o)", "L = sum(o - o) + 1"):
        case = expression(f"o = w * w\n{code}", "L", w=2.0, optimized=optimizer())
        assert {fault.name for fault in faults(case, 300)} == {"no gradient", "stalled"}


def test_targets_that_are_all_equal() -> None:
    case = network((3, 4, 2), rows=20, batch_size=5, loss=MEAN)
    assert case.data is not None
    y = np.tile([[0.3, 0.7]], (20, 1))
    found = faults(replace(case, data=replace(case.data, y=frozen(y))), 3)
    fault = named(found, "equal targets")
    assert (fault.place, fault.tensor, fault.value) == (1, "y", 0.0)
    y[7, 1] = 0.6
    assert "equal targets" not in {
        f.name for f in faults(replace(case, data=replace(case.data, y=frozen(y))), 3)
    }
    assert "equal targets" not in {f.name for f in faults(network(rows=1), 1)}


@each_of(("dtype", "rate"), [("float16", 1e-4), ("float32", 1e-8)])
def test_a_step_below_half_a_distance_is_lost(dtype: str, rate: float) -> None:
    case = network((3, 4, 1), rows=20, loss=MEAN, dtype=dtype, optimized=optimizer("sgd", rate))
    run = Recorded(case, 1)
    fault = named(run.faults(), "update lost", 1)
    assert fault.place == run.place("W1", 0, "update")
    gradient, moved = run.written("dW1", 0, "backward"), run.written("W1", 0, "update")
    same = moved[gradient != 0] == run.before["W1"][gradient != 0]
    assert fault.value == np.mean(same)
    assert dtype in fault.advice
    assert "update lost" not in {
        f.name for f in faults(replace(case, optimizer=optimizer("sgd", 0.0)))
    }


def contradictory() -> Scenario:
    """Equal inputs with different targets: there is nothing to learn beyond the mean."""
    case = network((2, 3, 1), rows=8, loss=MEAN, optimized=optimizer("sgd", 0.5))
    assert case.data is not None
    y = frozen((np.arange(8) % 2.0)[:, np.newaxis])
    return replace(case, data=replace(case.data, x=frozen(np.ones((8, 2))), y=y))


def test_at_a_minimum_nobody_is_told_to_raise_the_rate() -> None:
    run = Recorded(contradictory(), 1000)
    assert run.losses[-1] == pytest.approx(0.25, abs=1e-6)
    assert {fault.name for fault in run.faults()} <= {"no gradient"}
    assert not any("Raise" in fault.advice for fault in run.faults())
    bowl = expression("e = (w - 3) * (w - 3) + 10", "e", w=3.3, optimized=optimizer("sgd", 0.2))
    assert not any("Raise" in fault.advice for fault in faults(bowl, 100))


def test_no_learning_rate_without_an_optimizer() -> None:
    case = network((3, 4, 1), activations=("identity",) * 2, rows=20, loss=MEAN)
    case = replace(given(case, W1=1e4, W2=1e4), optimizer=None)
    dead = replace(given(relu_layers(), b1=-50.0), optimizer=None)
    for fault in [*faults(case), *faults(dead)]:
        assert "learning rate" not in fault.advice
    assert "rate" in named(faults(given(relu_layers(), b1=-50.0)), "dead ReLU", 1).advice


def test_what_follows_from_an_earlier_fault_says_so() -> None:
    """From the field: an update far too large, and then what it has done."""
    session = Session(load(FIELD / "16_linear_output_nan.toml"), iterations=30)
    session.run()
    first, *others = session.faults
    assert str(first).startswith("update too large in layer 1") and "learning rate" in first.advice
    later = [fault for fault in others if fault.name == "vanishing gradient"]
    assert later
    says = (
        f"It follows from the update too large in layer 1 at step {first.step}: look there first."
    )
    assert {fault.advice for fault in later} == {says}


def test_a_fault_explains_only_what_comes_later() -> None:
    def fault(name: str, place: int) -> Fault:
        return Fault(name, 1, "z1", place, 0, 1.0, 0.5, "warning", "own")

    early, late = fault("saturation", 3), fault("exploding gradient", 9)
    assert explained([late, early]) == (early, late)
    told = explained([fault("saturation", 30), late])
    assert told[0] is late
    assert told[1].advice.startswith("It follows from the exploding gradient in layer 1 at step 8")


def test_digits_tell_a_value_from_its_threshold() -> None:
    fault = Fault("stalled", None, "L", 5, 0, 0.0499999, 0.05, "info", "")
    assert str(fault) == "stalled: L = 0.0499999 < 0.05 at step 4"
    fault = Fault("saturation", 1, "z1", 5, 0, 0.5000001, 0.5, "info", "")
    assert "z1 = 0.5000001 > 0.5" in str(fault)
    fault = Fault("dead ReLU", 1, "a1", 5, 0, 0.7, 0.7, "info", "")
    assert "a1 = 0.7 ≥ 0.7" in str(fault)
