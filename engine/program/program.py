"""A program is a listing that a person can read, and every line of it is one step.

It also knows, before anything runs, what there is to know of its tensors: their shapes, their first
values, and of which other tensor each is the gradient or a buffer.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from itertools import accumulate
from math import prod

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Kernel, Shape
from nnstep.engine.operations.formula import Constant, Formula
from nnstep.engine.scenario.model import Initializer


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


class Doubt(Struct, frozen=True):
    """What an expression computes though it is hardly meant; `start` is an offset in its code."""

    message: str
    start: int


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


Shapes = tuple[Shape, ...]
"""A tensor's shape for each of the sizes that a batch can have, in the order of the data's
`batch_sizes`; without data there is one."""


class Drawn(Struct, frozen=True):
    """A first value that is drawn when a run starts; the fans are those of the tensor's layer."""

    by: Initializer
    fan_in: int
    fan_out: int


class Tensor(Struct, frozen=True, eq=False):
    """What is known of a tensor before anything runs.

    `layer` counts from 1 and is None outside a layer. A gradient is the derivative of the loss by
    the tensor `of`; a buffer, or a scratch tensor that each update computes anew, belongs to the
    parameter `of`. A buffer without an `of` is a count.

    A tensor with a `start` is live from the beginning, and that is its first value; a buffer of a
    parameter is full of it. The others appear when first written. The optimizer leaves a parameter
    alone that is `frozen`.
    """

    name: str
    role: Role
    layer: int | None = None
    of: str | None = None
    shapes: Shapes = ((),)
    start: Array | Drawn | float | None = None
    frozen: bool = False

    @property
    def shape(self) -> Shape:
        """Its shape, in the largest batch where batches differ in size."""
        return max(self.shapes, key=prod)


class Instruction(Struct, frozen=True):
    """One line of the listing.

    `kernel` computes the tensor written from a mapping of all live tensors, of which it uses those
    in `reads`. It is made from the `formula`, as the line's `code` is: `names` has the tensor for
    each of the formula's parameters, and `settings` the constants that the operation was given
    (`alpha`, `axis`, `momentum`, …), which stand in the formula already. The batch instruction has
    neither: what it reads is the machine's data cursor.

    `sides` tells the sides of the operation's kinks apart, as `Kink` says, by tensors under their
    names; it is None if there is no kink.

    A backward line is the derivative, or a part of it, of the line `source`: in a program of code
    the statement as it was written, in a network the line of phase forward or loss. `rule` is the
    line in whose place a person has put this one of their own. A line that hides a mistake, for
    somebody to find, looks like the rule's in all but its `kernel`; what is executed `runs`.
    """

    phase: Phase
    layer: int | None
    operation: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    code: str
    kernel: Kernel | None = None
    formula: Formula | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Constant] = field(default_factory=dict)
    sides: Formula | None = None
    source: str = ""
    rule: "Instruction | None" = None
    runs: "Instruction | None" = None

    @property
    def executed(self) -> "Instruction":
        """The line that is executed: itself, or the one that it hides."""
        return self.runs or self

    @property
    def as_shown(self) -> "Instruction":
        """The line that its code says: itself, or without what it hides."""
        if self.runs is None or self.formula is None:
            return self
        return replace(self, kernel=self.formula.over(self.names), runs=None)


_RENEWED = (Role.DATA, Role.VALUE, Role.LOSS, Role.GRADIENT, Role.SCRATCH)


class Program(Struct, frozen=True, eq=False, weakref=True, dict=True):
    """The instructions of one iteration, and the tensors they are about.

    `tensors` is in the order in which a reader meets them. `parameters` are those that have a
    gradient; `trained` those that the optimizer updates. `loss` names the tensor that is minimised.
    `doubts` are about what is computed, but is hardly meant.
    """

    instructions: tuple[Instruction, ...]
    tensors: Mapping[str, Tensor]
    loss: str
    parameters: tuple[str, ...]
    trained: tuple[str, ...]
    doubts: tuple[Doubt, ...] = ()

    def __len__(self) -> int:
        return len(self.instructions)

    @cached_property
    def written(self) -> tuple[str, ...]:
        """The tensors that a pass writes, in order: the names of what its record holds."""
        return tuple(name for line in self.instructions for name in line.writes)

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """How many arrays a pass has written before each line, and, last, after them all."""
        return (0, *accumulate(len(line.writes) for line in self.instructions))

    @cached_property
    def writers(self) -> Mapping[str, tuple[int, ...]]:
        """The positions of the lines that write each tensor, in order."""
        found: dict[str, tuple[int, ...]] = {}
        for position, line in enumerate(self.instructions):
            for name in line.writes:
                found[name] = (*found.get(name, ()), position)
        return found

    def last_writer(self, name: str, place: int) -> int | None:
        """Return the last step before a place that writes a tensor, None if there is none."""
        length = len(self.instructions)
        steps = (
            (place - 1 - position) // length * length + position
            for position in self.writers.get(name, ())
        )
        return max((step for step in steps if step >= 0), default=None)

    @cached_property
    def renewed(self) -> Mapping[str, int]:
        """What each pass makes anew, by name, and the position of the line that writes it first."""
        found: dict[str, int] = {}
        for position, line in enumerate(self.instructions):
            for name in line.writes:
                if name in self.tensors and self.tensors[name].role in _RENEWED:
                    found.setdefault(name, position)
        return found

    @cached_property
    def arriving(self) -> tuple[str, ...]:
        """The tensors in the order in which they come to have a value, first those given one."""
        given = [name for name, tensor in self.tensors.items() if tensor.start is not None]
        return tuple(dict.fromkeys([*given, *self.written]))

    @cached_property
    def standing(self) -> tuple[str, ...]:
        """The tensors that no line writes: they have their first values, unless edited."""
        written = frozenset(self.written)
        return tuple(name for name in self.tensors if name not in written)

    @cached_property
    def has_layers(self) -> bool:
        """Whether lines belong to layers: those of a network do."""
        return any(line.layer is not None for line in self.instructions)

    @cached_property
    def own_lines(self) -> frozenset[int]:
        """The positions of the lines that a person has put in place of the rule's."""
        return frozenset(at for at, line in enumerate(self.instructions) if line.rule is not None)

    def with_lines(self, lines: Mapping[int, Instruction]) -> "Program":
        """Return the program with other instructions at some positions; itself if all are there."""
        if all(self.instructions[position] is line for position, line in lines.items()):
            return self
        own = enumerate(self.instructions)
        return replace(self, instructions=tuple(lines.get(i, line) for i, line in own))

    def with_role(self, *roles: Role) -> tuple[Tensor, ...]:
        """Return the tensors that have one of these roles."""
        return tuple(tensor for tensor in self.tensors.values() if tensor.role in roles)

    @cached_property
    def gradients(self) -> Mapping[str, str]:
        """The gradient of each tensor that has one, both by name."""
        return {
            tensor.of: tensor.name
            for tensor in self.with_role(Role.GRADIENT)
            if tensor.of is not None
        }


def run(
    lines: Iterable[Instruction],
    tensors: Mapping[str, Array],
    each: Callable[[Array], Array] | None = None,
) -> dict[str, Array]:
    """Return the tensors and, in addition, what instructions compute from them.

    The batch instruction cannot be among the lines. `each` is handed every result, in order, and
    what it returns takes the place of the result before the next line reads it.
    """
    result = dict(tensors)
    for line in lines:
        assert line.kernel is not None, "only the batch instruction has no kernel"
        array = np.asarray(line.kernel(result))
        result[line.writes[0]] = each(array) if each else array
    return result
