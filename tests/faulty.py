"""Runs whose passes are recorded and judged, and networks with something wrong in them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from building import network
from msgspec.structs import replace

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.faults.fault import Fault, merged
from nnstep.engine.faults.monitor import Monitor
from nnstep.engine.machine.step import Record
from nnstep.engine.scenario.model import Initializer, Layer, Loss, Scenario
from nnstep.engine.session.session import Session

MEAN = Loss("mse", "mean")


class Recorded:
    """The first passes of a run, with all that a monitor is told of them."""

    def __init__(self, case: Scenario, passes: int) -> None:
        session = Session(case, iterations=passes, history=None)
        self.case, self.program, self.before = case, session.program, session.values()
        self.records: list[Record] = session._timeline.records(0, passes)
        self.names = [name for line in self.program.instructions for name in line.writes]
        loss = self.names.index(self.program.loss)
        self.losses = np.array([record[loss] for record in self.records], dtype=np.float64)

    def before_pass(self, iteration: int) -> Mapping[str, Array]:
        """The tensors at the start of a pass."""
        before = dict(self.before)
        if iteration:
            before.update(zip(self.names, self.records[iteration - 1], strict=True))
        return before

    def place(self, name: str, iteration: int, phase: str) -> int:
        """The place right after the last instruction of a phase that writes a tensor."""
        lines = enumerate(self.program.instructions)
        position = max(at for at, line in lines if name in line.writes and line.phase == phase)
        return iteration * len(self.program) + position + 1

    def written(self, name: str, iteration: int, phase: str) -> Array:
        """What a phase of a pass has last written to a tensor."""
        lines = self.program.instructions
        phases = [line.phase for line in lines for _ in line.writes]
        record = zip(self.names, phases, self.records[iteration], strict=True)
        return [array for each, at, array in record if each == name and at == phase][-1]

    def faults(self) -> list[Fault]:
        """What a monitor finds, block after block."""
        monitor, found, first = Monitor(self.case, self.program), tuple[Fault, ...](), 0
        while first < len(self.records):
            block = self.records[first : first + monitor.block]
            before = self.before_pass(first)
            found = merged(found, monitor.examine(first, block, before, self.losses, found))
            first += len(block)
        return list(found)


def faults(case: Scenario, passes: int = 1) -> list[Fault]:
    return Recorded(case, passes).faults()


def named(found: Sequence[Fault], name: str, layer: int | None = None) -> Fault:
    """The fault of that name and layer; there has to be one."""
    (fault,) = (each for each in found if (each.name, each.layer) == (name, layer))
    return fault


def kinds(found: Sequence[Fault]) -> set[tuple[str, int | None]]:
    return {(fault.name, fault.layer) for fault in found}


def given(case: Scenario, **arrays: Any) -> Scenario:
    """The scenario with these parameters (`W1`, `b2`) in place of drawn ones."""
    assert case.network is not None
    layers = list(case.network.layers)
    for name, value in arrays.items():
        number = int(name[1:]) - 1
        shape = (layers[number].units,)
        if name[0] == "W":
            inputs = layers[number - 1].units if number else case.network.inputs
            out_in = case.network.layout == "out_in"
            shape = (*shape, inputs) if out_in else (inputs, *shape)  # type: ignore[assignment]
        field = "weights" if name[0] == "W" else "bias"
        array = frozen(np.broadcast_to(np.asarray(value, dtype=float), shape), case.dtype)
        layers[number] = replace(layers[number], **{field: array})
    return with_layers(case, layers)


def with_layers(case: Scenario, layers: Sequence[Layer]) -> Scenario:
    assert case.network is not None
    return replace(case, network=replace(case.network, layers=tuple(layers)))


def with_data(case: Scenario, change: Callable[[Array], Array]) -> Scenario:
    """The scenario with other inputs."""
    assert case.data is not None
    return replace(case, data=replace(case.data, x=frozen(change(case.data.x), case.dtype)))


def far_off(case: Scenario, by: float = 2.0) -> Scenario:
    """The scenario with targets that give it a loss to speak of."""
    assert case.data is not None
    return replace(case, data=replace(case.data, y=frozen(case.data.y + by, case.dtype)))


def noisy(case: Scenario) -> Scenario:
    """The scenario with targets that a linear network comes near to, and no nearer."""
    assert case.data is not None
    y = case.data.x.sum(axis=1, keepdims=True) + 5 * case.data.y
    return replace(case, data=replace(case.data, y=frozen(y)))


def relu_layers(**options: Any) -> Scenario:
    """3-6-1 with a hidden layer of ReLU, on 20 rows."""
    activations = ("relu", "identity")
    return network((3, 6, 1), activations=activations, loss=MEAN, **{"rows": 20, **options})


def wide(**options: Any) -> Scenario:
    """A network with 20,000 weights in its first layer."""
    case = network((100, 200, 1), activations=("tanh", "identity"), rows=20, loss=MEAN, **options)
    small = Initializer("normal", {"mean": 0.0, "std": 0.02})
    assert case.network is not None
    return with_layers(case, [replace(layer, weights=small) for layer in case.network.layers])
