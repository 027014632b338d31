"""Random scenarios: networks with every kind of layer, loss and update, and random expressions."""

import random
from typing import Any

import numpy as np
from building import expression, network
from msgspec.structs import replace

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.catalogue import FUNCTIONS
from nnstep.engine.operations.losses import LOSSES, Reduction
from nnstep.engine.operations.optimizers import OPTIMIZERS
from nnstep.engine.program.program import CompileError
from nnstep.engine.scenario.model import (
    Activation,
    Clip,
    Data,
    Initializer,
    Layer,
    Loss,
    Optimizer,
    Run,
    Scenario,
)
from nnstep.engine.session.session import Session

DTYPES = ("float64", "float64", "float32", "float16")


def random_network(seed: int, dtype: str | None = None) -> Scenario:
    """A network that the seed decides: sizes, kinds, options, data."""
    choose = random.Random(seed)
    generator = np.random.default_rng(seed)
    dtype = dtype or choose.choice(DTYPES)
    rows, inputs = choose.choice([1, 2, 4, 7]), choose.randint(1, 4)
    kind = choose.choice([*LOSSES])
    loss, layers = _loss(choose, kind), _layers(choose, kind)
    if loss.from_logits:
        layers[-1] = replace(layers[-1], activation=Activation("identity"))
    outputs = layers[-1].units
    x = frozen(generator.standard_normal((rows, inputs)), dtype)
    base = network((inputs, 1), rows=rows, dtype=dtype)
    assert base.network is not None
    return replace(
        base,
        seed=seed,
        network=replace(
            base.network,
            layers=tuple(layers),
            loss=loss,
            layout=choose.choice(["out_in", "in_out"]),
            input_gradient=choose.random() < 0.3,
            l2=choose.choice([0.0, 0.0, 0.1]),
        ),
        optimizer=random_optimizer(choose),
        data=Data(
            x,
            _targets(choose, generator, kind, rows, outputs, dtype),
            choose.randint(1, rows),
            choose.random() < 0.3,
        ),
        run=Run(iterations=3),
    )


def _loss(choose: random.Random, kind: str) -> Loss:
    row = LOSSES[kind]
    options = {"delta": choose.choice([0.3, 1.0])} if kind == "huber" else {}
    from_logits = row.logits is not None and choose.random() < 0.4
    reduction: Reduction = choose.choice(["mean", "batch_mean", "sum"])
    if kind == "cross_entropy" and reduction == "mean":
        reduction = "batch_mean"
    return Loss(kind, reduction, from_logits, choose.random() < 0.6, options)


def _layers(choose: random.Random, loss: str) -> list[Layer]:
    layers = []
    for _ in range(choose.randint(1, 3)):
        kind = choose.choice([k for k in ACTIVATIONS if k != "softmax"])
        options: dict[str, Any] = {
            name: setting.default if setting.words else choose.choice([setting.default, 0.3])
            for name, setting in ACTIVATIONS[kind].settings.items()
        }
        if kind == "gelu":
            options["approximate"] = choose.choice(["none", "tanh"])
        layers.append(_layer(choose, Activation(kind, options)))
    last = {"binary_cross_entropy": "sigmoid", "cross_entropy": "softmax"}.get(loss)
    if last:
        units = max(2, layers[-1].units) if last == "softmax" else layers[-1].units
        layers[-1] = replace(layers[-1], activation=Activation(last), units=units)
    return layers


def _layer(choose: random.Random, activation: Activation) -> Layer:
    weights = Initializer(choose.choice(["xavier_uniform", "he_normal"]))
    bias = None if choose.random() < 0.2 else Initializer(choose.choice(["zeros", "he_normal"]))
    held = frozenset({"weights"}) if choose.random() < 0.1 else frozenset()
    return Layer(choose.randint(1, 4), activation, weights, bias, held)


def random_optimizer(choose: random.Random) -> Optimizer:
    """An optimizer with some of its options set."""
    kind = choose.choice([*OPTIMIZERS])
    options: dict[str, Any] = dict(OPTIMIZERS[kind].filled({}))
    options.pop("lr")
    options["weight_decay"] = choose.choice([0.0, 0.1])
    if "momentum" in options:
        options["momentum"] = choose.choice([0.0, 0.9])
    if kind == "sgd" and options["momentum"]:
        options["nesterov"] = choose.random() < 0.4
        options["dampening"] = 0.0 if options["nesterov"] else choose.choice([0.0, 0.5])
    for name in ("centered", "amsgrad"):
        if name in options:
            options[name] = choose.random() < 0.5
    if "lr_decay" in options:
        options["lr_decay"] = choose.choice([0.0, 0.1])
    clip = choose.choice([None, None, Clip("norm", 0.1), Clip("norm", 100.0), Clip("value", 0.05)])
    return Optimizer(kind, choose.choice([0.01, 0.1]), options, clip)


def _targets(
    choose: random.Random,
    generator: np.random.Generator,
    kind: str,
    rows: int,
    outputs: int,
    dtype: str,
) -> Array:
    if kind != "cross_entropy":
        return frozen(generator.uniform(0.1, 0.9, (rows, outputs)), dtype)
    form = choose.choice(["indices", "rows", "weights"])
    if form == "indices":
        return frozen(generator.integers(0, outputs, rows))
    weights = generator.uniform(0.1, 1.0, (rows, outputs))
    return frozen(weights / (weights.sum(axis=1, keepdims=True) if form == "rows" else 1), dtype)


# Expressions

CALLS = {
    "where": "where(({0} > {1}) & ({0} < 1), {0}, {1} * 2)",
    "clip": "clip({0}, -0.5, 0.5)",
    "reshape": "reshape({0}, (3, 2))",
    "concatenate": "concatenate(({0}, {1}), axis=1)",
    "one_hot": "one_hot({0}[:, 0] * 0 + 1.5, {0}) * {0}",
    "take": "take({0}, {1}[0] * 0 + 1.2)",
}
FORMS = (
    *("{0} + {1}", "{0} - {1}", "{0} * {1}", "{0} / {1}", "{0} ** 2", "2 ** {0}", "-{0}"),
    *("({0}).T", "{0} @ {1}", "({0})[0]", "({0})[1:]", "({0})[:, 0]", "{0} ** {1}", "{0} ** 3"),
    *("sum({0}, axis=0)", "mean({0}, axis=1, keepdims=True)", "max({0}, axis=-1)"),
    *("min({0})", "var({0}, axis=0)", "logsumexp({0}, axis=1)", "{0} * 0.5 + {1} * k"),
    *("{0} if k > 1 else {1}", "where({0} > 0, {0}, 0.1)", "len({0}) * {1}", "{0} / {1}.size"),
    "concatenate(({0}, {1}, {0}), axis=0)",
)


def forms() -> list[str]:
    """What an expression can be made of, with places for two operands."""
    calls = [
        CALLS.get(name, f"{name}({', '.join(('{0}', '{1}')[: len(function.inputs)])})")
        for name, function in FUNCTIONS.items()
    ]
    return [*calls, *FORMS]


def random_expression(seed: int, dtype: str | None = None) -> Scenario:
    """An expression that the seed decides; lines that do not fit together are left out."""
    choose = random.Random(seed)
    generator = np.random.default_rng(seed)
    dtype = dtype or choose.choice(DTYPES)
    given: dict[str, Any] = {
        "A": generator.uniform(-1, 1.5, (2, 3)),
        "B": generator.uniform(0.1, 1.5, (2, 3)),
        "v": generator.uniform(0.1, 1.5, 3),
        "s": 0.7,
    }
    names, lines = [*given], list[str]()
    found = None
    for _ in range(40):
        form = choose.choice(forms())
        one, other = choose.choice(names), choose.choice(names)
        name = f"r{len(lines)}"
        tried = [*lines, f"{name} = {form.format(one, other)}"]
        loss = choose.choice([f"sum({name} * 0.5)", f"mean({name} * {name})", f"sum({name}) + s"])
        case = expression(
            "\n".join([*tried, f"L = {loss}"]),
            "L",
            dtype=dtype,
            inputs={"k": 1.3},
            optimized=random_optimizer(choose),
            run=Run(iterations=2),
            **given,
        )
        if not _runs(case):
            continue
        lines, found = tried, case
        names.append(name)
        if len(lines) == 4:
            break
    assert found is not None
    return found


def _runs(case: Scenario) -> bool:
    """Whether an expression compiles, and its rows and indices are there in the first pass."""
    try:
        Session(case, iterations=2)._timeline.records(0, 2)
    except (CompileError, TypeError, IndexError):
        return False
    return True
