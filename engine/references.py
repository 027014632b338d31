"""Whether breakpoints, watches, notes and expectations speak of what the program has."""

from collections.abc import Collection

from nnstep.engine.arrays import Shape
from nnstep.engine.conditions import unknown
from nnstep.engine.grammar import Node, parse_condition
from nnstep.engine.program.instruction import Phase, Program
from nnstep.engine.scenario.model import Expectation, Network, Scenario
from nnstep.engine.scenario.places import Keys
from nnstep.engine.scenario.report import Report
from nnstep.engine.text import did_you_mean, quoted


def check_references(scenario: Scenario, program: Program, report: Report) -> None:
    """Report every name in the scenario's additions that its program does not have."""
    tensors = program.tensors.keys()
    layers = {f"{line.phase} {line.layer}" for line in program.instructions if line.layer}
    places = [*tensors, *Phase, *sorted(layers)]
    for index, breakpoint_ in enumerate(scenario.breakpoints):
        _check_place(breakpoint_.at, places, ("breakpoint", index, "at"), report)
        if breakpoint_.when is not None:
            _check_names(
                parse_condition(breakpoint_.when), tensors, ("breakpoint", index, "when"), report
            )
    for index, watch in enumerate(scenario.watches):
        _check_names(watch.show, tensors, ("watch", index, "show"), report)
    for index, note in enumerate(scenario.notes):
        _check_place(note.at, places, ("note", index, "at"), report)
    shapes = _shapes(scenario)
    for index, expectation in enumerate(scenario.expectations):
        if expectation.at not in tensors:
            message = f"the program has no tensor {quoted(expectation.at)}"
            hint = did_you_mean(expectation.at, tensors)
            report.error(("expect", index, "at"), message + hint)
        else:
            name = program.tensors[expectation.at].of or expectation.at
            _check_cell(expectation, shapes.get(name), ("expect", index), report)


def _check_place(at: str, places: Collection[str], keys: Keys, report: Report) -> None:
    if at not in places:
        message = f"the program has no tensor, phase or layer {quoted(at)}"
        report.error(keys, message + did_you_mean(at, places))


def _check_names(node: Node, tensors: Collection[str], keys: Keys, report: Report) -> None:
    for part, message in unknown(node, tensors):
        report.error(keys, message, offset=part.start)


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
