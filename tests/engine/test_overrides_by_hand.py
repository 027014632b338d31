"""A hundred random lines of one's own, in every phase, against a loop that is written by hand.

The loop is plain NumPy, its lines are Python's own to read: nothing of the program runs in it.
"""

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from nnstep.engine import Session, load
from nnstep.engine.arrays import Array

SCENARIO = """
format = 1
title = "A network to put lines into"
[network]
inputs = 3
layout = "in_out"
[[network.layers]]
units = 4
activation = "tanh"
weights = [[0.2, -0.3, 0.5, 0.1], [0.4, 0.1, -0.6, -0.2], [-0.5, 0.6, 0.3, 0.7]]
bias = [0.1, -0.1, 0.2, 0.0]
[[network.layers]]
units = 2
activation = "sigmoid"
weights = [[0.7, -0.4], [-0.8, 0.3], [0.1, 0.6], [0.2, -0.9]]
bias = [0.05, -0.2]
[loss]
kind = "mse"
[optimizer]
kind = "sgd"
lr = 0.3
momentum = 0.9
[data]
x = [[0.5, 1.0, -1.0], [1.0, -0.5, 0.5], [-1.0, 0.8, 0.2], [-0.4, -0.9, 1.2], [0.3, 0.3, -0.2]]
y = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
[run]
iterations = 5
"""

LINES = {
    "z1": "x @ W1 + b1",
    "a1": "np.tanh(z1)",
    "z2": "a1 @ W2 + b2",
    "a2": "1 / (1 + np.exp(-z2))",
    "L": "((a2 - y) ** 2).mean()",
    "da2": "2 * (a2 - y) / a2.size",
    "dz2": "da2 * a2 * (1 - a2)",
    "dW2": "a1.T @ dz2",
    "db2": "dz2.sum(axis=0)",
    "da1": "dz2 @ W2.T",
    "dz1": "da1 * (1 - a1 ** 2)",
    "dW1": "x.T @ dz1",
    "db1": "dz1.sum(axis=0)",
    "buf_W1": "0.9 * buf_W1 + dW1",
    "W1": "W1 - lr * buf_W1",
    "buf_b1": "0.9 * buf_b1 + db1",
    "b1": "b1 - lr * buf_b1",
    "buf_W2": "0.9 * buf_W2 + dW2",
    "W2": "W2 - lr * buf_W2",
    "buf_b2": "0.9 * buf_b2 + db2",
    "b2": "b2 - lr * buf_b2",
}
"""The pass as one writes it by hand, each tensor once."""

PHASES = {
    "forward": ("z1", "a1", "z2", "a2"),
    "loss": ("L",),
    "backward": ("da2", "dz2", "dW2", "db2", "da1", "dz1", "dW1", "db1"),
    "update": ("buf_W1", "W1", "buf_b1", "b1", "buf_W2", "W2", "buf_b2", "b2"),
}

Arrays = dict[str, Array]


def by_hand(lines: Mapping[str, str], start: Mapping[str, object], passes: int) -> Arrays:
    """What all tensors are after so many passes."""
    tensors: Arrays = {name: np.array(value) for name, value in start.items()}
    codes = {name: compile(line, name, "eval") for name, line in lines.items()}
    for _ in range(passes):
        for name, code in codes.items():
            tensors[name] = np.asarray(eval(code, {"np": np}, tensors))
    return tensors


class Writer:
    """Writes a random formula of a shape over tensors that are live, some levels deep."""

    def __init__(self, choose: random.Random, live: Mapping[str, tuple[int, ...]]) -> None:
        self.choose = choose
        self.live = live

    def formula(self, shape: tuple[int, ...], depth: int) -> str:
        alike = [name for name, its in self.live.items() if its == shape]
        if depth == 0 and alike:
            return self.choose.choice(alike)
        make: list[Callable[[tuple[int, ...], int], str]] = [self._elementwise]
        if len(shape) == 2:
            make += [self._product, self._transposed, self._with_a_row]
        elif len(shape) == 1:
            make.append(self._summed)
        else:
            make.append(self._mean)
        if depth < 1 or (not alike and len(shape) < 2):
            make = make[1:] or make
        return self.choose.choice(make)(shape, max(0, depth - 1))

    def _elementwise(self, shape: tuple[int, ...], depth: int) -> str:
        one, other = self.formula(shape, depth), self.formula(shape, depth)
        form = self.choose.choice(
            [
                "({a} + {b})",
                "({a} - {b} / 3)",
                "{a} * {b}",
                "np.tanh({a})",
                "-({a})",
                "np.where({a} > 0, {b}, 0.5)",
                "np.maximum({a}, {b})",
                "{a} / (1 + {b} ** 2)",
                "0.25 * {a}",
            ]
        )
        return form.format(a=one, b=other)

    def _product(self, shape: tuple[int, ...], depth: int) -> str:
        rows, columns = shape
        inner = [
            (one, other)
            for one, a in self.live.items()
            for other, b in self.live.items()
            if len(a) == len(b) == 2 and (a[0], b[1]) == (rows, columns) and a[1] == b[0]
        ]
        if not inner:
            return self._transposed(shape, depth)
        one, other = self.choose.choice(inner)
        return f"({one} @ {other})"

    def _transposed(self, shape: tuple[int, ...], depth: int) -> str:
        alike = [name for name, its in self.live.items() if its == shape[::-1]]
        if alike:
            return f"{self.choose.choice(alike)}.T"
        rows, columns = shape
        tall = [name for name, its in self.live.items() if its[1:] == (rows,) and len(its) == 2]
        wide = [name for name, its in self.live.items() if its[1:] == (columns,) and len(its) == 2]
        fit = [(a, b) for a in tall for b in wide if self.live[a][0] == self.live[b][0]]
        if not fit:
            return self._product(shape, depth)
        one, other = self.choose.choice(fit)
        return f"({one}.T @ {other})"

    def _with_a_row(self, shape: tuple[int, ...], depth: int) -> str:
        return f"({self.formula(shape, depth)} + {self._summed(shape[1:], depth)})"

    def _summed(self, shape: tuple[int, ...], depth: int) -> str:
        found = [name for name, its in self.live.items() if its[1:] == shape and len(its) == 2]
        return f"{self.choose.choice(found)}.sum(axis=0)" if found else self.formula(shape, 0)

    def _mean(self, shape: tuple[int, ...], depth: int) -> str:
        found = [name for name, its in self.live.items() if its]
        return f"({self.choose.choice(found)} * {self.choose.choice(['0.5', 'lr'])}).mean()"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("own") / "own.toml"
    written.write_text(SCENARIO, encoding="utf-8")
    return written


def own_line(seed: int, start: Mapping[str, object]) -> tuple[str, str, str]:
    """A phase, one of its tensors, and a formula in place of its own."""
    choose = random.Random(seed)
    phase = list(PHASES)[seed % len(PHASES)]
    target = choose.choice(PHASES[phase])
    whole = by_hand(LINES, start, 1)
    before = [*start, *list(LINES)[: list(LINES).index(target)]]
    live = {name: whole[name].shape for name in before}
    return phase, target, Writer(choose, live).formula(whole[target].shape, 3)


@pytest.mark.sweep(25)
@pytest.mark.parametrize("seed", range(100))
def test_it_gives_what_the_same_line_gives_in_a_loop_by_hand(path: Path, seed: int) -> None:
    session = Session(load(path))
    start = dict(session.values())
    session.step()
    start = {**start, "x": session.value("x"), "y": session.value("y")}
    phase, target, formula = own_line(seed, start)
    session.restart()
    made = session.override(f"{target} = {formula}")
    assert (made.name, made.phase) == (target, phase)
    session.seek(3 * len(session.program))
    expected = by_hand({**LINES, target: formula}, start, 3)
    for name, array in session.values().items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-12, atol=1e-13, err_msg=formula)
