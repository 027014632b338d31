"""A scenario in PyTorch: autograd for the backward pass, `torch.optim` for the updates."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from nnstep.engine.operations.optimizers import OPTIMIZERS
from nnstep.engine.program.program import Drawn, Program, Tensor
from nnstep.engine.scenario.model import Scenario

from .errors import ExportError
from .literals import Arrays
from .script import (
    Script,
    drawn,
    heading,
    is_random,
    iterations_of,
    named,
    shown_gradients,
    write_data,
    write_sources,
)
from .torch_network import Layers
from .torch_program import Statements

_ABOUT = (
    "The same in PyTorch: autograd takes the place of the backward pass, torch.optim that of the "
    "updates. The comments are the lines of nnstep. It prints the loss, the gradients and the "
    "updated parameters of every iteration, the same but for the rounding of the last digits."
)
_TAKEN = frozenset({
    *("X", "Y", "batches", "in_batches", "iteration", "loss_function", "model", "optimizer"),
    *("parameter", "rng", "show", "stored", "trained", "nn", "np", "torch", "Path"),
    *("float", "len", "print", "range"),
})  # fmt: skip
_OPTIMIZERS = {
    "sgd": "SGD",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adamw": "AdamW",
}


class Body(Protocol):
    """What a network and a program of code write in their own ways."""

    def first_values(self) -> Iterator[str]:
        """Yield the lines before the loop."""

    def forward(self) -> Iterator[str]:
        """Yield the lines that compute the loss."""

    def cleared(self) -> Iterator[str]:
        """Yield the lines that forget the gradients which no optimizer does."""

    def trained(self) -> str:
        """Return an expression for the parameters, where the optimizer has all of them."""

    def backward(self) -> Iterator[str]:
        """Yield the lines that compute the gradients."""

    def shown(self, tensor: str) -> str:
        """Return a parameter, as the listing has it."""

    def shown_gradient(self, tensor: str) -> str:
        """Return the gradient of a parameter or of the data."""


def torch_script(
    scenario: Scenario, program: Program, iterations: int | None = None, beside: str | None = None
) -> Script:
    """Return a script that does in PyTorch what a program of a scenario does.

    Large arrays are loaded as in `numpy_script`. Raises `ExportError`, which names the line that
    PyTorch has no counterpart for, or the array that is too large.
    """
    for number, line in enumerate(program.instructions):
        if line.rule is not None:
            raise ExportError(
                f"line {number + 1}, {line.code}, is of your own: autograd cannot be told of it"
            )
    writer = _Writer(scenario, program, Arrays("torch", beside))
    return Script(writer.text(iterations_of(scenario, iterations)), writer.arrays.stored)


class _Writer:
    """Writes one script, part by part."""

    def __init__(self, scenario: Scenario, program: Program, arrays: Arrays) -> None:
        self.scenario = scenario
        self.program = program
        self.arrays = arrays
        self.names = named(program, _TAKEN)
        self.body: Body
        if scenario.network:
            self.body = Layers(scenario.network, program, self)
        else:
            self.body = Statements(program, self.names, self)

    def text(self, iterations: int) -> str:
        """Return the whole script."""
        data = write_data(self.scenario, self.arrays, "torch.from_numpy(rng.permutation(len(X)))")
        first = [*self.body.first_values(), *self._optimizer(), ""]
        loop = [f"for iteration in range({iterations}):", *self._iteration(iterations)]
        sources = write_sources(self.scenario, self.program, self.arrays)
        # The imports of the head depend on what all else has stored.
        return "\n".join([self._head(), "", "", *sources, *data, *first, *loop, ""])

    def first_value(self, tensor: Tensor, *, as_leaf: bool = False) -> str:
        """Return the first value of a tensor, as a leaf that gets a gradient if asked for."""
        start = tensor.start
        assert isinstance(start, np.ndarray | Drawn), "parameters and constants have values"
        leaf = ", requires_grad=True" if as_leaf else ""
        if isinstance(start, Drawn):
            value = drawn(start, tensor.shape)
            return f"torch.tensor({value}, dtype=torch.{self.scenario.dtype}{leaf})"
        text = self.arrays.text(tensor.name, start)
        if not as_leaf:
            return text
        if text.startswith("torch.tensor("):
            return f"{text[:-1]}{leaf})"
        return f"{text}.requires_grad_()"

    def _head(self) -> str:
        words = [heading(self.scenario, _ABOUT)]
        modules = ["from pathlib import Path\n"] if self.arrays.stored else []
        if self.arrays.stored or is_random(self.scenario, self.program) or self._draws:
            modules.append("import numpy as np")
        modules.append("import torch\nfrom torch import nn")
        dtype = f"torch.set_default_dtype(torch.{self.scenario.dtype})"
        show = (
            'def show(name, tensor):\n    """Print a tensor with all its digits."""\n'
            '    print(name, "=", tensor.tolist())'
        )
        return "\n\n".join([*words, "\n".join(modules), dtype]) + f"\n\n\n{show}"

    @property
    def _draws(self) -> bool:
        return any(isinstance(tensor.start, Drawn) for tensor in self.program.tensors.values())

    @property
    def _trained(self) -> Sequence[str]:
        return self.program.trained if self.scenario.optimizer else ()

    @property
    def _trains_all(self) -> bool:
        return len(self._trained) == len(self.program.parameters)

    @property
    def _trained_text(self) -> str:
        return self.body.trained() if self._trains_all else "trained"

    def _optimizer(self) -> Iterator[str]:
        optimizer = self.scenario.optimizer
        if optimizer is None or not self._trained:
            return
        row = OPTIMIZERS[optimizer.kind]
        if optimizer.kind not in _OPTIMIZERS:
            raise ExportError(f"PyTorch has no counterpart for the optimizer {optimizer.kind}")
        usual = row.filled({})
        options = {
            name: value
            for name, value in optimizer.options.items()
            if name != "lr" and value != usual[name]
        }
        arguments = [f"{name}={value!r}" for name, value in {"lr": optimizer.lr, **options}.items()]
        if not self._trains_all:
            names = ", ".join(map(self.names, self._trained))
            yield f"trained = [{names}]  # the others are frozen"
        kind, listed = _OPTIMIZERS[optimizer.kind], ", ".join(arguments)
        yield f"optimizer = torch.optim.{kind}({self._trained_text}, {listed})"

    def _iteration(self, iterations: int) -> Iterator[str]:
        yield '    print("iteration", iteration)'
        if self.scenario.data:
            yield "    x, y = next(batches)"
        if self._trains_all:
            yield "    optimizer.zero_grad()"
        elif iterations > 1:
            yield from (f"    {line}" for line in self.body.cleared())
        for line in self.body.forward():
            yield f"    {line}" if line else ""
        loss = self.program.loss
        yield f'    show("{loss}", {self.names(loss)})'
        yield ""
        for line in self.body.backward():
            yield f"    {line}"
        of = {gradient: tensor for tensor, gradient in self.program.gradients.items()}
        for name in shown_gradients(self.program):
            yield f'    show("{name}", {self.body.shown_gradient(of[name])})'
        if self._trained:
            yield from self._update()

    def _update(self) -> Iterator[str]:
        yield ""
        clip = self.scenario.optimizer.clip if self.scenario.optimizer else None
        if clip is not None:
            yield f"    nn.utils.clip_grad_{clip.kind}_({self._trained_text}, {clip.limit!r})"
        first = self._trained[0]
        rule = [line.code for line in self.program.instructions if line.writes[0] == first]
        yield f"    optimizer.step()  # {rule[-1]}, and so on"
        for name in self._trained:
            yield f'    show("{name}", {self.body.shown(name)})'
