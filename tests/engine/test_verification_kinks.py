"""Kinks are those of what is computed; a skipped cell says where, and which slopes it has."""

from pathlib import Path

import numpy as np
import pytest
from building import expression, network
from in_one_test import each_of
from msgspec.structs import replace

from nnstep.engine.arrays import frozen
from nnstep.engine.loading import load
from nnstep.engine.scenario.model import Activation, Data, Loss, Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.verification.report import report_lines
from nnstep.engine.verification.verdict import GOOD, Verdict, Verification

FIELD = Path(__file__).parent.parent / "field"


def verified(scenario: Scenario) -> Verification:
    session = Session(scenario)
    for _ in range(3):
        session.step("phase")
    return session.verify()


def test_no_false_kink_in_one_row_of_four() -> None:
    session = Session(load(FIELD / "28_verify_false_kink.toml"))
    session.run()
    assert session.value("dW1")[0] == pytest.approx([-0.781201, 0.047583], abs=1e-6)
    verification = session.verify()
    assert (verification.verdict, verification.checked) == (Verdict.PASS, 3)


@each_of(("z", "y", "batch"), [(-29.5, 1.0, 1), (29.5, 0.0, 4), (-33.0, 1.0, 4), (33.0, 0.0, 1)])
def test_a_fused_loss_has_no_kink_at_a_confident_mistake(z: float, y: float, batch: int) -> None:
    loss = Loss("binary_cross_entropy", "mean")
    scenario = network((1, 1), activations=("sigmoid",), loss=loss, rows=batch)
    assert scenario.data is not None
    assert scenario.network is not None
    x = scenario.data.x.copy()
    x[0] = z
    targets = np.where(np.arange(batch)[:, None] == 0, y, 0.5)
    layer = replace(scenario.network.layers[0], weights=frozen([[1.0]]))
    scenario = replace(
        scenario,
        data=Data(frozen(x), frozen(targets), batch),
        network=replace(scenario.network, layers=(layer,), l2=0.1),
    )
    verification = verified(scenario)
    assert verification.verdict in GOOD
    assert verification.checked == 2


def xor(activation: Activation) -> Scenario:
    scenario = network((2, 3, 1), activations=("relu", "identity"), rows=4)
    assert scenario.network is not None
    hidden = replace(scenario.network.layers[0], activation=activation)
    x = frozen([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = frozen([[0.0], [1.0], [1.0], [0.0]])
    layers = (hidden, scenario.network.layers[1])
    return replace(scenario, data=Data(x, y, 4), network=replace(scenario.network, layers=layers))


@each_of(
    "activation",
    [
        Activation("relu"),
        Activation("leaky_relu", {"slope": 0.1}),
        Activation("elu", {"alpha": 0.5}),
        Activation("elu", {"alpha": 2.0}),
    ],
)
def test_biases_behind_a_dead_row_are_decided_on_the_side_of_the_convention(
    activation: Activation,
) -> None:
    """The first row of XOR has z = b = 0: its derivative is that below the kink."""
    session = Session(xor(activation))
    for _ in range(4):
        session.step("phase")
    verification = session.verify()
    checks = {one.name: one for one in verification.tensors}
    assert (checks["b1"].skipped, checks["b1"].verdict) == (0, Verdict.PASS)
    for unit in range(3):
        moving = float(session.value("dz1")[:, unit].sum())
        session.edit("db1", (unit,), moving + 0.25)
    verification = session.verify()
    assert verification.tensors[0].name == "b1"
    assert verification.verdict is Verdict.FAIL


def test_a_skipped_cell_says_where_and_its_two_slopes() -> None:
    scenario = expression("z = a * 3\nb = relu(z)\nL = sum(b) * 2", "L", a=[0.0, 1.0])
    verification = verified(scenario)
    (kink,) = verification.tensors[0].kinks
    assert (kink.index, kink.operation, kink.tensor) == ((0,), "relu", "b")
    assert (kink.below, kink.above, kink.analytic) == pytest.approx((0.0, 6.0, 0.0), abs=1e-6)
    text = " ".join(report_lines(verification))
    assert "a[0] is at a kink of relu in b: slopes 0 below, 6 above; the gradient 0." in text


@each_of(("alpha", "skipped"), [(1, 0), (1.0, 0), (0.5, 1), (2, 1)])
def test_elu_is_smooth_with_alpha_1_alone(alpha: float, skipped: int) -> None:
    verification = verified(expression(f"L = sum(elu(a, {alpha})) + sum(a)", "L", a=[0.0, 1.0]))
    assert verification.tensors[0].skipped == skipped


def test_a_bias_whose_every_row_is_off_or_at_its_kink_has_the_slope_0() -> None:
    """The loss does not move to the last bit on the side of the convention: that is no noise."""
    scenario = network((2, 2, 1), activations=("relu", "identity"), rows=2)
    assert scenario.network is not None
    weights = frozen([[1.0, 2.0], [-1.0, 0.5]])
    hidden = replace(scenario.network.layers[0], weights=weights, bias=frozen([0.0, 0.0]))
    layers = (hidden, scenario.network.layers[1])
    data = Data(frozen([[0.0, 0.0], [1.0, 1.0]]), frozen([[1.0], [2.0]]), 2)
    made = replace(scenario, data=data, network=replace(scenario.network, layers=layers))
    checks = {one.name: one for one in verified(made).tensors}
    assert (checks["b1"].verdict, checks["b1"].checked) == (Verdict.PASS, 2)
