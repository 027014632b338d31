"""Compiling a network: dense layers, a loss, and the way back."""

from msgspec.structs import replace

from nnstep.engine.operations.activations import ACTIVATIONS, GELU_TANH
from nnstep.engine.operations.arithmetic import linear
from nnstep.engine.operations.formula import call, formula
from nnstep.engine.operations.functions import l2_penalty
from nnstep.engine.operations.losses import PENALISED, LossOperation, loss_operation
from nnstep.engine.operations.operation import Operation
from nnstep.engine.scenario.model import Activation, Data, Layer, Network

from .builder import Applied, Backward, Listing
from .program import Phase, Role, Tensor

_REGULARISED = formula(lambda g, W, l2: g + l2 * W)


def write_network(listing: Listing, network: Network, data: Data) -> None:
    """Add the batch, forward, loss and backward instructions of a network."""
    listing.add_batch()
    applied: list[Applied] = []
    source = "x"
    for number, layer in enumerate(network.layers, start=1):
        applied += _write_layer(listing, network, layer, number, source)
        source = f"a{number}"
    operation = loss_operation(network.loss.kind, network.loss.from_logits, data.y)
    _write_loss(listing, network, operation, source)
    backward = _with_loss(applied, network, operation)
    wanted = [name for name, tensor in listing.tensors.items() if tensor.role is Role.PARAMETER]
    if network.input_gradient:
        wanted.append("x")
    Backward(listing, backward, wanted).write("L")


def _write_layer(
    listing: Listing, network: Network, layer: Layer, number: int, source: str
) -> list[Applied]:
    """Add `z = x @ W.T + b` and `a = f(z)`; return how they were applied."""
    W, b, z, a = f"W{number}", f"b{number}", f"z{number}", f"a{number}"
    has_bias = layer.bias is not None
    listing.declare(Tensor(W, Role.PARAMETER, number))
    if has_bias:
        listing.declare(Tensor(b, Role.PARAMETER, number))
    weighted_sum = linear(network.layout, has_bias)
    inputs = {"x": source, "W": W, **({"b": b} if has_bias else {})}
    activation = _activation(layer.activation)
    steps = [
        _apply(weighted_sum, inputs, z, number),
        _apply(activation, {"z": z}, a, number),
    ]
    for operation, step in zip((weighted_sum, activation), steps, strict=True):
        tensor = Tensor(step.output, Role.VALUE, number)
        value = operation.value_formula
        listing.add(Phase.FORWARD, operation.name, tensor, value, step.inputs, number)
    if network.l2:
        penalty = _REGULARISED.bind(l2=network.l2)
        gradients = {**steps[0].gradients, "W": penalty.on(g=steps[0].gradients["W"])}
        steps[0] = replace(steps[0], gradients=gradients)
    return steps


def _activation(activation: Activation) -> Operation:
    if activation.kind == "gelu":
        tanh = activation.options.get("approximate") == "tanh"
        return GELU_TANH if tanh else ACTIVATIONS["gelu"]
    return ACTIVATIONS[activation.kind].with_settings(**activation.options)


def _apply(operation: Operation, inputs: dict[str, str], output: str, layer: int) -> Applied:
    gradients = {name: operation.gradient_formula(name) for name in operation.gradients}
    return Applied(operation.name, inputs, output, gradients, operation.output, layer)


def _write_loss(listing: Listing, network: Network, operation: LossOperation, output: str) -> None:
    """Add the loss, with the L2 penalty of all weights where the network has one."""
    value = operation.value_formula(network.loss.reduction, network.loss.delta)
    names = {"a": output, "y": "y"}
    if network.l2:
        weights = tuple(f"W{number}" for number in range(1, len(network.layers) + 1))
        value = PENALISED.on(L=value, penalty=call(l2_penalty, weights, l2=network.l2))
        names |= {name: name for name in weights}
    listing.add(Phase.LOSS, operation.name, Tensor("L", Role.LOSS), value, names)


def _with_loss(applied: list[Applied], network: Network, operation: LossOperation) -> list[Applied]:
    """Return the operations to differentiate, the loss last.

    An activation that feeds its own cross-entropy is fused with it, unless the scenario asks for
    the long way: one step then leads from the loss straight to `dz`.
    """
    loss = network.loss
    activation = applied[-1]
    if loss.fuse and activation.operation in operation.fused:
        fused = operation.fused_formula(activation.operation, loss.reduction)
        inputs = {"z": activation.inputs["z"], "a": activation.output, "y": "y"}
        return [*applied[:-1], Applied(operation.name, inputs, "L", {"z": fused})]
    da = operation.da_formula(loss.reduction, loss.delta)
    inputs = {"a": activation.output, "y": "y"}
    return [*applied, Applied(operation.name, inputs, "L", {"a": da})]
