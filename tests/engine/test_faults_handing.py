"""What a line hands on is read off its formula, and the arithmetic keeps to it."""

import ast

import numpy as np
from building import network, optimizer
from in_one_test import each_of

from nnstep.engine.faults.handing import hands_on
from nnstep.engine.faults.passes import Written
from nnstep.engine.program.compile import program_of
from nnstep.engine.scenario.model import Clip

SHOWN = ["x @ W.T + b", "da * a * (1 - a)", "W - lr * dW", "-x / y", "x ** 2", "d.T.sum(axis=0)"]
HIDDEN = [
    "np.where(z > 0, d, 0)",
    "1 / (x)",
    "np.clip(d, -1, 1)",
    "sigmoid(z)",
    "x ** 0",
    "x ** -1",
]


@each_of("text", SHOWN)
@each_of("value", [np.inf, -np.inf, np.nan])
@each_of("dtype", ["float64", "float32", "float16"])
def test_one_cell_that_is_not_finite_shows(text: str, value: float, dtype: str) -> None:
    tree = ast.parse(text, mode="eval").body
    names = hands_on(tree)
    assert names
    read = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)}
    for size in (1, 3, 17):
        for name in names:
            arrays = {n: np.zeros((size, size), dtype) for n in read}
            arrays[name][size // 2, size - 1] = value
            with np.errstate(all="ignore"):
                result = eval(compile(ast.Expression(tree), "", "eval"), {**arrays})
            assert not np.isfinite(result).all(), name


@each_of("text", HIDDEN)
def test_what_can_hide_an_infinity_hands_nothing_on(text: str) -> None:
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    assert not names & hands_on(ast.parse(text, mode="eval").body)


def test_what_is_looked_at_of_a_network() -> None:
    def looked_at(clip: Clip | None) -> tuple[set[str], set[str]]:
        written = Written(program_of(network((2, 3, 1), optimized=optimizer("sgd", 0.1, clip))))
        names = written.names
        return {names[at] for at in written.telling}, {names[at] for at in written.kept}

    telling, kept = looked_at(None)
    assert telling == {"z1", "z2", "L"}
    assert kept == {"W1", "b1", "W2", "b2"}
    clipped, _ = looked_at(Clip("value", 1.0))
    assert clipped >= telling | {"dW1", "dW2"}
