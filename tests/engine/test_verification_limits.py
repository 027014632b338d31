"""Where differences say nothing: kinks, rounding errors, infinity; samples and cancelling."""

import math
from typing import Any

import numpy as np
from building import expression, network
from built_in import built_in
from in_one_test import each_of
from msgspec.structs import replace

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.program.program import Program
from nnstep.engine.scenario.model import Activation, Data, Loss, Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.verification.differences import Estimate, judged
from nnstep.engine.verification.point import Point
from nnstep.engine.verification.verdict import BAD, GOOD, TensorCheck, Verdict, Verification
from nnstep.engine.verification.verify import chosen_cells, verify


def begun(scenario: Scenario, **edited: Any) -> tuple[Program, dict[str, Array]]:
    """The program and the tensors of the first batch, some of them replaced."""
    session = Session(scenario)
    session.step()
    tensors = {name: frozen(value) for name, value in edited.items()}
    return session.program, {**session.values(), **tensors}


def verified(scenario: Scenario, **edited: Any) -> Verification:
    return verify(*begun(scenario, **edited))


def only(verification: Verification) -> TensorCheck:
    (one,) = verification.tensors
    return one


def with_opposite(program: Program, target: str) -> Program:
    """The program with the wrong sign in a gradient."""

    def opposite(kernel: Any) -> Any:
        return lambda tensors: -kernel(tensors)

    return replace(
        program,
        instructions=tuple(
            replace(line, kernel=opposite(line.kernel)) if target in line.writes else line
            for line in program.instructions
        ),
    )


# Kinks

NEAR = 4e-6

KINKED = {
    "relu(a)": ([0.0, NEAR, -NEAR, 1.0, -1.0], 3),
    "leaky_relu(a, 0.1)": ([0.0, NEAR, 1.0, -1.0], 2),
    "elu(a, 0.5)": ([0.0, -NEAR, 1.0, -1.0], 2),
    "abs(a)": ([0.0, NEAR, 2.0], 2),
    "softplus(a)": ([20.0, 20 + NEAR, 19.0, 0.0], 2),
    "maximum(a, 0.5)": ([0.5, 0.5 + NEAR, 0.6, 0.4], 2),
    "minimum(0.5, a)": ([0.5, 0.5 - NEAR, 0.6, 0.4], 2),
    "maximum(a, -a)": ([0.0, NEAR, 1.0], 2),
    "max(a)": ([2.0, 2.0, 2 - NEAR, 1.0], 3),
    "min(a)": ([2.0, 1.0, 1.0, 5.0], 2),
}


@each_of("code", KINKED)
def test_cells_at_a_kink_are_skipped_and_counted(code: str) -> None:
    a, skipped = KINKED[code]
    one = only(verified(expression(f"L = sum({code} * 3)", "L", a=a)))
    assert (one.skipped, one.checked) == (skipped, len(a) - skipped)
    assert one.verdict in GOOD


@each_of(
    ("call", "skipped"), [("max(a, axis=1)", 2), ("max(a, 0)", 0), ("min(a, 1, keepdims=True)", 2)]
)
def test_ties_along_an_axis(call: str, skipped: int) -> None:
    one = only(verified(expression(f"L = sum({call} * 3)", "L", a=[[1.0, 1.0], [2.0, 5.0]])))
    assert (one.skipped, one.checked) == (skipped, 4 - skipped)
    assert one.verdict in GOOD


@each_of("code", ["elu(a)", "elu(a, 1)", "silu(a)", "gelu(a)", "a ** 2"])
def test_what_is_smooth_at_zero_is_compared_there(code: str) -> None:
    one = only(verified(expression(f"L = sum({code} * 3 + a)", "L", a=[0.0, NEAR, -NEAR])))
    assert (one.skipped, one.checked, one.verdict) == (0, 3, Verdict.PASS)


def at_targets(kind: str, a: list[float]) -> Verification:
    """One linear layer whose activations are `a`, for the targets 0 and 1 by turns."""
    scenario = network((len(a), len(a)), activations=("identity",), loss=Loss(kind, "sum"))
    x, y = [[1.0] * len(a)], [[float(i % 2) for i in range(len(a))]]
    scenario = replace(scenario, data=Data(frozen(x), frozen(y), 1, shuffle=False))
    return verified(scenario, W1=np.diag(a), b1=np.zeros(len(a)))


def test_an_absolute_error_of_zero_is_a_kink() -> None:
    by_name = {one.name: one for one in at_targets("mae", [0.0, 1.0, 0.5]).tensors}
    assert (by_name["b1"].skipped, by_name["b1"].checked) == (2, 1)
    assert (by_name["W1"].skipped, by_name["W1"].checked) == (6, 3)
    assert {one.verdict for one in by_name.values()} <= GOOD


def test_the_huber_loss_has_no_kink() -> None:
    verification = at_targets("huber", [1.0, 0.0, -1.0])
    assert verification.checked == verification.total
    assert verification.verdict is Verdict.PASS


def test_a_number_at_a_kink_that_a_cell_does_not_move_is_none_of_its_business() -> None:
    """The first row has z = 0 whatever W1 is, the bias being zero."""
    scenario = network((2, 2, 1), activations=("relu", "identity"), rows=2)
    assert scenario.data is not None
    x = frozen([[0.0, 0.0], [1.0, 2.0]])
    scenario = replace(scenario, data=replace(scenario.data, x=x))
    verification = verified(scenario, W1=[[1.0, 2.0], [-1.0, 0.6]], b1=[0.0, 0.0])
    assert {one.skipped for one in verification.tensors} == {0}
    assert verification.verdict is Verdict.PASS


def test_a_kink_that_does_not_lead_to_the_loss() -> None:
    one = only(verified(expression("b = relu(a)\nL = a * 2", "L", a=0.0)))
    assert (one.skipped, one.verdict) == (0, Verdict.PASS)


def test_a_tensor_with_nothing_but_kinks_is_undecided() -> None:
    verification = verified(expression("L = sum(abs(a))", "L", a=[0.0, 0.0]))
    assert only(verification).verdict is Verdict.UNDECIDED
    assert verification.verdict is Verdict.UNDECIDED


def saturated(logit: float, target: float, *, fuse: bool) -> Verification:
    """A sigmoid with the binary cross-entropy, its `z` far out in the first of three rows."""
    loss = Loss("binary_cross_entropy", "mean", fuse=fuse)
    scenario = network((1, 1), activations=("sigmoid",), loss=loss, rows=3)
    data = Data(frozen([[logit], [0.5], [-1.0]]), frozen([[target], [1.0], [0.0]]), 3, False)
    return verified(replace(scenario, data=data), W1=[[1.0]], b1=[0.0])


@each_of("fuse", [False, True])
@each_of(("logit", "target"), [(-200.0, 1.0), (200.0, 0.0), (40.0, 0.0)])
def test_a_clamped_cross_entropy_is_like_a_kink(logit: float, target: float, fuse: bool) -> None:
    verification = saturated(logit, target, fuse=fuse)
    assert [(one.skipped, one.checked) for one in verification.tensors] == [(1, 0), (1, 0)]


@each_of("fuse", [False, True])
@each_of(("logit", "target"), [(-200.0, 0.0), (200.0, 1.0), (33.0, 1.0)])
def test_a_saturated_unit_that_is_right_is_compared(
    logit: float, target: float, fuse: bool
) -> None:
    verification = saturated(logit, target, fuse=fuse)
    assert {one.verdict for one in verification.tensors} <= GOOD
    assert verification.checked == verification.total


# Rounding errors


def test_digits_that_cancel_on_the_way_to_the_loss_are_noticed() -> None:
    code = "d = a + 1e8\ne = d - 1e8\nL = sum(e * e)"
    scenario = expression(code, "L", a=[0.3, -0.7])
    assert Point(*begun(scenario), seed=0).noise > 1e-9
    assert verified(scenario).verdict not in BAD
    plain = Point(*begun(expression("L = sum(a * a)", "L", a=[0.3, -0.7])), seed=0)
    assert plain.noise < 1e-15


def test_rounding_errors_that_leave_the_domain_are_without_bounds() -> None:
    scenario = expression("L = sqrt(a - b)", "L", a=0.3, b=0.3)
    with np.errstate(all="ignore"):
        assert Point(*begun(scenario), seed=0).noise == math.inf


@each_of("factor", [1e-14, 1e-17, 1e-200])
def test_a_gradient_below_the_rounding_errors_is_undecided(factor: float) -> None:
    scenario = expression("L = sum(a * k) + 1", "L", inputs={"k": factor}, a=[0.3, -0.7])
    one = only(verified(scenario))
    assert (one.verdict, one.undecided, one.checked) == (Verdict.UNDECIDED, 2, 0)


@each_of("factor", [1e-7, 1e-9, 1e-10])
def test_a_small_gradient_is_verified_with_a_wider_step(factor: float) -> None:
    scenario = expression("L = sum(a * a * k) + 0.4", "L", inputs={"k": factor}, a=[0.3, -0.7])
    assert only(verified(scenario)).verdict in GOOD


@each_of("factor", [1e-7, 1e-9])
def test_a_small_gradient_of_the_wrong_sign_is_noticed(factor: float) -> None:
    scenario = expression("L = sum(a * a * k) + 0.4", "L", inputs={"k": factor}, a=[0.3, -0.7])
    program, tensors = begun(scenario)
    assert only(verify(with_opposite(program, "da"), tensors)).verdict is Verdict.FAIL


def test_vanished_gradients_are_told_apart_from_wrong_ones() -> None:
    session = Session(built_in("vanishing"))
    session.seek(20 * len(session.program))
    verification = verify(session.program, session.values(), cells=40)
    verdicts = {one.name: one.verdict for one in verification.tensors}
    assert Verdict.UNDECIDED in verdicts.values()
    assert verdicts["W10"] in GOOD
    assert BAD.isdisjoint(verdicts.values())
    assert sum(one.undecided for one in verification.tensors) > 0
    assert verification.verdict in GOOD


@each_of("size", [1e3, 1e5, 1e6])
def test_a_loss_that_bends_within_the_step_is_verified_with_a_narrower_one(size: float) -> None:
    scenario = network((2, 2), rows=1)
    data = Data(frozen([[size, -size]]), frozen([[0.2, 0.8]]), 1, shuffle=False)
    w = np.array([[0.3, -0.4], [-0.2, 0.1]]) / size
    verification = verified(replace(scenario, data=data), W1=w)
    assert verification.verdict in GOOD
    assert verification.checked == verification.total


def test_the_error_of_the_step_itself_is_extrapolated_away() -> None:
    """At h = 1e-5 it is (300 h)² / 6 = 1.5e-6, and would not pass."""
    one = only(verified(expression("L = sin(a * 300)", "L", a=0.3)))
    assert (one.verdict, one.checked) == (Verdict.PASS, 1)
    assert one.worst is not None
    assert one.worst.error < 1e-8


def test_of_all_steps_the_least_uncertain_counts() -> None:
    """The loss bends much, and little of it depends on a, so that few steps are of use."""
    a = np.linspace(0.1, 0.9, 20)
    one = only(verified(expression("L = sum(sin(a * 3000) * 1e-9) + 1", "L", a=a)))
    assert one.verdict in GOOD
    assert one.checked >= 19


@each_of("a", [4.1e-5, 7e-5, 1.7e-4])
def test_wider_steps_stop_at_a_kink(a: float) -> None:
    verification = verified(expression("L = relu(a) * 3e-11 + 3", "L", a=a))
    assert verification.verdict not in BAD


@each_of("code", ["log(a)", "sqrt(a)", "a ** 1.5", "1 / a"])
def test_beside_the_end_of_the_domain_the_step_is_narrower(code: str) -> None:
    assert only(verified(expression(f"L = sum({code})", "L", a=[1e-6, 3e-6, 0.5]))).checked == 3


@each_of("w", [1e3, 1e100, 1e150, -1e154])
def test_the_step_grows_with_large_parameters(w: float) -> None:
    one = only(verified(expression("L = a ** 2", "L", a=w)))
    assert (one.verdict, one.checked) == (Verdict.PASS, 1)


@each_of(
    ("numeric", "uncertainty", "verdict"),
    [
        (1.0, 0.0, Verdict.PASS),
        (1.0, 1e-3, Verdict.PASS),
        (1 + 1e-5, 1e-3, Verdict.FINE),
        (1.0, 0.02, Verdict.UNDECIDED),
        (1.001, 1e-6, Verdict.SUSPICIOUS),
        (1.001, 0.001, Verdict.UNDECIDED),
        (2.0, 0.1, Verdict.FAIL),
        (2.0, 1.0, Verdict.UNDECIDED),
        (-1.0, math.inf, Verdict.UNDECIDED),
    ],
)
def test_a_verdict_holds_whatever_the_rounding_errors(
    numeric: float, uncertainty: float, verdict: Verdict
) -> None:
    assert judged(1.0, Estimate(numeric, uncertainty)) is verdict


# Not finite


def test_overflow() -> None:
    session = Session(built_in("overflow"))
    for iterations in (0, 20, 152, 153, 306, 308):
        session.seek(iterations * len(session.program))
        if iterations < 308:
            session.step()
        verification = verify(session.program, session.values())
        verdicts = {one.verdict for one in verification.tensors}
        if iterations < 153:
            assert verdicts == {Verdict.PASS}, iterations
        else:
            assert verdicts == {Verdict.NOT_FINITE}, iterations
            assert [one.not_finite for one in verification.tensors] == [1, 1]
            assert not math.isfinite(verification.loss)


@each_of("a", [[np.nan, 1.0], [np.inf, 1.0], [-np.inf, 1.0]])
@each_of("code", ["sum(a)", "mean(relu(a))", "max(a)", "sum(abs(a) ** 0.5)"])
def test_values_that_are_not_finite(a: list[float], code: str) -> None:
    verification = verified(expression(f"L = {code}", "L", a=a))
    assert verification.verdict in {Verdict.NOT_FINITE, Verdict.UNDECIDED, *GOOD}


def test_where_the_loss_itself_is_not_finite_no_difference_is_taken() -> None:
    """On both sides of the pole it is."""
    one = only(verified(expression("L = 1 / a", "L", a=0.0)))
    assert one.verdict is Verdict.NOT_FINITE
    assert one.worst is not None
    assert math.isnan(one.worst.numeric)


def test_a_root_of_zero_has_no_finite_gradient() -> None:
    one = only(verified(expression("L = sum(sqrt(a))", "L", a=[0.0, 4.0])))
    assert (one.verdict, one.not_finite, one.checked) == (Verdict.NOT_FINITE, 1, 1)
    assert one.cell == "a[0]"


# Samples, progress, cancelling


def test_only_what_a_parameter_has_an_influence_on_is_run_again() -> None:
    point = Point(*begun(network((2, 3, 3, 1), rows=2)), seed=0)
    codes = [line.writes[0] for line in point.leading_from("W2")]
    assert codes == ["z2", "a2", "z3", "a3", "L"]
    assert [line.writes[0] for line in point.leading_from("b3")] == ["z3", "a3", "L"]


LARGE = network((16, 10, 5), rows=4)


def test_of_many_cells_a_sample_is_taken_and_said_to_be_one() -> None:
    verification = verify(*begun(LARGE), cells=60)
    checked = {one.name: one.checked for one in verification.tensors}
    assert checked == {"b2": 5, "b1": 10, "W2": 22, "W1": 23}
    assert (verification.chosen, verification.tried, verification.total) == (60, 60, 225)
    assert verification.sampled
    assert not verification.cancelled
    assert verification.verdict in GOOD


@each_of("cells", [225, None])
def test_few_cells_are_all_verified(cells: int | None) -> None:
    verification = verify(*begun(LARGE), cells=cells)
    assert (verification.checked, verification.sampled) == (225, False)


def test_a_sample_is_drawn_from_its_seed() -> None:
    shapes = {"W": (30, 20), "b": (20,)}
    drawn = chosen_cells(shapes, 100, seed=3)
    assert drawn == chosen_cells(shapes, 100, seed=3)
    assert drawn != chosen_cells(shapes, 100, seed=4)
    assert len(set(drawn["W"])) == 80
    assert all(0 <= row < 30 and 0 <= column < 20 for row, column in drawn["W"])
    assert drawn["b"] == [(i,) for i in range(20)]


def test_every_tensor_has_a_cell_in_the_sample() -> None:
    drawn = chosen_cells({"a": (), "b": (50,), "c": (2, 50), "d": (60,)}, 1, seed=0)
    assert [len(cells) for cells in drawn.values()] == [1, 1, 1, 1]
    assert drawn["a"] == [()]


def test_progress_is_told_from_beginning_to_end() -> None:
    told: list[tuple[int, int]] = []
    verify(*begun(LARGE), progress=lambda done, total: told.append((done, total)))
    assert told[0] == (0, 225)
    assert told[-1] == (225, 225)
    assert 50 < len(told) < 150
    assert told == sorted(set(told))


@each_of("after", [0, 1, 190])
def test_cancelled_it_returns_what_it_has(after: int) -> None:
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > after

    verification = verify(*begun(LARGE), cancelled=cancelled)
    assert verification.cancelled
    assert (verification.tried, verification.checked, verification.chosen) == (after, after, 225)
    assert verification.verdict is (Verdict.UNDECIDED if after == 0 else Verdict.PASS)
    verdicts = {one.name: one.verdict for one in verification.tensors}
    assert verdicts["W2"] in ({Verdict.UNDECIDED} if after < 175 else GOOD)


def test_a_mistake_found_before_it_is_cancelled_counts() -> None:
    program, tensors = begun(LARGE)
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 50

    verification = verify(with_opposite(program, "dW1"), tensors, cancelled=cancelled)
    assert (verification.verdict, verification.tried) == (Verdict.FAIL, 50)
    assert verification.tensors[0].name == "W1"


def test_elu_takes_its_alpha_from_the_scenario() -> None:
    """At alpha 1 there is no kink at zero, at any other there is."""
    for alpha, skipped in [(1.0, 0), (0.5, 2)]:
        scenario = network((2, 2), rows=1)
        assert scenario.network is not None
        layer = replace(scenario.network.layers[0], activation=Activation("elu", {"alpha": alpha}))
        scenario = replace(scenario, network=replace(scenario.network, layers=(layer,)))
        verification = verified(scenario, W1=np.zeros((2, 2)), b1=[0.0, 0.0])
        by_name = {one.name: one.skipped for one in verification.tensors}
        assert by_name["b1"] == skipped


def test_digits_that_cancel_within_an_instruction_are_noticed() -> None:
    """A loss of 3e-5 that a logarithm of a softmax makes of numbers near 10 has 12 digits."""
    session = Session(built_in("blocks"))
    session.seek(30 * len(session.program) + 1)
    verification = session.verify()
    assert verification.loss < 1e-4
    assert verification.verdict in GOOD
    assert verification.checked == verification.total
