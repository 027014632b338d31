"""What goes wrong with training: the rules for a scenario, in the order of its instructions.

The thresholds are those of the literature: AUTOTRAINER (Zhang et al. 2021), DeepChecker, SageMaker
Debugger; where they alone gave false alarms, the rule says how it is refined.
"""

from collections.abc import Iterator

import numpy as np

from nnstep.engine.program.program import Drawn, Phase, Tensor
from nnstep.engine.program.update import RATE
from nnstep.engine.scenario.model import Network, Scenario

from . import gradients, inputs, progress, units, updates
from .passes import Written
from .rule import Rule
from .yardstick import Yardstick

GROWN = 10
"""The updates after which weights that started at 0 have a scale of their own."""


def rules_of(scenario: Scenario, written: Written, measured_by: Yardstick) -> list[Rule]:
    """Return the rules in the order of the instructions that decide them."""
    rules: list[Rule] = []
    if scenario.data:
        rules += inputs.of_data(scenario.data, written)
    if scenario.network and scenario.data:
        has_optimizer = scenario.optimizer is not None
        rules += _of_network(scenario.network, written, len(scenario.data.x), has_optimizer)
    if scenario.expression and scenario.optimizer:
        for parameter in written.program.trained:
            one = gradients.gradient(written, parameter)
            rules += gradients.lost_or_exploded(one, has_optimizer=True)
    if scenario.optimizer:
        rules += [progress.diverging(written, measured_by), progress.stalled(written, measured_by)]
        rules += _of_updates(scenario, written)
    return sorted(rules, key=lambda rule: rule.position)


def _of_network(
    network: Network, written: Written, rows: int, has_optimizer: bool
) -> Iterator[Rule]:
    program = written.program
    for line in program.instructions:
        if line.phase is not Phase.FORWARD:
            continue
        if line.operation in ("sigmoid", "tanh") and line.writes[0] in program.gradients:
            yield units.saturation(line, written)
        if line.operation == "relu":
            yield units.dead_units(line, written, rows, has_optimizer)
    parameters = [program.tensors[name] for name in program.parameters]
    weights = [tensor for tensor in parameters if _is_weights(tensor)]
    trained = [tensor for tensor in weights if not tensor.frozen]
    axis = 0 if network.layout == "out_in" else 1
    for tensor in trained:
        one = gradients.gradient(written, tensor.name, network.l2, axis)
        yield from gradients.lost_or_exploded(one, has_optimizer)
        if tensor is weights[-1]:
            continue
        if tensor is trained[0]:
            last = gradients.gradient(written, weights[-1].name, network.l2)
            yield gradients.vanishing(one, last)
        count = tensor.shape[axis]
        if count > 1:
            layer = [b for b in parameters if b.layer == tensor.layer and b.shape == (count,)]
            yield units.symmetry(units.Units(one, axis, [bias.name for bias in layer]))


def _of_updates(scenario: Scenario, written: Written) -> Iterator[Rule]:
    assert scenario.optimizer is not None, "updates are those of an optimizer"
    program, network = written.program, scenario.network
    l2 = network.l2 if network else 0.0
    axis = 0 if network and network.layout == "out_in" else 1
    momentum = float(scenario.optimizer.options.get("momentum", 0.0))
    gathered = round(1 / (1 - momentum)) if 0 < momentum < 1 else 0
    trained = [program.tensors[name] for name in program.trained]
    weights = [tensor for tensor in trained if _is_weights(tensor)]
    moved = [
        updates.updated(written, gradients.gradient(written, tensor.name, l2, axis))
        for tensor in weights
    ]
    for tensor, one in zip(weights, moved, strict=True):
        yield updates.too_large(one, GROWN if _starts_at_zero(tensor) else 0)
        yield updates.lost(one, scenario.dtype, RATE)
    if moved:
        yield updates.too_small(moved, gathered)


def _is_weights(parameter: Tensor) -> bool:
    """Tell weights from biases, and from other parameters with one number a unit: by their axes."""
    return len(parameter.shape) > 1


def _starts_at_zero(parameter: Tensor) -> bool:
    if isinstance(parameter.start, Drawn):
        return parameter.start.by.kind == "zeros"
    return not np.any(parameter.start)
