"""Why a cell has its value: chains of real numbers that end at the planted cause."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from built_in import built_in
from in_one_test import each_of
from msgspec.structs import replace

from nnstep import scenarios
from nnstep.engine import EditError
from nnstep.engine.arrays import frozen
from nnstep.engine.explain.why import MOST_HOPS, Why
from nnstep.engine.scenario.model import Layer, Scenario
from nnstep.engine.session.edits import PlaceError
from nnstep.engine.session.session import Session

SEEDS = range(20)


def with_layer(scenario: Scenario, at: int, **changes: Any) -> Scenario:
    """Return a network with another layer `at` a place, its first values given."""
    assert scenario.network is not None
    layers: list[Layer] = list(scenario.network.layers)
    layers[at] = replace(layers[at], **changes)
    return replace(scenario, network=replace(scenario.network, layers=tuple(layers)))


def drawn(seed: int, *shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).uniform(0.2, 1.0, shape)


def small(seed: int, activation: str = "sigmoid", **options: Any) -> Scenario:
    """A 2-3-1 network of one row with weights that are no zeros."""
    scenario = network((2, 3, 1), activations=(activation, "identity"), **options)
    scenario = with_layer(scenario, 0, weights=frozen(drawn(seed, 3, 2), "float64"))
    return with_layer(scenario, 1, weights=frozen(drawn(seed + 99, 1, 3), "float64"))


def after_backward(scenario: Scenario) -> Session:
    session = Session(scenario)
    session.run(lambda step: step.code.startswith("db1"))
    return session


def is_true(session: Session, found: Why) -> None:
    """Each hop has the number that the run had, and comes before the one that led to it."""
    assert 1 <= len(found.hops) <= MOST_HOPS
    for hop in found.hops:
        if hop.step is not None:
            told = session.explain(hop.name, hop.index, at=hop.step)
            assert told.step == hop.step
            np.testing.assert_equal(told.value, hop.value)
    steps = [hop.step for hop in found.hops if hop.step is not None]
    assert steps == sorted(steps, reverse=True)
    assert found.hops[-1].cell == found.cause.cell
    assert found.cause.text in found.sentence


# 200 causes and more, each planted


@pytest.mark.sweep(20)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_nan_in_the_data(seed: int) -> None:
    scenario = small(seed)
    assert scenario.data is not None
    x = scenario.data.x.copy()
    x[0, seed % 2] = np.nan
    session = Session(replace(scenario, data=replace(scenario.data, x=frozen(x, "float64"))))
    session.step("iteration")
    for name, index in (("L", ()), ("dW1", (seed % 3, 0)), ("W2", (0, 1))):
        found = session.why(name, index)
        is_true(session, found)
        assert (found.cause.kind, found.cause.cell) == ("data", f"x[0, {seed % 2}]")
        assert "row 0" in found.cause.text


@pytest.mark.sweep(20)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_log_of_zero(seed: int) -> None:
    value = float(drawn(seed)[()])
    session = Session(expression("d = a - b\ne = log(d)\nL = e * c", "L", a=value, b=value, c=2.0))
    session.run()
    found = session.why("L", ())
    is_true(session, found)
    cause = found.cause
    assert (cause.kind, cause.cell, cause.step) == ("non-finite", "e", 1)
    assert "log(0)" in cause.text


@pytest.mark.sweep(20)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_unit_that_is_dead(seed: int) -> None:
    bias = [0.1, 0.1, 0.1]
    bias[seed % 3] = -100.0
    scenario = with_layer(small(seed, "relu"), 0, bias=frozen(bias, "float64"))
    session = after_backward(scenario)
    for name, index in (("dW1", (seed % 3, 1)), ("a1", (0, seed % 3)), ("db1", (seed % 3,))):
        found = session.why(name, index)
        is_true(session, found)
        assert (found.cause.kind, found.cause.cell) == ("off", f"z1[0, {seed % 3}]")
        assert found.cause.step == 1


@pytest.mark.sweep(20)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_frozen_parameter(seed: int) -> None:
    session = Session(small(seed, frozen_biases=True))
    session.step("iteration")
    session.step("iteration")
    found = session.why("b1", (seed % 3,))
    assert (found.cause.kind, found.cause.cell) == ("frozen", f"b1[{seed % 3}]")
    assert found.cause.step is None


@pytest.mark.sweep(14)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_learning_rate_of_zero(seed: int) -> None:
    kind = ("sgd", "adam", "rmsprop", "adagrad")[seed % 4]
    session = Session(small(seed, optimized=optimizer(kind, 0.0)))
    for _ in range(1 + seed % 3):
        session.step("iteration")
    found = session.why("W1", (seed % 3, seed % 2))
    is_true(session, found)
    assert (found.cause.kind, found.cause.cell) == ("rate", "lr")


@pytest.mark.sweep(14)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_saturated_unit(seed: int) -> None:
    bias = [0.1, 0.1, 0.1]
    bias[seed % 3] = (-1.0) ** seed * 15
    kind = ("sigmoid", "tanh")[seed // 2 % 2]
    session = after_backward(with_layer(small(seed, kind), 0, bias=frozen(bias, "float64")))
    found = session.why("dW1", (seed % 3, seed % 2))
    is_true(session, found)
    assert (found.cause.kind, found.cause.cell) == ("saturated", f"z1[0, {seed % 3}]")
    assert found.cause.step == 1
    other = session.why("dW1", ((seed + 1) % 3, seed % 2))
    assert other.cause.kind != "saturated"


@pytest.mark.sweep(20)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_first_value_of_zero(seed: int) -> None:
    session = after_backward(
        with_layer(small(seed), 1, weights=frozen(np.zeros((1, 3)), "float64"))
    )
    found = session.why("dW1", (seed % 3, seed % 2))
    is_true(session, found)
    assert (found.cause.kind, found.cause.cell) == ("first value", f"W2[0, {seed % 3}]")
    assert "zero" in found.cause.text
    assert found.cause.step is None


def edited(seed: int, name: str, index: tuple[int, ...], after: str) -> Iterator[Session]:
    """Yield a session with an edit after a line, and the same without it."""
    for is_edited in (True, False):
        session = Session(small(seed))
        if after:
            session.run(lambda step: step.code.startswith(f"{after} ="))
        if is_edited:
            session.edit(name, index, 3.0 + seed)
        session.run(lambda step: step.code.startswith("db1"))
        yield session


@pytest.mark.sweep(20)
@pytest.mark.parametrize(
    ("name", "after", "asked"),
    [
        pytest.param("W2", "", "da1", id="a weight"),
        pytest.param("a1", "z2", "dW2", id="an activation"),
        pytest.param("dz2", "dz2", "dW2", id="a gradient"),
    ],
)
@pytest.mark.parametrize("seed", SEEDS)
def test_an_edit(seed: int, name: str, after: str, asked: str) -> None:
    index = (0, 0) if name == "dz2" else (0, seed % 3)
    with_it, without = edited(seed, name, index, after)
    cell = (0, seed % 3)
    found = with_it.why(asked, cell)
    is_true(with_it, found)
    cause = found.cause
    place = next(edit.place for edit in with_it.snapshot().branch.edits)
    assert (cause.kind, cause.name, cause.index, cause.step) == ("edit", name, index, place)
    assert found.hops[-1].step is None
    assert with_it.value(asked)[cell] != without.value(asked)[cell]
    assert without.why(asked, cell).cause.kind != "edit"


@pytest.mark.sweep(14)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_line_of_ones_own(seed: int) -> None:
    with_it, without = Session(small(seed)), Session(small(seed))
    for _ in range(seed % 7):
        with_it.step()
    with_it.override("dz2 = da2 * 3")
    for session in (with_it, without):
        session.run(lambda step: step.code.startswith("db1"))
    cell = (0, seed % 3)
    found = with_it.why("dW2", cell)
    is_true(with_it, found)
    assert (found.cause.kind, found.cause.cell) == ("override", "dz2[0, 0]")
    assert found.cause.step == seed % 7
    assert with_it.value("dW2")[cell] != without.value("dW2")[cell]
    assert without.why("dW2", cell).cause.kind != "override"


@each_of("kind", ["sgd", "adam", "rmsprop", "adagrad"])
def test_a_learning_rate_of_zero_by_an_edit(kind: str) -> None:
    """The cause is that somebody set it, not that it is 0."""
    session = Session(small(1, optimized=optimizer(kind, 0.1)))
    session.step("iteration")
    session.edit("lr", (), 0.0)
    place = session.place
    session.step("iteration")
    session.step("iteration")
    found = session.why("W1", (1, 0))
    is_true(session, found)
    assert (found.cause.kind, found.cause.cell, found.cause.step) == ("edit", "lr", place)
    assert found.hops[0].text.endswith("lr is 0")
    assert found.cause.text == f"lr was set to 0 before step {place}."


@each_of("activation", ["sigmoid", "tanh"])
def test_no_share_is_told_where_all_terms_read_the_same_cell(activation: str) -> None:
    session = after_backward(small(2, activation))
    hop = session.why("a1", (0, 1)).hops[0]
    assert " %" not in hop.text
    z = session.why("z1", (0, 1)).hops[0]
    assert "% of 3 terms" in z.text
    if activation == "sigmoid":
        assert hop.text == "sigmoid(z1): on with z1[0, 1]"


# Chains of whole runs


@pytest.mark.sweep(17)
@pytest.mark.parametrize("name", scenarios.names())
def test_every_chain_of_a_built_in_scenario_is_true_and_ends(name: str) -> None:
    session = Session(built_in(name))
    for _ in range(2):
        session.step("iteration")
    for tensor, array in session.values().items():
        if array.size:
            index = tuple(size // 2 for size in array.shape)
            is_true(session, session.why(tensor, index))


def test_a_weight_after_many_updates_goes_back_to_its_first_value() -> None:
    session = Session(built_in("xor"))
    session.seek(50 * len(session.program))
    found = session.why("W1", (0, 0))
    is_true(session, found)
    assert [hop.cell for hop in found.hops] == ["W1[0, 0]", "W1[0, 0]"]
    assert found.cause.kind == "first value"
    assert "49 updates" in found.hops[0].text


def test_passing_over_updates_ends_where_one_by_one_does() -> None:
    """The largest part of a weight that begins at 0 is one of its updates."""
    scenario = with_layer(small(3), 1, weights=frozen(np.zeros((1, 3)), "float64"))
    session = Session(scenario)
    for _ in range(9):
        session.step("iteration")
    found = session.why("W2", (0, 1))
    is_true(session, found)
    length = len(session.program)
    values = [session.explain("W2", (0, 1), at=k * length - 1).value for k in range(1, 10)]
    values.insert(0, 0.0)
    larger = [k for k in range(9) if abs(values[k]) < abs(values[k + 1] - values[k])]
    gradient = next(hop for hop in found.hops if hop.name == "dW2")
    assert gradient.step is not None
    assert gradient.step // length == max(larger)


def test_an_edit_among_updates_is_found_over_them() -> None:
    session = Session(built_in("mazur"))
    session.seek(16 * 20)
    session.edit("W1", (0, 0), 2.5)
    session.seek(16 * 60)
    found = session.why("W1", (0, 0))
    assert (found.cause.kind, found.cause.step) == ("edit", 320)
    assert session.why("W1", (0, 1)).cause.kind == "first value"


def test_an_edit_in_the_past_is_a_cause_on_its_branch_alone() -> None:
    session = Session(built_in("mazur"))
    session.seek(100)
    session.seek(3)
    session.edit("a1", (0, 1), 0.9)
    session.seek(9)
    assert session.why("dW2", (0, 1)).cause.kind == "edit"
    session.branches.switch("main")
    session.seek(9)
    assert session.why("dW2", (0, 1)).cause.kind == "frozen"


def test_asking_changes_nothing() -> None:
    session = Session(built_in("mazur"))
    session.seek(40)
    before = session.snapshot()
    session.why("dW1", (0, 0))
    after = session.snapshot()
    assert (after.place, after.newest) == (before.place, before.newest)
    assert [each.name for each in after.branches] == ["main"]


def test_what_cannot_be_asked() -> None:
    session = Session(built_in("mazur"))
    with pytest.raises(EditError, match="has no value yet"):
        session.why("dW1", (0, 0))
    session.seek(16)
    with pytest.raises(EditError, match="outside"):
        session.why("dW1", (5, 0))
    with pytest.raises(PlaceError):
        session.why("dW1", (0, 0), at=-1)
    assert session.why("dW1", (0, 0), at=12).hops[0].step == 12


def test_far_back_is_as_quick_as_near() -> None:
    """A chain reads lines, and does not go through the run: it looks at few places."""
    session = Session(built_in("mazur"), iterations=300)
    session.seek(16 * 300)
    found = session.why("W1", (0, 0))
    assert found.cause.kind == "first value"
    assert "299 updates" in found.hops[0].text
