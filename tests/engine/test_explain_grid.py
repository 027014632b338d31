"""Every loss with every reduction, fused or not, every optimizer, layout and dtype, explained.

The random programs meet these by chance; here each is met in each layout and dtype. What is said
of a cell of every line is evaluated: the arithmetic gives the value, the printed digits give the
printed result, and where numbers are of float64 the sentences are true.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple, get_args

import numpy as np
import pytest
from building import network
from msgspec.structs import replace
from test_explain import check
from test_explain_sentences import walk

from nnstep.engine.arrays import frozen
from nnstep.engine.operations.losses import LOSSES, Reduction
from nnstep.engine.operations.optimizers import OPTIMIZERS
from nnstep.engine.scenario.model import Activation, Clip, Data, Layout, Loss, Optimizer, Scenario
from nnstep.engine.session.session import Session

LAST = {"binary_cross_entropy": "sigmoid", "cross_entropy": "softmax"}
DTYPES = ("float64", "float32", "float16")
# Each optimizer with each of its switches on and off.
SWITCHES: dict[str, dict[str, tuple[Any, ...]]] = {
    "sgd": {"momentum": (0.0, 0.9), "nesterov": (False, True), "dampening": (0.0, 0.5)},
    "rmsprop": {"momentum": (0.0, 0.9), "centered": (False, True)},
    "adam": {"amsgrad": (False, True)},
    "adamw": {"amsgrad": (False, True)},
    "adagrad": {"lr_decay": (0.0, 0.1)},
}
CLIPS = (None, Clip("norm", 0.01), Clip("value", 0.005))


class Case(NamedTuple):
    loss: Loss
    optimizer: Optimizer
    layout: Layout
    dtype: str


def losses() -> Iterator[Loss]:
    """Yield each loss in each form that it may have."""
    for kind, row in LOSSES.items():
        options = {"delta": 0.3} if kind == "huber" else {}
        forms = product(get_args(Reduction), (False, True), (False, True))
        for reduction, from_logits, fuse in forms:
            if kind == "cross_entropy" and reduction == "mean":
                continue  # of rows that are distributions there is only one mean
            if not from_logits or row.logits is not None:
                yield Loss(kind, reduction, from_logits, fuse, options)


def optimizers() -> Iterator[Optimizer]:
    """Yield each optimizer with its switches, clipping and decay taking turns."""
    for kind, row in OPTIMIZERS.items():
        switches = SWITCHES[kind]
        for at, chosen in enumerate(product(*switches.values())):
            options = {**row.filled({}), **dict(zip(switches, chosen, strict=True))}
            if options.get("nesterov") and (not options["momentum"] or options["dampening"]):
                continue
            options.pop("lr")
            options["weight_decay"] = 0.1 * (at % 2)
            yield Optimizer(kind, 0.05, options, CLIPS[at % len(CLIPS)])


def cases() -> Iterator[Case]:
    """Yield each form of a loss in each layout and dtype; all optimizers meet all of these two."""
    known, kinds = [*optimizers()], [*product(get_args(Layout), DTYPES)]
    for at, loss in enumerate(losses()):
        for turn, (layout, dtype) in enumerate(kinds):
            yield Case(loss, known[(at + 7 * turn) % len(known)], layout, dtype)


CASES = [*cases()]


def scenario(case: Case) -> Scenario:
    """Make a network of three rows, two hidden units and two outputs."""
    loss, generator = case.loss, np.random.default_rng(len(case.loss.kind))
    last = "identity" if loss.from_logits else LAST.get(loss.kind, "tanh")
    base = network((3, 2, 2), rows=3, dtype=case.dtype)
    assert base.network is not None
    hidden, output = base.network.layers
    targets = generator.uniform(0.1, 0.9, (3, 2))
    if loss.kind == "cross_entropy":
        targets = np.eye(2)[[0, 1, 1]]
    return replace(
        base,
        network=replace(
            base.network,
            layers=(hidden, replace(output, activation=Activation(last))),
            loss=loss,
            layout=case.layout,
            l2=0.1 if case.optimizer.clip else 0.0,
        ),
        optimizer=case.optimizer,
        data=Data(
            frozen(generator.standard_normal((3, 3)), case.dtype), frozen(targets, case.dtype), 3
        ),
    )


@pytest.mark.sweep(131)
@pytest.mark.parametrize(
    "case", CASES, ids=[f"{at}-{case.loss.kind}" for at, case in enumerate(CASES)]
)
def test_what_is_said_of_every_line(case: Case) -> None:
    made = scenario(case)
    check(made, cells=1)
    if case.dtype == "float64":
        walk(Session(made), 0, 0.0)


def test_the_grid_has_all_of_it() -> None:
    assert {case.loss.kind for case in CASES} == {*LOSSES}
    assert {case.optimizer.kind for case in CASES} == {*OPTIMIZERS} == {*SWITCHES}
    met = {(str(case.optimizer), case.layout, case.dtype) for case in CASES}
    assert len(met) == len([*optimizers()]) * len(get_args(Layout)) * len(DTYPES)
