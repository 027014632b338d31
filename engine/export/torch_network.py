"""A network as PyTorch has it: `nn.Sequential` of `nn.Linear` and activations, a loss of `nn`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from nnstep.engine.operations.operation import Settings
from nnstep.engine.program.program import Phase, Program, Tensor
from nnstep.engine.scenario.model import Layer, Network

from .errors import ExportError

_MODULES: Mapping[str, Callable[[Settings], str]] = {
    "sigmoid": lambda o: "nn.Sigmoid()",
    "tanh": lambda o: "nn.Tanh()",
    "relu": lambda o: "nn.ReLU()",
    "leaky_relu": lambda o: f"nn.LeakyReLU({o.get('slope', 0.01)!r})",
    "elu": lambda o: f"nn.ELU({o.get('alpha', 1.0)!r})",
    "gelu": lambda o: 'nn.GELU(approximate="tanh")' if _by_tanh(o) else "nn.GELU()",
    "silu": lambda o: "nn.SiLU()",
    "softplus": lambda o: "nn.Softplus()",
    "softmax": lambda o: "nn.Softmax(dim=-1)",
}
"""The module for each activation; identity has none, and needs none."""

_LOSSES = {
    "mse": "MSELoss",
    "half_squared_error": "MSELoss",
    "mae": "L1Loss",
    "huber": "HuberLoss",
    "binary_cross_entropy": "BCELoss",
}


def _by_tanh(options: Settings) -> bool:
    return options.get("approximate") == "tanh"


class FirstValues(Protocol):
    """What gives a tensor's first value."""

    def first_value(self, tensor: Tensor, *, as_leaf: bool = False) -> str:
        """Return it as an expression."""


class Layers:
    """Writes a network; `W1` and so on are views of the parameters of the model's layers."""

    def __init__(self, network: Network, program: Program, values: FirstValues) -> None:
        self.network = network
        self.program = program
        self.values = values
        self._transposed = network.layout == "in_out"

    def first_values(self) -> Iterator[str]:
        """Yield the model, the names of its parameters, their values, and the loss."""
        yield "model = nn.Sequential("
        places: list[int] = []
        count, inputs = 0, self.network.inputs
        for number, layer in enumerate(self.network.layers, start=1):
            places.append(count)
            z, a = self._code(f"z{number}"), self._code(f"a{number}")
            bias = "" if layer.bias is not None else ", bias=False"
            yield f"    nn.Linear({inputs}, {layer.units}{bias}),  # {z}"
            module = self._module(layer, a, is_last=number == len(self.network.layers))
            yield f"    {module},  # {a}" if module else f"    # {a}"
            count, inputs = count + (2 if module else 1), layer.units
        yield ")"
        if self._transposed:
            yield "# nn.Linear keeps W as (out, in): the transpose of the listing's."
        for number, (place, layer) in enumerate(zip(places, self.network.layers, strict=True), 1):
            yield f"W{number} = model[{place}].weight"
            if layer.bias is not None:
                yield f"b{number} = model[{place}].bias"
        yield from self._copied()
        yield ""
        if self._loss_function:
            yield f"loss_function = nn.{self._loss_function}"

    def _copied(self) -> Iterator[str]:
        yield "with torch.no_grad():"
        for name in self.program.parameters:
            value = self.values.first_value(self.program.tensors[name])
            turned = ".T" if self._turns(name) else ""
            lines = f"{name}.copy_({value}{turned})".splitlines()
            yield from (f"    {line}" for line in lines)

    def forward(self) -> Iterator[str]:
        """Yield the lines that compute the loss, with the L2 penalty."""
        if self.network.input_gradient:
            yield "x = x.clone().requires_grad_()"
        yield ""
        yield f"{self._output} = model(x)"
        yield f"L = {self._loss}  # {self._code('L')}"
        if self.network.l2:
            weights = [f"W{number}" for number in range(1, len(self.network.layers) + 1)]
            squares = " + ".join(f"({W}**2).sum()" for W in weights)
            yield f"L = L + {self.network.l2!r} / 2 * ({squares})"

    def cleared(self) -> Iterator[str]:
        """Yield the line that forgets all gradients, those of frozen parameters too."""
        yield "model.zero_grad()"

    def trained(self) -> str:
        """Return all parameters."""
        return "model.parameters()"

    def backward(self) -> Iterator[str]:
        """Yield the call of autograd, with what the listing computes there."""
        lines = [i for i in self.program.instructions if i.phase is Phase.BACKWARD]
        yield f"L.backward()  # {', '.join(line.writes[0] for line in lines)}"

    def shown(self, tensor: str) -> str:
        """Return a parameter in the layout of the listing."""
        return f"{tensor}.T" if self._turns(tensor) else tensor

    def shown_gradient(self, tensor: str) -> str:
        """Return a gradient in the layout of the listing."""
        return f"{tensor}.grad.T" if self._turns(tensor) else f"{tensor}.grad"

    def _turns(self, tensor: str) -> bool:
        return self._transposed and len(self.program.tensors[tensor].shape) == 2 and tensor != "x"

    def _code(self, tensor: str) -> str:
        """Return the line of the listing that writes a tensor."""
        return next(i.code for i in self.program.instructions if i.writes[0] == tensor)

    def _module(self, layer: Layer, code: str, *, is_last: bool) -> str:
        """Return the module of an activation, nothing for one that is none or is in the loss."""
        activation = layer.activation
        if activation.kind == "identity" or (is_last and self._has_softmax_in_loss):
            return ""
        if activation.kind not in _MODULES:
            raise ExportError(f"PyTorch has no counterpart for the line {code}")
        return _MODULES[activation.kind](activation.options)

    @property
    def _has_softmax_in_loss(self) -> bool:
        """Whether PyTorch's cross-entropy takes the place of a softmax and the listing's."""
        loss = self.network.loss
        is_softmax = self.network.layers[-1].activation.kind == "softmax"
        return loss.kind == "cross_entropy" and is_softmax and loss.fuse and not loss.from_logits

    @property
    def _output(self) -> str:
        """What the model computes: the last activation, or what the loss makes one of."""
        return f"{'z' if self._has_softmax_in_loss else 'a'}{len(self.network.layers)}"

    @property
    def _has_class_indices(self) -> bool:
        return len(self.program.tensors["y"].shape) == 1

    @property
    def _loss_function(self) -> str:
        """The loss of `nn` and its arguments; nothing where there is none that is the same."""
        loss = self.network.loss
        if loss.kind == "cross_entropy":
            summed = 'reduction="sum"' if loss.reduction == "sum" else ""
            if self._has_softmax_in_loss or loss.from_logits:
                return f"CrossEntropyLoss({summed})"
            return f"NLLLoss({summed})" if self._has_class_indices else ""
        if loss.kind not in _LOSSES:
            raise ExportError(f"PyTorch has no counterpart for the line {self._code('L')}")
        name = "BCEWithLogitsLoss" if loss.from_logits else _LOSSES[loss.kind]
        options = {name: repr(value) for name, value in loss.options.items()}
        if loss.reduction != "mean":
            options["reduction"] = '"sum"'
        return f"{name}({', '.join(f'{key}={value}' for key, value in options.items())})"

    @property
    def _loss(self) -> str:
        """The expression of the loss, without the L2 penalty."""
        loss, output = self.network.loss, self._output
        if not self._loss_function:
            reduced = "sum" if loss.reduction == "sum" else "mean"
            return f"-torch.xlogy(y, {output}).sum(dim=-1).{reduced}()"
        if self._loss_function.startswith("NLLLoss"):
            return f"loss_function(torch.log({output}), y)"
        half = "0.5 * " if loss.kind == "half_squared_error" else ""
        divides = loss.reduction == "batch_mean" and loss.kind != "cross_entropy"
        return f"{half}loss_function({output}, y){' / len(x)' if divides else ''}"
