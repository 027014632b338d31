"""The questions that apply to a cell: which they are, and that each answer is the planted cause."""

from math import prod
from typing import Any

import numpy as np
import pytest
from building import network, optimizer
from built_in import built_in
from commanding import give, told
from in_one_test import each_of
from msgspec.structs import replace

from nnstep.engine.arrays import frozen
from nnstep.engine.language.typed import TextError
from nnstep.engine.scenario.model import Clip, Scenario
from nnstep.engine.session.session import Session

WEIGHTS = [[0.3, 0.6], [0.5, 0.4], [0.7, 0.2]]


def planted(activation: str = "sigmoid", **options: Any) -> Scenario:
    """A 2-3-1 network of one row with weights that are no zeros; `bias` is that of layer 1."""
    bias = options.pop("bias", [0.1, 0.1, 0.1])
    dtype = options.get("dtype", "float64")
    scenario = network((2, 3, 1), activations=(activation, "identity"), **options)
    assert scenario.network is not None
    first, second = scenario.network.layers
    first = replace(first, weights=frozen(WEIGHTS, dtype), bias=frozen(bias, dtype))
    second = replace(second, weights=frozen([[0.4, 0.5, 0.6]], dtype))
    return replace(scenario, network=replace(scenario.network, layers=(first, second)))


def after_update(scenario: Scenario, passes: int = 1) -> Session:
    session = Session(scenario)
    for _ in range(passes):
        session.step("iteration")
    return session


def reason(session: Session, name: str, index: tuple[int, ...]) -> str | None:
    found = session.unchanged(name, index)
    return found.reason if found else None


@each_of("unit", range(3))
def test_no_gradient(unit: int) -> None:
    bias = [0.1, 0.1, 0.1]
    bias[unit] = -100.0
    session = after_update(planted("relu", bias=bias))
    found = session.unchanged("W1", (unit, 1))
    assert found is not None
    assert found.reason == "gradient"
    assert found.chain is not None
    assert (found.chain.cause.kind, found.chain.cause.cell) == ("off", f"z1[0, {unit}]")
    assert reason(session, "W1", ((unit + 1) % 3, 1)) is None


@each_of("kind", ["sgd", "adam", "rmsprop", "adagrad"])
def test_no_rate(kind: str) -> None:
    session = after_update(planted(optimized=optimizer(kind, 0.0)))
    assert reason(session, "W1", (0, 1)) == "rate"
    assert "learning rate, is 0" in told(session, "unchanged W1[0, 1]")


def test_frozen() -> None:
    session = after_update(planted(frozen_biases=True))
    assert reason(session, "b1", (1,)) == "frozen"
    assert reason(session, "W1", (1, 1)) is None


@each_of("dtype", ["float32", "float64"])
def test_rounded(dtype: str) -> None:
    rate = float(np.finfo(dtype).eps) * 1e-3
    session = after_update(planted(dtype=dtype, optimized=optimizer("sgd", rate)))
    assert session.value("dW1")[0, 1] != 0
    assert reason(session, "W1", (0, 1)) == "rounded"
    assert dtype in told(session, "unchanged W1[0, 1]")


@each_of("kind", ["value", "norm"])
def test_clipped(kind: str) -> None:
    clip = Clip("norm" if kind == "norm" else "value", 1e-18)
    session = after_update(planted(optimized=optimizer("sgd", 0.5, clip)))
    assert reason(session, "W1", (0, 1)) == "clipped"
    assert reason(after_update(planted()), "W1", (0, 1)) is None


def test_a_line_of_ones_own() -> None:
    session = Session(planted())
    session.override("W1 = W1 * 1")
    session.step("iteration")
    assert reason(session, "W1", (0, 1)) == "override"


def test_before_any_update_nothing_is_said_of_one() -> None:
    session = Session(planted())
    assert reason(session, "W1", (0, 0)) is None
    assert "if there was one" in told(session, "unchanged W1[0, 0]")
    session.step("iteration")
    with pytest.raises(TextError, match="is no parameter"):
        give(session, "unchanged dW1[0, 0]")


@each_of(("name", "of"), [("vanishing", "dW"), ("xor", "d"), ("mazur", "d")])
def test_factors_multiply_to_the_cell(name: str, of: str) -> None:
    session = after_update(built_in(name))
    for cell, array in session.values().items():
        if session.program.tensors[cell].role.value != "gradient" or not cell.startswith(of):
            continue
        index = (0,) * array.ndim
        found = session.factors(cell, index)
        assert found.hops[0].value == array[index]
        factors = [hop.factor for hop in found.hops[:-1]]
        if all(factors):
            product = prod(factor or 1.0 for factor in factors) * found.hops[-1].value
            np.testing.assert_allclose(product, array[index], rtol=1e-9)
        for hop in found.hops:
            assert hop.step is not None
            hop_name, _, _ = hop.cell.partition("[")
            assert session.program.tensors[hop_name].role.value == "gradient"


def test_a_gradient_that_vanishes_is_told_layer_by_layer() -> None:
    session = after_update(built_in("vanishing"))
    found = session.factors("dW1", (0, 0))
    layers = [layer for layer, _ in found.layers]
    assert layers == sorted(layers)
    assert layers[0] == 1
    assert len(layers) > 2
    lines = give(session, "factors dW1[0, 0]").lines
    assert sum(line.startswith("layer ") for line in lines) == len(layers)
    assert lines[-1] == found.sentence
    assert "the smallest factor is" in found.sentence
    with pytest.raises(TextError, match="no gradient"):
        give(session, "factors W1[0, 0]")


@pytest.mark.sweep(6)
@pytest.mark.parametrize("passes", [1, 3])
@pytest.mark.parametrize(
    "scenario",
    [built_in("mazur"), built_in("xor"), planted("relu", bias=[-100.0, 0.1, 0.1])],
    ids=lambda scenario: scenario.title,
)
def test_every_question_that_is_offered_has_an_answer(scenario: Scenario, passes: int) -> None:
    session = after_update(scenario, passes)
    for name, array in session.values().items():
        if not array.size:
            continue
        index = (0,) * array.ndim
        offered = session.questions(name, index)
        assert 3 <= len(offered) <= 6
        assert len({each.command for each in offered}) == len(offered)
        place = session.place
        for each in offered:
            assert give(session, each.command).lines
            session.seek(place)


def test_which_questions_apply() -> None:
    session = after_update(planted("relu", bias=[-100.0, 0.1, 0.1]))
    asked = [each.command.split()[0] for each in session.questions("W1", (0, 0))]
    assert asked == ["why", "unchanged", "when", "who"]
    asked = [each.command.split()[0] for each in session.questions("dW1", (1, 0))]
    assert asked == ["why", "factors", "when", "who"]
    zero = [each.command for each in session.questions("dW1", (0, 0))]
    assert zero == ["why dW1[0, 0]", "when dW1[0, 0] == 0", "who dW1[0, 0]"]
    lines = give(session, "questions dW1[0, 0]").lines
    assert [line.endswith(each) for line, each in zip(lines, zero, strict=True)] == [True] * 3
