"""Functions of programs, and their derivatives, are those that PyTorch gives."""

import json
from typing import Any

import numpy as np
from in_one_test import each_of
from oracle_scenarios import ORACLES

from nnstep.engine.language.evaluate import evaluate
from nnstep.engine.language.parser import parse_condition, parse_program
from nnstep.engine.scenario.model import Expression, Scenario
from nnstep.engine.session.session import Session

ORACLE = json.loads((ORACLES / "functions" / "cases.json").read_text())
GIVEN = {name: np.array(ORACLE[name]) for name in ("x", "w", "y")}


@each_of("case", ORACLE["cases"])
def test_a_line_of_a_program(case: dict[str, Any]) -> None:
    code = f"value = {case['code']}\nL = sum(value * upstream)"
    expression = Expression(
        code=code,
        statements=parse_program(code),
        loss="L",
        parameters={"x": GIVEN["x"], "w": GIVEN["w"]},
        inputs={"y": GIVEN["y"], "upstream": np.array(case["upstream"])},
    )
    session = Session(Scenario("a line", expression=expression), history=None)
    for step in session.steps():
        for name, array in step.writes.items():
            assert array.dtype == np.float64, (step.code, name)
    for name, expected in (("value", case["value"]), ("dx", case["dx"]), ("dw", case["dw"])):
        np.testing.assert_allclose(session.value(name), expected, rtol=1e-9, atol=1e-14)


@each_of("case", ORACLE["cases"])
def test_the_same_as_a_watch(case: dict[str, Any]) -> None:
    value = evaluate(parse_condition(case["code"]), GIVEN)
    np.testing.assert_allclose(value, case["value"], rtol=1e-9, atol=1e-14)
