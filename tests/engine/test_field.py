"""Cases from the field whose right answer is a sentence or a comparison with plain NumPy."""

from pathlib import Path

import numpy as np
import pytest

from nnstep.engine.arrays import Array
from nnstep.engine.loading import load
from nnstep.engine.machine.machine import Machine
from nnstep.engine.session.session import Session

FIELD = Path(__file__).parents[1] / "field"


def run(name: str, iterations: int | None = None) -> Session:
    session = Session(load(FIELD / f"{name}.toml"), iterations=iterations)
    session.run()
    return session


def test_the_mean_of_minus_log_is_infinite_where_one_lost_the_other() -> None:
    session = run("03_inf_cross_entropy")
    assert session.value("L") == np.inf
    assert session.value("p")[9] == 1
    assert session.value("q")[9] == 0
    assert np.isfinite(-np.log(np.delete(session.value("q"), 9))).all()
    assert not any("rate" in fault.advice for fault in session.faults)


def test_the_iteration_at_which_the_loss_is_no_number_any_more() -> None:
    session = Session(load(FIELD / "16_linear_output_nan.toml"), iterations=60)
    start = {name: session.value(name) for name in ("W1", "b1", "W2", "b2")}
    data = session.scenario.data
    assert data is not None
    with np.errstate(all="ignore"):
        expected = _losses_of_one_layer(start, data.x, data.y, 1.0, 60)
    session.run()
    losses = session.snapshot().losses
    assert np.flatnonzero(~np.isfinite(losses))[0] == np.flatnonzero(~np.isfinite(expected))[0]
    np.testing.assert_allclose(losses[:5], expected[:5], rtol=1e-9)
    assert (session.faults[0].name, session.faults[0].place) == ("update too large", 15)


def _losses_of_one_layer(
    start: dict[str, Array], x: Array, y: Array, rate: float, count: int
) -> list[float]:
    """Return the losses of 1-10-1 with a linear output, each before its update."""
    first, bias, second, shift = start["W1"], start["b1"], start["W2"], start["b2"]
    losses = []
    for _ in range(count):
        hidden = 1 / (1 + np.exp(-(x @ first + bias)))
        error = hidden @ second + shift - y
        losses.append(float((error**2).sum()))
        back = 2 * error @ second.T * hidden * (1 - hidden)
        first, bias = first - rate * x.T @ back, bias - rate * back.sum(axis=0)
        second, shift = second - rate * hidden.T @ (2 * error), shift - rate * 2 * error.sum(axis=0)
    return losses


def test_outputs_divided_by_their_sum_have_a_loss_of_nothing() -> None:
    session = run("19_xor_normalised_output", 1)
    assert session.value("L") == pytest.approx(0, abs=1e-14)
    for name in "WbVd":
        assert session.value(f"d{name}") == pytest.approx(0, abs=1e-14)
    (fault,) = [each for each in session.faults if each.name == "no gradient"]
    assert fault.iteration == 0


def test_a_plot_of_the_loss_runs_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    session = run("20_xor_tiny_weights", 100)
    assert session.snapshot().losses[0] == pytest.approx(np.log(2), abs=1e-3)

    def no_steps(*_given: object) -> object:
        raise AssertionError("a line is executed")

    monkeypatch.setattr(Machine, "steps", no_steps)
    series = session.series("L")
    np.testing.assert_array_equal(series.values, session.snapshot().losses)


def test_the_slope_of_a_naive_sigmoid_far_on_the_left() -> None:
    session = run("24_naive_sigmoid_overflow")
    p = 1 / (1 + np.exp(-np.array([0.12, 0.34])))
    assert session.value("p") == pytest.approx(np.array([*p, 0.0]), rel=1e-12)
    gradient = session.value("dz")
    assert gradient[:2] == pytest.approx(p * (1 - p), rel=1e-12)
    assert np.isnan(gradient[2])
