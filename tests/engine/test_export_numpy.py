"""Exported NumPy scripts print the bits of the run, without nnstep."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from building import expression
from built_in import built_in
from export_cases import (
    ACTIVATED,
    INITIALIZED,
    ITERATIONS,
    OPTIMIZED,
    PROGRAMS,
    executed,
    in_batches,
    optimizer,
    parsed,
    random_loss,
    random_network,
    random_program,
    right,
    same_bits,
)
from in_one_test import each_of
from msgspec.structs import replace

from nnstep import scenarios
from nnstep.engine.export.errors import ExportError
from nnstep.engine.export.files import write_script
from nnstep.engine.export.numpy_script import numpy_script
from nnstep.engine.operations.initializers import INITIALIZERS
from nnstep.engine.operations.losses import LOSSES
from nnstep.engine.program.compile import program_of
from nnstep.engine.scenario.model import Scenario

DTYPES = ["float64", "float32", "float16"]


def assert_prints_the_run(scenario: Scenario, folder: Path, iterations: int = ITERATIONS) -> None:
    text = numpy_script(scenario, program_of(scenario), iterations).text
    same_bits(executed(text, folder), right(scenario, iterations))


SEES_NO_NNSTEP = """
import contextlib, runpy, sys
sys.modules["nnstep"] = None
for path in map(str.rstrip, sys.stdin):
    with open(path + ".txt", "w") as out, contextlib.redirect_stdout(out):
        runpy.run_path(path)
    print("done", flush=True)
"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Callable[[Path], str]]:
    """A Python that sees no nnstep: it runs a script after the other, and gives what is printed."""
    command = [sys.executable, "-c", SEES_NO_NNSTEP]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as python:
        into, out = python.stdin, python.stdout
        assert into
        assert out

        def run(script: Path) -> str:
            print(script, file=into, flush=True)
            said = out.readline()
            assert said == "done\n", said + out.read()
            return script.with_name(f"{script.name}.txt").read_text()

        yield run


@pytest.mark.sweep(9)
@pytest.mark.parametrize("name", scenarios.names())
def test_the_gallery_in_a_python_that_sees_no_nnstep(
    name: str, elsewhere: Callable[[Path], str], tmp_path: Path
) -> None:
    scenario = built_in(name)
    iterations = 3 if name == "digits" else min(ran(scenario), 30)
    script = numpy_script(scenario, program_of(scenario), iterations, "out.npz")
    write_script(script, tmp_path / "out.py")
    printed = parsed(elsewhere(tmp_path / "out.py"))
    assert len(printed) == iterations
    same_bits(printed, right(scenario, iterations))


@pytest.mark.slow
@pytest.mark.parametrize("name", scenarios.names())
def test_the_whole_gallery_each_in_a_python_of_its_own(name: str, tmp_path: Path) -> None:
    scenario = built_in(name)
    script = numpy_script(scenario, program_of(scenario), None, "out.npz")
    write_script(script, tmp_path / "out.py")
    guard = "import sys, runpy; sys.modules['nnstep'] = None; runpy.run_path('out.py')"
    done = subprocess.run(
        [sys.executable, "-c", guard], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    printed = parsed(done.stdout)
    assert len(printed) == ran(scenario)
    same_bits(printed, right(scenario, len(printed)))


def ran(scenario: Scenario) -> int:
    run = scenario.run
    per_epoch = scenario.data.batches_per_epoch if scenario.data else 1
    return run.iterations or (run.epochs or 0) * per_epoch or 1


@pytest.mark.sweep(5)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATED, ids=str)
def test_every_activation(activation: object, dtype: str, tmp_path: Path) -> None:
    assert_prints_the_run(random_network(1, dtype, activation=activation), tmp_path)


@pytest.mark.sweep(7)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kind", "options"), OPTIMIZED)
def test_every_optimizer(kind: str, options: dict[str, object], dtype: str, tmp_path: Path) -> None:
    made = random_network(2, dtype, optimizer=optimizer(kind, options))
    assert_prints_the_run(made, tmp_path)


@pytest.mark.sweep(17)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", [*LOSSES])
def test_every_loss(kind: str, seed: int, dtype: str, tmp_path: Path) -> None:
    loss = random_loss(np.random.default_rng(seed), kind)
    assert_prints_the_run(random_network(seed, dtype, loss=loss), tmp_path)


@pytest.mark.sweep(23)
@pytest.mark.parametrize("layout", ["out_in", "in_out"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(12))
def test_networks_that_chance_makes(seed: int, dtype: str, layout: str, tmp_path: Path) -> None:
    assert_prints_the_run(random_network(100 + seed, dtype, layout=layout), tmp_path)


@pytest.mark.sweep(7)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_programs(number: int, dtype: str, tmp_path: Path) -> None:
    assert_prints_the_run(random_program(number, dtype), tmp_path)


@each_of("dtype", DTYPES)
def test_programs_on_batches(dtype: str, tmp_path: Path) -> None:
    for scenario in in_batches(dtype):
        assert_prints_the_run(scenario, tmp_path, iterations=6)


@each_of("rule", INITIALIZED)
def test_first_values_are_drawn_as_the_run_draws_them(rule: object, tmp_path: Path) -> None:
    made = random_network(3, "float32", optimizer=optimizer("sgd", {}))
    assert made.network is not None
    layers = tuple(replace(layer, weights=rule, bias=rule) for layer in made.network.layers)
    assert_prints_the_run(replace(made, network=replace(made.network, layers=layers)), tmp_path)


def test_all_initializers_are_among_them() -> None:
    assert {rule.kind for rule in INITIALIZED} == {*INITIALIZERS}


def test_a_power_of_a_single_number_is_rounded_as_in_the_run(tmp_path: Path) -> None:
    values = np.random.default_rng(5).standard_normal(20_000)
    odd = [value for value in values if np.float64(2 * value) ** 2 != np.array(2 * value) ** 2]
    for value in [*values[:3], *odd[:3]]:  # of `odd`, which NumPy has depends on the machine
        made = expression("s = a + a\nL = s ** 2", "L", a=value)
        assert_prints_the_run(made, tmp_path, iterations=1)


def test_names_that_a_script_needs_are_left_to_it(tmp_path: Path) -> None:
    made = expression(
        "range = show * iteration\nmath = gelu(range) + single ** 2\nL = math * print * _ERF",
        "L", optimized=optimizer("sgd", {"momentum": 0.5}),
        show=0.5, iteration=1.5, single=2.0, print=0.3, _ERF=1.0,
    )  # fmt: skip
    assert_prints_the_run(made, tmp_path)


def test_a_title_cannot_leave_its_comment(tmp_path: Path) -> None:
    evil = "a\nraise SystemExit(1)\r\x0craise SystemExit(2)\u2028raise SystemExit(3)"
    made = replace(random_network(1), title=evil, source=evil)
    text = numpy_script(made, program_of(made), 1).text
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Raise)]
    assert not calls
    assert_prints_the_run(made, tmp_path)


def test_numbers_that_are_not_finite_and_arrays_by_columns(tmp_path: Path) -> None:
    made = random_network(4)
    assert made.data is not None
    x = np.asfortranarray(np.array(made.data.x))
    x[0, 0], x[1, 1], x[2, 2] = np.nan, np.inf, -np.inf
    assert_prints_the_run(replace(made, data=replace(made.data, x=x)), tmp_path)


def test_no_iterations_print_nothing(tmp_path: Path) -> None:
    made = random_network(4)
    assert executed(numpy_script(made, program_of(made), 0).text, tmp_path) == []


def test_a_script_is_not_overwritten(tmp_path: Path) -> None:
    made = built_in("digits")
    script = numpy_script(made, program_of(made), 1, "out.npz")
    (tmp_path / "out.npz").write_text("mine")
    with pytest.raises(ExportError, match=r"out\.npz is there already.*--force"):
        write_script(script, tmp_path / "out.py")
    assert not (tmp_path / "out.py").exists()
    assert (tmp_path / "out.npz").read_text() == "mine"
    write_script(script, tmp_path / "out.py", force=True)
    with np.load(tmp_path / "out.npz") as stored:
        assert made.data is not None
        np.testing.assert_array_equal(stored["X"], made.data.x)


def test_data_that_no_script_can_hold_are_refused() -> None:
    made = random_network(4)
    assert made.data is not None
    large = replace(made.data, x=np.zeros((80_000, 3)), y=np.zeros((80_000, 2)))
    made = replace(made, data=large)
    with pytest.raises(ExportError, match=r"X has 240,000 numbers.*--output"):
        numpy_script(made, program_of(made), 1)
