"""Scenarios of every kind for exported scripts, and what such a script has to print."""

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from building import expression
from msgspec.structs import replace

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.losses import LOSSES, Reduction
from nnstep.engine.operations.optimizers import OPTIMIZERS
from nnstep.engine.program.compile import program_of
from nnstep.engine.scenario.model import (
    Activation,
    Clip,
    Data,
    Initializer,
    Layer,
    Loss,
    Network,
    Optimizer,
    Run,
    Scenario,
)
from nnstep.engine.session.session import Session

Printed = list[dict[str, Any]]
"""What a script prints: by the names of tensors, an iteration after the other."""

ITERATIONS = 3

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "sgd": [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
        {"momentum": 0.9, "nesterov": True},
    ],
    "adagrad": [{}, {"lr_decay": 0.1, "initial_accumulator_value": 0.2, "weight_decay": 0.01}],
    "rmsprop": [
        {},
        {"centered": True},
        {"momentum": 0.5, "weight_decay": 0.1},
        {"centered": True, "momentum": 0.5, "alpha": 0.9},
    ],
    "adam": [{}, {"amsgrad": True, "weight_decay": 0.1}, {"betas": (0.8, 0.9), "eps": 1e-4}],
    "adamw": [{}, {"amsgrad": True}, {"weight_decay": 0.0}],
}
OPTIMIZED = [(kind, options) for kind in OPTIMIZERS for options in OPTIONS[kind]]
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "leaky_relu": [{"slope": 0.2}],
    "elu": [{"alpha": 1.0}, {"alpha": 0.5}],
    "gelu": [{}, {"approximate": "tanh"}],
}
ACTIVATED = [
    Activation(kind, options) for kind in ACTIVATIONS for options in SETTINGS.get(kind, [{}])
]
INITIALIZED = [
    Initializer("xavier_uniform"),
    Initializer("xavier_normal"),
    Initializer("he_uniform"),
    Initializer("he_normal"),
    Initializer("normal", {"std": 0.4}),
    Initializer("normal", {"std": 0.4, "mean": 0.1}),
    Initializer("uniform", {"low": -0.5, "high": 0.4}),
    Initializer("constant", {"value": 0.25}),
    Initializer("zeros"),
]
PROGRAMS = [
    ("s = a * a + b ** 3", "L = s ** 2 / (1 + exp(-c))"),
    (
        "p = a ** b",
        "q = 2 ** c",
        "r = -p / q",
        "t = log(b) + log1p(b) + expm1(c)",
        "L = r * sqrt(abs(a)) + t",
    ),
    ("z = V @ W.T + v", "h = tanh(z)", "m = max(h, axis=0)", "L = sum(m) + min(h) + mean(h)"),
    ("z = sin(V) * cos(V)", "k = var(z, axis=1)", "L = sum(k) + logsumexp(V) + var(V)"),
    (
        "s = softmax(V)",
        "l = log_softmax(V)",
        "k = logsumexp(V, axis=1)",
        "L = -sum(s * l, axis=1) @ k + mean(logsumexp(V, axis=0, keepdims=True))",
    ),
    ("s = maximum(V, 0.1) + minimum(V, W[0])", "u = where(s > 0.3, s, 0.5 * V)", "L = sum(u)"),
    (
        "q = clip(V, -0.4, 0.6)",
        "f = reshape(q, (3, 2))",
        "k = sum(f @ V)",
        "L = k * a if b > 0 else c",
    ),
    (
        "j = concatenate((V, W, V), axis=0)",
        "u = take(j, places, axis=0)",
        "L = sum(u ** 2) / u.size",
    ),
    ("o = one_hot(places, V2)", "L = sum(o * softplus(V2)) / len(o) + sum(V2[::-1, 3:0:-2])"),
    (
        "g = gelu(V) + gelu_tanh(V) + silu(V)",
        "h = elu(V, 0.7) + leaky_relu(V, 0.3) + relu(V)",
        "L = mean(sigmoid(g) * h) + 0 * sum(v)",
    ),
    ("n = 3.0", "f = V[0, 1:] * n", "e = V[:, -1]", "L = sum(f) + e @ e + v @ V @ v2"),
    ("L = 0.5 * sum((a - 3) ** 2) + b - b",),
    (
        "k = where((V > 0) & (V < 1), 1, 0)",
        "L = sum(k * V) + sum(max(V, axis=1, keepdims=True) * V)",
    ),
    ("s = where(a, b, c)", "u = take(V, places[1], axis=1) + V.T[0]", "L = sum(u) * s / 3"),
    ("u = gelu(a) + logsumexp(b) + softplus(25 * c)", "L = mean(u) + 1 / max(a)"),
    ("L = d * 2",),
]


def parsed(text: str) -> Printed:
    """Read what a script has printed; the numbers of a line are a Python list."""
    printed: Printed = []
    for line in text.splitlines():
        if re.fullmatch(r"iteration \d+", line):
            assert line == f"iteration {len(printed)}"
            printed.append({})
            continue
        name, value = line.split(" = ")
        assert not re.search(r"[a-z]{4,}", value), "there are numbers, nan and inf in it"
        printed[-1][name] = eval(value, {"nan": np.nan, "inf": np.inf})
    return printed


def executed(text: str, folder: Path) -> Printed:
    """Execute a script as if it were in a folder, and read what it prints."""
    out = io.StringIO()
    with redirect_stdout(out), np.errstate():
        code = compile(text, "exported", "exec")
        exec(code, {"__name__": "__main__", "__file__": str(folder / "exported.py")})
    return parsed(out.getvalue())


def right(scenario: Scenario, iterations: int) -> list[dict[str, Array]]:
    """Run a scenario: its losses, gradients before they are clipped, and updated parameters."""
    program = program_of(scenario)
    wanted = [program.gradients[name] for name in program.parameters]
    if "x" in program.gradients:
        wanted.append(program.gradients["x"])
    passes: list[dict[str, Array]] = [{} for _ in range(iterations)]
    for step in Session(scenario, iterations=iterations).steps():
        for name, array in step.writes.items():
            if name == program.loss or (
                (name in wanted and step.phase == "backward")
                or (name in program.trained and step.phase == "update")
            ):
                passes[step.iteration][name] = array
    return passes


def same_bits(printed: Printed, wanted: list[dict[str, Array]]) -> None:
    """Fail unless all is printed, and the same to the last bit."""
    assert len(printed) == len(wanted)
    for iteration, (numbers, arrays) in enumerate(zip(printed, wanted, strict=True)):
        assert numbers.keys() == arrays.keys()
        for name, array in arrays.items():
            found = np.array(numbers[name], dtype=array.dtype)
            assert _same_bits(found, array), f"{name} in iteration {iteration}: {found} for {array}"


def _same_bits(found: Array, wanted: Array) -> bool:
    """Compare two arrays to the last bit, but for those of a nan."""
    known = ~np.isnan(wanted)
    return (
        found.shape == wanted.shape
        and np.array_equal(np.isnan(found), ~known)
        and found[known].tobytes() == wanted[known].tobytes()
    )


def close(printed: Printed, wanted: list[dict[str, Array]], within: float) -> None:
    """Fail unless all is printed, and the same within a tolerance, relative above 1."""
    assert len(printed) == len(wanted)
    for iteration, (numbers, arrays) in enumerate(zip(printed, wanted, strict=True)):
        assert numbers.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_allclose(
                np.array(numbers[name], dtype=np.float64),
                array.astype(np.float64),
                rtol=within,
                atol=within,
                err_msg=f"{name} in iteration {iteration}",
            )


def optimizer(kind: str, options: dict[str, Any], clip: Clip | None = None) -> Optimizer:
    settings = OPTIMIZERS[kind].filled(options)
    rest = {name: value for name, value in settings.items() if name != "lr"}
    return Optimizer(kind, 0.05, rest, clip)


def random_network(seed: int, dtype: str = "float64", **fixed: Any) -> Scenario:
    """A network that chance makes, in all that a scenario can say; `fixed` is taken as it is."""
    chance = np.random.default_rng(seed)

    def one_of(options: Any) -> Any:
        return options[chance.integers(len(options))]

    inputs, units, rows = 3, 2, 5
    widths = [int(chance.integers(2, 5)) for _ in range(chance.integers(0, 3))] + [units]
    layout = fixed.get("layout", one_of(["out_in", "in_out"]))
    loss = fixed.get("loss", random_loss(chance))
    layers = []
    before = inputs
    for width in widths:
        shape = (width, before) if layout == "out_in" else (before, width)
        drawn = chance.normal(0, 0.6, shape).astype(dtype)
        weights = one_of([frozen(drawn), one_of(INITIALIZED[:6])])
        bias = one_of([None, frozen(chance.normal(0, 0.3, width).astype(dtype)), INITIALIZED[-2]])
        held = {key for key in ("weights", "bias") if chance.random() < 0.2}
        layers.append(Layer(width, one_of(ACTIVATED[:9]), weights, bias, frozenset(held)))
        before = width
    of = LOSSES[loss.kind].of
    if of and not loss.from_logits:
        layers[-1] = replace(layers[-1], activation=Activation(of))
    if "activation" in fixed:
        layers[0] = replace(layers[0], activation=fixed["activation"])
    x = frozen(chance.standard_normal((rows, inputs)).astype(dtype))
    clip = one_of([None, None, Clip("norm", 0.05), Clip("value", 0.02)])
    kind, options = one_of(OPTIMIZED)
    data: dict[str, Any] = one_of([
        {"batch_size": rows},
        {"batch_size": 2},
        {"batch_size": 2, "shuffle": True},
        {"batch_size": rows, "batches": ((0,), (1, 4), (3, 2, 0))},
    ])  # fmt: skip
    return Scenario(
        title=f"chance {seed}",
        dtype=dtype,
        seed=seed,
        network=Network(
            inputs, tuple(layers), loss, layout, bool(chance.random() < 0.3), one_of([0.0, 0.1])
        ),
        optimizer=fixed.get("optimizer", optimizer(kind, options, clip)),
        data=Data(x, targets(chance, loss, rows, units, dtype), **data),
        run=Run(ITERATIONS),
    )


def random_loss(chance: np.random.Generator, kind: str = "") -> Loss:
    kinds = [*LOSSES]
    kind = kind or kinds[chance.integers(len(kinds))]
    reductions: tuple[Reduction, ...] = ("mean", "batch_mean", "sum")
    reduction = reductions[chance.integers(3)]
    if LOSSES[kind].targets == "classes" and reduction == "mean":
        reduction = "batch_mean"  # which it is, and what is read from a file
    options = {"delta": 0.4} if kind == "huber" else {}
    logits = bool(LOSSES[kind].logits and chance.random() < 0.5)
    return Loss(kind, reduction, logits, bool(chance.random() < 0.7), options)


def targets(chance: np.random.Generator, loss: Loss, rows: int, units: int, dtype: str) -> Array:
    if LOSSES[loss.kind].targets != "classes":
        return frozen(chance.random((rows, units)).astype(dtype))
    if chance.random() < 0.5:
        return frozen(chance.integers(0, units, rows))
    weights = chance.random((rows, units)) + 0.1
    if chance.random() < 0.6:
        weights /= weights.sum(axis=1, keepdims=True)
    return frozen(weights.astype(dtype))


def random_program(number: int, dtype: str = "float64") -> Scenario:
    """A program of the list above, on numbers of its own."""
    code = "\n".join(PROGRAMS[number % len(PROGRAMS)])
    chance = np.random.default_rng(number)
    values: dict[str, Any] = {
        **{name: chance.uniform(0.5, 1.5) for name in ("a", "b", "c", "d")},
        "V": chance.standard_normal((2, 3)),
        "V2": chance.standard_normal((3, 4)),
        "W": chance.standard_normal((2, 3)),
        "v": chance.standard_normal(2),
        "v2": chance.standard_normal(3),
    }
    used = {name: value for name, value in values.items() if re.search(rf"\b{name}\b", code)}
    kind, options = OPTIMIZED[number % len(OPTIMIZED)]
    given = {"places": [1.0, 0.0, 2.0]} if "places" in code else {}
    made = expression(
        code, "L", optimized=optimizer(kind, options), inputs=given, dtype=dtype,
        run=Run(ITERATIONS), **used,
    )  # fmt: skip
    return replace(made, title=f"program {number}")


def in_batches(dtype: str = "float64") -> Iterator[Scenario]:
    """Programs on batches of data, the last one smaller."""
    x = frozen(np.linspace(-1, 1, 15).reshape(5, 3).astype(dtype))
    y = frozen(np.linspace(0, 1, 5).reshape(5, 1).astype(dtype))
    code = "z = x @ W + b\ne = z - y\nL = sum(e ** 2) / len(x) + mean(z * k)"
    for shuffle in (False, True):
        yield replace(
            expression(
                code, "L", optimized=optimizer("adam", {}), data=Data(x, y, 2, shuffle),
                inputs={"k": [[0.1]]}, dtype=dtype, run=Run(6), W=[[0.1], [0.2], [-0.3]], b=0.5,
            ),
            title=f"a program in batches, shuffled: {shuffle}",
        )  # fmt: skip
