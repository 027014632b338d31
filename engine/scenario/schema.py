"""The keys of a scenario file, table by table; the JSON Schema is made from them.

Where a table has a `kind`, the kind decides which other keys it takes; one that needs no further
key may be written as its name alone.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from nnstep.engine.limits import MAX_COUNT

Amount = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Fraction = Annotated[float, Meta(ge=0, lt=1)]


class Kind(Struct, tag_field="kind", forbid_unknown_fields=True, kw_only=True):
    """A table whose `kind` decides which other keys it takes."""


class Identity(Kind, tag="identity"):
    """a = z, the default."""


class Sigmoid(Kind, tag="sigmoid"):
    """a = 1 / (1 + exp(-z))."""


class Tanh(Kind, tag="tanh"):
    """a = tanh(z)."""


class Relu(Kind, tag="relu"):
    """a = max(z, 0)."""


class LeakyRelu(Kind, tag="leaky_relu"):
    """a = z where z > 0, else slope · z."""

    slope: Annotated[float, Meta(description="The slope of the negative side.")] = 0.01


class Elu(Kind, tag="elu"):
    """a = z where z > 0, else alpha · (exp(z) - 1)."""

    alpha: Annotated[float, Meta(description="Minus the limit of the negative side.")] = 1.0


class Gelu(Kind, tag="gelu"):
    """a = z · Φ(z), with the normal distribution's Φ."""

    approximate: Annotated[
        Literal["none", "tanh"], Meta(description="Φ exactly, or by its tanh formula.")
    ] = "none"


class Silu(Kind, tag="silu"):
    """a = z · sigmoid(z)."""


class Softplus(Kind, tag="softplus"):
    """a = log(1 + exp(z))."""


class Softmax(Kind, tag="softmax"):
    """a = exp(z) / Σ exp(z), over the units of a row."""


ActivationName = Literal[
    "identity",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "gelu",
    "silu",
    "softplus",
    "softmax",
]
ActivationTable = (
    Identity | Sigmoid | Tanh | Relu | LeakyRelu | Elu | Gelu | Silu | Softplus | Softmax
)


class Zeros(Kind, tag="zeros"):
    """Zero everywhere."""


class Constant(Kind, tag="constant"):
    """The same value everywhere."""

    value: Annotated[float, Meta(description="That value.")]


class Normal(Kind, tag="normal"):
    """Drawn from a normal distribution."""

    std: Annotated[float, Meta(ge=0, description="Its standard deviation.")]
    mean: Annotated[float, Meta(description="Its mean.")] = 0.0


class Uniform(Kind, tag="uniform"):
    """Drawn evenly from an interval."""

    low: Annotated[float, Meta(description="The interval's lower end.")]
    high: Annotated[float, Meta(description="The interval's upper end.")]


class XavierUniform(Kind, tag="xavier_uniform"):
    """Uniform up to ±sqrt(6 / (inputs + units)), the default for weights."""


class XavierNormal(Kind, tag="xavier_normal"):
    """Normal with standard deviation sqrt(2 / (inputs + units))."""


class HeUniform(Kind, tag="he_uniform"):
    """Uniform up to ±sqrt(6 / inputs)."""


class HeNormal(Kind, tag="he_normal"):
    """Normal with standard deviation sqrt(2 / inputs)."""


InitializerName = Literal["zeros", "xavier_uniform", "xavier_normal", "he_uniform", "he_normal"]
InitializerTable = (
    Zeros | Constant | Normal | Uniform | XavierUniform | XavierNormal | HeUniform | HeNormal
)


class Loss(Kind):
    """What every loss takes."""

    reduction: Annotated[
        Literal["mean", "batch_mean", "sum"] | UnsetType,
        Meta(
            description="mean: over all elements (cross_entropy: over rows). batch_mean: sum over "
            "outputs, mean over rows. sum: over all. By default sum for half_squared_error, "
            "batch_mean for cross_entropy, else mean."
        ),
    ] = UNSET
    from_logits: Annotated[
        bool,
        Meta(description="The outputs are logits; for the two cross-entropies only."),
    ] = False
    fuse: Annotated[
        bool,
        Meta(description="Derive sigmoid or softmax and its cross-entropy as one: dz = (a - y)/m."),
    ] = True


class MeanSquaredError(Loss, tag="mse"):
    """(a - y)²."""


class HalfSquaredError(Loss, tag="half_squared_error"):
    """½ (a - y)²."""


class MeanAbsoluteError(Loss, tag="mae"):
    """|a - y|."""


class Huber(Loss, tag="huber"):
    """½ (a - y)² near the target, delta · (|a - y| - delta/2) beyond delta."""

    delta: Annotated[Positive, Meta(description="Where the parabola ends.")] = 1.0


class BinaryCrossEntropy(Loss, tag="binary_cross_entropy"):
    """-(y log a + (1 - y) log(1 - a)), each logarithm at least -100."""


class CrossEntropy(Loss, tag="cross_entropy"):
    """-Σ y log a over a row, y a class index or a row of probabilities."""


LossTable = (
    MeanSquaredError
    | HalfSquaredError
    | MeanAbsoluteError
    | Huber
    | BinaryCrossEntropy
    | CrossEntropy
)


class Clip(Struct, forbid_unknown_fields=True, kw_only=True):
    """Gradient clipping: one of the two."""

    norm: Annotated[
        Positive | UnsetType, Meta(description="The largest norm of all gradients together.")
    ] = UNSET
    value: Annotated[
        Positive | UnsetType, Meta(description="The largest magnitude of a gradient's element.")
    ] = UNSET


class Optimizer(Kind):
    """What every optimizer takes."""

    lr: Annotated[Amount, Meta(description="The learning rate.")] = 1e-3
    weight_decay: Annotated[Amount, Meta(description="The L2 penalty, on biases too.")] = 0.0
    clip: Annotated[
        Clip | UnsetType, Meta(description="Clips the gradients before the update.")
    ] = UNSET


class Sgd(Optimizer, tag="sgd"):
    """Gradient descent, plain or with momentum."""

    momentum: Annotated[Amount, Meta(description="The momentum factor.")] = 0.0
    dampening: Annotated[float, Meta(description="Dampening of the momentum.")] = 0.0
    nesterov: Annotated[
        bool, Meta(description="Nesterov's momentum; needs momentum > 0 and dampening = 0.")
    ] = False


class Adagrad(Optimizer, tag="adagrad"):
    """Steps scaled by the sum of past squared gradients."""

    lr: Annotated[Amount, Meta(description="The learning rate.")] = 1e-2
    lr_decay: Annotated[Amount, Meta(description="How fast the rate falls.")] = 0.0
    initial_accumulator_value: Annotated[
        Amount, Meta(description="Where the sum of squares starts.")
    ] = 0.0
    eps: Annotated[Amount, Meta(description="Added to the root, against division by 0.")] = 1e-10


class RmsProp(Optimizer, tag="rmsprop"):
    """Steps scaled by a running mean of squared gradients."""

    lr: Annotated[Amount, Meta(description="The learning rate.")] = 1e-2
    alpha: Annotated[Amount, Meta(description="The running mean's share of the past.")] = 0.99
    eps: Annotated[Amount, Meta(description="Added to the root, against division by 0.")] = 1e-8
    momentum: Annotated[Amount, Meta(description="The momentum factor.")] = 0.0
    centered: Annotated[bool, Meta(description="Subtract the running mean, squared.")] = False


class Adam(Optimizer, tag="adam"):
    """Steps by running means of gradients and of their squares."""

    betas: Annotated[
        tuple[Fraction, Fraction], Meta(description="The two running means' shares of the past.")
    ] = (0.9, 0.999)
    eps: Annotated[Amount, Meta(description="Added to the root, against division by 0.")] = 1e-8
    amsgrad: Annotated[bool, Meta(description="Keep the largest second moment.")] = False


class AdamW(Adam, tag="adamw"):
    """Adam with weight decay apart from the gradient."""

    weight_decay: Annotated[Amount, Meta(description="The share of each parameter taken off.")] = (
        1e-2
    )


OptimizerTable = Sgd | Adagrad | RmsProp | Adam | AdamW


_DIALECT = "https://json-schema.org/draft/2020-12/schema"

Count = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Ordinal = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Dtype = Literal["float64", "float32", "float16"]
Numbers = Annotated[list[Any], Meta(description="Numbers, in lists of equal lengths.")]


class Table(Struct, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class Layer(Table):
    """A dense layer."""

    units: Annotated[int, Meta(ge=1, le=MAX_COUNT, description="How many outputs it has.")]
    activation: Annotated[
        ActivationName | ActivationTable, Meta(description="The function applied to z.")
    ] = "identity"
    weights: Annotated[
        Numbers | UnsetType, Meta(description="W at the start, shaped as the layout says.")
    ] = UNSET
    init: Annotated[
        InitializerName | InitializerTable | UnsetType,
        Meta(description="How W is drawn, if not given; by default xavier_uniform."),
    ] = UNSET
    bias: Annotated[
        bool | list[Any] | InitializerName | InitializerTable,
        Meta(description="b at the start, or how it is drawn; true: zeros; false: no bias."),
    ] = True
    frozen: Annotated[
        list[Literal["weights", "bias"]], Meta(description="What the optimizer leaves alone.")
    ] = []


class Network(Table):
    """A stack of dense layers."""

    inputs: Annotated[int, Meta(ge=1, le=MAX_COUNT, description="How many numbers a sample has.")]
    layers: Annotated[list[Layer], Meta(min_length=1, description="From the input to the output.")]
    layout: Annotated[
        Literal["out_in", "in_out"],
        Meta(description="out_in: W is (units, inputs), z = x @ W.T + b; in_out: z = x @ W + b."),
    ] = "out_in"
    dtype: Annotated[Dtype, Meta(description="The type of every number.")] = "float64"
    seed: Annotated[Ordinal, Meta(description="For initialisers and shuffling.")] = 0
    input_gradient: Annotated[bool, Meta(description="Compute dx as well.")] = False
    l2: Annotated[Amount, Meta(description="Adds l2/2 · Σ W² to the loss.")] = 0.0


class Data(Table):
    """The samples: written out, from a file, or generated."""

    x: Annotated[Numbers | UnsetType, Meta(description="Inputs, a row for each sample.")] = UNSET
    y: Annotated[
        Numbers | UnsetType,
        Meta(description="Targets, a row for each sample; whole numbers are class indices."),
    ] = UNSET
    file: Annotated[
        str | UnsetType, Meta(description="A CSV or NPZ file in the scenario's folder or below.")
    ] = UNSET
    inputs: Annotated[
        list[str] | str | UnsetType,
        Meta(description="The file's columns (CSV) or array (NPZ, by default x) for x."),
    ] = UNSET
    target: Annotated[
        list[str] | str | UnsetType,
        Meta(description="The file's column or columns (CSV) or array (NPZ, by default y) for y."),
    ] = UNSET
    one_hot: Annotated[bool, Meta(description="Make each class a row of one 1 and zeros.")] = False
    standardize: Annotated[
        bool, Meta(description="Shift and scale each input column to mean 0 and deviation 1.")
    ] = False
    generate: Annotated[
        Literal["xor", "moons", "circles", "spirals", "blobs"] | UnsetType,
        Meta(description="Points in the plane, their classes taken in turn."),
    ] = UNSET
    samples: Annotated[
        Count | UnsetType, Meta(description="How many; by default 4 for xor, else 100.")
    ] = UNSET
    noise: Annotated[
        Amount | UnsetType,
        Meta(description="Deviation added to the coordinates; by default 0, for blobs 0.5."),
    ] = UNSET
    seed: Annotated[
        Ordinal | UnsetType, Meta(description="For the noise; by default the network's seed.")
    ] = UNSET
    classes: Annotated[
        Count | UnsetType, Meta(description="How many spirals or blobs; by default 2.")
    ] = UNSET
    batch_size: Annotated[
        Count | UnsetType, Meta(description="Rows an iteration; by default all.")
    ] = UNSET
    shuffle: Annotated[bool, Meta(description="New order of rows each epoch.")] = False
    batches: Annotated[
        list[list[Ordinal]] | UnsetType, Meta(description="The rows of each iteration, in turn.")
    ] = UNSET


class Run(Table):
    """Where the run ends: one of the two."""

    iterations: Annotated[Count | UnsetType, Meta(description="After so many.")] = UNSET
    epochs: Annotated[Count | UnsetType, Meta(description="After so many.")] = UNSET


class Program(Table):
    """An expression, in place of a network and its loss."""

    code: Annotated[str, Meta(description="Assignments, one a line.")]
    loss: Annotated[str, Meta(description="The name whose derivatives are wanted.")]
    parameters: Annotated[
        dict[str, float | list[Any]], Meta(description="Values with a gradient.")
    ] = {}
    inputs: Annotated[dict[str, float | list[Any]], Meta(description="Constants.")] = {}
    dtype: Annotated[Dtype, Meta(description="The type of every number.")] = "float64"
    seed: Annotated[Ordinal, Meta(description="For shuffling.")] = 0


class Breakpoint(Table):
    """Stops a run."""

    at: Annotated[str, Meta(description="A tensor, 'backward', 'backward 2', 'layer 2', 'line 7'.")]
    when: Annotated[str | UnsetType, Meta(description="A condition on tensors.")] = UNSET
    hits: Annotated[Count, Meta(description="Stop at this hit and after.")] = 1
    log: Annotated[str | UnsetType, Meta(description="Print this and do not stop.")] = UNSET


class Watch(Table):
    """An expression to keep in view."""

    show: Annotated[str, Meta(description="The expression, such as W1[0, 0].")]


class Note(Table):
    """Words for a line of the listing."""

    at: Annotated[str, Meta(description="A tensor, a phase, or a layer such as 'forward 2'.")]
    text: Annotated[str, Meta(description="The words.")]
    iteration: Annotated[Ordinal | UnsetType, Meta(description="By default every one.")] = UNSET


class Expectation(Table):
    """A number that must come out."""

    at: Annotated[str, Meta(description="A tensor.")]
    value: Annotated[str, Meta(description="The number as printed; its digits set the tolerance.")]
    iteration: Annotated[Ordinal, Meta(description="When.")] = 0
    cell: Annotated[list[Ordinal], Meta(description="Which element.")] = []


class Scenario(Table):
    """A scenario for nnstep: a network or an expression, its data and its optimizer."""

    format: Annotated[Literal[1], Meta(description="The version of this format.")]
    title: Annotated[str, Meta(description="A line; by default the file's name.")] = ""
    description: Annotated[str, Meta(description="Markdown.")] = ""
    source: Annotated[str, Meta(description="Where the example comes from.")] = ""
    network: Network | UnsetType = UNSET
    loss: LossTable | UnsetType = UNSET
    optimizer: OptimizerTable | UnsetType = UNSET
    data: Data | UnsetType = UNSET
    run: Run | UnsetType = UNSET
    program: Program | UnsetType = UNSET
    breakpoint: list[Breakpoint] = []
    watch: list[Watch] = []
    note: list[Note] = []
    expect: list[Expectation] = []


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file."""
    return {"$schema": _DIALECT, **msgspec.json.schema(Scenario)}
