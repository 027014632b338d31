"""Activations have PyTorch's values and slopes, in the far tails and at the kinks as well."""

from pathlib import Path
from typing import Any

from in_one_test import each_of
from oracle_scenarios import (
    ACTIVATIONS,
    ORACLES,
    Arrays,
    assert_close,
    iterations,
    read_case,
    toml,
)

from nnstep.engine.loading import load
from nnstep.engine.session.session import Session

TABLE = read_case(ORACLES / "torch" / "table_activations.json")
KINKS = read_case(ORACLES / "torch" / "table_kinks.json")
ROWS: list[dict[str, Any]] = TABLE["rows"]
FUNCTIONS = {"gelu_erf": "gelu"}
"""What programs call an activation, where it is not the oracle's name for it."""

FAR_BELOW = -1e6
"""A target that every output exceeds: the mean absolute error's sum has slope 1 there."""


def run(text: str, folder: Path) -> Arrays:
    path = folder / "table.toml"
    path.write_text(f'format = 1\ntitle = "Table"\n\n{text}', encoding="utf-8")
    (only,) = iterations(Session(load(path), history=None))
    return only.after


def network(activation: str, x: list[float], folder: Path) -> Arrays:
    """Apply an activation to a column of numbers, in a layer that passes its input on."""
    layer = f"units = 1\nactivation = {ACTIVATIONS.get(activation, toml(activation))}\n"
    layer += "weights = [[1.0]]\nbias = false\n"
    column, target = [[value] for value in x], [[FAR_BELOW] for _ in x]
    return run(
        f"[network]\ninputs = 1\n[[network.layers]]\n{layer}"
        f'[loss]\nkind = "mae"\nreduction = "sum"\n'
        f"[data]\nx = {toml(column)}\ny = {toml(target)}\n",
        folder,
    )


def program(code: str, given: dict[str, object], folder: Path) -> Arrays:
    parameters = ", ".join(f"{name} = {toml(value)}" for name, value in given.items())
    return run(
        f'[program]\ncode = """\n{code}\n"""\nloss = "L"\nparameters = {{ {parameters} }}\n',
        folder,
    )


@each_of("row", ROWS)
def test_in_a_network(row: dict[str, Any], tmp_path: Path) -> None:
    tensors = network(row["activation"], TABLE["x"], tmp_path)
    assert_close(tensors["a1"][:, 0], row["y"], "value")
    assert_close(tensors["dz1"][:, 0], row["dy_dx"], "slope")


@each_of("row", [row for row in ROWS if row["activation"] != "identity"])
def test_in_a_program(row: dict[str, Any], tmp_path: Path) -> None:
    name = FUNCTIONS.get(row["activation"], row["activation"])
    tensors = program(f"p = {name}(x)\nL = sum(p)", {"x": TABLE["x"]}, tmp_path)
    assert_close(tensors["p"], row["y"], "value")
    assert_close(tensors["dx"], row["dy_dx"], "slope")


@each_of("x", [0.0, -0.0])
@each_of("function", ["relu", "leaky_relu", "elu", "abs"])
def test_slopes_at_the_kink(function: str, x: float, tmp_path: Path) -> None:
    named = {"leaky_relu": "leaky_relu_0.01"}.get(function, function)
    rows = [row for row in KINKS["rows"] if row["op"] == named]
    tensors = program(f"L = {function}(x)", {"x": x}, tmp_path)
    for row in rows:
        assert_close(tensors["L"], row["value"], f"{function} at {x}")
        assert_close(tensors["dx"], row["grad"], f"slope of {function} at {x}")
    assert rows


@each_of("activation", ["relu", "leaky_relu", "elu"])
def test_slopes_at_the_kink_in_a_network(activation: str, tmp_path: Path) -> None:
    named = {"leaky_relu": "leaky_relu_0.01"}.get(activation, activation)
    row = next(row for row in KINKS["rows"] if row["op"] == named)
    tensors = network(activation, [0.0], tmp_path)
    assert_close(tensors["dz1"], [[row["grad"]]], f"slope of {activation} at 0")


def test_equal_arguments_of_maximum_share_the_gradient(tmp_path: Path) -> None:
    row = next(row for row in KINKS["rows"] if row["op"].startswith("max(a,b)"))
    tensors = program("L = maximum(a, b)", {"a": 2.0, "b": 2.0}, tmp_path)
    assert [float(tensors["da"]), float(tensors["db"])] == row["grad_a_b"]
