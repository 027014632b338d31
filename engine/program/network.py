"""Compiling a network: its layers, a row a kind, then the loss, and the way back."""

from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Shape
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.arithmetic import linear, weights_shape
from nnstep.engine.operations.formula import call, formula, variable
from nnstep.engine.operations.functions import l2_penalty
from nnstep.engine.operations.losses import PENALISED, LossOperation, loss_operation
from nnstep.engine.operations.operation import Operation
from nnstep.engine.scenario.model import Data, Initializer, Layer, Layout, Network

from .builder import Applied, Backward, Listing
from .program import Drawn, Phase, Role, Tensor

LOSS = "L"


class Parameter(Struct, frozen=True):
    """A parameter of a kind of layer: `name` and the layer's number are its name in the listing.

    `shape` gives its shape, from the layout of weights, the number of the layer's inputs and that
    of its units. A network's L2 penalty is over those that are `penalised`.
    """

    name: str
    shape: Callable[[Layout, int, int], Shape]
    penalised: bool = False


class LayerKind(Struct, frozen=True):
    """A kind of layer: its parameters, by the keys that a scenario has for them, and its lines.

    `write` adds the forward lines of a layer and returns how operations were applied, the one that
    computes the layer's output last. It is given the layer, its number, the layout of weights, and
    the tensors that it reads: `x` is its input, and its parameters are there by their names. A
    parameter that the layer does without is not among them.
    """

    parameters: Mapping[str, Parameter]
    write: Callable[[Listing, Layer, int, Layout, Mapping[str, str]], list[Applied]]


def _write_dense(
    listing: Listing, layer: Layer, number: int, layout: Layout, inputs: Mapping[str, str]
) -> list[Applied]:
    """Add `z = x @ W.T + b` and `a = f(z)`."""
    z, a = f"z{number}", f"a{number}"
    activation = ACTIVATIONS[layer.activation.kind].with_settings(**layer.activation.options)
    return [
        _write(listing, linear(layout, "b" in inputs), inputs, z, number),
        _write(listing, activation, {"z": z}, a, number),
    ]


LAYERS = {
    "dense": LayerKind(
        parameters={
            "weights": Parameter("W", weights_shape, penalised=True),
            "bias": Parameter("b", lambda layout, inputs, units: (units,)),
        },
        write=_write_dense,
    ),
}
"""The kinds of layers that a network can have."""


def write_network(
    listing: Listing, network: Network, data: Data, *, weighted: bool = False
) -> None:
    """Add the forward, loss and backward instructions of a network.

    `weighted` asks for the derivative of a cross-entropy whose target rows may sum to anything.
    """
    applied: list[Applied] = []
    penalised: list[str] = []
    source = "x"
    for number, layer in enumerate(network.layers, start=1):
        kind = LAYERS[layer.kind]
        names = _declare_parameters(listing, layer, number, network.layout, source)
        penalised += [
            names[one.name]
            for one in kind.parameters.values()
            if network.l2 and one.penalised and one.name in names
        ]
        applied += kind.write(listing, layer, number, network.layout, {"x": source, **names})
        source = applied[-1].output
    name, from_logits = network.loss.kind, network.loss.from_logits
    operation = loss_operation(name, from_logits, data.y, weighted=weighted)
    operation = operation.with_settings(**network.loss.options)
    if network.loss.fuse and applied[-1].operation in operation.fused:
        operation = operation.with_fusion()
    loss = _write_loss(listing, network, operation, source, penalised)
    backward = [_with_penalty(one, penalised, network.l2) for one in applied]
    wanted = [*listing.parameters, *(["x"] if network.input_gradient else [])]
    sources = {line.writes[0]: line.code for line in listing.instructions}
    Backward(listing, _with_loss(backward, loss, network, operation), wanted, sources).write(LOSS)


def _declare_parameters(
    listing: Listing, layer: Layer, number: int, layout: Layout, source: str
) -> dict[str, str]:
    """Declare the parameters of a layer; return their tensors by the names that its kind has."""
    inputs = listing.tensors[source].shape[-1]
    names: dict[str, str] = {}
    for key, parameter in LAYERS[layer.kind].parameters.items():
        if key not in layer.parameters:
            continue
        name, first = f"{parameter.name}{number}", layer.parameters[key]
        shapes = listing.always(parameter.shape(layout, inputs, layer.units))
        start = Drawn(first, inputs, layer.units) if isinstance(first, Initializer) else first
        frozen = key in layer.frozen
        listing.declare(
            Tensor(name, Role.PARAMETER, number, shapes=shapes, start=start, frozen=frozen)
        )
        names[parameter.name] = name
    return names


def _write(
    listing: Listing, operation: Operation, inputs: Mapping[str, str], output: str, layer: int
) -> Applied:
    """Add the line of an operation in a layer, and return how it was applied."""
    settings = operation.settings
    gradients = {name: operation.gradient_formula(name) for name in operation.gradients}
    applied = Applied(
        operation.name,
        operation.value_formula,
        inputs,
        output,
        gradients,
        operation.output,
        settings,
        layer,
        operation.sides,
    )
    by_batch = zip(*(listing.tensors[name].shapes for name in inputs.values()), strict=True)
    shapes = tuple(operation.shape(*each, **settings) for each in by_batch)
    listing.apply(Phase.FORWARD, applied, Role.VALUE, shapes)
    return applied


def _write_loss(
    listing: Listing,
    network: Network,
    operation: LossOperation,
    output: str,
    penalised: list[str],
) -> Applied:
    """Add the loss, with the L2 penalty of the parameters `penalised`."""
    reduction = network.loss.reduction
    value = operation.reduced(reduction)
    inputs = {"a": output, "y": "y"}
    if penalised:
        penalty = call(l2_penalty, tuple(penalised), l2=network.l2)
        value = PENALISED.on(L=value, penalty=penalty)
        inputs |= {name: name for name in penalised}
    applied = Applied(
        operation.name,
        value,
        inputs,
        LOSS,
        {"a": operation.derivative(reduction)},
        operation.output,
        settings={"reduction": reduction, **operation.settings},
        sides=operation.sides,
    )
    listing.apply(Phase.LOSS, applied, Role.LOSS, listing.always(()))
    return applied


def _with_penalty(one: Applied, penalised: list[str], l2: float) -> Applied:
    """Add to an operation's gradients those of the L2 penalty of the parameters `penalised`."""
    gradients = {
        parameter: (
            _REGULARISED.bind(l2=l2).on(g=gradient, W=variable(parameter))
            if one.inputs.get(parameter) in penalised
            else gradient
        )
        for parameter, gradient in one.gradients.items()
    }
    return replace(one, gradients=gradients)


_REGULARISED = formula(lambda g, W, l2: g + l2 * W)


def _with_loss(
    applied: list[Applied], loss: Applied, network: Network, operation: LossOperation
) -> list[Applied]:
    """Return the operations to differentiate, the loss last.

    An activation that feeds its own cross-entropy is fused with it, unless the scenario asks for
    the long way: one step then leads from the loss straight to `dz`.
    """
    activation = applied[-1]
    if not (network.loss.fuse and activation.operation in operation.fused):
        return [*applied, loss]
    fused = operation.fused_derivative(activation.operation, network.loss.reduction)
    inputs = {"z": activation.inputs["z"], "a": activation.output, "y": "y"}
    return [*applied[:-1], replace(loss, inputs=inputs, gradients={"z": fused})]
