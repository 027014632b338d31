"""Numbers at NaN, in half precision and in single precision are what PyTorch's are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from building import expression, network, optimizer
from commanding import give
from in_one_test import each_of
from msgspec.structs import replace
from oracle_scenarios import ORACLES, numbers

from nnstep.engine.explain.slope import slope_in
from nnstep.engine.loading import load
from nnstep.engine.override.mistakes import fitting
from nnstep.engine.scenario.model import Data, Loss
from nnstep.engine.session.session import Session
from nnstep.engine.verification.verdict import Verdict

ORACLE = json.loads((ORACLES / "numerics" / "cases.json").read_text())


@each_of("case", ORACLE["nan"])
def test_slopes_at_nan(case: dict[str, Any]) -> None:
    given: dict[str, Any] = {name: numbers(ORACLE[name]) for name in "ab"}
    session = Session(expression(f"v = {case['code']}\nL = sum(v)", "L", **given), iterations=1)
    session.run()
    for name, key in (("v", "value"), ("da", "da"), ("db", "db")):
        np.testing.assert_array_equal(session.value(name), numbers(case[key]), err_msg=name)


@each_of("dtype", ["float64", "float32", "float16"])
def test_the_slope_of_an_absolute_error_of_nan_is_0_as_in_pytorch(dtype: str) -> None:
    """So is that of |d| alone, which the oracle has, `l1_loss` being its mean."""
    scenario = network((1, 2), activations=("identity",), dtype=dtype, loss=Loss("mae", "mean"))
    session = Session(scenario, iterations=1)
    session.edit("b1", (0,), np.nan)
    session.run()
    half = "to_float16(sign(to_float32(a1) - to_float32(y)) / a1.size)"
    code = half if dtype == "float16" else "sign(a1 - y) / a1.size"
    assert f"da1 = {code}" in [line.code for line in session.program.instructions]
    assert np.isnan(session.value("L"))
    other = np.sign(session.value("a1") - session.value("y"))[0, 1] / 2
    assert session.value("dz1").tolist() == [[0, other]]
    assert session.value("dz1").dtype == dtype
    session.seek(session.place - 1)
    assert np.isfinite(session.value("dW1")).all()


@each_of("case", ORACLE["half"])
def test_half_precision(case: dict[str, Any]) -> None:
    x = np.tile(numbers(case["x"]).astype(np.float16), case.get("times", 1))
    code = f"v = {case['code']}\nL = sum(v)"
    session = Session(expression(code, "L", dtype="float16", x=x), iterations=1)
    session.run()
    expected = numbers(case["value"]).astype(np.float16)
    value = session.value("v")
    assert value.dtype == session.value("dx").dtype == np.float16
    np.testing.assert_allclose(value, expected, rtol=1e-3)
    dx = numbers(case["dx"]).astype(np.float16)
    np.testing.assert_allclose(session.value("dx")[: len(dx)], dx, rtol=2e-3, atol=1e-7)
    by_hand = give(session, f"print {case['code']} - v").lines
    assert not any(character in "123456789" for character in by_hand[0].rpartition("=")[2][:4])


@each_of("case", ORACLE["op_by_op"]["cases"])
def test_in_half_precision_each_operation_rounds_as_in_pytorch(case: dict[str, Any]) -> None:
    """To the same bits: what adds up, counts or has a power on its way is all that is wider."""
    given: dict[str, Any] = {
        name: np.asarray(ORACLE["op_by_op"][name], np.float16) for name in "ab"
    }
    code = f"v = {case['code']}\nL = sum(v)"
    session = Session(expression(code, "L", dtype="float16", **given), iterations=1)
    session.run()
    expected = np.asarray(case["value"], np.float16)
    np.testing.assert_array_equal(session.value("v"), expected)
    by_hand = session.evaluate(case["code"])
    np.testing.assert_array_equal(by_hand, expected)


@each_of("count", ["x.size", "len(x)"])
@each_of("size", [5, 80000])
def test_a_mean_written_out_counts_beyond_float16(count: str, size: int) -> None:
    """65,504 is the largest float16, and a whole number above 2,048 may not be one."""
    x = np.full(size, 0.5, np.float16)
    session = Session(expression(f"L = sum(x) / {count}", "L", dtype="float16", x=x), iterations=1)
    session.run()
    assert session.value("L") == 0.5
    assert session.value("dx")[0] == np.float16(1 / size)
    assert session.value("dx").dtype == np.float16
    assert not session.program.doubts
    assert session.evaluate(f"sum(x) / {count}") == 0.5
    assert session.verify(sample=4).verdict is Verdict.PASS


@each_of(("size", "doubts"), [(60000, 0), (80000, 1)])
def test_a_count_with_a_line_of_its_own_that_float16_does_not_hold_is_told(
    size: int, doubts: int
) -> None:
    x = np.ones(size, np.float16)
    program = Session(expression("L = sum(x) * (1 / x.size)", "L", dtype="float16", x=x)).program
    found = [each.message for each in program.doubts]
    assert len(found) == doubts
    assert all("there are 80,000 here, and the largest float16 is 65,504" in each for each in found)


def test_biases_of_half_precision_sum_all_rows_and_the_listing_says_so() -> None:
    rows = Data(np.ones((4096, 1), np.float16), np.full((4096, 1), -1, np.float16), 4096)
    scenario = network((1, 1), activations=("identity",), rows=4096, dtype="float16")
    session = Session(replace(scenario, data=rows), iterations=1, history=None)
    session.edit("W1", (0, 0), 0.0)
    session.run()
    assert session.value("db1") == 4096
    lines = [line.code for line in session.program.instructions]
    assert "db1 = sum_in_float32(dz1, axis=0)" in lines


def both(code: str, **given: Any) -> tuple[Session, Session]:
    """The same numbers, which float16 has, in float16 and in float64."""
    sessions = []
    for dtype in ("float16", "float64"):
        rounded: dict[str, Any] = {
            name: np.asarray(value, np.float16) for name, value in given.items()
        }
        session = Session(expression(code, "L", dtype=dtype, **rounded), history=None)
        session.run()
        sessions.append(session)
    return sessions[0], sessions[1]


WIDE = np.linspace(-250, 350, 3000)
MANY = np.tile([0.5, -0.25], 33000)


@each_of(
    ("code", "given", "scale"),
    [
        ("v = var(x)", {"x": WIDE}, 1.0),
        ("v = var(x)", {"x": WIDE}, 200.0),
        ("v = x.var(axis=0)", {"x": MANY}, 200.0),
        ("v = mean(x)", {"x": MANY}, 1.0),
        ("v = mean(x)", {"x": MANY}, 200.0),
        ("v = logsumexp(x)", {"x": np.zeros(66000)}, 200.0),
        ("v = max(x)", {"x": np.ones(66000)}, 200.0),
    ],
)
def test_what_float16_can_hold_of_many_numbers_is_not_lost_on_the_way(
    code: str, given: dict[str, Any], scale: float
) -> None:
    is_held(code, given, scale)


@each_of(
    ("code", "given"),
    [
        ("v = x / y", {"x": [1.0, 0.5], "y": [300.0, 1e-2]}),
        ("v = 3 / y", {"y": [2000.0, 0.02]}),
        ("v = x ** 3", {"x": [4e-3, 30.0]}),
        ("v = x ** y", {"x": [0.01, 20.0], "y": [70.0, 2.5]}),
        ("v = softmax(x)", {"x": [[0.0, 2.0, -1.0]]}),
        ("v = log_softmax(x)", {"x": [[0.0, 2.0, -1.0]]}),
    ],
)
@each_of("scale", [1.0, 200.0])
def test_what_float16_can_hold_is_not_lost_on_the_way(
    code: str, given: dict[str, Any], scale: float
) -> None:
    x = np.asarray(next(iter(given.values())), np.float64)
    is_held(code, given, scale * np.linspace(1, 2, x.shape[-1]))


def is_held(code: str, given: dict[str, Any], c: Any) -> None:
    """Assert that a line and its slopes are right in float16 wherever that can hold them."""
    half, double = both(f"{code}\nL = sum(c * v)", c=c, **given)
    for name in ("v", *(f"d{each}" for each in given)):
        value, expected = half.value(name), double.value(name)
        assert value.dtype == np.float16
        held = np.abs(expected) < 65000
        assert held.any()
        np.testing.assert_allclose(value[held], expected[held], rtol=5e-3, atol=2e-7, err_msg=name)


@each_of("kind", ["mse", "half_squared_error", "mae", "huber"])
@each_of("rows", [4, 70000])
def test_losses_in_half_precision_overflow_no_sooner_than_their_result(
    kind: str, rows: int
) -> None:
    y = np.zeros((rows, 1))
    y[0] = 340 if rows == 4 else 20000  # 340 squared is no float16, a mean of it is
    half: list[Any] = []
    double: list[Any] = []
    for dtype, found in (("float16", half), ("float64", double)):
        given = Data(np.ones((rows, 1), dtype), y.astype(dtype), rows)
        loss = Loss(kind, "mean")
        scenario = network((1, 1), activations=("identity",), dtype=dtype, loss=loss)
        session = Session(replace(scenario, data=given), iterations=1, history=None)
        session.edit("W1", (0, 0), 0.5)
        session.run()
        found += [session.value(name) for name in ("L", "da1", "dW1")]
    for value, expected in zip(half, double, strict=True):
        assert value.dtype == np.float16
        np.testing.assert_allclose(value, expected, rtol=5e-3, atol=1e-7)


def test_the_square_of_a_gradient_in_adam_is_averaged_before_it_is_rounded() -> None:
    adam = optimizer("adam", 0.1, eps=1e-3)
    scenario = expression("L = 300 * a", "L", dtype="float16", optimized=adam, a=1.0)
    session = Session(scenario, iterations=1)
    session.run()
    assert session.value("v_a") == np.float16(90)


@each_of("reduction", ["mean", "batch_mean"])
def test_a_mean_over_rows_in_half_precision_does_not_overflow(reduction: Any) -> None:
    rows = Data(np.ones((4096, 1), np.float16), np.full((4096, 1), -10, np.float16), 4096)
    scenario = network(
        (1, 1), activations=("identity",), dtype="float16", loss=Loss("mse", reduction)
    )
    session = Session(replace(scenario, data=rows), iterations=1, history=None)
    session.edit("W1", (0, 0), 0.0)
    session.run()
    assert session.value("L") == 100


def test_a_number_that_is_written_down_has_the_type_of_the_tensor_that_it_meets() -> None:
    session = Session(expression("L = (a * b) ** 2", "L", dtype="float32", a=0.1, b=0.5))
    assert give(session, "set a = 0.3").lines[0] == "a = 0.3 (was 0.1)"
    assert give(session, "print a").lines == ("a = 0.3 (float32)",)
    for condition in ("a == 0.3", "a == 3 / 10", "a == sqrt(0.09)", "maximum(0.1, 0.3) == a"):
        assert give(session, f"print {condition}").lines[0].endswith("= True (bool)"), condition
    stopped = give(session, "break L if a == abs(0 - 0.3)", "continue").lines
    assert any("L" in line for line in stopped)
    assert session.place < (session.total or 10)
    assert "0.30000001" not in str(give(session, "who a").lines)


def test_an_eps_that_is_0_in_the_type_of_the_run_is_warned_of(tmp_path: Path) -> None:
    text = 'format = 1\ntitle = "t"\n[program]\ndtype = "float16"\ncode = "L = a * a"\nloss = "L"\n'
    text += 'parameters = { a = 1.0 }\n[optimizer]\nkind = "adam"\n'
    path = tmp_path / "s.toml"
    expected = "eps = 1e-08 is 0 in float16, whose smallest number is 6.0e-08; give a larger eps"
    for more, place in (("", "9:"), ("lr = 0.1\neps = 1e-8\n", "11:")):
        path.write_text(text + more)
        (warning,) = load(path).warnings
        assert expected in warning
        assert f"s.toml:{place}" in warning
    for fine in (text + "eps = 1e-4\n", text.replace("float16", "float32")):
        path.write_text(fine)
        assert not load(path).warnings


@each_of("reduction", ["mean", "sum"])
def test_the_same_mistakes_can_be_planted_in_half_precision(reduction: Any) -> None:
    fit = {}
    for dtype in ("float64", "float16"):
        loss, adam = Loss("mse", reduction), optimizer("adam", 0.1, eps=1e-3)
        kinds = ("tanh", "sigmoid")
        fit[dtype] = fitting(
            network((3, 3, 3), activations=kinds, rows=3, dtype=dtype, loss=loss, optimized=adam)
        )
    assert fit["float16"] == fit["float64"]
    assert ("missing-1-m" in fit["float16"]) == (reduction != "sum")


@each_of("dtype", ["float64", "float16"])
def test_a_slope_is_explained_as_the_factor_that_it_is(dtype: str) -> None:
    session = Session(network((2, 2, 1), activations=("tanh", "tanh"), dtype=dtype))
    session.run(lambda step: "dz1" in step.writes)
    assert session.explain("dz1", (0, 0)).rule == "∂L/∂z1 = ∂L/∂a1 ⊙ tanh′(z1)"
    calculation = session.calculation()
    assert calculation is not None
    found = slope_in(calculation, session.program)
    assert found is not None
    assert found.row.text == "1 − a1²"
