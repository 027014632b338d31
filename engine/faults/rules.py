"""What goes wrong with training: the rules for a scenario, in the order of its instructions.

The thresholds are those of the literature: AUTOTRAINER (Zhang et al. 2021), DeepChecker, SageMaker
Debugger; where they alone gave false alarms, the rule says how it is refined.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from nnstep.engine.program.program import Drawn, Phase, Tensor
from nnstep.engine.scenario.model import Network, Optimizer, Scenario

from . import gradients, inputs, progress, units, updates
from .passes import Written
from .rule import Rule
from .yardstick import Yardstick

GROWN = 10
"""The updates after which weights that started at 0 have a scale of their own."""


def rules_of(scenario: Scenario, written: Written, measured_by: Yardstick) -> list[Rule]:
    """Return the rules in the order of the instructions that decide them."""
    program, network, optimizer = written.program, scenario.network, scenario.optimizer
    rules: list[Rule] = []
    moved: list[gradients.Gradient] = []
    if scenario.data:
        rules += inputs.of_data(scenario.data, written)
    if network and scenario.data:
        axis = 0 if network.layout == "out_in" else 1
        weights = [name for name in program.parameters if _is_weights(program.tensors[name])]
        trained = [name for name in weights if not program.tensors[name].frozen]
        moved = gradients.gradients_of(written, trained, network.l2, axis)
        rules += _of_lines(written, len(scenario.data.x), optimizer is not None)
        rules += _of_weights(network, written, weights, moved, optimizer is not None)
    if scenario.expression and optimizer:
        moved = gradients.gradients_of(written, program.trained)
        for one in moved:
            rules += gradients.lost_or_exploded(one, has_optimizer=True)
    if optimizer:
        rules += [progress.diverging(written, measured_by), progress.stalled(written, measured_by)]
        rules += _of_updates(scenario, optimizer, written, moved)
    return sorted(rules, key=lambda rule: rule.position)


def _of_lines(written: Written, rows: int, has_optimizer: bool) -> Iterator[Rule]:
    """Yield the rules for the activations of a network."""
    program = written.program
    gradients = program.gradients
    lines = [line for line in program.instructions if line.phase is Phase.FORWARD]
    bounded = [line for line in lines if line.operation in ("sigmoid", "tanh")]
    bent = [line for line in bounded if line.writes[0] in gradients]
    z = units.Slopes(tuple(written.at(line.names["z"], Phase.FORWARD)[1] for line in bent))
    for line in bent:
        yield units.saturation(line, written, z)
    for line in lines:
        if line.operation == "relu":
            yield units.dead_units(line, written, rows, has_optimizer)


def _of_weights(
    network: Network,
    written: Written,
    weights: Sequence[str],
    trained: Sequence[gradients.Gradient],
    has_optimizer: bool,
) -> Iterator[Rule]:
    """Yield the rules for the weights of a network, by the gradients of those that are trained."""
    program = written.program
    axis = 0 if network.layout == "out_in" else 1
    parameters = [program.tensors[name] for name in program.parameters]
    for one in trained:
        yield from gradients.lost_or_exploded(one, has_optimizer)
        if one.parameter == weights[-1]:
            continue
        if one is trained[0]:
            last = trained[-1]
            if last.parameter != weights[-1]:
                (last,) = gradients.gradients_of(written, weights[-1:], network.l2)
            yield gradients.vanishing(one, last)
        tensor = program.tensors[one.parameter]
        count = tensor.shape[axis]
        if count > 1:
            layer = [b for b in parameters if b.layer == tensor.layer and b.shape == (count,)]
            yield units.symmetry(units.Units(one, axis, [bias.name for bias in layer]))


def _of_updates(
    scenario: Scenario,
    optimizer: Optimizer,
    written: Written,
    trained: Sequence[gradients.Gradient],
) -> Iterator[Rule]:
    """Yield the rules for the updates of weights, by the gradients of what is trained."""
    program = written.program
    momentum = float(optimizer.options.get("momentum", 0.0))
    gathered = round(1 / (1 - momentum)) if 0 < momentum < 1 else 0
    weights = [one for one in trained if _is_weights(program.tensors[one.parameter])]
    moved = [updates.updated(written, one) for one in weights]
    for one in moved:
        started_at_zero = _starts_at_zero(program.tensors[one.parameter])
        yield updates.too_large(one, GROWN if started_at_zero else 0)
        yield updates.lost(one, scenario.dtype)
    if moved:
        yield updates.too_small(moved, gathered)


def _is_weights(parameter: Tensor) -> bool:
    """Tell weights from biases, and from other parameters with one number a unit: by their axes."""
    return len(parameter.shape) > 1


def _starts_at_zero(parameter: Tensor) -> bool:
    if isinstance(parameter.start, Drawn):
        return parameter.start.by.kind == "zeros"
    return not np.any(parameter.start)
