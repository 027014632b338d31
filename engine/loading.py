"""From a file or a name of the gallery to a scenario that is ready to run.

What only shows when the scenario is compiled is checked here: names and cells that breakpoints,
watches, notes and expectations speak of, and the memory that a pass takes.
"""

from itertools import pairwise
from pathlib import Path

from nnstep.engine.arrays import Shape
from nnstep.engine.language.evaluate import ConditionError
from nnstep.engine.language.typed import mistakes
from nnstep.engine.limits import MAX_LIVE
from nnstep.engine.program.compile import compile_scenario
from nnstep.engine.program.program import CompileError, Phase, Program
from nnstep.engine.program.update import reserved_names
from nnstep.engine.scenario.errors import Keys, Problem, ScenarioError
from nnstep.engine.scenario.model import Data, Expectation, Network, Optimizer, Scenario
from nnstep.engine.scenario.read import build_scenario
from nnstep.engine.scenario.report import Report
from nnstep.engine.scenario.source import read_source
from nnstep.engine.stops.points import breakpoint_of, mistakes_of, spans_of
from nnstep.engine.text import did_you_mean, quoted


def load(path_or_name: str | Path) -> Scenario:
    """Read a scenario, by the path of its file or by its name in the gallery.

    Raises `ScenarioError`, which lists every mistake found with its file, line and column; those
    that only show when the scenario is compiled are among them.
    """
    report = Report(read_source(_file(path_or_name)))
    scenario = build_scenario(report)
    if scenario.network is not None and scenario.data is not None:
        check_memory(scenario.network, scenario.optimizer, scenario.data, report)
        report.raise_errors()
    if scenario.network and not scenario.is_annotated:
        return scenario  # the reader has seen all there is: only code can fail to compile
    try:
        program = compile_scenario(scenario)
    except CompileError as error:
        _report(error, scenario, report)
    else:
        if scenario.is_annotated:
            check_references(scenario, program, report)
    report.raise_errors()
    return scenario


def _file(path_or_name: str | Path) -> str | Path:
    """Return the path itself if there is such a file, else that of the gallery's scenario."""
    from nnstep import scenarios

    if _exists(Path(path_or_name)):
        return path_or_name
    name = str(path_or_name)
    if name in scenarios.names():
        return scenarios.path(name)
    hint = did_you_mean(name, scenarios.names())
    message = f"no such file, and no built-in scenario of that name{hint}"
    raise ScenarioError([Problem(name, 1, 1, message)])


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _report(error: CompileError, scenario: Scenario, report: Report) -> None:
    """Report a mistake that the compiler found in a program or in what it is given."""
    if error.name is None or scenario.expression is None:
        report.error(("program", "code"), error.message, offset=error.start)
        return
    if error.name == "loss" and error.name not in scenario.expression.parameters:
        report.error(("program", "loss"), error.message)
        return
    given_as = "parameters" if error.name in scenario.expression.parameters else "inputs"
    report.error(("program", given_as, error.name), error.message, part="key")


def check_references(scenario: Scenario, program: Program, report: Report) -> None:
    """Report every name in the scenario's additions that its program does not have."""
    tensors = program.tensors.keys()
    for index, table in enumerate(scenario.breakpoints):
        for mistake in mistakes_of(breakpoint_of(table), program):
            keys = ("breakpoint", index, mistake.part)
            report.error(keys, mistake.message, offset=mistake.start)
    for index, show in enumerate(scenario.watches):
        for start, message in mistakes(show, tensors):
            report.error(("watch", index, "show"), message, offset=start)
    for index, note in enumerate(scenario.notes):
        _check_location(note.at, program, ("note", index, "at"), report)
    shapes = _shapes(scenario)
    for index, expectation in enumerate(scenario.expectations):
        if expectation.at not in tensors:
            message = f"the program has no tensor {quoted(expectation.at)}"
            hint = did_you_mean(expectation.at, tensors)
            report.error(("expect", index, "at"), message + hint)
        else:
            name = program.tensors[expectation.at].of or expectation.at
            _check_cell(expectation, shapes.get(name), ("expect", index), report)


def _check_location(at: str, program: Program, keys: Keys, report: Report) -> None:
    """Report a location of a note; it may be of a tensor or a phase that no line has."""
    if at in program.tensors or at in list(Phase):
        return
    try:
        spans_of(at, program)
    except ConditionError as error:
        report.error(keys, str(error))


def _check_cell(expectation: Expectation, shape: Shape | None, keys: Keys, report: Report) -> None:
    """Report a cell that a tensor of this shape does not have; None is an unknown shape."""
    cell = expectation.cell
    if shape is None:
        return
    if len(cell) != len(shape):
        axes = f"{len(shape)} {'index' if len(shape) == 1 else 'indices'}"
        message = f"a cell of {expectation.at} has {axes}, this one {len(cell)}"
        report.error((*keys, "cell"), message)
        return
    for axis, (index, size) in enumerate(zip(cell, shape, strict=True)):
        if index >= size:
            message = f"{expectation.at} has shape {shape}, so that this index is below {size}"
            report.error((*keys, "cell", axis), message)


def _shapes(scenario: Scenario) -> dict[str, Shape]:
    """Return the shapes of the tensors, as far as a scenario tells, in its largest batch."""
    shapes: dict[str, Shape] = {}
    if scenario.data is not None:
        rows = max(scenario.data.batch_sizes)
        shapes["x"] = (rows, *scenario.data.x.shape[1:])
        shapes["y"] = (rows, *scenario.data.y.shape[1:])
        if scenario.network is not None:
            shapes |= _layer_shapes(scenario.network, rows)
    if scenario.expression is not None:
        given = {**scenario.expression.parameters, **scenario.expression.inputs}
        shapes |= {name: array.shape for name, array in given.items()}
        shapes[scenario.expression.loss] = ()
    gradients = {f"d{name}": shape for name, shape in shapes.items()}
    return {**gradients, **shapes, "lr": ()}


def _layer_shapes(network: Network, rows: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {"L": ()}
    inputs = network.inputs
    for number, layer in enumerate(network.layers, start=1):
        weights = (layer.units, inputs) if network.layout == "out_in" else (inputs, layer.units)
        shapes[f"W{number}"] = weights
        shapes[f"b{number}"] = (layer.units,)
        shapes[f"z{number}"] = shapes[f"a{number}"] = (rows, layer.units)
        inputs = layer.units
    return shapes


_OF_A_PARAMETER = 2
"""The parameter itself and its gradient."""

_OF_A_UNIT = 4
"""z, a, da and dz, for each row of a batch."""


def check_memory(network: Network, optimizer: Optimizer | None, data: Data, report: Report) -> None:
    """Report a network whose tensors are too many numbers together."""
    kept = _parameters(network) * (_OF_A_PARAMETER + _buffers(optimizer))
    units = sum(layer.units for layer in network.layers)
    computed = _OF_A_UNIT * max(data.batch_sizes) * units
    if kept + computed <= MAX_LIVE:
        return
    keys: Keys = ("network", "layers")
    if computed > kept:
        keys = ("data", "batch_size" if data.batches is None else "batches")
    message = f"an iteration would hold {kept + computed:,} numbers, more than {MAX_LIVE:,}"
    report.error(keys, message)


def _parameters(network: Network) -> int:
    sizes = [network.inputs, *(layer.units for layer in network.layers)]
    biases = sum(layer.units for layer in network.layers if layer.bias is not None)
    return sum(inputs * units for inputs, units in pairwise(sizes)) + biases


def _buffers(optimizer: Optimizer | None) -> int:
    """Return how many tensors of a parameter's shape the optimizer keeps for each."""
    return sum(name.endswith("_W") for name in reserved_names(optimizer, ["W"]))
