"""Adam, AdamW and AMSGrad: each line's tensor is PyTorch's, and the lines can be followed."""

import json
from typing import Any

import numpy as np
from building import expression, network, optimizer
from in_one_test import each_of
from oracle_scenarios import ORACLES

from nnstep.engine.program.compile import compile_scenario
from nnstep.engine.program.program import Phase, Role
from nnstep.engine.scenario.model import Optimizer, Scenario
from nnstep.engine.session.session import Session

ORACLE = json.loads((ORACLES / "optimizers" / "cases.json").read_text())


def scenario_of(case: dict[str, Any], dtype: str = "float64") -> Scenario:
    options = dict(case["options"])
    return expression(
        "L = sum((w - c) ** 4)",
        "L",
        optimized=Optimizer(case["kind"], options.pop("lr"), options),
        inputs={"c": ORACLE["c"]},
        dtype=dtype,
        w=ORACLE["w"],
    )


@each_of(("dtype", "rtol"), [("float64", 1e-9), ("float32", 2e-5)])
@each_of("case", ORACLE["cases"])
def test_every_tensor_of_every_step(case: dict[str, Any], dtype: str, rtol: float) -> None:
    steps = case[dtype]
    session = Session(scenario_of(case, dtype), iterations=len(steps), history=None)
    for step in steps:
        session.step("iteration")
        for name, expected in step.items():
            tensor = session.value("w" if name == "w" else f"{name}_w")
            assert tensor.dtype == dtype, name
            np.testing.assert_allclose(tensor, expected, rtol=rtol, atol=1e-14, err_msg=name)


def test_the_lines_are_those_of_the_textbook() -> None:
    program = compile_scenario(network(optimized=optimizer("adam")))
    lines = [line.code for line in program.instructions if line.phase is Phase.UPDATE]
    assert lines[:6] == [
        "t = t + 1",
        "m_W1 = 0.9 * m_W1 + (1 - 0.9) * dW1",
        "v_W1 = 0.999 * v_W1 + (1 - 0.999) * dW1 ** 2",
        "m_hat_W1 = m_W1 / (1 - 0.9 ** t)",
        "v_hat_W1 = v_W1 / (1 - 0.999 ** t)",
        "W1 = W1 - lr * m_hat_W1 / (np.sqrt(v_hat_W1) + 1e-08)",
    ]
    largest = compile_scenario(network(optimized=optimizer("adam", amsgrad=True), dtype="float32"))
    lines = [line.code for line in largest.instructions if line.phase is Phase.UPDATE]
    assert lines[3:6] == [
        "vmax_W1 = np.maximum(vmax_W1, v_W1)",
        "m_hat_W1 = m_W1 / (1 - 0.9 ** int(t))",
        "v_hat_W1 = vmax_W1 / (1 - 0.999 ** int(t))",
    ]


def test_what_an_update_computes_anew_is_no_buffer() -> None:
    session = Session(network(optimized=optimizer("adam")))
    hat = session.program.tensors["m_hat_W1"]
    assert (hat.role, hat.of, hat.layer, hat.shape) == (Role.SCRATCH, "W1", 1, (2, 2))
    assert "m_W1" in session.values()
    assert "m_hat_W1" not in session.values()
    session.step("iteration")
    session.seek(session.place)
    assert session.value("m_hat_W1").shape == (2, 2)


def test_with_a_constant_gradient_each_step_is_as_long_as_the_rate() -> None:
    scenario = expression(
        "L = sum(w * c)",
        "L",
        optimized=Optimizer("adam", 0.01, {}),
        inputs={"c": [1.0, -0.01, 100.0]},
        w=[1.0, 1.0, 1.0],
    )
    session = Session(scenario, iterations=5)
    for count in range(1, 6):
        session.step("iteration")
        moved = 0.01 * count * np.array([-1, 1, -1])
        np.testing.assert_allclose(session.value("w"), 1 + moved, rtol=1e-6)
        np.testing.assert_allclose(session.value("m_hat_w"), [1.0, -0.01, 100.0], rtol=1e-12)
        np.testing.assert_allclose(session.value("v_hat_w"), [1.0, 1e-4, 1e4], rtol=1e-12)
