"""Verification passes every right gradient, whatever the operation, and changes nothing."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
import pytest
from building import expression, network
from built_in import built_in
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from in_one_test import each_of
from msgspec.structs import replace

from nnstep import scenarios
from nnstep.engine.arrays import Array, frozen
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.catalogue import FUNCTIONS
from nnstep.engine.operations.losses import Reduction
from nnstep.engine.program.program import Phase
from nnstep.engine.scenario.model import Activation, Data, Loss, Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.verification.verdict import GOOD, Verdict, Verification
from nnstep.engine.verification.verify import verify

ACTIVATION_SETTINGS: dict[str, dict[str, Any]] = {
    "leaky_relu": {"slope": 0.1},
    "elu": {"alpha": 0.5},
    "gelu": {"approximate": "tanh"},
}
REDUCTIONS: tuple[Reduction, ...] = get_args(Reduction)


def begun(scenario: Scenario, iterations: int = 0) -> Session:
    """A session that has its batch, after some iterations."""
    session = Session(scenario)
    for _ in range(iterations):
        session.step("iteration")
    session.step()
    return session


def verified(scenario: Scenario, iterations: int = 0, **options: Any) -> Verification:
    session = begun(scenario, iterations)
    return verify(session.program, session.values(), **options)


def assert_all_good(verification: Verification) -> None:
    """Every cell was compared, and agrees."""
    assert {one.name: one.verdict for one in verification.tensors if one.verdict not in GOOD} == {}
    assert verification.checked == verification.total > 0


def with_network(scenario: Scenario, **changes: Any) -> Scenario:
    assert scenario.network is not None
    return replace(scenario, network=replace(scenario.network, **changes))


def with_targets(scenario: Scenario, y: Any) -> Scenario:
    assert scenario.data is not None
    x = scenario.data.x
    return replace(scenario, data=Data(x, frozen(y), len(x), shuffle=False))


# Networks


@each_of("kind", ACTIVATIONS)
@each_of("hidden", [False, True])
def test_activations(kind: str, hidden: bool) -> None:
    sizes, kinds = ((2, 3, 1), (kind, "identity")) if hidden else ((2, 3), (kind,))
    assert_all_good(verified(network(sizes, activations=kinds, rows=4)))


@each_of("kind", ACTIVATION_SETTINGS)
def test_settings_of_activations(kind: str) -> None:
    scenario = network((2, 3, 2), rows=4)
    assert scenario.network is not None
    activation = Activation(kind, ACTIVATION_SETTINGS[kind])
    layers = tuple(replace(layer, activation=activation) for layer in scenario.network.layers)
    assert_all_good(verified(with_network(scenario, layers=layers)))


@each_of("reduction", REDUCTIONS)
@each_of("kind", ["half_squared_error", "mse", "mae", "huber"])
def test_losses(kind: str, reduction: Reduction) -> None:
    loss = Loss(kind, reduction, options={"delta": 0.1})
    assert_all_good(verified(network((2, 3), activations=("tanh",), rows=4, loss=loss)))


@each_of("from_logits", [False, True])
@each_of("fuse", [False, True])
@each_of("reduction", REDUCTIONS)
def test_binary_cross_entropy(reduction: Reduction, fuse: bool, from_logits: bool) -> None:
    last = "identity" if from_logits else "sigmoid"
    loss = Loss("binary_cross_entropy", reduction, from_logits, fuse)
    assert_all_good(verified(network((2, 3), activations=(last,), rows=4, loss=loss)))


ONE_HOT = np.eye(3)[[0, 2, 1, 1]]
PROBABILITIES = [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [0.0, 0.4, 0.6], [1.0, 0.0, 0.0]]
WEIGHTS = [[1.0, 2.0, 0.5], [0.0, 0.5, 0.0], [3.0, 0.0, 0.0], [1.0, 1.0, 1.0]]


@pytest.mark.sweep(5)
@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("fuse", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("y", [[0, 2, 1, 1], ONE_HOT, PROBABILITIES, WEIGHTS])
def test_cross_entropy(y: Any, reduction: Reduction, fuse: bool, from_logits: bool) -> None:
    last = "identity" if from_logits else "softmax"
    loss = Loss("cross_entropy", reduction, from_logits, fuse)
    scenario = network((2, 3), activations=(last,), rows=4, loss=loss)
    assert_all_good(verified(with_targets(scenario, y)))


@each_of("layout", ["out_in", "in_out"])
@each_of("has_bias", [True, False])
@each_of("l2", [0.0, 0.3])
def test_layouts_biases_and_penalties(layout: str, has_bias: bool, l2: float) -> None:
    scenario = network((2, 3, 1), rows=4)
    assert scenario.network is not None
    layers = scenario.network.layers
    if not has_bias:
        layers = tuple(replace(layer, bias=None) for layer in layers)
    scenario = with_network(scenario, layout=layout, l2=l2, layers=layers, input_gradient=True)
    assert_all_good(verified(scenario))


def test_frozen_parameters_are_verified_too() -> None:
    verification = verified(network(frozen_biases=True))
    assert {one.name for one in verification.tensors} == {"W1", "b1", "W2", "b2"}
    assert_all_good(verification)


# Expressions


CALLS = {
    "where": "where((a > b) & (a < 1), a, b * b)",
    "clip": "clip(a, -0.5, 0.5)",
    "reshape": "reshape(a, -1)",
    "concatenate": "concatenate((a, b, a * b), axis=1)",
    "one_hot": "one_hot(a[:, 0] * 0 + 1.5, a) * a",
    "take": "take(a, b[0] * 0 + 1.5)",
}


def calls() -> Iterator[str]:
    for name, function in FUNCTIONS.items():
        arguments = ", ".join(("a", "b")[: len(function.inputs)])
        yield CALLS.get(name, f"{name}({arguments})")
    for name in ("sum", "mean", "max", "min", "var", "logsumexp"):
        yield from (f"{name}(a, axis=1, keepdims=True)", f"{name}(a, 0)", f"{name}(a, axis=-1)")


OPERATORS = (
    *("a + b", "a - b", "a * b", "a / b", "a ** b", "-a", "a.T * 2", "a @ b.T", "a[1, 0] * b"),
    *(
        "a ** 3",
        "a ** -2",
        "a ** 0",
        "2 ** a",
        "v * a",
        "a @ v",
        "v @ a.T",
        "v @ v",
        "a[:, 1:] * 3",
    ),
)


VALUES: dict[str, Any] = {
    "a": [[0.3, 1.4, 0.9], [1.2, 0.7, 0.4]],
    "b": [[1.1, 0.2, 0.6], [0.5, 1.3, 0.8]],
    "v": [0.9, 1.5, 0.2],
}


@each_of("code", [*calls(), *OPERATORS])
def test_expressions(code: str) -> None:
    read = {name: value for name, value in VALUES.items() if re.search(rf"\b{name}\b", code)}
    scenario = expression(f"t = {code}\nL = sum(cos(t) * 1.5)", "L", **read)
    assert_all_good(verified(scenario))


def test_an_expression_over_data() -> None:
    x, y = frozen([[1.0, 2.0], [0.5, -1.0], [2.0, 0.3]]), frozen([1.0, 0.0, 1.0])
    code = "z = x @ w + c\na = sigmoid(z)\nL = mean((a - y) ** 2)"
    scenario = expression(code, "L", data=Data(x, y, 3, shuffle=False), w=[0.5, -0.4], c=0.1)
    verification = verified(scenario)
    assert_all_good(verification)
    assert (verification.rows, verification.averages) == (3, True)


@each_of(
    "loss",
    [
        "-sum(one_hot(y, z) * log_softmax(z))",
        "-sum(take(log_softmax(z), k, axis=1))",
        "sum(take(z, 2 - y) ** 2)",
        "sum(where(y == 1, 1, 2) * z[:, 0] ** 2)",
    ],
)
def test_classes_and_places_are_exact_numbers(loss: str) -> None:
    x, y = frozen([[1.0, 2.0], [0.5, -1.0], [2.0, 0.3]]), frozen([1.0, 0.0, 2.0])
    scenario = expression(
        f"z = x @ W\nL = {loss}",
        "L",
        data=Data(x, y, 3, shuffle=False),
        inputs={"k": [0, 2]},
        W=[[0.5, -0.4, 0.2], [0.1, 0.3, -0.6]],
    )
    assert_all_good(verified(scenario))


def test_a_loss_that_is_a_constant_beside_a_batch() -> None:
    x, y = frozen([[1.0], [0.5]]), frozen([1.0, 0.0])
    code = "z = x * w\nL = 3"
    verification = verified(expression(code, "L", data=Data(x, y, 2, shuffle=False), w=0.5))
    assert_all_good(verification)
    assert verification.rows == 2


def test_an_expression_for_one_size_of_batch() -> None:
    x, y = frozen([[1.0, 2.0], [0.5, -1.0]]), frozen([1.0, 0.0])
    data = Data(x, y, 2, shuffle=False)
    code = "L = sum(k * (x @ w - y) ** 2)"
    verification = verified(expression(code, "L", data=data, inputs={"k": [1, 2]}, w=[0.5, -0.4]))
    assert_all_good(verification)
    assert not verification.averages


def test_a_parameter_that_the_loss_does_not_depend_on() -> None:
    assert_all_good(verified(expression("L = a * 2", "L", a=1.0, b=3.0)))


def test_a_loss_before_other_lines() -> None:
    assert_all_good(verified(expression("L = a * b\nc = log(a - 5)", "L", a=1.0, b=3.0)))


def test_inputs_take_part_but_are_not_verified() -> None:
    verification = verified(expression("L = a * k", "L", inputs={"k": 2.5}, a=1.5))
    assert [one.name for one in verification.tensors] == ["a"]
    assert_all_good(verification)


# Built-in scenarios


@pytest.mark.sweep(9)
@pytest.mark.parametrize("name", scenarios.names())
@pytest.mark.parametrize(
    "iterations", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 30))]
)
def test_built_in_scenarios(name: str, iterations: int) -> None:
    verification = verified(built_in(name), iterations)
    bad = [one for one in verification.tensors if one.verdict not in GOOD]
    assert all(one.verdict is Verdict.UNDECIDED for one in bad)
    assert all(one.undecided + one.skipped == one.size for one in bad)
    assert verification.worst_error < 1e-4
    if name == "goodfellow":  # its loss is 0, at the kinks of its units: there is little to see
        assert {one.name for one in verification.tensors if one.checked} == {"b1", "W1"}
        return
    assert verification.checked > 0
    if name != "vanishing":
        assert not bad


def test_cells_of_dead_units_are_compared() -> None:
    session = begun(built_in("two-layer"))
    verification = verify(session.program, session.values())
    session.step("iteration")
    assert not session.value("dW1")[2].any()
    assert_all_good(verification)


def test_in_the_middle_of_an_iteration_the_present_values_count() -> None:
    session = begun(network((2, 3, 1), rows=4))
    while session.snapshot().last is None or session.snapshot().last.phase is not Phase.UPDATE:  # type: ignore[union-attr]
        session.step()
    before = session.values()
    tensors = {**before, "W1": frozen(before["W1"] + 1.0)}
    assert_all_good(verify(session.program, tensors))
    worst = {one.name: one.worst for one in verify(session.program, tensors).tensors}
    assert worst["W1"] is not None
    assert worst["W1"].analytic != before["dW1"][worst["W1"].index]


# Dtypes


@each_of("dtype", ["float32", "float16"])
@each_of("iterations", [0, 5])
def test_small_dtypes_are_verified_in_float64(dtype: str, iterations: int) -> None:
    scenario = network((2, 3, 2), activations=("relu", "tanh"), rows=4, dtype=dtype)
    verification = verified(scenario, iterations)
    assert_all_good(verification)
    assert verification.worst_error < 1e-6


@each_of("dtype", ["float32", "float16"])
def test_every_kernel_sees_float64_only(dtype: str) -> None:
    session = begun(expression("k = 2.5\nL = sum(exp(a) * k + k)", "L", dtype=dtype, a=[0.1, 0.2]))
    seen: set[np.dtype[Any]] = set()

    def watched(kernel: Any) -> Any:
        def run(tensors: Any) -> Any:
            seen.update(array.dtype for array in tensors.values())
            return kernel(tensors)

        return run

    lines = (replace(line, kernel=watched(line.kernel)) for line in session.program.instructions)
    program = replace(session.program, instructions=tuple(lines))
    assert_all_good(verify(program, session.values()))
    assert seen == {np.dtype("float64")}


@each_of("dtype", ["float64", "float32", "float16"])
def test_probabilities_that_sum_to_1_up_to_the_rounding_of_their_dtype(dtype: str) -> None:
    loss = Loss("cross_entropy", "batch_mean")
    scenario = network((2, 3), activations=("softmax",), rows=4, loss=loss, dtype=dtype)
    probabilities = np.array([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [0.9, 0.05, 0.05], [0.6, 0.1, 0.3]])
    verification = verified(with_targets(scenario, probabilities.astype(dtype)))
    assert_all_good(verification)
    assert verification.worst_error < 1e-6


@each_of("y", [PROBABILITIES, WEIGHTS])
def test_the_loss_verified_is_that_of_the_run(y: Any) -> None:
    loss = Loss("cross_entropy", "batch_mean")
    scenario = network((2, 3), activations=("softmax",), rows=4, loss=loss, dtype="float32")
    session = begun(with_targets(scenario, np.array(y, "float32")))
    verification = verify(session.program, session.values())
    session.run(until=lambda step: "L" in step.writes)
    assert verification.loss == pytest.approx(float(session.value("L")), rel=1e-5)
    assert_all_good(verification)


# Nothing is changed


def test_tensors_and_program_stay_as_they_are() -> None:
    session = begun(network((2, 3, 1), rows=4), 3)
    session.step("phase")
    tensors = dict(session.values())
    arrays = dict(tensors)
    before = {name: array.tobytes() for name, array in tensors.items()}
    program = session.program
    lines = program.instructions
    errors = np.geterr()
    verify(program, tensors)
    assert tensors.keys() == arrays.keys()
    assert all(tensors[name] is array for name, array in arrays.items())
    assert {name: array.tobytes() for name, array in tensors.items()} == before
    assert program.instructions is lines
    assert np.geterr() == errors


def test_update_instructions_are_never_run() -> None:
    session = begun(network())

    def refuse(tensors: Any) -> Any:
        raise AssertionError("an update was run")

    lines = tuple(
        replace(line, kernel=refuse) if line.phase is Phase.UPDATE else line
        for line in session.program.instructions
    )
    assert_all_good(verify(replace(session.program, instructions=lines), session.values()))


def test_a_missing_batch_is_named() -> None:
    session = Session(network())
    with pytest.raises(KeyError, match="x"):
        verify(session.program, session.values())


def test_the_same_twice() -> None:
    session = begun(network((3, 4, 2), rows=5))
    assert verify(session.program, session.values()) == verify(session.program, session.values())


@given(seed=st.integers(0, 2**32 - 1), data=st.data())
@examples(4)
def test_no_false_alarm(seed: int, data: st.DataObject) -> None:
    """Networks of any size of weights and inputs, saturated, dead and vanishing ones among them."""
    kinds = st.sampled_from([kind for kind in ACTIVATIONS if kind != "softmax"])
    sizes = tuple(data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)))
    activations = tuple(data.draw(kinds) for _ in sizes[1:])
    reduction = data.draw(st.sampled_from(REDUCTIONS))
    loss = Loss(data.draw(st.sampled_from(["mse", "mae", "huber"])), reduction)
    rows = data.draw(st.integers(1, 5))
    session = begun(network(sizes, activations=activations, rows=rows, loss=loss))
    generator = np.random.default_rng(seed)
    scale = 10.0 ** data.draw(st.floats(-2, 1))
    tensors: dict[str, Array] = dict(session.values())
    for name in session.program.parameters:
        tensors[name] = frozen(generator.standard_normal(tensors[name].shape) * scale)
    verification = verify(session.program, tensors)
    assert verification.verdict in {Verdict.PASS, Verdict.FINE, Verdict.UNDECIDED}
