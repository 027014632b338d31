"""Verification of the tiny and the huge: no right gradient fails, and no wrong one is verified.

Weights and targets are scaled, from where units hardly move to where they are saturated.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from building import network
from in_one_test import each_of
from msgspec.structs import replace

from nnstep.engine.arrays import frozen
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.losses import LOSSES
from nnstep.engine.program.program import Phase
from nnstep.engine.scenario.model import Data, Loss, Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.verification.verdict import BAD, GOOD, Fingerprint, Verification

ROWS, WIDTH = 4, 2
SEEN = 1e-12
"""A gradient that a loss of about 1 does not move by cannot be told from 0."""

OUTPUTS = {"binary_cross_entropy": "sigmoid", "cross_entropy": "softmax"}


def scaled(
    weights: float,
    targets: float,
    kind: str = "tanh",
    loss: Loss = Loss("mse", "mean"),  # noqa: B008
    dtype: str = "float64",
    seed: int = 5,
) -> Scenario:
    """A network whose weights, and targets that may be so, are so large or small."""
    draw = np.random.default_rng(seed)
    kinds = (kind, OUTPUTS.get(loss.kind, "identity"))
    case = network((WIDTH,) * 3, activations=kinds, rows=ROWS, loss=loss, dtype=dtype)
    assert case.network is not None
    layers = [
        replace(
            layer,
            weights=frozen(weights * draw.standard_normal((WIDTH, WIDTH)), dtype),
            bias=frozen(weights * draw.standard_normal(WIDTH), dtype),
            activation=replace(layer.activation, options=_usual(layer.activation.kind)),
        )
        for layer in case.network.layers
    ]
    x, y = draw.standard_normal((ROWS, WIDTH)), targets * draw.standard_normal((ROWS, WIDTH))
    if loss.kind in OUTPUTS:
        y = np.eye(WIDTH)[draw.integers(0, WIDTH, ROWS)]
    data = Data(frozen(x, dtype), frozen(y, dtype), ROWS)
    return replace(case, network=replace(case.network, layers=tuple(layers)), data=data)


def _usual(kind: str) -> dict[str, Any]:
    settings = ACTIVATIONS[kind].settings.items()
    return {name: each.words[0] if each.words else each.default for name, each in settings}


def verified(case: Scenario, line: str | None = None) -> tuple[Session, Verification]:
    """The verification before the first update, with a line of one's own."""
    session = Session(case)
    if line:
        session.override(line)
    lines = session.program.instructions
    update = next(at for at, one in enumerate(lines) if one.phase is Phase.UPDATE)
    with np.errstate(all="ignore"):
        session.run(lambda step: session.place == update)
        return session, session.verify()


def mistakes(session: Session) -> Iterator[str]:
    code = {
        one.writes[0]: one.code.partition(" = ")[2]
        for one in session.program.instructions
        if one.phase is Phase.BACKWARD
    }
    for layer in (1, 2):
        dz, dw = code[f"dz{layer}"], code[f"dW{layer}"]
        yield f"dz{layer} = -({dz})"
        yield f"dz{layer} = ({dz}) * {ROWS}"
        yield f"dW{layer} = ({dw}).T"
        yield f"db{layer} = dz{layer}[1]"


def judge(case: Scenario, only: int | None = None) -> int:
    """Assert what has to hold, and return how many wrong gradients have failed.

    Of the mistakes `only` one is made, if it is given.
    """
    right, verification = verified(case)
    assert not [one for one in verification.tensors if one.verdict in BAD]
    for one in verification.tensors:
        counted = one.checked + one.skipped + one.undecided + one.not_finite
        assert counted == one.size, "a cell that is not compared says why"
        assert len(one.kinks) == one.skipped
    failed = 0
    lines = list(mistakes(right))
    for line in lines if only is None else [lines[only % len(lines)]]:
        session, wrong = verified(case, line)
        for one in wrong.tensors:
            mine = np.asarray(session.value(one.gradient), np.float64)
            other = np.asarray(right.value(one.gradient), np.float64)
            size = np.maximum(np.abs(mine), np.abs(other))
            with np.errstate(invalid="ignore"):
                far = np.isfinite(size) & (np.abs(mine - other) > 0.3 * size) & (size > SEEN)
            failed += one.verdict in BAD
            if far.any() and one.checked == one.size:
                assert one.verdict not in GOOD, (line, one)
    return failed


LOSS_OF = {kind: Loss(kind, LOSSES[kind].usual) for kind in LOSSES}
LOSS_OF["huber"] = Loss("huber", "mean", options={"delta": 1.0})
UNFUSED = [Loss(kind, LOSSES[kind].usual, fuse=False) for kind in OUTPUTS]


SCALES = [("tanh", 1e-8, 1e-8), ("sigmoid", 30.0, 1.0), ("relu", 1e3, 1e4)]
# The first scale of a loss is another with each loss, so that one in three has all of both.
CASES = [
    (loss, SCALES[(first + at) % len(SCALES)])
    for first, loss in enumerate([*LOSS_OF.values(), *UNFUSED])
    for at in range(len(SCALES))
]


@pytest.mark.sweep(3)
@pytest.mark.parametrize("number", range(len(CASES)))
def test_the_tiny_and_the_huge(number: int) -> None:
    loss, (kind, weights, targets) = CASES[number]
    judge(scaled(weights, targets, kind, loss), 3 * number)


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "scale"), CASES)
def test_every_mistake_among_the_tiny_and_the_huge(
    loss: Loss, scale: tuple[str, float, float]
) -> None:
    kind, weights, targets = scale
    judge(scaled(weights, targets, kind, loss))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_every_activation_and_loss_at_every_scale(kind: str, dtype: str) -> None:
    failed = 0
    losses = [*LOSS_OF.values(), *UNFUSED]
    cases = product(losses, (1e-8, 1e-2, 1.0, 30.0, 1e8), (1e-8, 1.0, 1e4))
    for number, (loss, weights, targets) in enumerate(cases):
        fixed = loss.kind in OUTPUTS and targets != 1
        if fixed or (dtype == "float16" and weights > 1e4):
            continue
        failed += judge(scaled(weights, targets, kind, loss, dtype, number), number)
    assert failed > 20


def test_a_loss_of_next_to_nothing_has_rounding_errors_of_its_own_size() -> None:
    """Its gradients of 1e-9 and 1e-17 are verified; a wrong one is not taken for right."""
    case = scaled(1e-8, 1e-8)
    session, verification = verified(case)
    assert verification.loss < 1e-15
    assert {one.verdict for one in verification.tensors} <= GOOD
    assert verification.checked > 0.9 * verification.total
    for line in mistakes(session):
        _, wrong = verified(case, line)
        assert any(one.verdict not in GOOD or one.undecided for one in wrong.tensors), line


@each_of("targets", [1.0, 1e4, 1e6])
def test_a_wrong_gradient_is_named_beside_a_large_loss_too(targets: float) -> None:
    case = scaled(0.01, targets)
    session, verification = verified(case)
    assert {one.verdict for one in verification.tensors} <= GOOD
    opposite = next(line for line in mistakes(session) if line.startswith("dz2 = -"))
    _, wrong = verified(case, opposite)
    assert {one.fingerprint for one in wrong.tensors} == {Fingerprint.SIGN}
