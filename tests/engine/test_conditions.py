"""Conditions and watches: what they evaluate to, and what they refuse in words."""

from typing import Any

import numpy as np
import pytest
from in_one_test import each_of

from nnstep.engine.language.computing import computing
from nnstep.engine.language.evaluate import check_names, evaluate, holds
from nnstep.engine.language.nodes import ConditionError
from nnstep.engine.language.parser import parse_condition
from nnstep.engine.loading import load
from nnstep.engine.session.session import Session
from nnstep.scenarios import path

VALUES: dict[str, Any] = {
    "W": np.array([[1.0, -2.0], [3.0, 4.0]]),
    "L": np.array(0.25),
    "bad": np.array([1.0, np.nan]),
    "x": np.ones((2, 3)),
    "classes": np.array([2, 0]),
    "half": np.array(0.3, np.float32),
    "wide": np.zeros((10, 1000)),
    "tall": np.zeros((100_000, 1)),
    "iteration": 30,
}


@each_of(
    ("text", "value"),
    [
        ("norm(W)", np.sqrt(30.0)),
        ("W[0, 1] * 2", -4.0),
        ("sum(W, 0)[1]", 2.0),
        ("sum(W, axis=1)[0]", -1.0),
        ("max(W) - min(W)", 6.0),
        ("W.T[0, 1]", 3.0),
        ("(W @ W)[0, 0]", -5.0),
        ("2 ** -1", 0.5),
        ("1 / 0", np.inf),
        ("leaky_relu(W, 0.5)[0, 1]", -1.0),
        ("np.exp(L).size", 1.0),
        ("W.sum(axis=0, keepdims=True)[0, 1]", 2.0),
        ("np.sum(W, axis=(0, 1))", 6.0),
        ("len(x) * W.size + x.shape[1]", 11.0),
        ("np.where((W > 0) & (W < 4), W, 0)[0, 0]", 1.0),
        ("sum(where(W > 0, 1, 0))", 3.0),
        ("1.5 if iteration == 30 else 2.5", 1.5),
        ("0.9 ** int(L * 8)", 0.81),
        ("one_hot(classes, x)[0, 2]", 1.0),
        ("mse(W, x[:, 0:2], reduction='sum')", 22.0),
        ("l2_penalty(W, L, l2=0.5)", 0.25 * 30.0625),
        ("scatter(L, np.s_[1, 0], W)[1, 0]", 0.25),
        ("2 ** 0.5 * np.pi", np.pi * np.sqrt(2)),
        ("9 ** 9 ** 9", np.inf),
    ],
)
def test_values(text: str, value: float) -> None:
    assert evaluate(parse_condition(text), VALUES) == pytest.approx(value)


@each_of(
    ("text", "truth"),
    [
        ("iteration == 30 and L < 1", True),
        ("isnan(bad)", False),
        ("any(isnan(bad))", True),
        ("not any(isnan(W))", True),
        ("W > -3", True),
        ("W > 0", False),
        ("L > 1 or W[0, 1] < 0", True),
        ("missing > 0", False),
        ("half == 0.3", True),
    ],
)
def test_truth(text: str, truth: bool) -> None:
    assert holds(computing(parse_condition(text)), VALUES) is truth


@each_of(
    ("text", "message"),
    [
        ("Q > 1", "column 1: the program has no tensor 'Q'"),
        ("nrm(W) > 1", "column 1: there is no function 'nrm' .did you mean 'norm'"),
        ("norm()", r"too few arguments; it is called as norm\(x\)"),
        ("isnan(L, axis=0)", r"there is no 'axis' in isnan\(x\)"),
        ("sum(W, 0, axis=0) > 1", "'axis' is given twice"),
    ],
)
def test_what_there_is_not_is_refused_at_its_column(text: str, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        check_names(parse_condition(text), VALUES)


@each_of(
    ("text", "message"),
    [
        ("sum(W, 1.5)", "'axis' is a whole number"),
        ("W[5, 0]", "index 5 is outside axis 0 of W, which has 2"),
        ("W[0, 0, 0]", r"W has shape \(2, 2\) and takes at most 2 indices"),
        ("W @ bad[0]", r"W \(2, 2\) @ … \(\) does not fit: @ takes no single numbers, write \*"),
        ("x @ W", r"x \(2, 3\) @ W \(2, 2\) does not fit; x.T @ W does"),
        ("W @ x.T", r"W \(2, 2\) @ x.T \(3, 2\) does not fit; W @ x does"),
        ("x + W", r"x \(2, 3\) \+ W \(2, 2\) does not fit: from the right, each axis"),
        ("x > W", r"x \(2, 3\) > W \(2, 2\) does not fit"),
        ("maximum(x, W)", r"maximum\(x \(2, 3\), W \(2, 2\)\) does not fit"),
        ("tall @ tall.T", r"tall \(100000, 1\) @ tall.T \(1, 100000\) would have 10,000,000,000 n"),
        ("tall + tall.T > 0", r"tall \(100000, 1\) \+ tall.T .* more than 10,000,000"),
        ("outer(tall, tall)[0, 0]", r"outer\(…\) would have 10,000,000,000 numbers"),
        ("take(wide, tall, axis=0)", r"take\(…\) would have 100,000,000 numbers"),
        ("take(W, 2)", "index 2 is outside axis 0 of W, which has 2: 0 to 1"),
        ("take(W, W - 9, axis=1)", "index -.* is outside axis 1 of W"),
        ("concatenate((" + "tall, " * 101 + "tall))", r"would have 10,200,000 numbers"),
        ("spread(L, (100000, 100000)) * 2", r"spread\(…\) would have 10,000,000,000 numbers"),
        ("stretch(tall, 0, 9999999999, 0)", r"stretch\(…\) would have 9,999,999,999 numbers"),
        ("norm(maximum(tall, tall.T))", "would have 10,000,000,000 numbers, more than"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        evaluate(parse_condition(text), VALUES)


LONG = " + ".join(["sum(exp(spread(lr, (1000, 3000))))"] * 5)


def test_an_expression_that_would_take_long_is_refused_before_it_is_computed() -> None:
    session = Session(load(path("mazur")))
    with pytest.raises(ConditionError, match="would take too long"):
        session.evaluate(LONG)
    wide = "spread(lr, (3000, 3000))"
    with pytest.raises(ConditionError, match="would take too long"):
        evaluate(parse_condition(f"{wide} @ {wide}"), {"lr": np.float64(0.5)})


def test_a_watch_that_would_take_long_says_so_and_others_have_their_values() -> None:
    session = Session(load(path("mazur")))
    session.watch(LONG)
    session.watch("lr")
    long, short = session.snapshot().watches
    assert long.value is None
    assert "would take too long" in long.problem
    assert short.value == 0.5


@each_of("text", ["-np.all(3)", "-(a > 0)", "all(a > 0) - all(a < 0)", "-(1 < 2)"])
def test_a_truth_value_is_no_number(text: str) -> None:
    with pytest.raises(ConditionError, match=r"- takes numbers; .*truth values"):
        evaluate(parse_condition(text), {"a": np.ones(2)})
