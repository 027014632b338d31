"""Exported PyTorch scripts print the numbers of the run, to nine digits and more.

They run where there is a PyTorch: the one of this Python, or of the Python whose path stands in the
environment variable NNSTEP_TORCH_PYTHON. All run in one process, which imports it once.
"""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
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
    Printed,
    close,
    in_batches,
    optimizer,
    parsed,
    random_loss,
    random_network,
    random_program,
    right,
)
from msgspec import Struct
from msgspec.structs import replace

from nnstep import scenarios
from nnstep.engine.arrays import frozen
from nnstep.engine.export.errors import ExportError
from nnstep.engine.export.files import write_script
from nnstep.engine.export.torch_script import torch_script
from nnstep.engine.operations.losses import LOSSES
from nnstep.engine.program.compile import program_of
from nnstep.engine.scenario.model import Data, Loss, Scenario

_HERE = sys.executable if importlib.util.find_spec("torch") else None
PYTHON = os.environ.get("NNSTEP_TORCH_PYTHON") or _HERE
needs_torch = pytest.mark.skipif(PYTHON is None, reason="there is no PyTorch here")

_RUNNER = """
import contextlib, pathlib, traceback, warnings
warnings.simplefilter("error")
import torch
for script in sorted(pathlib.Path().glob("*.py")):
    with open(script.with_suffix(".out"), "w") as out, contextlib.redirect_stdout(out):
        try:
            code = compile(script.read_text(), str(script), "exec")
            exec(code, {"__file__": str(script.resolve())})
        except Exception:
            script.with_suffix(".err").write_text(traceback.format_exc())
"""


_SHORTER = {
    "digits": 3,
    "iris": 40,
    "overflow": 306,  # the next gradient is infinite here, and in PyTorch after one more iteration
}


class Case(Struct, frozen=True):
    scenario: Scenario
    iterations: int = ITERATIONS
    within: float = 1e-9


def _gallery() -> Iterator[tuple[str, Case]]:
    for name in scenarios.names():
        scenario = built_in(name)
        per_epoch = scenario.data.batches_per_epoch if scenario.data else 1
        whole = scenario.run.iterations or (scenario.run.epochs or 0) * per_epoch or 1
        yield name, Case(scenario, _SHORTER.get(name, whole))


def _cases() -> Iterator[tuple[str, Case]]:
    yield from _gallery()
    for number, activation in enumerate(ACTIVATED):
        yield f"activation-{number}", Case(random_network(1, activation=activation))
        single = random_network(1, "float32", activation=activation)
        yield f"activation-{number}-float32", Case(single, within=1e-3)
    for number, (kind, options) in enumerate(OPTIMIZED):
        made = random_network(2, optimizer=optimizer(kind, options))
        yield f"optimizer-{number}", Case(made, iterations=8)
    for kind in LOSSES:
        for seed in range(8):
            loss = random_loss(np.random.default_rng(seed), kind)
            yield f"loss-{kind}-{seed}", Case(random_network(seed, loss=loss))
    for seed in range(100, 130):
        yield f"chance-{seed}", Case(random_network(seed))
    for number in range(len(PROGRAMS)):
        yield f"program-{number}", Case(random_program(number))
    for number, made in enumerate(in_batches()):
        yield f"batches-{number}", Case(made, iterations=6)
    for number, rule in enumerate(INITIALIZED):
        made = random_network(3, optimizer=optimizer("sgd", {}))
        assert made.network is not None
        layers = tuple(replace(layer, weights=rule, bias=rule) for layer in made.network.layers)
        made = replace(made, network=replace(made.network, layers=layers))
        yield f"initial-{number}", Case(made)
    long_way = Loss("cross_entropy", "batch_mean", fuse=False)
    yield "long-way", Case(random_network(5, loss=long_way))
    names = expression(
        "torch = optimizer * x\nmodel = torch ** 2 + nn\nL = model * print", "L",
        optimized=optimizer("sgd", {}), optimizer=0.5, x=1.5, nn=0.5, print=2.0,
    )  # fmt: skip
    yield "names", Case(names)
    nothing = expression("c = 2.0\nL = c * 3 + 0 * k", "L", inputs={"k": 1.0}, a=1.0)
    yield "nothing", Case(nothing, iterations=2)


CASES: Mapping[str, Case] = dict(_cases()) if PYTHON else {}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Printed | str]:
    """What each script has printed, or the traceback of what went wrong."""
    folder = tmp_path_factory.mktemp("torch")
    for name, case in CASES.items():
        program = program_of(case.scenario)
        script = torch_script(case.scenario, program, case.iterations, f"{name}.npz")
        write_script(script, folder / f"{name}.py")
    assert PYTHON is not None
    subprocess.run([PYTHON, "-c", _RUNNER], cwd=folder, check=True, timeout=300)
    return {name: _outcome(folder / f"{name}.out") for name in CASES}


def _outcome(out: Path) -> Printed | str:
    failed = out.with_suffix(".err")
    return failed.read_text() if failed.exists() else parsed(out.read_text())


@needs_torch
@pytest.mark.parametrize("name", CASES)
def test_a_script_prints_the_run(name: str, printed: Mapping[str, Printed | str]) -> None:
    outcome, case = printed[name], CASES[name]
    assert not isinstance(outcome, str), outcome
    close(outcome, right(case.scenario, case.iterations), case.within)


def test_a_line_that_pytorch_has_no_counterpart_for_is_named() -> None:
    """A slice backwards is flipped in PyTorch, from a row that depends on the size of the batch."""
    x = frozen(np.linspace(0, 1, 5).reshape(5, 1))
    made = expression("e = x[1::-1] * w\nL = sum(e)", "L", data=Data(x, x, batch_size=2), w=1.0)
    with pytest.raises(ExportError, match=r"line 2, t1 = .*backwards"):
        torch_script(made, program_of(made))


def test_a_line_of_a_persons_own_is_refused_by_name() -> None:
    made = random_network(1)
    program = program_of(made)
    line = program.instructions[-1]
    own = replace(line, rule=line)
    program = replace(program, instructions=(*program.instructions[:-1], own))
    with pytest.raises(ExportError, match=re.escape(line.code)):
        torch_script(made, program)
