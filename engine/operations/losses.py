"""Losses: their values, their derivatives, and what they become behind a sigmoid or a softmax.

Each is the function that listings call and a row: how it is called, its usual reduction, which
targets it takes, its settings, its kink. Scenario files, doubts and verification take it from here.

Definitions are PyTorch's (https://pytorch.org/docs/stable/nn.html#loss-functions).
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from msgspec import field
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Kernel

from .activations import log_softmax, sigmoid, softmax
from .formula import Formula, formula, listed
from .functions import one_hot, sign
from .half import rounded_like, to_float32
from .operation import Kind, Kink, Operation, Setting

Reduction = Literal["mean", "batch_mean", "sum"]


class LossOperation(Operation, frozen=True, kw_only=True):
    """A loss `L` of the outputs `a` and the targets `y`, and its derivatives.

    `value` is over the settings and `reduction` as well, which is bound to None where it is the
    `usual` one, so that the listing need not name it. `gradients["a"]` and `definition` are those
    of the elements, before they are reduced to a number. `fused` has, for an activation that feeds
    its own loss, the derivative by that activation's `z`: stable where the chain through `da` is
    not. `whole_rows` says that an element is a row, so that its mean is one over the rows, and
    `class_indices` that `y` holds one class a row. `weighted` is the same loss for target
    rows that do not add up to 1. `fused_kink` is the kink where the derivative is a fused one.
    """

    usual: Reduction = "mean"
    fused: Mapping[str, Kernel] = field(default_factory=dict)
    fused_kink: Kink | None = None
    whole_rows: bool = False
    class_indices: bool = False
    weighted: "LossOperation | None" = None

    def reduced(self, reduction: Reduction) -> Formula:
        """The loss itself."""
        return self.value_formula.bind(reduction=None if reduction == self.usual else reduction)

    def reduced_definition(self, reduction: Reduction) -> Formula:
        """The loss by its definition."""
        return _REDUCED[reduction].on(elements=self._over_rows(self.definition_formula))

    def derivative(self, reduction: Reduction) -> Formula:
        """The derivative of the loss by `a`."""
        return self._divided(self.gradient_formula("a"), reduction)

    def fused_derivative(self, activation: str, reduction: Reduction) -> Formula:
        """The derivative of the loss by the `z` of the activation that made `a`."""
        return self._divided(formula(self.fused[activation]), reduction)

    def with_fusion(self) -> "LossOperation":
        """Return the loss as it is behind an activation that it is fused with."""
        return replace(self, kink=self.fused_kink)

    def _divided(self, g: Formula, reduction: Reduction) -> Formula:
        by_rows = reduction == "mean" and self.whole_rows
        return _DIVIDED["batch_mean" if by_rows else reduction].on(g=self._over_rows(g))

    def _over_rows(self, elements: Formula) -> Formula:
        return elements.on(y=_ONE_HOT) if self.class_indices else elements


_ONE_HOT = formula(lambda y, a: one_hot(y, a))
_DIVIDED = {
    "sum": formula(lambda g: g),
    "mean": formula(lambda g, a: g / a.size),
    "batch_mean": formula(lambda g, a: g / len(a)),
}
_REDUCED = {
    "sum": formula(lambda elements: np.sum(elements)),
    "mean": formula(lambda elements: np.mean(elements)),
    "batch_mean": formula(lambda elements, a: np.sum(elements) / len(a)),
}
PENALISED = formula(lambda L, penalty: L + penalty)


class Loss(Kind, frozen=True, kw_only=True):
    """A row: a loss that a scenario may have.

    Targets are any `numbers`, numbers from 0 to 1 (`probabilities`), or `classes`: one index a row
    or a row of probabilities. Elements of a loss on classes are whole rows, so that its mean is one
    over the batch. `meaning` says what one element measures; of targets that are probabilities,
    where these are 0 and 1. `of` is the activation whose outputs the loss is made for, and `logits`
    the loss on the `z` of that activation.
    """

    operation: LossOperation
    targets: Literal["numbers", "probabilities", "classes"] = "numbers"
    of: str | None = None
    logits: LossOperation | None = None
    meaning: str = ""

    @property
    def usual(self) -> Reduction:
        """The reduction that it has if none is asked for."""
        return self.operation.usual


def _operation(
    name: str,
    value: Kernel,
    da: Kernel,
    definition: Kernel,
    usual: Reduction = "mean",
    kink: Kink | None = None,
    fused: Mapping[str, Kernel] | None = None,
    fused_kink: Kink | None = None,
    settings: Mapping[str, Setting] | None = None,
) -> LossOperation:
    return LossOperation(
        name=name,
        value=value,
        gradients={"a": da},
        definition=definition,
        shape=lambda a, y: (),
        output="L",
        kink=kink,
        settings={name: each.default for name, each in (settings or {}).items()},
        usual=usual,
        fused=fused or {},
        fused_kink=fused_kink,
        whole_rows=usual == "batch_mean",
    )


def _loss(
    name: str,
    description: str,
    value: Kernel,
    da: Kernel,
    definition: Kernel,
    usual: Reduction = "mean",
    kink: Kink | None = None,
    title: str = "",
    meaning: str = "",
    **settings: Setting,
) -> Loss:
    return Loss(
        name=name,
        description=description,
        title=title,
        settings=settings,
        meaning=meaning,
        operation=_operation(name, value, da, definition, usual, kink, settings=settings),
    )


def _reduced(elements: Array, reduction: str) -> Any:
    if reduction == "mean":
        return elements.mean()
    total = elements.sum()
    return total / len(elements) if reduction == "batch_mean" else total


@listed
def half_squared_error(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return half the squared error, by default summed over all elements."""
    total = _reduced((to_float32(a) - to_float32(y)) ** 2, reduction or "sum")
    return rounded_like(a, 0.5 * total)


HALF_SQUARED_ERROR = _loss(
    "half_squared_error",
    "½ (a - y)².",
    usual="sum",
    value=lambda a, y, reduction: half_squared_error(a, y, reduction=reduction),
    definition=lambda a, y: 0.5 * (a - y) ** 2,
    da=lambda y, a: a - y,
    meaning="Half the squared distance from output to target",
)


@listed
def mse(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return the squared error, by default its mean over all elements."""
    return rounded_like(a, _reduced((to_float32(a) - to_float32(y)) ** 2, reduction or "mean"))


MSE = _loss(
    "mse",
    "(a - y)².",
    value=lambda a, y, reduction: mse(a, y, reduction=reduction),
    definition=lambda a, y: (a - y) ** 2,
    da=lambda y, a: 2 * (a - y),
    title="MeanSquaredError",
    meaning="The squared distance from output to target",
)


@listed
def mae(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return the absolute error, by default its mean over all elements."""
    return rounded_like(a, _reduced(np.abs(to_float32(a) - to_float32(y)), reduction or "mean"))


MAE = _loss(
    "mae",
    "|a - y|.",
    value=lambda a, y, reduction: mae(a, y, reduction=reduction),
    definition=lambda a, y: np.abs(a - y),
    da=lambda y, a: sign(a - y),
    kink=lambda a, y: np.sign(a - y),
    title="MeanAbsoluteError",
    meaning="The distance from output to target",
)


@listed
def huber(a: Array, y: Array, delta: float = 1.0, reduction: str | None = None) -> Array:
    """Return e²/2 for errors up to delta, else delta · (|e| - delta/2); by default the mean."""
    e = np.abs(to_float32(a) - to_float32(y))
    elements = np.where(e <= delta, 0.5 * e**2, delta * (e - 0.5 * delta))
    return rounded_like(a, _reduced(elements, reduction or "mean"))


HUBER = _loss(
    "huber",
    "½ (a - y)² near the target, delta · (|a - y| - delta/2) beyond delta.",
    value=lambda a, y, delta, reduction: huber(a, y, delta, reduction=reduction),
    definition=lambda a, y, delta: np.where(
        np.abs(a - y) <= delta, 0.5 * (a - y) ** 2, delta * (np.abs(a - y) - 0.5 * delta)
    ),
    da=lambda y, a, delta: np.clip(a - y, -delta, delta),
    delta=Setting(1.0, "Where the parabola ends.", above=0),
)


@listed
def binary_cross_entropy(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return -(y log a + (1 - y) log(1 - a)), by default its mean.

    Logarithms are clamped at -100, as in `torch.nn.BCELoss`.
    """
    log_a = np.maximum(np.log(to_float32(a)), -100)
    log_rest = np.maximum(np.log1p(-to_float32(a)), -100)
    elements = -(y * log_a + (1 - y) * log_rest)
    return rounded_like(a, _reduced(elements, reduction or "mean"))


@listed
def binary_cross_entropy_with_logits(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return the binary cross-entropy of sigmoid(a), by default its mean, without overflow."""
    z = to_float32(a)
    elements = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
    return rounded_like(a, _reduced(elements, reduction or "mean"))


BINARY_CROSS_ENTROPY = Loss(
    name="binary_cross_entropy",
    description="-(y log a + (1 - y) log(1 - a)), each logarithm at least -100.",
    targets="probabilities",
    of="sigmoid",
    meaning="−log of the answer's probability",
    operation=_operation(
        "binary_cross_entropy",
        value=lambda a, y, reduction: binary_cross_entropy(a, y, reduction=reduction),
        definition=lambda a, y: -(y * np.log(a) + (1 - y) * np.log(1 - a)),
        da=lambda y, a: (a - y) / np.maximum(a * (1 - a), 1e-12),
        fused={"sigmoid": lambda y, a: a - y},
        # Where it is clamped, in the logarithm or in the derivative (1e-12). Only a wrong
        # activation counts: the clamp of one that is right, a = 0 for the target 0, takes nothing
        # from a gradient that is zero to all digits.
        kink=lambda a, y: np.where(
            ((a < 1e-12) & (y > 1e-12)) | ((1 - a < 1e-12) & (1 - y > 1e-12)), np.nan, 0
        ),
        # The fused derivative has no clamp of its own: only that of the logarithms is left.
        fused_kink=lambda a, y: np.where(
            ((a < np.exp(-100)) & (y > 0)) | ((1 - a < np.exp(-100)) & (y < 1)), np.nan, 0
        ),
    ),
    logits=_operation(
        "binary_cross_entropy_with_logits",
        value=lambda a, y, reduction: binary_cross_entropy_with_logits(a, y, reduction=reduction),
        definition=lambda a, y: -(y * np.log(sigmoid(a)) + (1 - y) * np.log(1 - sigmoid(a))),
        da=lambda y, a: sigmoid(a) - y,
    ),
)


@listed
def cross_entropy(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return -Σ y log a of each row, by default the mean over rows; 0 · log 0 is 0."""
    return _cross_entropy(np.log(to_float32(a)), a, y, reduction)


@listed
def cross_entropy_with_logits(a: Array, y: Array, reduction: str | None = None) -> Array:
    """Return the cross-entropy of softmax(a), by default its mean over rows, without overflow."""
    return _cross_entropy(log_softmax(to_float32(a)), a, y, reduction)


def _cross_entropy(logs: Array, a: Array, y: Array, reduction: str | None) -> Array:
    rows = y if y.ndim == a.ndim else one_hot(y, a)
    elements = -np.where(rows == 0, 0, rows * logs).sum(axis=-1)
    return rounded_like(a, _reduced(elements, reduction or "batch_mean"))


_PLAIN = _operation(
    "cross_entropy",
    usual="batch_mean",
    value=lambda a, y, reduction: cross_entropy(a, y, reduction=reduction),
    definition=lambda a, y: -(y * np.log(a)).sum(axis=-1),
    da=lambda y, a: np.where(y == 0, 0, -y / a),
    fused={"softmax": lambda y, a: a - y},
)
_OF_LOGITS = _operation(
    "cross_entropy_with_logits",
    usual="batch_mean",
    value=lambda a, y, reduction: cross_entropy_with_logits(a, y, reduction=reduction),
    definition=lambda a, y: -(y * np.log(softmax(a))).sum(axis=-1),
    da=lambda y, a: softmax(a) - y,
)
_PLAIN_WEIGHTED = replace(
    _PLAIN,
    fused={"softmax": lambda y, a: a * y.sum(axis=-1, keepdims=True) - y},
)
_OF_LOGITS_WEIGHTED = replace(
    _OF_LOGITS,
    gradients={
        "a": lambda y, a: softmax(a) * y.sum(axis=-1, keepdims=True) - y,
    },
)
CROSS_ENTROPY = Loss(
    name="cross_entropy",
    description="-Σ y log a over a row, y a class index or a row of probabilities.",
    targets="classes",
    of="softmax",
    meaning="−log of the right class's probability",
    operation=replace(_PLAIN, weighted=_PLAIN_WEIGHTED),
    logits=replace(_OF_LOGITS, weighted=_OF_LOGITS_WEIGHTED),
)

LOSSES: Mapping[str, Loss] = {
    row.name: row
    for row in (
        MSE,
        HALF_SQUARED_ERROR,
        MAE,
        HUBER,
        BINARY_CROSS_ENTROPY,
        CROSS_ENTROPY,
    )
}


def loss_operation(
    kind: str, from_logits: bool, y: Array, *, weighted: bool = False
) -> LossOperation:
    """Return the loss for targets like `y`, `(rows, outputs)` or integers `(rows,)`.

    Target rows of a cross-entropy that do not sum to 1 (weights, not probabilities) have a
    derivative of their own: `a - y` would be wrong for them. It is asked for with `weighted` where
    the rows do sum to 1.
    """
    row = LOSSES[kind]
    operation = row.logits if from_logits and row.logits else row.operation
    if row.targets != "classes":
        return operation
    if y.ndim == 1:
        return replace(operation, class_indices=True)
    return operation if adds_up(y) and not weighted else operation.weighted or operation


def adds_up(y: Array) -> bool:
    """Tell whether every row of targets sums to 1, but for the rounding of its dtype."""
    rounding = y.shape[-1] * np.finfo(y.dtype).eps
    return bool(np.allclose(y.sum(axis=-1), 1, rtol=0, atol=rounding))
