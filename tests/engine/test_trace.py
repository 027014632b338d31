"""The JSON lines of a trace are a contract: other programs read them."""

import io
import json
from typing import Any

import numpy as np
from building import expression, network, optimizer
from built_in import built_in
from in_one_test import each_of

from nnstep.engine.arrays import frozen
from nnstep.engine.scenario.model import Run, Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.trace import plain, write_jsonl, write_table


def traced(scenario: Scenario, iterations: int | None = None) -> list[dict[str, Any]]:
    stream = io.StringIO()
    write_jsonl(scenario, stream, iterations)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_the_first_line_describes_the_run() -> None:
    first = traced(network(optimized=optimizer(momentum=0.9)))[0]
    assert list(first) == ["type", "nnstep", "title", "program", "initial"]
    assert first["type"] == "scenario"
    assert first["program"][1] == {"code": "z1 = x @ W1.T + b1", "phase": "forward", "layer": 1}
    parameters = ["W1", "b1", "W2", "b2"]
    assert set(first["initial"]) == {*parameters, "lr", *(f"buf_{name}" for name in parameters)}
    assert first["initial"]["lr"] == 0.5


def test_then_comes_a_line_a_step() -> None:
    scenario = network(rows=3, batch_size=2)
    session = Session(scenario, iterations=3)
    for line, step in zip(traced(scenario, 3)[1:], session.steps(), strict=True):
        keys = ["type", "step", "iteration", "epoch", "phase", "layer", "code", "reads", "writes"]
        assert list(line) == keys
        assert line["type"] == "step"
        assert line["step"] == step.index
        assert (line["iteration"], line["epoch"]) == (step.iteration, step.epoch)
        assert (line["phase"], line["layer"]) == (step.phase, step.layer)
        assert line["code"] == step.code
        assert line["reads"] == list(step.reads)
        for name, array in step.writes.items():
            assert np.array_equal(np.array(line["writes"][name]), array)


def test_one_iteration_is_traced_where_the_scenario_names_no_end() -> None:
    length = len(Session(network()).program)
    assert len(traced(network())) == 1 + length
    assert len(traced(network(run=Run(iterations=4)))) == 1 + 4 * length
    assert len(traced(network(run=Run(iterations=4)), iterations=2)) == 1 + 2 * length


def test_numbers_that_json_lacks_are_strings_and_a_run_goes_on_after_them() -> None:
    lines = traced(expression("e = log(a) / b", "e", a=-1.0, b=0.0))
    written = {name: value for line in lines[1:] for name, value in line["writes"].items()}
    assert written["e"] == "nan"
    assert written["da"] == "-inf"
    assert plain(frozen([1.0, np.inf, -np.inf, np.nan])) == [1.0, "inf", "-inf", "nan"]


@each_of(
    ("array", "text"),
    [
        (np.float64(0.1), "0.1"),
        (np.array(0.1, np.float32), "0.1"),
        (np.array([0.1, 1 / 3], np.float16), "[0.1,0.3333]"),
        (np.array([1 / 3], np.float32), "[0.33333334]"),
        (np.array([2.0, -0.0]), "[2.0,-0.0]"),
        (np.array([2, 0]), "[2,0]"),
        (np.array([[1e300, 5e-324]]), "[[1e300,5e-324]]"),
        (np.array([np.inf, 0.1], np.float32), '["inf",0.1]'),
    ],
)
def test_digits_are_the_shortest_in_the_tensors_own_dtype(array: Any, text: str) -> None:
    written = json.dumps(plain(np.asarray(array)), separators=(",", ":"))
    assert written.replace("e+", "e") == text


def test_the_table_names_every_line_and_what_it_wrote() -> None:
    stream = io.StringIO()
    write_table(built_in("mazur"), stream, 1)
    text = stream.getvalue()
    assert "Mazur" in text.splitlines()[0]
    assert "forward 1   z1 = x @ W1.T + b1" in text
    assert "[0.3775 0.3925]" in text
    assert "0.298371" in text
