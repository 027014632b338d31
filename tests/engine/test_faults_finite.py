"""The first value of a run that is not finite is found, and nothing after it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from faulty import (
    MEAN,
    Recorded,
    faults,
    given,
    wide,
    with_data,
)
from msgspec.structs import replace

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.scenario.model import Clip


def test_a_cell_that_is_not_finite_is_named() -> None:
    case = network((2, 2, 1), activations=("identity",) * 2, rows=4, loss=MEAN)
    run = Recorded(given(case, W1=[[1.0, 1.0], [1.7e308, 1.7e308]]), 1)
    (fault,) = (each for each in run.faults() if each.level == "stop")
    z1 = run.written("z1", 0, "forward")
    row = int(np.argmax(~np.isfinite(z1[:, 1])))
    assert fault.place == run.place("z1", 0, "forward")
    assert (fault.layer, fault.tensor, fault.quantity) == (1, "z1", f"z1[{row}, 1]")
    assert fault.threshold == np.finfo(np.float64).max
    assert str(fault).startswith(f"non-finite in layer 1: z1[{row}, 1] is {fault.value} at step 2")


def test_numbers_whose_squares_overflow_are_finite() -> None:
    run = Recorded(expression("b = a * 3", "b", a=1e200), 1)
    assert run.faults() == []


@pytest.mark.parametrize(("name", "value"), [("x", np.nan), ("x", np.inf), ("y", np.nan)])
def test_data_that_are_not_finite_stop_at_their_batch(name: str, value: float) -> None:
    case = network((3, 2, 1), rows=12, batch_size=4, loss=MEAN)
    assert case.data is not None
    array = getattr(case.data, name).copy()
    array[9, 0] = value
    run = Recorded(replace(case, data=replace(case.data, **{name: frozen(array)})), 6)
    fault = run.faults()[-1]
    assert (fault.name, fault.iteration) == ("non-finite", 2)
    assert fault.place == run.place("x", 2, "batch")
    assert fault.quantity == f"{name}[1, 0]"


def test_nothing_is_news_after_a_value_that_is_not_finite() -> None:
    wild = network((3, 4, 1), activations=("relu",) * 2, rows=20, loss=MEAN)
    found = faults(replace(wild, optimizer=optimizer("sgd", 1e200)), 8)
    assert found[-1].name == "non-finite"
    assert sum(fault.name == "non-finite" for fault in found) == 1


def test_one_infinite_weight_of_many_is_found_where_it_is_written() -> None:
    growing = optimizer("sgd", 1.0, weight_decay=-1.0)
    case = wide(optimized=growing)
    weights = np.random.default_rng(0).normal(0, 0.02, (200, 100))
    weights[137, 42] = np.finfo(np.float64).max
    case = given(case, W1=weights)
    assert case.data is not None
    x = case.data.x.copy()
    x[:, 42] = 0
    case = with_data(case, lambda _: x)
    run = Recorded(case, 3)
    fault = run.faults()[-1]
    assert (fault.quantity, fault.iteration) == ("W1[137, 42]", 0)
    assert fault.place == run.place("W1", 0, "update")


def records_of(run: Recorded) -> Iterator[tuple[int, str, Array]]:
    for iteration, record in enumerate(run.records):
        for name, array in zip(run.names, record, strict=True):
            yield iteration, name, array


@pytest.mark.parametrize(
    "chosen",
    [
        optimizer("sgd", 1e30),
        optimizer("sgd", 1e30, momentum=0.9),
        optimizer("sgd", 1e30, Clip("value", 1e200)),
        optimizer("sgd", 1e30, Clip("norm", 1e200)),
        optimizer("adam", 1e100),
        optimizer("rmsprop", 1e100),
        optimizer("adagrad", 1e100),
    ],
    ids=lambda chosen: f"{chosen.kind}-{chosen.clip.kind if chosen.clip else 'plain'}",
)
@pytest.mark.parametrize("sizes", [(3, 4, 1), (60, 60, 1)])
@pytest.mark.parametrize("activation", ["identity", "relu", "sigmoid"])
def test_the_first_value_that_is_not_finite_is_found(
    sizes: tuple[int, ...], activation: str, chosen: Any
) -> None:
    kinds_ = (activation, "identity")
    run = Recorded(network(sizes, activations=kinds_, rows=20, loss=MEAN, optimized=chosen), 12)
    bad = [(i, name) for i, name, array in records_of(run) if not np.isfinite(array).all()]
    found = [(f.iteration, f.tensor) for f in run.faults() if f.name == "non-finite"]
    assert found == bad[:1]
