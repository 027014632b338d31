"""A program of code in PyTorch: tensors that require a gradient, and its lines forward."""

from collections.abc import Iterator

from nnstep.engine.program.program import Instruction, Phase, Program, Role

from .errors import ExportError
from .script import Names
from .torch_lines import NoCounterpartError, torch_expression
from .torch_network import FirstValues


class Statements:
    """Writes a program line by line, from its listing."""

    def __init__(self, program: Program, names: Names, values: FirstValues) -> None:
        self.program = program
        self.names = names
        self.values = values
        self._lines = [
            (number, line)
            for number, line in enumerate(program.instructions, start=1)
            if line.phase in (Phase.FORWARD, Phase.LOSS)
        ]
        self._chooses = any(" if " in line.code for _, line in self._lines)

    def first_values(self) -> Iterator[str]:
        """Yield the constants and the parameters."""
        yield "# First values."
        for tensor in self.program.with_role(Role.CONSTANT, Role.PARAMETER):
            as_leaf = tensor.role is Role.PARAMETER
            yield f"{self.names(tensor.name)} = {self.values.first_value(tensor, as_leaf=as_leaf)}"

    def forward(self) -> Iterator[str]:
        """Yield the lines of the listing, forward and loss."""
        yield ""
        for number, line in self._lines:
            yield self._translated(number, line)

    def cleared(self) -> Iterator[str]:
        """Yield the lines that forget the gradients."""
        for name in self.program.parameters:
            yield f"{self.names(name)}.grad = None"

    def trained(self) -> str:
        """Return all parameters."""
        return f"[{', '.join(map(self.names, self.program.parameters))}]"

    def backward(self) -> Iterator[str]:
        """Yield the call of autograd, and zeros for what the loss does not depend on."""
        loss, unused = self.names(self.program.loss), self._unused
        if len(unused) < len(self.program.parameters):
            if self._chooses:
                yield f"if {loss}.requires_grad:"
            yield f"{'    ' if self._chooses else ''}{loss}.backward()"
        if self._chooses:
            unused = list(self.program.parameters)
        if unused:
            yield f"for parameter in [{', '.join(map(self.names, unused))}]:"
            yield "    if parameter.grad is None:  # the loss does not depend on it"
            yield "        parameter.grad = torch.zeros_like(parameter)"

    def shown(self, tensor: str) -> str:
        """Return a parameter."""
        return self.names(tensor)

    def shown_gradient(self, tensor: str) -> str:
        """Return the gradient of a parameter."""
        return f"{self.names(tensor)}.grad"

    @property
    def _unused(self) -> list[str]:
        """The parameters that the loss does not depend on."""
        lines = self.program.instructions
        zeros = {i.writes[0] for i in lines if i.phase is Phase.BACKWARD and i.operation == "zeros"}
        return [name for name in self.program.parameters if self.program.gradients[name] in zeros]

    def _translated(self, number: int, line: Instruction) -> str:
        target, code = self.names.code(line).split(" = ", 1)
        try:
            return f"{target} = {torch_expression(code, self.program, self.names)}"
        except NoCounterpartError as error:
            message = f"PyTorch has no counterpart for line {number}, {line.code}: {error}"
            raise ExportError(message) from None
