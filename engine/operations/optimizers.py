"""Update rules: how an optimizer makes a new parameter from the old one and its gradient.

Each is a list of lines for one parameter `p` with gradient `dp`; every line is a formula over `p`,
`dp`, `lr`, `t` (the updates so far, this one included) and the parameter's buffers. `t` enters as
`int(t)`, so that powers of it are computed in double precision whatever the dtype.

Definitions are PyTorch's: https://pytorch.org/docs/stable/optim.html#algorithms
"""

from collections.abc import Mapping

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Kernel

from .formula import Constant, Formula, formula

Settings = Mapping[str, Constant]


class Line(Struct, frozen=True):
    """`writes` (a buffer's prefix, `p` or `dp`) becomes the value of `formula`."""

    writes: str
    formula: Formula


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


def adagrad(o: Settings) -> list[Line]:
    """Steps divided by the root of the sum of all squared gradients so far (`s`)."""
    lines = [*_weight_decay(o), _line("s", lambda s, dp: s + dp**2, o)]
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


def adam(o: Settings) -> list[Line]:
    """Moving averages of the gradient (`m`) and its square (`v`), corrected for their start at 0.

    With amsgrad, the largest `v` so far (`vmax`) takes the place of `v`.
    """
    return [*_weight_decay(o), *_adam_step(o)]


def adamw(o: Settings) -> list[Line]:
    """Adam, with the weights decayed apart from the gradient (Loshchilov and Hutter 2019)."""
    if not o["weight_decay"]:
        return _adam_step(o)
    decay = _line("p", lambda p, lr, weight_decay: p * (1 - lr * weight_decay), o)
    return [decay, *_adam_step(o)]


def _adam_step(o: Settings) -> list[Line]:
    lines = [
        _line("m", lambda m, dp, beta1: beta1 * m + (1 - beta1) * dp, o),
        _line("v", lambda v, dp, beta2: beta2 * v + (1 - beta2) * dp**2, o),
    ]
    second = formula(lambda v: v)
    if o["amsgrad"]:
        lines.append(_line("vmax", lambda vmax, v: np.maximum(vmax, v), o))
        second = formula(lambda vmax: vmax)
    step = formula(
        lambda p, lr, m, second, t, beta1, beta2, eps: (
            p
            - lr
            / (1 - beta1 ** int(t))
            * m
            / (np.sqrt(second) / (1 - beta2 ** int(t)) ** 0.5 + eps)
        )
    ).bind(**o)
    return [*lines, Line("p", step.on(second=second))]


CLIPPED_VALUE = formula(lambda dp, limit: np.clip(dp, -limit, limit))
CLIP_FACTOR = formula(lambda norm, limit: np.minimum(1, limit / (norm + 1e-6)))
CLIPPED_NORM = formula(lambda dp, factor: dp * factor)
COUNTED = formula(lambda t: t + 1)

UPDATES = {"sgd": sgd, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam, "adamw": adamw}
