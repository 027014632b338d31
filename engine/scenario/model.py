"""What a scenario says, once it has been read and found sound: plain frozen values.

Everything the compiler and the machine need is here, and nothing of TOML: numbers are arrays,
defaults are filled in, and an initialiser is a rule that the machine draws from when a run starts.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.operations.losses import Reduction
from nnstep.engine.operations.operation import Settings as Options

if TYPE_CHECKING:
    from nnstep.engine.language.nodes import Assignment

    from .schema import Breakpoint, Override

Layout = Literal["out_in", "in_out"]


class Activation(Struct, frozen=True):
    """An activation function by its name, with its options (`slope`, `alpha`, `approximate`)."""

    kind: str = "identity"
    options: Options = field(default_factory=dict)


class Initializer(Struct, frozen=True):
    """How a parameter gets its first value: `zeros`, `he_normal`, …, with options (`std`, …)."""

    kind: str
    options: Options = field(default_factory=dict)


class Layer(Struct, frozen=True):
    """One dense layer: `units` outputs, its parameters or the rules they are drawn by.

    `weights` has the shape of the network's layout, `(units, inputs)` or `(inputs, units)`;
    `bias` has shape `(units,)` and is None in a layer without one.
    """

    units: int
    activation: Activation
    weights: Array | Initializer
    bias: Array | Initializer | None
    frozen: frozenset[str] = frozenset()
    kind: str = "dense"

    @property
    def parameters(self) -> "Mapping[str, Array | Initializer]":
        """Its parameters, by the keys that the file has for them; one that it lacks is left out."""
        values = {"weights": self.weights, "bias": self.bias}
        return {key: value for key, value in values.items() if value is not None}


class Loss(Struct, frozen=True):
    """A loss by its name, with its options (Huber's `delta`)."""

    kind: str
    reduction: Reduction
    from_logits: bool = False
    fuse: bool = True
    options: Options = field(default_factory=dict)


class Network(Struct, frozen=True):
    """A stack of dense layers and the loss on its last activation."""

    inputs: int
    layers: tuple[Layer, ...]
    loss: Loss
    layout: Layout = "out_in"
    input_gradient: bool = False
    l2: float = 0.0


class DrawnParameter(Struct, frozen=True):
    """A parameter of an expression that is drawn when a run starts, and its shape."""

    by: Initializer
    shape: Shape


class Expression(Struct, frozen=True):
    """A scenario that is a few lines of arithmetic: what it computes, and what it is given.

    `code` is the text that the positions in `statements` count into.
    """

    code: str
    statements: "tuple[Assignment, ...]"
    loss: str
    parameters: Mapping[str, Array | DrawnParameter]
    inputs: Mapping[str, Array]


class Clip(Struct, frozen=True):
    """Gradient clipping, by the norm of all gradients together or value by value."""

    kind: Literal["norm", "value"]
    limit: float


class Optimizer(Struct, frozen=True):
    """An update rule by PyTorch's name, all its options filled in with PyTorch's defaults."""

    kind: str
    lr: float
    options: Options = field(default_factory=dict)
    clip: Clip | None = None


class Data(Struct, frozen=True):
    """The samples, a row each, and the order in which iterations take them.

    `x` has shape `(rows, inputs)`. `y` has the shape of the output, or `(rows,)` if it holds class
    indices. `batches` lists the rows of each iteration and overrides `batch_size` and `shuffle`.
    """

    x: Array
    y: Array
    batch_size: int
    shuffle: bool = False
    batches: tuple[tuple[int, ...], ...] | None = None

    @property
    def batches_per_epoch(self) -> int:
        """How many iterations make one pass through the data."""
        if self.batches is not None:
            return len(self.batches)
        return -(-len(self.x) // self.batch_size)

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The different numbers of rows that an iteration can have, the first iteration's first."""
        if self.batches is not None:
            return tuple(dict.fromkeys(len(rows) for rows in self.batches))
        sizes = (min(self.batch_size, len(self.x)), len(self.x) % self.batch_size)
        return tuple(dict.fromkeys(size for size in sizes if size))


class Run(Struct, frozen=True):
    """Where the run ends; with neither, it goes on for ever.

    With `without_faults`, a check of the scenario fails if the run has one.
    """

    iterations: int | None = None
    epochs: int | None = None
    without_faults: bool = False


class Note(Struct, frozen=True):
    """What the lecturer says at a line of an iteration (of every iteration, if None)."""

    at: str
    text: str
    iteration: int | None = None


class Expectation(Struct, frozen=True):
    """Printed numbers that cells of a tensor must round to at the end of an iteration.

    `printed` has each cell with its number as it is printed, `shape` the shape of the lists if all
    cells are given. The `iteration` is None for the value before the first one; with `phase`, the
    value is that at the end of the phase. A number may differ by `tol` units of its last digit, and
    one that is `wrong`, for the reason given there, must differ by more.
    """

    at: str
    printed: tuple[tuple[Shape, str], ...]
    iteration: int | None = 0
    phase: Literal["backward"] | None = None
    tol: float = 0.5
    wrong: str | None = None
    shape: Shape | None = None


class Scenario(Struct, frozen=True, eq=False, weakref=True):
    """Everything one scenario file says. Exactly one of `network` and `expression` is not None.

    `breakpoints` and `overrides` are the tables of the file and `watches` its expressions, as they
    are written.
    Two scenarios are equal only if they are the same one.
    """

    title: str
    path: str = ""
    description: str = ""
    source: str = ""
    dtype: str = "float64"
    seed: int = 0
    network: Network | None = None
    expression: Expression | None = None
    optimizer: Optimizer | None = None
    data: Data | None = None
    run: Run = Run()
    breakpoints: "tuple[Breakpoint, ...]" = ()
    watches: tuple[str, ...] = ()
    overrides: "tuple[Override, ...]" = ()
    notes: tuple[Note, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    warnings: tuple[str, ...] = ()
