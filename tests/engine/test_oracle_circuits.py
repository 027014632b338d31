"""Published computation graphs, written as programs, have the published values and gradients."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from in_one_test import each_of
from oracle_scenarios import ORACLES, Arrays, assert_close, iterations, lookup, read_case, toml

from nnstep.engine.loading import load
from nnstep.engine.session.session import Session

MICROGRAD = """
c0 = a + b
d0 = a * b + b**3
c1 = c0 + c0 + 1
c = c1 + 1 + c1 + (-a)
d1 = d0 + d0 * 2 + relu(b + a)
d = d1 + 3 * d1 + relu(b - a)
e = c - d
f = e**2
g0 = f / 2.0
g = g0 + 10.0 / f
"""

SIGMOID_NEURON = """
w0x0 = w0 * x0
w1x1 = w1 * x1
s = w0x0 + w1x1
net = s + w2
neg = -net
e = exp(neg)
p1 = e + 1
f = 1 / p1
"""

TANH_NEURON = """
x1w1 = x1 * w1
x2w2 = x2 * w2
total = x1w1 + x2w2
n = total + b
o = tanh(n)
"""


@dataclass(frozen=True)
class Circuit:
    """A program for a published graph; `renamed` has the names that the oracle calls otherwise."""

    oracle: str
    code: str
    loss: str
    given: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)


CIRCUITS = (
    Circuit("micrograd_readme", MICROGRAD, "g", ("a", "b")),
    Circuit(
        "micrograd_lecture_expression",
        "e = a * b\nd = e + c\nL = d * f",
        "L",
        ("a", "b", "c", "f"),
    ),
    Circuit(
        "micrograd_lecture_neuron",
        TANH_NEURON,
        "o",
        ("x1", "x2", "w1", "w2", "b"),
        {"sum": "total"},
    ),
    Circuit("colah_graph", "c = a + b\nd = b + 1\ne = c * d", "e", ("a", "b")),
    Circuit("cs231n_circuit_xyz", "q = x + y\nf = q * z", "f", ("x", "y", "z")),
    Circuit(
        "cs231n_sigmoid_neuron",
        SIGMOID_NEURON,
        "f",
        ("w0", "x0", "w1", "x1", "w2"),
        {"dot": "net"},
    ),
    Circuit("ng_computation_graph", "u = b * c\nv = a + u\nJ = 3 * v", "J", ("a", "b", "c")),
)


def evaluate(code: str, loss: str, parameters: Mapping[str, object], folder: Path) -> Arrays:
    """Run a program once, forwards and backwards; return all its tensors."""
    given = ", ".join(f"{name} = {toml(value)}" for name, value in parameters.items())
    text = f'format = 1\ntitle = "Circuit"\n\n[program]\ncode = """\n{code.strip()}\n"""\n'
    text += f'loss = "{loss}"\nparameters = {{ {given} }}\n'
    path = folder / "circuit.toml"
    path.write_text(text, encoding="utf-8")
    (only,) = iterations(Session(load(path), history=None))
    return only.after


@each_of("circuit", CIRCUITS)
def test_values_gradients_and_printed_numbers(circuit: Circuit, tmp_path: Path) -> None:
    case = read_case(ORACLES / "published" / f"{circuit.oracle}.json")
    result = case["result"]
    given = {name: result["value"][name] for name in circuit.given}
    tensors = evaluate(circuit.code, circuit.loss, given, tmp_path)
    for name, expected in result["value"].items():
        assert_close(tensors[circuit.renamed.get(name, name)], expected, name)
    for name, expected in result["grad"].items():
        gradient = f"d{circuit.renamed.get(name, name)}"
        if name != circuit.loss or gradient in tensors:
            assert_close(tensors[gradient], expected, gradient)
    assert_prints(circuit, case, tensors)


def assert_prints(circuit: Circuit, case: Mapping[str, Any], tensors: Arrays) -> None:
    """Assert that the numbers are those that the source of a graph prints."""
    computed: dict[str, Any] = {"value": {}, "grad": {circuit.loss: 1.0}}
    for name in case["result"]["value"]:
        here = circuit.renamed.get(name, name)
        computed["value"][name] = float(tensors[here])
        if f"d{here}" in tensors:
            computed["grad"][name] = float(tensors[f"d{here}"])
    for row in case["published"]:
        actual = lookup({"result": computed}, row["path"])
        assert abs(actual - row["value"]) <= row["tol"], row["what"]


def test_dot_product_of_the_book(tmp_path: Path) -> None:
    result = read_case(ORACLES / "published" / "autograd_tutorials.json")["result"]
    tensors = evaluate("y = 2 * x @ x", "y", {"x": [0.0, 1.0, 2.0, 3.0]}, tmp_path)
    assert_close(tensors["y"], result["y"], "y")
    assert_close(tensors["dx"], result["dy_dx"], "dx")


def test_mean_of_squares_of_the_tutorial(tmp_path: Path) -> None:
    result = read_case(ORACLES / "published" / "autograd_tutorials.json")["result"]
    code = "y = x + 2\nz = y * y * 3\nout = mean(z)"
    tensors = evaluate(code, "out", {"x": [[1.0, 1.0], [1.0, 1.0]]}, tmp_path)
    assert_close(tensors["z"], result["z"], "z")
    assert_close(tensors["out"], 27.0, "out")
    assert_close(tensors["dx"], result["dx"], "dx")
