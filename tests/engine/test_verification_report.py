"""The report of a verification: plain lines that fit into 80 columns and say what was found."""

import re
from typing import Any

import numpy as np
from building import expression, network
from in_one_test import each_of
from msgspec.structs import replace

from nnstep import scenarios
from nnstep.engine.arrays import frozen
from nnstep.engine.loading import load
from nnstep.engine.operations.losses import Reduction
from nnstep.engine.program.program import Phase
from nnstep.engine.scenario.model import Loss, Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.verification.report import report_lines
from nnstep.engine.verification.verify import verify

MSE = Loss("mse", "mean")


def report(scenario: Scenario, wrong: str = "", factor: float = 1.0, **options: Any) -> list[str]:
    """The report on the first batch, with a gradient multiplied by a factor."""
    session = Session(scenario)
    session.step()

    def times(kernel: Any) -> Any:
        return lambda tensors: kernel(tensors) * factor

    lines = tuple(
        replace(line, kernel=times(line.kernel))
        if line.phase is Phase.BACKWARD and wrong in line.writes
        else line
        for line in session.program.instructions
    )
    program = replace(session.program, instructions=lines)
    text = report_lines(verify(program, session.values(), **options))
    assert max(map(len, text)) <= 80
    return text


def flowing(lines: list[str]) -> str:
    return " ".join(lines)


def test_a_good_report() -> None:
    assert report(load(scenarios.path("graph"))) == [
        "Gradients verified: 3 of 3 cells in 3 tensors agree to 2e-11.",
        "By central differences, h = 1e-05, in float64.",
        "verdict  tensor  shape  cells  worst cell  gradient  numeric  error",
        "pass     b       ()       1/1  b                 -3       -3  2e-11",
        "pass     a       ()       1/1  a                 -3       -3  2e-11",
        "pass     c       ()       1/1  c                  3        3  5e-12",
    ]


def test_a_report_of_a_mistake() -> None:
    lines = report(network((2, 3, 1), rows=4, loss=MSE), "db1", 0.25)
    assert lines[0] == "Gradients WRONG: db1 (1 of 4 tensors)."
    assert lines[3].split()[:3] == ["FAIL", "b1", "(3,)"]
    assert lines[3].endswith("8e-01")
    assert [line.split()[0] for line in lines[4:7]] == ["pass"] * 3
    assert flowing(lines[7:]) == (
        "db1 is 1/4 of the numeric gradient, and the batch has 4 rows: take the sum over the rows, "
        "not the mean; any 1/m is inside dz already, so that it is divided by the rows twice."
    )


def test_many_wrong_tensors_are_counted() -> None:
    text = flowing(report(network((2, 3, 3, 1), rows=4, loss=MSE), "dz3", -1.0))
    assert "WRONG: db3, dW3, db2 and 3 more (6 of 6 tensors)" in text


def test_doubtful() -> None:
    assert report(network(), "dW1", 1.001)[0].startswith("Gradients doubtful: dW1 (1 of 4 tensors)")


def test_not_finite() -> None:
    lines = report(network(), "dW1", np.nan)
    assert "Gradients not finite, and so not verified: dW1 (1 of 4 tensors)" in lines[0]
    row = next(line for line in lines if line.startswith("not finite"))
    assert row.split()[-2] == "nan"


def test_a_loss_that_is_not_finite() -> None:
    lines = report(expression("L = sum(log(a))", "L", a=[0.0, 1.0]))
    assert lines[0] == "Gradients cannot be verified: the loss is -inf, not finite."


def test_no_parameters() -> None:
    assert report(expression("L = k * 2", "L", inputs={"k": 1.0})) == [
        "There are no parameters, and so no gradients to verify."
    ]


def test_a_sample_is_said_to_be_one() -> None:
    lines = report(network((9, 6, 5), rows=4), cells=40)
    assert "Gradients verified: 40 of 95 cells in 4 tensors" in lines[0]
    assert lines[-1] == "A sample: 40 of 95 cells, some of every tensor."
    assert "A sample" not in flowing(report(network((9, 6, 5), rows=4)))


def test_cancelled() -> None:
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 4

    lines = report(network((2, 3, 1), rows=4), cancelled=cancelled)
    assert lines[-1] == "Cancelled after 4 of 13 cells: the rest is not verified."


def test_kinks_and_rounding_errors_have_a_column_and_a_note() -> None:
    code = "L = sum(relu(a)) + 1 + b * 1e-18"
    lines = report(expression(code, "L", a=[0.0, 1.0, 2.0], b=1.0))
    assert lines[2].split()[:6] == ["verdict", "tensor", "shape", "cells", "kinks", "unsure"]
    rows = {line.split()[1]: line.split() for line in lines[3:5]}
    assert rows["a"][3:5] == ["2/3", "1"]
    assert rows["b"] == ["undecided", "b", "()", "0/1", "1"]
    assert lines[5:] == [
        "1 cell skipped at a kink, where there is no one slope.",
        "a[0] is at a kink of relu in t1: slopes 0 below, 1 above; the gradient 0.",
        "1 cell unsure: too small to tell from the rounding errors of the loss.",
    ]


ONE_ROW = "The batch has one row, so a missing 1/m would not show."


@each_of(
    ("rows", "reduction", "said"),
    [(1, "mean", True), (1, "batch_mean", True), (1, "sum", False), (2, "mean", False)],
)
def test_a_batch_of_one_row_hides_a_missing_mean(
    rows: int, reduction: Reduction, said: bool
) -> None:
    lines = report(network((2, 2, 2), rows=rows, loss=Loss("mse", reduction)))
    assert (ONE_ROW in lines) == said


def test_a_batch_of_one_row_and_a_penalty() -> None:
    scenario = network((2, 2, 2), rows=1, loss=MSE)
    assert scenario.network is not None
    scenario = replace(scenario, network=replace(scenario.network, l2=0.1))
    assert ONE_ROW in report(scenario)


def test_a_wide_report_goes_without_shapes_and_with_shorter_names() -> None:
    weights = frozen(np.linspace(-0.123, -0.001, 120_000).reshape(400, 300))
    usual = report(expression("L = sum(W ** 2)", "L", W=weights), cells=20)
    assert "(400, 300)" in usual[3]
    name = "weights_of_the_second_hidden_layer_of_the_teacher"
    values: dict[str, Any] = {name: weights, "b": 0.5}
    lines = report(expression(f"L = sum({name} ** 2) * b", "L", **values), cells=20)
    assert "shape" not in lines[2]
    assert [line.split()[2] for line in lines[2:5]].count("cells") == 1
    row = next(line for line in lines if line.startswith("pass    weights_of_the_"))
    assert re.search(r"… +19/120000 …\w+\[\d+, \d+\] ", row)
