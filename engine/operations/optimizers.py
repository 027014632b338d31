"""Update rules: how an optimizer makes a new parameter from the old one and its gradient.

Each is a list of lines for one parameter `p` with gradient `dp`; every line is a formula over `p`,
`dp`, `lr`, `t` (the updates so far, this one included) and what other lines write. Where `t` is an
exponent, the formula has `count` in its place: that is `t` in a run of float64, and `int(t)` in a
smaller type, which a power of the array `t` would turn into float64. The row after the lines says
what may be set, with PyTorch's defaults.

Definitions are PyTorch's: https://pytorch.org/docs/stable/optim.html#algorithms
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Kernel

from .formula import Formula, formula, variable
from .operation import Kind, Setting, Settings, no_mistakes


class Line(Struct, frozen=True):
    """`writes` (a tensor's prefix, `p` or `dp`) becomes the value of `formula`.

    What is made from its own last value is a buffer, full of `start` before the first update; what
    is not is computed anew by every update.
    """

    writes: str
    formula: Formula
    start: float = 0.0

    @property
    def remembers(self) -> bool:
        """Whether the line reads what it wrote an update ago."""
        return self.writes in self.formula.parameters


class Optimizer(Kind, frozen=True, kw_only=True):
    """A row: an optimizer that a scenario may have; `lines` gives its lines from its settings."""

    lines: Callable[[Settings], list[Line]]


def _optimizer(
    name: str,
    description: str,
    lines: Callable[[Settings], list[Line]],
    *,
    title: str = "",
    mistakes: Callable[[Settings], Iterable[tuple[str, str]]] = no_mistakes,
    **settings: Setting,
) -> Optimizer:
    return Optimizer(
        name=name,
        description=description,
        lines=lines,
        title=title,
        mistakes=mistakes,
        settings={"lr": _rate(1e-3), "weight_decay": _L2, **settings},
    )


def _rate(default: float) -> Setting:
    return Setting(default, "The learning rate.", at_least=0)


_L2 = Setting(0.0, "The L2 penalty, on biases too.", at_least=0)
_MOMENTUM = Setting(0.0, "The momentum factor.", at_least=0)
_EPS = Setting(1e-8, "Added to the root, against division by 0.", at_least=0)


def _line(writes: str, function: Kernel, settings: Settings) -> Line:
    return Line(writes, formula(function).bind(**settings))


def _weight_decay(o: Settings) -> list[Line]:
    if not o["weight_decay"]:
        return []
    return [_line("dp", lambda p, dp, weight_decay: dp + weight_decay * p, o)]


def sgd(o: Settings) -> list[Line]:
    """Gradient descent with momentum (`buf`), dampening and Nesterov's look-ahead."""
    lines = _weight_decay(o)
    if not o["momentum"]:
        return [*lines, _line("p", lambda p, lr, dp: p - lr * dp, o)]
    if o["dampening"]:
        lines.append(
            _line(
                "buf",
                lambda dp, t, buf, momentum, dampening: (
                    dp if t == 1 else momentum * buf + (1 - dampening) * dp
                ),
                o,
            )
        )
    else:
        lines.append(_line("buf", lambda dp, buf, momentum: momentum * buf + dp, o))
    if o["nesterov"]:
        step = _line("p", lambda p, lr, dp, buf, momentum: p - lr * (dp + momentum * buf), o)
    else:
        step = _line("p", lambda p, lr, buf: p - lr * buf, o)
    return [*lines, step]


def _nesterov_mistakes(o: Settings) -> Iterator[tuple[str, str]]:
    if o["nesterov"] and not o["momentum"]:
        yield "nesterov", "nesterov needs momentum > 0"
    if o["nesterov"] and o["dampening"]:
        yield "dampening", "nesterov needs dampening = 0"


SGD = _optimizer(
    "sgd",
    "Gradient descent, plain or with momentum.",
    sgd,
    momentum=_MOMENTUM,
    dampening=Setting(0.0, "Dampening of the momentum."),
    nesterov=Setting(False, "Nesterov's momentum; needs momentum > 0 and dampening = 0."),
    mistakes=_nesterov_mistakes,
)


def adagrad(o: Settings) -> list[Line]:
    """Steps divided by the root of the sum of all squared gradients so far (`s`)."""
    summed = Line("s", formula(lambda s, dp: s + dp**2), o["initial_accumulator_value"])
    lines = [*_weight_decay(o), summed]
    if o["lr_decay"]:
        step = _line(
            "p",
            lambda p, lr, dp, s, t, lr_decay, eps: (
                p - lr / (1 + (int(t) - 1) * lr_decay) * dp / (np.sqrt(s) + eps)
            ),
            o,
        )
    else:
        step = _line("p", lambda p, lr, dp, s, eps: p - lr * dp / (np.sqrt(s) + eps), o)
    return [*lines, step]


ADAGRAD = _optimizer(
    "adagrad",
    "Steps scaled by the sum of past squared gradients.",
    adagrad,
    lr=_rate(1e-2),
    lr_decay=Setting(0.0, "How fast the rate falls.", at_least=0),
    initial_accumulator_value=Setting(0.0, "Where the sum of squares starts.", at_least=0),
    eps=replace(_EPS, default=1e-10),
)


def rmsprop(o: Settings) -> list[Line]:
    """Steps divided by the root of a moving average of squared gradients (`v`).

    Centered, the square of the gradient's own average (`g`) is subtracted first; with momentum,
    the steps are gathered in `buf`.
    """
    lines = [
        *_weight_decay(o),
        _line("v", lambda v, dp, alpha: alpha * v + (1 - alpha) * dp**2, o),
    ]
    if o["centered"]:
        lines.append(_line("g", lambda g, dp, alpha: alpha * g + (1 - alpha) * dp, o))
        step = formula(lambda dp, v, g, eps: dp / (np.sqrt(v - g**2) + eps)).bind(**o)
    else:
        step = formula(lambda dp, v, eps: dp / (np.sqrt(v) + eps)).bind(**o)
    if o["momentum"]:
        gather = formula(lambda buf, step, momentum: momentum * buf + step).bind(**o)
        lines.append(Line("buf", gather.on(step=step)))
        return [*lines, _line("p", lambda p, lr, buf: p - lr * buf, o)]
    return [*lines, Line("p", formula(lambda p, lr, step: p - lr * step).on(step=step))]


RMSPROP = _optimizer(
    "rmsprop",
    "Steps scaled by a running mean of squared gradients.",
    rmsprop,
    lr=_rate(1e-2),
    alpha=Setting(0.99, "The running mean's share of the past.", at_least=0),
    eps=_EPS,
    momentum=_MOMENTUM,
    centered=Setting(False, "Subtract the running mean, squared."),
    title="RmsProp",
)


def adam(o: Settings) -> list[Line]:
    """Moving averages of the gradient (`m`) and its square (`v`), corrected for their start at 0.

    The corrected ones are `m_hat` and `v_hat` (Kingma and Ba 2015, algorithm 1). With amsgrad, the
    largest `v` so far (`vmax`) takes the place of `v`.
    """
    return [*_weight_decay(o), *_adam_step(o)]


def adamw(o: Settings) -> list[Line]:
    """Adam, with the weights decayed apart from the gradient (Loshchilov and Hutter 2019)."""
    if not o["weight_decay"]:
        return _adam_step(o)
    decay = _line("p", lambda p, lr, weight_decay: p * (1 - lr * weight_decay), o)
    return [decay, *_adam_step(o)]


def _adam_step(o: Settings) -> list[Line]:
    beta1, beta2 = o["betas"]
    o = {**o, "beta1": beta1, "beta2": beta2}
    lines = [
        _line("m", lambda m, dp, beta1: beta1 * m + (1 - beta1) * dp, o),
        _line("v", lambda v, dp, beta2: beta2 * v + (1 - beta2) * dp**2, o),
    ]
    second = "v"
    if o["amsgrad"]:
        lines.append(_line("vmax", lambda vmax, v: np.maximum(vmax, v), o))
        second = "vmax"
    v_hat = formula(lambda second, beta2, count: second / (1 - beta2**count)).bind(**o)
    return [
        *lines,
        _line("m_hat", lambda m, beta1, count: m / (1 - beta1**count), o),
        Line("v_hat", v_hat.on(second=variable(second))),
        _line("p", lambda p, lr, m_hat, v_hat, eps: p - lr * m_hat / (np.sqrt(v_hat) + eps), o),
    ]


_BETAS = Setting((0.9, 0.999), "The two running means' shares of the past.", at_least=0, below=1)
_AMSGRAD = Setting(False, "Keep the largest second moment.")

ADAM = _optimizer(
    "adam",
    "Steps by running means of gradients and of their squares.",
    adam,
    betas=_BETAS,
    eps=_EPS,
    amsgrad=_AMSGRAD,
)
ADAMW = _optimizer(
    "adamw",
    "Adam with weight decay apart from the gradient.",
    adamw,
    weight_decay=Setting(1e-2, "The share of each parameter taken off.", at_least=0),
    betas=_BETAS,
    eps=_EPS,
    amsgrad=_AMSGRAD,
    title="AdamW",
)

OPTIMIZERS: Mapping[str, Optimizer] = {
    row.name: row for row in (SGD, ADAGRAD, RMSPROP, ADAM, ADAMW)
}


CLIPPED_VALUE = formula(lambda dp, limit: np.clip(dp, -limit, limit))
CLIP_FACTOR = formula(lambda norm, limit: np.minimum(1, limit / (norm + 1e-6)))
CLIPPED_NORM = formula(lambda dp, factor: dp * factor)
COUNTED = formula(lambda t: t + 1)
WHOLE_COUNT = formula(lambda t: int(t))
