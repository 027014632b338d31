"""Cases that people asked about in public, and the numbers that are right (`oracles/field`)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nnstep.engine.loading import load
from nnstep.engine.session.session import Session

FIELD = Path(__file__).parents[1] / "oracles" / "field"

Run = Callable[..., Session]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A function that runs a case, one text of it replaced by another."""

    def runner(name: str, old: str = "", new: str = "", iterations: int | None = None) -> Session:
        text = (FIELD / f"{name}.toml").read_text(encoding="utf-8")
        assert old in text
        file = tmp_path / "case.toml"
        file.write_text(text.replace(old, new, 1) if old else text, encoding="utf-8")
        session = Session(load(file), iterations=iterations)
        session.run()
        return session

    return runner


def test_a_gradient_without_the_sigmoids_slope_is_not_ours(run: Run) -> None:
    session = run("01_xor_no_sigmoid_prime", iterations=1)
    gradient = session.value("dW2").ravel()
    np.testing.assert_allclose(gradient, [0.10890610, 0.09149466], rtol=1e-7)
    a1, a2, y = (session.value(name) for name in ("a1", "a2", "y"))
    theirs = (a1.T @ (a2 - y)).ravel()
    np.testing.assert_allclose(theirs / gradient, 5.2501, atol=5e-5)


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [("mean", [1.6987e-18, -6.6957e-13]), ("sum", [6.794887407e-18, -2.678263555e-12])],
)
def test_a_tiny_gradient_keeps_its_digits(reduction: str, expected: list[float], run: Run) -> None:
    kind = 'kind = "mse"'
    session = run("04_miniflow_tiny_gradient", kind, f'{kind}\nreduction = "{reduction}"')
    tolerance = 3e-5 if reduction == "mean" else 1e-8
    np.testing.assert_allclose(session.value("dW1")[0], expected, rtol=tolerance)


def test_a_mean_is_taken_once(run: Run) -> None:
    assert run("06_single_neuron_double_mean").value("b1") == pytest.approx(-0.016720, abs=5e-7)


def test_a_dead_relu_among_three(run: Run) -> None:
    assert run("12_relu_one_dead", iterations=1).value("L") == pytest.approx(0.99506, abs=5e-6)
    assert run("12_relu_one_dead").value("L") == pytest.approx(0.993642, abs=5e-7)


def test_adams_steps_under_a_constant_gradient_are_as_long_as_the_rate(run: Run) -> None:
    session = run("14_adam_bias_correction", iterations=5)
    for iterations in range(1, 6):
        moved = session.values_at(iterations * len(session.program))["w"] - 1
        expected = 0.01 * iterations * np.array([-1, 1, -1])
        np.testing.assert_allclose(moved, expected, rtol=2e-6)


@pytest.mark.slow
def test_a_loss_shown_each_thousand_iterations(run: Run) -> None:
    session = run("26_xor_shown_loss")
    shown = [loss / 2 for loss in session.snapshot().losses[:6001:1000]]
    expected = [0.2832, 0.2452, 0.2124, 0.1503, 0.0572, 0.0209, 0.0107]
    np.testing.assert_allclose(shown, expected, atol=5e-5)
    assert session.value("b2") == pytest.approx(-1.538942, abs=5e-7)


def test_a_confident_mistake_has_a_gradient(run: Run) -> None:
    gradient = run("28_verify_false_kink").value("dW1").ravel()
    np.testing.assert_allclose(gradient, [-0.781201, 0.047583], atol=5e-7)
