"""The listing is real NumPy: executed as it stands, it writes the very numbers of the trace."""

from collections.abc import Iterator
from functools import cache
from types import CodeType
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from built_in import built_in
from in_one_test import each_of

from nnstep import scenarios
from nnstep.engine.arrays import Array
from nnstep.engine.language.evaluate import evaluate
from nnstep.engine.language.nodes import Node
from nnstep.engine.language.parser import parse_condition
from nnstep.engine.operations.formula import NAMESPACE
from nnstep.engine.program.program import Phase
from nnstep.engine.scenario.model import Clip, Data, Loss, Scenario
from nnstep.engine.session.session import Session


def assert_listing_is_the_run(scenario: Scenario, iterations: int = 3) -> None:
    """Run the code of every instruction with Python, and as an expression, beside the session."""
    session = Session(scenario, iterations=iterations, history=None)
    names: dict[str, Any] = {**NAMESPACE, **session.values()}
    handed_out: list[tuple[Array, Array]] = []
    names["batches"] = batches(handed_out)
    for step in session.steps():
        if step.phase is Phase.BATCH:
            handed_out.append((step.writes["x"], step.writes["y"]))
        else:
            target, code = step.code.split(" = ", 1)
            typed = np.asarray(evaluate(parsed(code), names))
            assert typed.dtype == step.writes[target].dtype, step.code
            assert typed.tobytes() == step.writes[target].tobytes(), step.code
        with np.errstate(all="ignore"):
            exec(compiled(step.code), names)
        for name, array in step.writes.items():
            written = np.asarray(names[name])
            assert written.dtype == array.dtype, step.code
            assert written.tobytes() == array.tobytes(), step.code
            names[name] = array


@cache
def parsed(code: str) -> Node:
    return parse_condition(code)


@cache
def compiled(code: str) -> CodeType:
    return compile(code, code, "exec")


def batches(handed_out: list[tuple[Array, Array]]) -> Iterator[tuple[Array, Array]]:
    while True:
        yield handed_out[-1]


@pytest.mark.sweep(11)
@pytest.mark.parametrize("name", scenarios.names())
def test_listings_of_the_gallery(name: str) -> None:
    assert_listing_is_the_run(built_in(name))


@pytest.mark.sweep(4)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize(
    ("loss", "activations"),
    [
        (Loss("huber", "batch_mean", options={"delta": 0.5}), ("leaky_relu", "softplus")),
        (Loss("mae", "sum"), ("elu", "silu")),
        (Loss("cross_entropy", "batch_mean", from_logits=True), ("gelu", "identity")),
        (Loss("cross_entropy", "sum", fuse=False), ("relu", "softmax")),
        (Loss("binary_cross_entropy", "mean", from_logits=True), ("tanh", "identity")),
    ],
)
def test_listings_of_networks(loss: Loss, activations: tuple[str, ...], dtype: str) -> None:
    clipped = optimizer("adam", 0.01, clip=Clip("norm", 0.1), amsgrad=True, weight_decay=0.1)
    assert_listing_is_the_run(
        network(
            (2, 3, 2),
            activations=activations,
            rows=5,
            batch_size=2,
            shuffle=True,
            loss=loss,
            dtype=dtype,
            optimized=clipped,
        )
    )


@each_of("dtype", ["float64", "float32", "float16"])
def test_listings_of_expressions(dtype: str) -> None:
    data = Data(np.ones((3, 2), dtype), np.ones((3, 1), dtype), 2)
    code = """
    k = -3
    h = gelu(x @ W + b * k)
    m = max(h, axis=1, keepdims=True) + min(h) ** 2 - h[-1, 0] / 2 ** W[0, 1]
    n = np.where((h > 0) & (h < b), clip(h, -0.5, 0.5), 1) + where(h > 2, 1, 0)
    o = concatenate((n, m, h.reshape(-1, 2)), axis=1) / n.size
    p = logsumexp(o, axis=0) if b[0] > 0 else expm1(o[0])
    q = take(W, y, axis=0).var(axis=(0, 1)) + log1p(sum(one_hot(y[:, 0], n) * log_softmax(n)) ** 2)
    L = mean((m - y) ** 2) + sum(abs(W[:, 1:2].T)) + maximum(b[0], 0.5) + mean(p) * sum(q)
    """
    assert_listing_is_the_run(
        expression(
            code,
            "L",
            data=data,
            dtype=dtype,
            optimized=optimizer(momentum=0.9, dampening=0.1),
            W=[[0.5, -0.25], [0.125, 0.75]],
            b=[0.1, 0.2],
        ),
        iterations=2,
    )
