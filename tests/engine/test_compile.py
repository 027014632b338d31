"""The compiler: what a scenario's program looks like, line by line, and what it refuses."""

from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from in_one_test import each_of

from nnstep.engine.program.compile import compile_scenario
from nnstep.engine.program.program import CompileError
from nnstep.engine.scenario.model import Clip, Data, Loss, Scenario
from nnstep.engine.session.session import Session


def lines(scenario: Scenario) -> list[str]:
    return [
        f"{line.phase} {line.layer or '-'}: {line.code}"
        for line in compile_scenario(scenario).instructions
    ]


def test_a_network_reads_as_on_the_blackboard() -> None:
    assert lines(network()) == [
        "batch -: x, y = next(batches)",
        "forward 1: z1 = x @ W1.T + b1",
        "forward 1: a1 = sigmoid(z1)",
        "forward 2: z2 = a1 @ W2.T + b2",
        "forward 2: a2 = sigmoid(z2)",
        "loss -: L = half_squared_error(a2, y)",
        "backward 2: da2 = a2 - y",
        "backward 2: dz2 = da2 * a2 * (1 - a2)",
        "backward 2: dW2 = dz2.T @ a1",
        "backward 2: db2 = dz2.sum(axis=0)",
        "backward 2: da1 = dz2 @ W2",
        "backward 1: dz1 = da1 * a1 * (1 - a1)",
        "backward 1: dW1 = dz1.T @ x",
        "backward 1: db1 = dz1.sum(axis=0)",
        "update -: W1 = W1 - lr * dW1",
        "update -: b1 = b1 - lr * db1",
        "update -: W2 = W2 - lr * dW2",
        "update -: b2 = b2 - lr * db2",
    ]


def test_a_cross_entropy_and_its_activation_are_fused_unless_asked_not_to() -> None:
    fused = network(loss=Loss("binary_cross_entropy", "mean"))
    assert "backward 2: dz2 = (a2 - y) / a2.size" in lines(fused)
    assert not any("da2" in line for line in lines(fused))
    apart = lines(network(loss=Loss("binary_cross_entropy", "mean", fuse=False)))
    da2 = "da2 = (a2 - y) / np.maximum(a2 * (1 - a2), 1e-12) / a2.size"
    assert f"backward 2: {da2}" in apart
    assert "backward 2: dz2 = da2 * a2 * (1 - a2)" in apart


def test_frozen_parameters_have_gradients_but_no_update_and_no_part_in_the_norm() -> None:
    clipped = optimizer(clip=Clip("norm", 1.0))
    program = lines(network(optimized=clipped, frozen_biases=True))
    assert "backward 1: db1 = dz1.sum(axis=0)" in program
    assert "update -: grad_norm = global_norm(dW1, dW2)" in program
    assert not any(line.startswith("update -: b1") for line in program)


def test_a_value_used_twice_accumulates_its_gradient() -> None:
    scenario = expression("c = a + b\nd = b + 1\ne = c * d", "e", a=2.0, b=1.0)
    assert lines(scenario)[3:] == [
        "backward -: de = np.ones_like(e)",
        "backward -: dc = de * d",
        "backward -: dd = de * c",
        "backward -: db = dd",
        "backward -: da = dc",
        "backward -: db = db + dc",
    ]


def test_nested_expressions_get_temporaries_and_constants_are_worked_out() -> None:
    scenario = expression("t1 = a * (2 * 3)\nL = -(t1 + exp(a)) ** 2", "L", a=0.5)
    assert lines(scenario)[:5] == [
        "forward -: t1 = a * 6.0",
        "forward -: t2 = np.exp(a)",
        "forward -: t3 = t1 + t2",
        "forward -: t4 = t3 ** 2",
        "loss -: L = -t4",
    ]


def test_a_parameter_that_the_loss_does_not_use_has_a_gradient_of_zero() -> None:
    session = Session(expression("L = a * 2", "L", a=1.0, unused=[1.0, 2.0]))
    session.run()
    assert session.value("dunused").tolist() == [0.0, 0.0]


def test_inputs_have_no_gradient() -> None:
    scenario = expression("L = a * k", "L", a=1.0, inputs={"k": 4.0})
    assert "dk" not in compile_scenario(scenario).tensors


@each_of(
    ("code", "message", "at"),
    [
        ("L = a + q", "'q' has no value here", "q"),
        ("L = a\nL = b", "'L' is assigned a second time", "L = b"),
        ("a = b\nL = a", "'a' is a parameter", "a = b"),
        ("da = b\nL = da", "'da' is the gradient of 'a'", "da ="),
        ("c = a\ndc = b\nL = dc", "'dc' is the gradient of 'c'", "dc ="),
        ("relu = a\nL = relu", "'relu' is a function", "relu ="),
        ("L = foo(a)", "there is no function 'foo'", "foo"),
        ("L = exq(a)", r"did you mean 'exp'\?", "exq"),
        ("L = maximum(a)", r"too few arguments; it is called as maximum\(a, b\)", "maximum"),
        ("L = exp(a, b)", r"too many arguments; it is called as exp\(x\)", "exp"),
        ("L = exp(a, axis=0)", r"there is no 'axis' in exp\(x\)", "exp"),
        ("L = sum(M, axis=2)", r"axis 2 of an array of shape \(2, 3\)", "sum"),
        ("L = sum(M @ M)", r"shapes \(2, 3\) and \(2, 3\) do not fit for '@'", "M @"),
        ("L = sum(M + v)", r"shapes \(2, 3\) and \(2,\) do not broadcast", "M + v"),
        ("L = M[2, 0]", "index 2 is outside an axis of 2", "M["),
        ("L = M[0]", r"the loss 'L' has shape \(3,\), and must be a single number", "L ="),
        ("L = a * (1 / 0)", "this constant is inf", "1 / 0"),
        ("L = a + log(0)", "this constant is -inf", "log"),
        ("L = softmax(a)", "softmax needs at least one axis", "softmax"),
        ("L = sum(M, 0, axis=1)", "'axis' is given twice", "sum"),
        ("L = sum(M, 0, 2)", "'keepdims' is True or False", "sum"),
        ("L = sum(big.T + big)", "more than 10,000,000 elements", "big.T"),
    ],
)
def test_a_wrong_program_is_refused_at_its_place(code: str, message: str, at: str) -> None:
    parameters: dict[str, Any] = {"a": 1.0, "b": 2.0, "M": np.ones((2, 3)), "v": [1.0, 2.0]}
    scenario = expression(code, "L", **parameters, big=np.ones((1, 4000)))
    with pytest.raises(CompileError, match=message) as caught:
        compile_scenario(scenario)
    assert caught.value.start is not None
    assert code[caught.value.start :].startswith(at)


def test_a_wrong_name_among_the_parameters_is_named() -> None:
    with pytest.raises(CompileError, match="'da' is the gradient of 'a'") as caught:
        compile_scenario(expression("L = a * da", "L", a=1.0, da=2.0))
    assert caught.value.name == "da"
    with pytest.raises(CompileError, match="'lr' belongs to the optimizer"):
        compile_scenario(expression("L = lr * 2", "L", lr=1.0, optimized=optimizer()))
    with pytest.raises(CompileError, match="no line assigns the loss 'M'"):
        compile_scenario(expression("L = a", "M", a=1.0))


def test_a_name_whose_gradient_is_a_word_of_python_is_refused() -> None:
    with pytest.raises(CompileError, match="the name of its gradient, 'del', is a word"):
        compile_scenario(expression("L = el * 2", "L", el=1.0))


def test_a_program_that_would_not_fit_into_memory_is_refused() -> None:
    lines = "\n".join(f"m{n} = a + a.T" for n in range(20))
    code = f"{lines}\nL = sum(m0)"
    with pytest.raises(CompileError, match="more than 200,000,000 elements together"):
        compile_scenario(expression(code, "L", a=np.ones((1, 3100))))


def test_shapes_are_checked_for_every_size_of_batch() -> None:
    data = Data(np.ones((3, 2)), np.ones((3, 1)), batch_size=2)
    scenario = expression("L = sum(x * p)", "L", data=data, p=np.ones((2, 2)))
    with pytest.raises(CompileError, match=r"shapes \(1, 2\) and \(2, 2\)|do not broadcast"):
        broadcasting = Data(np.ones((5, 2)), np.ones((5, 1)), batch_size=3)
        compile_scenario(expression("L = sum(x * p)", "L", data=broadcasting, p=np.ones((3, 2))))
    session = Session(scenario)
    session.run()
    assert session.value("dp").shape == (2, 2)


def test_gradients_are_summed_back_to_a_broadcast_parameter() -> None:
    data = Data(np.ones((3, 2)), np.ones((3, 1)), batch_size=2)
    code = "L = sum(x * row + cell * column * number)"
    scenario = expression(
        code,
        "L",
        data=data,
        optimized=optimizer(),
        row=[[1.0, 2.0]],
        cell=[[1.0]],
        column=[1.0, 2.0],
        number=3.0,
    )
    session = Session(scenario, iterations=2)
    for step in session.steps():
        for name, array in step.writes.items():
            if name.startswith("d") and name[1:] in session.program.parameters:
                assert array.shape == session.value(name[1:]).shape


@each_of("dtype", ["float64", "float32", "float16"])
@each_of("kind", ["sgd", "adam"])
def test_every_tensor_of_a_run_has_the_scenarios_dtype(dtype: str, kind: str) -> None:
    scenario = network(
        (2, 3, 3),
        activations=("gelu", "softmax"),
        rows=3,
        dtype=dtype,
        loss=Loss("cross_entropy", "batch_mean"),
        optimized=optimizer(kind, 0.01, clip=Clip("norm", 0.1)),
    )
    session = Session(scenario, iterations=2)
    session.run()
    assert {str(a.dtype) for n, a in session.values().items() if n != "t"} == {dtype}
    code = """
    k = 3
    L = mean(softmax(W * k) ** 2) + maximum(W[0], 0.5) + sqrt(sum(W * W)) + sum(2 ** W)
    """
    session = Session(expression(code, "L", dtype=dtype, W=[1.0, 2.0]))
    session.run()
    assert {str(array.dtype) for array in session.values().values()} == {dtype}


CODE = """
h = tanh(x @ W + b * 2)   # hidden
o = (h + 1) * 3 - (
  h ** 2 + b)
k = o
L = mean(k) + sum(W ** 2)
"""


def test_no_temporary_of_the_way_back_is_a_mere_copy() -> None:
    given: dict[str, Any] = {"W": [[0.5, -0.25], [0.125, 0.75]], "b": [0.1, 0.2], "x": [[1.0, 2.0]]}
    backward = [line[12:] for line in lines(expression(CODE, "L", **given)) if "backward" in line]
    assert backward == [
        "dL = np.ones_like(L)",
        "dt9 = spread(dL, t9.shape)",
        "dW = dt9 * 2 * W",
        "dk = spread(dL, k.shape) / (k.size / dL.size)",
        "do = dk",
        "dt7 = -do",
        "db = dt7.sum(axis=0)",
        "dh = dt7 * 2 * h",
        "dt4 = do * 3",
        "dh = dh + dt4",
        "dt3 = dh * (1 - h ** 2)",
        "dt2 = dt3.sum(axis=0)",
        "db = db + dt2 * 2",
        "dx = dt3 @ W.T",
        "dW = dW + x.T @ dt3",
    ]


def test_a_backward_line_knows_of_which_line_it_is_the_derivative() -> None:
    given: dict[str, Any] = {"W": [[0.5, -0.25], [0.125, 0.75]], "b": [0.1, 0.2], "x": [[1.0, 2.0]]}
    program = compile_scenario(expression(CODE, "L", **given))
    sources = {line.code: line.source for line in program.instructions if line.phase == "backward"}
    assert sources["dL = np.ones_like(L)"] == "L = mean(k) + sum(W ** 2)"
    assert sources["dW = dt9 * 2 * W"] == "L = mean(k) + sum(W ** 2)"
    assert sources["dt7 = -do"] == "o = (h + 1) * 3 - ( h ** 2 + b)"
    assert sources["dW = dW + x.T @ dt3"] == "h = tanh(x @ W + b * 2)"
    assert not any(line.source for line in program.instructions if line.phase != "backward")
    sources = {line.code: line.source for line in compile_scenario(network()).instructions}
    assert sources["dz2 = da2 * a2 * (1 - a2)"] == "a2 = sigmoid(z2)"
    assert sources["da2 = a2 - y"] == "L = half_squared_error(a2, y)"
    assert sources["dW1 = dz1.T @ x"] == "z1 = x @ W1.T + b1"


def test_what_a_copy_stood_for_may_go_two_ways_and_be_chosen() -> None:
    """Gradients agree with those of the same code with every step named, bit for bit."""
    nested = "L = sum((u + v) + ((u - v) + u * v) * 2) + (sum(u) + (mean(v) + sum(u)))"
    named = """
    p = u + v
    q = u - v
    r = u * v
    s = q + r
    w = s * 2
    n = p + w
    i = sum(n)
    j = sum(u)
    k = mean(v)
    m = sum(u)
    o = k + m
    g = j + o
    L = i + g
    """
    given: dict[str, Any] = {"u": [0.3, -0.7], "v": [1.1, 0.9]}
    one, other = (Session(expression(code, "L", **given), iterations=1) for code in (nested, named))
    one.run()
    other.run()
    for name in ("du", "dv"):
        assert one.value(name).tobytes() == other.value(name).tobytes()
