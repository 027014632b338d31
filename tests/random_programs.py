"""Programs of expressions drawn at random, of every kind of line that the language has."""

from typing import Any

import numpy as np
from building import expression, optimizer
from hypothesis import strategies as st
from msgspec.structs import replace

from nnstep.engine.arrays import frozen
from nnstep.engine.program.compile import compile_scenario
from nnstep.engine.program.program import CompileError
from nnstep.engine.scenario.model import Clip, Data, Scenario

OPERATIONS = (
    *("{} + {}", "{} - {}", "{} * {}", "{} / (2 + {} ** 2)", "{} @ {}", "{} ** 2"),
    *("maximum({}, {})", "minimum({}, 0.5)", "where({} > {}, {}, {})", "where({} > 0, 0, {})"),
    *("tanh({})", "sigmoid({})", "relu({})", "elu({})", "gelu({})", "silu({})", "softplus({})"),
    *("softmax({})", "log_softmax({})", "logsumexp({}, axis=0)", "clip({}, -0.5, 0.5)"),
    *("sum({})", "mean({}, axis=0)", "max({}, 0, keepdims=True)", "var({})", "sum({}, axis=1)"),
    *("({}).T", "({})[0]", "({})[1:]", "concatenate(({}, {}), axis=0)", "reshape({}, -1)"),
    *("3", "{}.size", "-{}", "1 - {}"),
)
GIVEN: dict[str, Any] = {
    "W": np.arange(6.0).reshape(2, 3) / 3 - 0.7,
    "v": np.arange(3.0) - 1,
    "row": np.ones((1, 3)),
    "s": 2.0,
}
SAMPLES = Data(
    frozen(np.arange(12.0).reshape(4, 3) / 7 - 0.8), frozen(np.arange(4.0).reshape(4, 1)), 4, False
)


def random_program(data: st.DataObject) -> Scenario:
    """Draw lines one after the other, leaving out those that do not fit."""
    samples = data.draw(st.sampled_from([None, SAMPLES, replace(SAMPLES, batch_size=3)]))
    names = [*GIVEN, *(["x", "y"] if samples else [])]
    clip = data.draw(st.sampled_from([None, Clip("norm", 0.1), Clip("value", 0.1)]))
    kind = data.draw(st.sampled_from(["sgd", "adagrad", "rmsprop", "adam"]))
    lines: list[str] = []
    scenario = expression("L = sum(W * v)", "L", optimized=optimizer(kind, 0.1, clip), **GIVEN)
    for _ in range(data.draw(st.integers(1, 6))):
        operation = data.draw(st.sampled_from(OPERATIONS))
        operands = [data.draw(st.sampled_from(names)) for _ in range(operation.count("{}"))]
        name = f"r{len(lines)}"
        tried = [*lines, f"{name} = {operation.format(*operands)}"]
        code = "\n".join([*tried, f"L = mean({name} * {data.draw(st.sampled_from(names))})"])
        case = expression(code, "L", data=samples, optimized=optimizer(kind, 0.1, clip), **GIVEN)
        try:
            compile_scenario(case)
        except CompileError:
            continue
        names.append(name)
        lines, scenario = tried, case
    return scenario
