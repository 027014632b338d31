"""The tables of a scenario that have a `kind`, and the keys that each kind takes.

Where a kind needs no further key, its name alone, as a string, stands for the table.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

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
