"""A program is a listing that a person can read, and every line of it is one step."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from nnstep.engine.arrays import Kernel


class CompileError(ValueError):
    """A mistake in an expression scenario.

    `start` and `end` are offsets in its code; for a parameter or an input at fault they are None
    and `name` says which.
    """

    def __init__(
        self,
        message: str,
        start: int | None = None,
        end: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.name = name


class Phase(StrEnum):
    """The five parts of an iteration, in order."""

    BATCH = "batch"
    FORWARD = "forward"
    LOSS = "loss"
    BACKWARD = "backward"
    UPDATE = "update"


class Role(StrEnum):
    """What a tensor is to the network; panes and traces group tensors by it."""

    DATA = "data"
    CONSTANT = "constant"
    PARAMETER = "parameter"
    BUFFER = "buffer"
    RATE = "rate"
    VALUE = "value"
    LOSS = "loss"
    GRADIENT = "gradient"
    SCRATCH = "scratch"


class Tensor(Struct, frozen=True):
    """What is known of a tensor before anything runs.

    `layer` counts from 1 and is None outside a layer. A tensor of role `PARAMETER`, `BUFFER`,
    `RATE` or `CONSTANT` is live from the start; the others appear when first written. A buffer has
    the shape of the parameter `of` and is full of `start` at first; without an `of` it is a count.
    """

    name: str
    role: Role
    layer: int | None = None
    of: str | None = None
    start: float = 0.0


class Instruction(Struct, frozen=True):
    """One line of the listing.

    `kernel` computes the tensor written from a mapping of all live tensors, of which it uses those
    in `reads`. The batch instruction has none: what it reads is the machine's data cursor.
    """

    phase: Phase
    layer: int | None
    operation: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    code: str
    kernel: Kernel | None = None


class Program(Struct, frozen=True):
    """The instructions of one iteration, and the tensors they are about.

    `tensors` is in the order in which a reader meets them. `parameters` are those that have a
    gradient; `trained` those that the optimizer updates. `loss` names the tensor that is minimised.
    """

    instructions: tuple[Instruction, ...]
    tensors: Mapping[str, Tensor]
    loss: str
    parameters: tuple[str, ...]
    trained: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.instructions)

    def with_role(self, *roles: Role) -> tuple[Tensor, ...]:
        """Return the tensors that have one of these roles."""
        return tuple(tensor for tensor in self.tensors.values() if tensor.role in roles)
