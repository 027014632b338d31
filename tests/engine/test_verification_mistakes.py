"""Verification flags every planted wrong rule, and names those that leave a fingerprint."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from in_one_test import each_of
from msgspec.structs import replace
from wrong_rules import ALL, MSE, Rule, deep, fingerprints, planted, verified

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.program.program import Phase
from nnstep.engine.scenario.model import Activation, Data, Loss
from nnstep.engine.session.session import Session
from nnstep.engine.verification.explanation import explanations
from nnstep.engine.verification.verdict import (
    GOOD,
    Fingerprint,
    Verdict,
    relative_error,
)
from nnstep.engine.verification.verify import verify

# One mistake after the other


def test_a_missing_mean_over_rows() -> None:
    verification = verified(deep(), "dz3", lambda g, t: g * 5)
    assert fingerprints(verification) == dict.fromkeys(ALL, Fingerprint.MISSING_MEAN)
    assert verification.verdict is Verdict.FAIL
    assert {(one.divisor, one.alternatives) for one in verification.tensors} == {(5, ())}
    assert explanations(verification) == [
        "db3, dW3, db2, dW2, db1 and dW1 are 5 times the numeric gradient, and the batch has "
        "5 rows: the 1/m of the mean is missing."
    ]


def test_a_missing_mean_over_all_elements() -> None:
    scenario = network((2, 3, 2), rows=4, loss=Loss("mse", "mean"))
    verification = verified(scenario, "dz2", lambda g, t: g * 8)
    assert set(fingerprints(verification).values()) == {Fingerprint.MISSING_MEAN}
    assert "the mean is over 8 numbers" in explanations(verification)[0]


def test_a_missing_mean_beside_a_penalty_shows_in_the_biases() -> None:
    scenario = network((2, 3, 1), rows=4, loss=MSE)
    assert scenario.network is not None
    scenario = replace(scenario, network=replace(scenario.network, l2=0.5))
    found = fingerprints(verified(scenario, "dz2", lambda g, t: g * 4))
    assert found["b2"] is found["b1"] is Fingerprint.MISSING_MEAN
    assert found["W1"] is found["W2"] is None


def test_no_mean_is_missing_from_a_sum() -> None:
    scenario = deep(Loss("half_squared_error", "sum"))
    verification = verified(scenario, "dz3", lambda g, t: g * 5)
    assert set(fingerprints(verification).values()) == {None}
    assert {round(one.ratio or 0, 6) for one in verification.tensors} == {5.0}
    assert "5 times the numeric gradient in every cell" in explanations(verification)[0]


def test_a_missing_mean_in_an_expression() -> None:
    code = "t = a * b\nm = mean(t)\nL = m ** 2"
    scenario = expression(code, "L", a=[1.0, 2.0, 3.0], b=[0.5, -0.25, 1.0])
    verification = verified(scenario, "dt", lambda g, t: g * 3)
    assert set(fingerprints(verification).values()) == {Fingerprint.MISSING_MEAN}


@each_of("bias", ["b1", "b2", "b3"])
def test_a_mean_for_a_sum_on_a_bias(bias: str) -> None:
    verification = verified(deep(), f"d{bias}", lambda g, t: g / 5)
    assert fingerprints(verification) == {bias: Fingerprint.MEAN_FOR_SUM}
    assert explanations(verification) == [
        f"d{bias} is 1/5 of the numeric gradient, and the batch has 5 rows: take the sum over the "
        "rows, not the mean; any 1/m is inside dz already, so that it is divided by the rows twice."
    ]


def test_a_mean_for_a_sum_where_the_loss_is_a_sum() -> None:
    scenario = deep(Loss("half_squared_error", "sum"))
    verification = verified(scenario, "db2", lambda g, t: g / 5)
    assert fingerprints(verification) == {"b2": Fingerprint.MEAN_FOR_SUM}


def test_a_sum_for_a_mean_on_a_bias() -> None:
    verification = verified(deep(), "db2", lambda g, t: g * 5)
    assert fingerprints(verification) == {"b2": Fingerprint.SUM_FOR_MEAN}
    assert "take the mean over the rows, not the sum" in explanations(verification)[0]


def test_a_lost_minus() -> None:
    verification = verified(deep(), "da3", lambda g, t: -g)
    assert fingerprints(verification) == dict.fromkeys(ALL, Fingerprint.SIGN)
    assert {round(one.ratio or 0, 6) for one in verification.tensors} == {-1.0}
    assert "opposite sign" in explanations(verification)[0]


@each_of(
    ("kind", "factor", "fingerprint", "rule"),
    [
        ("half_squared_error", 2.0, Fingerprint.DOUBLED, "a - y"),
        ("mse", 0.5, Fingerprint.HALVED, "2 * (a - y)"),
    ],
)
def test_the_factor_of_a_squared_error(
    kind: str, factor: float, fingerprint: Fingerprint, rule: str
) -> None:
    scenario = deep(Loss(kind, "mean"))
    verification = verified(scenario, "da3", lambda g, t: factor * g)
    assert fingerprints(verification) == dict.fromkeys(ALL, fingerprint)
    assert rule in explanations(verification)[0]


@each_of(
    ("kind", "target", "said"),
    [
        ("binary_cross_entropy", "dz3", "a factor 2 too many"),
        ("mse", "dW3", "a factor 2 too many"),
    ],
)
def test_a_factor_2_is_that_of_a_squared_error_where_there_is_one(
    kind: str, target: str, said: str
) -> None:
    """And where no gradient is right: in one of them it is not the loss's."""
    scenario = network(
        (2, 3, 3, 1), activations=("tanh", "tanh", "sigmoid"), loss=Loss(kind, "sum")
    )
    (told,) = explanations(verified(scenario, target, lambda g, t: 2 * g))
    assert said in told
    assert "squared" not in told


def test_with_two_rows_a_factor_2_and_a_missing_mean_are_alike() -> None:
    verification = verified(deep(rows=2), "da3", lambda g, t: 2 * g)
    assert fingerprints(verification) == dict.fromkeys(ALL, Fingerprint.MISSING_MEAN)
    assert {one.alternatives for one in verification.tensors} == {(Fingerprint.DOUBLED,)}
    assert explanations(verification)[0].endswith(
        "It may also be a factor 2, as of a squared error."
    )


def test_with_two_rows_half_a_bias_alone_is_no_factor_of_the_loss() -> None:
    verification = verified(deep(rows=2), "db2", lambda g, t: g / 2)
    assert fingerprints(verification) == {"b2": Fingerprint.MEAN_FOR_SUM}
    assert {one.alternatives for one in verification.tensors} == {()}


@each_of("layout", ["out_in", "in_out"])
@each_of("cells", [None, 14])
def test_a_transposed_square_matrix(layout: str, cells: int | None) -> None:
    scenario = network((3, 3, 3), rows=4)
    assert scenario.network is not None
    scenario = replace(scenario, network=replace(scenario.network, layout=layout))
    verification = verified(scenario, "dW2", lambda g, t: g.T, cells=cells)
    assert fingerprints(verification) == {"W2": Fingerprint.TRANSPOSED}
    assert "transposed" in explanations(verification)[0]


def test_a_gradient_of_the_transposed_shape() -> None:
    scenario = network((2, 3, 1), rows=5, loss=MSE)
    verification = verified(scenario, "dW1", lambda g, t: g.T)
    assert fingerprints(verification) == {"W1": Fingerprint.TRANSPOSED}
    assert not verification.sampled
    assert "dW1 has shape (2, 3), and W1 (3, 2), transposed" in explanations(verification)[0]


def test_a_gradient_of_another_shape() -> None:
    verification = verified(deep(), "db1", lambda g, t: g[:1])
    assert fingerprints(verification) == {"b1": None}
    assert explanations(verification) == ["db1 has shape (1,), and b1 (2,): they must agree."]


# Mistakes that are recognised by making them


DZ2: dict[Fingerprint, Rule] = {
    Fingerprint.MISSING_DERIVATIVE: lambda g, t: t["da2"],
    Fingerprint.AT_Z: lambda g, t: t["da2"] * t["z2"] * (1 - t["z2"]),
    Fingerprint.AT_A: lambda g, t: t["da2"] * slope(t["a2"]),
}


def slope(z: Array) -> Array:
    a = 1 / (1 + np.exp(-z))
    return a * (1 - a)


@each_of("found", [Fingerprint.MISSING_DERIVATIVE, Fingerprint.AT_Z, Fingerprint.AT_A])
def test_a_mistake_in_dz_is_named_at_its_layer_and_handed_on(found: Fingerprint) -> None:
    verification = verified(deep(), "dz2", DZ2[found])
    expected = {"W2": found, "b2": found, "W1": None, "b1": None}
    assert fingerprints(verification) == expected
    assert verification.tensors[0].name == "b2"
    told = explanations(verification)
    assert told[0].startswith("In db2 and dW2 the derivative of sigmoid is ")
    assert told[1:] == [
        "db1 and dW1 have it handed on by phase backward, if nothing else is wrong."
    ]


def test_the_derivative_of_tanh_taken_at_a() -> None:
    """The formula 1 - tanh(z)² with `a` where `z` belongs."""
    scenario = network((2, 3, 3, 1), activations=("tanh",) * 3, rows=5, loss=MSE)
    verification = verified(scenario, "dz2", lambda g, t: t["da2"] * (1 - np.tanh(t["a2"]) ** 2))
    found = fingerprints(verification)
    assert (found["W2"], found["b2"], found["W1"]) == (Fingerprint.AT_A, Fingerprint.AT_A, None)


def test_the_jacobian_of_a_softmax_left_out() -> None:
    scenario = network((2, 3, 3), activations=("tanh", "softmax"), rows=5, loss=MSE)
    verification = verified(scenario, "dz2", lambda g, t: t["da2"])
    found = fingerprints(verification)
    assert (found["W2"], found["b2"]) == (Fingerprint.MISSING_DERIVATIVE,) * 2
    assert explanations(verification)[0].startswith("In db2 and dW2 the derivative of softmax is ")


def test_the_slope_of_an_activation_in_one_of_its_variants() -> None:
    scenario = network((2, 3, 3), activations=("gelu", "tanh"), rows=5, loss=MSE)
    assert scenario.network is not None
    gelu = Activation("gelu", {"approximate": "tanh"})
    layers = (replace(scenario.network.layers[0], activation=gelu), scenario.network.layers[1])
    scenario = replace(scenario, network=replace(scenario.network, layers=layers))
    found = fingerprints(verified(scenario, "dz1", lambda g, t: t["da1"]))
    assert found == {"W1": Fingerprint.MISSING_DERIVATIVE, "b1": Fingerprint.MISSING_DERIVATIVE}


def test_one_row_of_a_bias_behind_units_that_stand_exactly_at_their_kink() -> None:
    scenario = network((2, 3, 3), activations=("relu", "leaky_relu"), rows=5, loss=MSE)
    assert scenario.network is not None
    hidden, last = scenario.network.layers
    off = replace(hidden, weights=frozen(np.tile([1.0, 0.0], (3, 1))))  # for a row with x < 0
    slope = replace(last, activation=Activation("leaky_relu", {"slope": 0.01}))
    scenario = replace(scenario, network=replace(scenario.network, layers=(off, slope)))
    verification = verified(scenario, "db2", lambda g, t: t["dz2"][1])
    found = {one.name: one.fingerprint for one in verification.tensors}
    assert found == {"W1": None, "b1": None, "W2": None, "b2": Fingerprint.ONE_ROW}


@each_of("kind", ["identity", "softmax", "silu"])
def test_weights_transposed_on_the_way_back_to_any_activation(kind: str) -> None:
    scenario = network((3, 3, 3), activations=(kind, "tanh"), rows=5, loss=MSE)
    found = fingerprints(verified(scenario, "da1", lambda g, t: t["dz2"] @ t["W2"].T))
    assert set(found.values()) == {Fingerprint.TRANSPOSED_WEIGHTS}


def test_the_output_of_a_layer_in_place_of_its_input() -> None:
    verification = verified(deep(), "dW2", lambda g, t: t["dz2"].T @ t["a2"])
    assert fingerprints(verification) == {"W2": Fingerprint.OTHER_TENSOR}
    assert explanations(verification) == ["dW2 is computed with another tensor: a2 in place of a1."]


def test_the_derivative_of_another_layer() -> None:
    scenario = network((2, 3, 3, 3), rows=5, loss=MSE)
    verification = verified(scenario, "dW2", lambda g, t: t["dz3"].T @ t["a1"])
    assert explanations(verification) == [
        "dW2 is computed with another tensor: dz3 in place of dz2."
    ]


@each_of("layout", ["out_in", "in_out"])
def test_weights_transposed_on_the_way_back(layout: Any) -> None:
    scenario = deep()
    assert scenario.network is not None
    scenario = replace(scenario, network=replace(scenario.network, layout=layout))
    verification = verified(scenario, "da1", lambda g, t: t["dz2"] @ wrong(t, layout))
    found = fingerprints(verification)
    assert found == dict.fromkeys(("W1", "b1"), Fingerprint.TRANSPOSED_WEIGHTS)
    assert explanations(verification)[0].startswith("In db1 and dW1 W2 is transposed")


@each_of(
    ("layout", "early"),
    [("out_in", "W2 - lr * dW2"), ("in_out", "W2 - lr * (0.9 * buf_W2 + dW2)")],
)
def test_errors_along_weights_that_are_updated_already(layout: Any, early: str) -> None:
    """By the gradient alone, and as the optimizer's own lines have them."""
    scenario = replace(deep(), optimizer=optimizer("sgd", 0.3, momentum=0.9))
    assert scenario.network is not None
    scenario = replace(scenario, network=replace(scenario.network, layout=layout))
    session = Session(scenario)
    session.step("iteration")
    session.override(f"da1 = dz2 @ ({early})" + (".T" if layout == "in_out" else ""))
    session.run(lambda step: step.phase is Phase.BACKWARD and step.code.startswith("db1"))
    verification = session.verify()
    assert fingerprints(verification) == dict.fromkeys(("W1", "b1"), Fingerprint.UPDATED_WEIGHTS)
    assert explanations(verification) == [
        "In db1 and dW1 W2 is updated too early: da is computed with the weights that the forward "
        "pass used, before their update."
    ]


def wrong(t: Mapping[str, Array], layout: str) -> Array:
    return t["W2"].T if layout == "out_in" else t["W2"]


def test_a_stale_activation() -> None:
    """The live tensors at the batch line still hold the activations of the last pass."""
    session = Session(deep())
    session.step("iteration")
    session.step()
    old = session.value("a1")
    program = planted(session.program, "dW2", lambda g, t: t["dz2"].T @ old)
    verification = verify(program, session.values())
    assert fingerprints(verification) == {"W2": Fingerprint.STALE}
    assert explanations(verification) == [
        "dW2 has a stale activation: a1 of the last pass, not of this."
    ]


def test_a_bias_that_is_not_summed() -> None:
    verification = verified(deep(), "db2", lambda g, t: t["dz2"])
    assert fingerprints(verification) == {"b2": Fingerprint.NOT_SUMMED}
    assert "not summed; sum over axis 0" in explanations(verification)[0]


@each_of("row", [0, 3, -1])
def test_a_bias_of_one_row(row: int) -> None:
    verification = verified(deep(), "db2", lambda g, t: t["dz2"][row])
    assert fingerprints(verification) == {"b2": Fingerprint.ONE_ROW}
    assert f"dz of row {row % 5} alone" in explanations(verification)[0]


def test_a_gradient_divided_by_the_rows_twice() -> None:
    verification = verified(deep(), "dz3", lambda g, t: g / 5)
    assert fingerprints(verification) == dict.fromkeys(ALL, Fingerprint.DIVIDED_TWICE)
    assert "divided by the rows twice" in explanations(verification)[0]


HAND_WRITTEN = """
z1 = x @ V + c
h = tanh(z1)
z2 = h @ W.T + d
p = sigmoid(z2)
L = mean((p - y) ** 2)
"""


@each_of(
    ("target", "rule", "found"),
    [
        ("dV", lambda g, t: t["x"].T @ t["dh"], Fingerprint.MISSING_DERIVATIVE),
        ("dc", lambda g, t: t["dz1"][2], Fingerprint.ONE_ROW),
        ("dW", lambda g, t: t["dz2"].T @ t["z1"], Fingerprint.OTHER_TENSOR),
        ("dd", lambda g, t: t["dp"].sum(axis=0), Fingerprint.MISSING_DERIVATIVE),
    ],
)
def test_mistakes_in_a_network_that_is_written_out(
    target: str, rule: Rule, found: Fingerprint
) -> None:
    generator = np.random.default_rng(3)
    data = Data(frozen(generator.normal(size=(6, 2))), frozen(generator.uniform(size=(6, 2))), 6)
    shapes = {"V": (2, 3), "c": (3,), "W": (2, 3), "d": (2,)}
    drawn: dict[str, Any] = {n: generator.normal(size=shape) for n, shape in shapes.items()}
    verification = verified(expression(HAND_WRITTEN, "L", data=data, **drawn), target, rule)
    assert fingerprints(verification) == {target[1:]: found}


def test_a_gradient_of_zeros_agrees_with_nothing() -> None:
    """With a1 = 0 the weights' gradient is 0: no factor shows in it, and none is ruled out."""
    scenario = network((2, 3, 1), activations=("relu", "identity"), rows=2, loss=MSE)
    session = Session(scenario)
    session.step()
    program = planted(session.program, "dz2", lambda g, t: g * 2)
    tensors = {**session.values(), "b1": frozen([-50.0, -50.0, -50.0])}
    first = verify(program, tensors).tensors[0]
    assert (first.name, first.fingerprint) == ("b2", Fingerprint.MISSING_MEAN)
    assert first.alternatives == (Fingerprint.DOUBLED,)


# How wrong is wrong


@each_of(
    ("analytic", "numeric", "error"),
    [(3.0, 4.0, 0.25), (-1.0, 1.0, 2.0), (1e-12, 3e-12, 2e-4), (0.0, 0.0, 0.0)],
)
def test_the_relative_error(analytic: float, numeric: float, error: float) -> None:
    assert relative_error(analytic, numeric) == pytest.approx(error)
    assert relative_error(numeric, analytic) == pytest.approx(error)


@each_of(
    ("excess", "verdict"),
    [
        (5e-7, Verdict.PASS),
        (5e-5, Verdict.FINE),
        (5e-4, Verdict.SUSPICIOUS),
        (5e-3, Verdict.SUSPICIOUS),
        (2e-2, Verdict.FAIL),
    ],
)
def test_thresholds(excess: float, verdict: Verdict) -> None:
    scenario = expression("L = sum(a ** 2)", "L", a=[1.0, 2.0, -0.5])
    verification = verified(scenario, "da", lambda g, t: g * (1 + excess))
    assert verification.verdict is verdict
    assert verification.worst_error == pytest.approx(excess, rel=0.05)


def test_the_wrong_tensor_nearest_the_loss_comes_first() -> None:
    session = Session(deep())
    session.step()
    program = planted(session.program, "dW1", lambda g, t: g * 1.001)
    program = planted(program, "db2", lambda g, t: g * 1.5)
    program = planted(program, "db1", lambda g, t: g * -3)
    names = [one.name for one in verify(program, session.values()).tensors]
    assert names[:3] == ["b2", "b1", "W1"]


def test_of_what_is_equally_wrong_the_last_layer_comes_first() -> None:
    names = [one.name for one in verified(deep(), "dz3", lambda g, t: -g).tensors]
    assert names == ["b3", "W3", "b2", "W2", "b1", "W1"]


factors = st.floats(0.01, 20).flatmap(lambda f: st.sampled_from([f, -f])) | st.just(0.0)


@given(factor=factors.filter(lambda f: abs(f - 1) > 0.05), seed=st.integers(0, 99))
@examples(4)
def test_any_factor_is_found(factor: float, seed: int) -> None:
    scenario = replace(network((2, 3, 2), activations=("tanh", "identity"), rows=3), seed=seed)
    verification = verified(scenario, "dW1", lambda g, t: g * factor)
    (wrong,) = (one for one in verification.tensors if one.verdict not in GOOD)
    assert (wrong.name, wrong.verdict) == ("W1", Verdict.FAIL)
    assert wrong.ratio == pytest.approx(factor, rel=1e-3, abs=1e-12)


def test_one_row_of_a_bias_is_not_mistaken_for_a_factor_where_both_give_the_same_numbers() -> None:
    """Each row of mae's dz is 1/m or -1/m, so that one row is a simple multiple of their sum."""
    scenario = network((2, 2), activations=("identity",), rows=3, loss=Loss("mae", "batch_mean"))
    assert scenario.data is not None
    below = replace(scenario.data, y=frozen(np.full((3, 2), -100.0)))
    session = Session(replace(scenario, data=below))
    session.override("db1 = dz1[1]")
    session.step("phase")
    session.step("phase")
    session.step("phase")
    session.step("phase")
    verification = session.verify()
    (bias,) = [one for one in verification.tensors if one.name == "b1"]
    assert bias.fingerprint is Fingerprint.MEAN_FOR_SUM
    assert Fingerprint.ONE_ROW in bias.alternatives
    assert "It may also be dz of one row alone" in " ".join(explanations(verification))
