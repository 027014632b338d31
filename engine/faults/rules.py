"""Which rules there are for a scenario, each at the instruction that decides it."""

from collections.abc import Iterator

import numpy as np

from nnstep.engine.program.instruction import Phase
from nnstep.engine.scenario.model import Data, Initializer, Network, Optimizer, Scenario

from .gradients import Exploding, NoGradient, Vanishing
from .losses import Diverging, Stalled
from .recent import Yardstick
from .rule import Rule
from .units import DeadUnits, Saturation, Symmetry
from .updates import UpdateTooLarge, UpdateTooSmall
from .values import LARGEST_INPUT, NonFinite, NonFiniteData, UnnormalisedInput
from .written import Written

GROWN = 10
"""The updates after which weights that started at 0 have a scale of their own."""


def rules_of(scenario: Scenario, written: Written, measured_by: Yardstick) -> list[Rule]:
    """Return the rules in the order of the instructions that decide them."""
    rules = [*_of_values(written)]
    if scenario.data:
        rules += _of_data(scenario.data, written)
    if scenario.network and scenario.data:
        rules += _of_network(scenario.network, written, len(scenario.data.x))
    if scenario.expression and scenario.optimizer:
        rules += _of_expression(written)
    if scenario.optimizer:
        rules += _of_losses(written, measured_by)
        rules += _of_updates(scenario, scenario.optimizer, written)
    return sorted(rules, key=lambda rule: rule.position)


def _of_values(written: Written) -> Iterator[Rule]:
    for position, line in enumerate(written.program.instructions):
        index = written.counts[position]
        if line.phase is not Phase.BATCH:
            name = line.writes[0]
            yield NonFinite(position, index, name, written.program.tensors[name].layer)


def _of_data(data: Data, written: Written) -> Iterator[Rule]:
    for index, (name, array) in enumerate((("x", data.x), ("y", data.y))):
        finite = np.isfinite(array)
        if not finite.all():
            yield NonFiniteData(0, index, name, None)
        if name == "x" and np.abs(array).max(initial=0.0, where=finite) > LARGEST_INPUT:
            yield UnnormalisedInput(0, index, name, None)


def _of_network(network: Network, written: Written, rows: int) -> Iterator[Rule]:
    for number, layer in enumerate(network.layers, start=1):
        kind = layer.activation.kind
        if kind in ("sigmoid", "tanh") and written.last(f"da{number}", Phase.BACKWARD):
            z = f"z{number}"
            yield Saturation(*written.at(z, Phase.FORWARD), z, number)
        if kind == "relu":
            a = f"a{number}"
            yield DeadUnits(*written.at(a, Phase.FORWARD), a, number, rows)
    yield from _of_layers_gradients(network, written)


def _of_layers_gradients(network: Network, written: Written) -> Iterator[Rule]:
    count = len(network.layers)
    trained = [n for n in range(1, count + 1) if f"W{n}" in written.program.trained]
    for number in trained:
        name = f"dW{number}"
        place = written.at(name, Phase.BACKWARD)
        yield NoGradient(*place, name, number)
        yield Exploding(*place, name, number)
        if number == trained[0] and number < count:
            last = f"dW{count}"
            yield Vanishing(*place, name, number, written.at(last, Phase.BACKWARD)[1], last)
        if number < count and network.layers[number - 1].units > 1:
            yield Symmetry(*place, name, number, 0 if network.layout == "out_in" else 1)


def _of_expression(written: Written) -> Iterator[Rule]:
    for parameter in written.program.trained:
        name = f"d{parameter}"
        place = written.at(name, Phase.BACKWARD)
        yield NoGradient(*place, name, None)
        yield Exploding(*place, name, None)


def _of_losses(written: Written, measured_by: Yardstick) -> Iterator[Rule]:
    loss = written.program.loss
    place = written.at(loss, Phase.LOSS)
    yield Diverging(*place, loss, None, measured_by)
    yield Stalled(*place, loss, None, measured_by)


def _of_updates(scenario: Scenario, optimizer: Optimizer, written: Written) -> Iterator[Rule]:
    momentum = float(optimizer.options.get("momentum", 0.0))  # type: ignore[arg-type]
    gathered = round(1 / (1 - momentum)) if 0 < momentum < 1 else 0
    weights = [name for name in written.program.trained if _is_weights(scenario, name)]
    places = {name: written.at(name, Phase.UPDATE) for name in weights}
    for name, place in places.items():
        grown = GROWN if _starts_at_zero(scenario, name) else 0
        yield UpdateTooLarge(*place, name, written.program.tensors[name].layer, grown)
    if weights:
        gradients = [written.at(f"d{name}", Phase.BACKWARD)[1] for name in weights]
        yield UpdateTooSmall(places, gradients, gathered)


def _is_weights(scenario: Scenario, name: str) -> bool:
    """Tell weights from biases: in an expression, by their two axes."""
    if scenario.expression:
        return scenario.expression.parameters[name].ndim > 1
    return name.startswith("W")


def _starts_at_zero(scenario: Scenario, name: str) -> bool:
    if scenario.network:
        start = scenario.network.layers[int(name[1:]) - 1].weights
        if isinstance(start, Initializer):
            return start.kind == "zeros"
        return not start.any()
    assert scenario.expression is not None, "a scenario is a network or an expression"
    return not scenario.expression.parameters[name].any()
