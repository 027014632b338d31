"""Mistakes planted as overrides: each fails, and none gets the name of another."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from building import network
from msgspec.structs import replace

from nnstep.engine.program.program import Phase, Program
from nnstep.engine.scenario.model import Loss, Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.verification.verdict import BAD, Fingerprint

CASES = {
    "sigmoid, mse": (("sigmoid", "sigmoid"), Loss("mse", "mean"), "out_in", "float64"),
    "tanh, half": (("tanh", "tanh"), Loss("half_squared_error", "sum"), "in_out", "float64"),
    "softplus, huber": (
        ("softplus", "identity"),
        Loss("huber", "batch_mean", options={"delta": 1.0}),
        "out_in",
        "float32",
    ),
    "silu, logistic": (
        ("silu", "sigmoid"),
        Loss("binary_cross_entropy", "mean", fuse=False),
        "in_out",
        "float32",
    ),
    "gelu, mse": (("gelu", "tanh"), Loss("mse", "batch_mean"), "in_out", "float16"),
}
WIDTH, ROWS = 2, 5


def case_of(name: str) -> Scenario:
    kinds, loss, layout, dtype = CASES[name]
    options = {"gelu": {"approximate": "none"}}
    case = network((WIDTH,) * 3, activations=kinds, rows=ROWS, loss=loss, dtype=dtype)
    assert case.network is not None
    layers = tuple(
        replace(layer, activation=replace(layer.activation, options=options.get(each, {})))
        for layer, each in zip(case.network.layers, kinds, strict=True)
    )
    return replace(case, network=replace(case.network, layers=layers, layout=layout))


def codes(program: Program) -> dict[str, str]:
    """Return what phase backward writes to each tensor."""
    return {
        line.writes[0]: line.code.partition(" = ")[2]
        for line in program.instructions
        if line.phase is Phase.BACKWARD
    }


def planted(program: Program, layer: int, *, averages: bool) -> Iterator[tuple[Fingerprint, str]]:
    """Yield mistakes of a layer as lines, and what they are called."""
    code = codes(program)
    z, a, dz, dw, db = (f"{kind}{layer}" for kind in ("z", "a", "dz", "dW", "db"))
    yield Fingerprint.SIGN, f"{dz} = -({code[dz]})"
    yield Fingerprint.DOUBLED, f"{dz} = 2 * ({code[dz]})"
    yield Fingerprint.HALVED, f"{dz} = ({code[dz]}) / 2"
    yield Fingerprint.TRANSPOSED, f"{dw} = ({code[dw]}).T"
    yield Fingerprint.ONE_ROW, f"{db} = {dz}[1]"
    yield Fingerprint.MEAN_FOR_SUM, f"{db} = {dz}.mean(axis=0)"
    if averages:
        yield Fingerprint.MISSING_MEAN, f"{dz} = ({code[dz]}) * {ROWS}"
        yield Fingerprint.DIVIDED_TWICE, f"{dz} = ({code[dz]}) / {ROWS}"
    if code[dz] != f"da{layer}":
        yield Fingerprint.MISSING_DERIVATIVE, f"{dz} = da{layer}"
    if re.search(rf"\b{a}\b", code[dz]) and not re.search(rf"\b{z}\b", code[dz]):
        yield Fingerprint.AT_Z, f"{dz} = " + re.sub(rf"\b{a}\b", z, code[dz])
    if layer == 1 or re.search(r"\bda2\b", code["dz2"]):
        yield Fingerprint.OTHER_SLOPE, f"{a} = 0.5 + 0.4 * sin(2 * {z})"


def planted_between(program: Program) -> Iterator[tuple[Fingerprint, str]]:
    """Yield mistakes in what is handed from layer to layer."""
    code = codes(program)
    yield Fingerprint.OTHER_TENSOR, "dW2 = " + re.sub(r"\ba1\b", "z1", code["dW2"])
    yield Fingerprint.OTHER_TENSOR, "dW1 = " + re.sub(r"\bdz1\b", "dz2", code["dW1"])
    back = code["da1"].replace("W2.T", "W2") if "W2.T" in code["da1"] else f"{code['da1']}.T"
    yield Fingerprint.TRANSPOSED_WEIGHTS, f"da1 = {back}"
    yield Fingerprint.OTHER_TENSOR, "da1 = " + re.sub(r"\bW2\b", "W1", code["da1"])
    if code["dz2"] != "da2" and re.search(r"\bda2\b", code["dz2"]):
        yield Fingerprint.OTHER_TENSOR, "da1 = " + re.sub(r"\bdz2\b", "da2", code["da1"])
    twice = re.sub(r"\bda1\b", f"({code['dz1']})", code["dz1"])
    yield Fingerprint.TWICE, f"dz1 = {twice}"
    yield Fingerprint.OTHER_SLOPE, "dz1 = where(z1 > 0, da1, 0 * da1)"
    early = re.sub(r"\bW2\b", "(W2 - lr * dW2)", code["da1"])
    yield Fingerprint.UPDATED_WEIGHTS, f"da1 = {early}"


@pytest.mark.sweep(10)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("layer", [1, 2])
def test_a_planted_mistake_fails_under_its_own_name(name: str, layer: int) -> None:
    case = case_of(name)
    right = Session(case)
    update = next(
        at for at, line in enumerate(right.program.instructions) if line.phase is Phase.UPDATE
    )
    right.run(lambda step: right.place == update)
    assert right.verify().verdict not in BAD

    loss = case.network.loss if case.network else None
    assert loss is not None
    mistakes = [*planted(right.program, layer, averages=loss.reduction != "sum")]
    if layer == 1:
        mistakes += planted_between(right.program)
    for expected, line in mistakes:
        session = Session(case)
        session.override(line)
        session.run(lambda step, session=session: session.place == update)
        checks = session.verify().tensors
        bad = {one.name: one for one in checks if one.verdict in BAD}
        assert bad, line
        names = [one for one in bad.values() if one.fingerprint]
        assert names, line
        for one in names:
            assert expected in (one.fingerprint, *one.alternatives), (line, one.name)
        for one in checks:
            mine, other = session.value(one.gradient), right.value(one.gradient)
            assert one.name not in bad or not np.array_equal(mine, other), line
