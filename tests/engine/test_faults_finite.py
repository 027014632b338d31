"""Every line that makes a value that is not finite is found; what passes it on is counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from built_in import built_in
from faulty import (
    MEAN,
    Recorded,
    faults,
    given,
    wide,
    with_data,
)
from in_one_test import each_of
from msgspec.structs import replace

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.faults.fault import Fault
from nnstep.engine.loading import load
from nnstep.engine.scenario.model import Clip
from nnstep.engine.session.session import Session

FIELD = Path(__file__).parent.parent / "field"


def first_of(run: Recorded) -> Fault:
    return next(fault for fault in run.faults() if fault.name == "non-finite")


def test_a_cell_that_is_not_finite_is_named() -> None:
    case = network((2, 2, 1), activations=("identity",) * 2, rows=4, loss=MEAN)
    run = Recorded(given(case, W1=[[1.0, 1.0], [1.7e308, 1.7e308]]), 1)
    fault = first_of(run)
    z1 = run.written("z1", 0, "forward")
    row = int(np.argmax(~np.isfinite(z1[:, 1])))
    assert fault.place == run.place("z1", 0, "forward")
    assert (fault.layer, fault.tensor, fault.quantity) == (1, "z1", f"z1[{row}, 1]")
    assert fault.threshold == np.finfo(np.float64).max
    assert str(fault).startswith(f"non-finite in layer 1: z1[{row}, 1] is {fault.value} at step 1")


def test_numbers_whose_squares_overflow_are_finite() -> None:
    run = Recorded(expression("b = a * 3", "b", a=1e200), 1)
    assert run.faults() == []


@each_of(("name", "value"), [("x", np.nan), ("x", np.inf), ("y", np.nan)])
def test_data_that_are_not_finite_stop_at_their_batch(name: str, value: float) -> None:
    case = network((3, 2, 1), rows=12, batch_size=4, loss=MEAN)
    assert case.data is not None
    array = getattr(case.data, name).copy()
    array[9, 0] = value
    run = Recorded(replace(case, data=replace(case.data, **{name: frozen(array)})), 6)
    fault = first_of(run)
    assert (fault.name, fault.iteration) == ("non-finite", 2)
    assert fault.place == run.place("x", 2, "batch")
    assert fault.quantity == f"{name}[1, 0]"


def test_nothing_is_news_of_numbers_that_are_read() -> None:
    wild = network((3, 4, 1), activations=("relu",) * 2, rows=20, loss=MEAN)
    run = Recorded(replace(wild, optimizer=optimizer("sgd", 1e200)), 8)
    found = [(f.iteration, f.tensor) for f in run.faults() if f.name == "non-finite"]
    assert found == producers(run)
    assert len(found) < 6


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
    fault = first_of(run)
    assert (fault.quantity, fault.iteration) == ("W1[137, 42]", 0)
    assert fault.place == run.place("W1", 0, "update")


def level(array: Array) -> int:
    if np.isnan(array).any():
        return 2
    return int(not np.isfinite(array).all())


def producers(run: Recorded) -> list[tuple[int, str]]:
    """The lines that make NaN of no NaN, or infinity of finite numbers; each once."""
    levels = {name: level(array) for name, array in run.before.items()}
    found: dict[str, int] = {}
    for iteration, record in enumerate(run.records):
        arrays = iter(record)
        for line in run.program.instructions:
            read = max((levels[name] for name in line.reads), default=0)
            for name in line.writes:
                levels[name] = level(next(arrays))
                if levels[name] > read:
                    found.setdefault(name, iteration)
    return [(iteration, name) for name, iteration in found.items()]


@pytest.mark.sweep(5)
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
def test_every_line_that_makes_a_value_that_is_not_finite_is_found(
    sizes: tuple[int, ...], activation: str, chosen: Any
) -> None:
    kinds_ = (activation, "identity")
    run = Recorded(network(sizes, activations=kinds_, rows=20, loss=MEAN, optimized=chosen), 12)
    found = [(f.iteration, f.tensor) for f in run.faults() if f.name == "non-finite"]
    assert set(found) == set(producers(run))


def stops(session: Session) -> list[Fault]:
    session.run()
    return [fault for fault in session.faults if fault.level == "stop"]


def test_each_producer_is_a_fault_and_what_passes_it_on_is_counted() -> None:
    """From the field: 1 / (1 + exp(-z)) far on the left."""
    session = Session(load(FIELD / "24_naive_sigmoid_overflow.toml"))
    first, second = stops(session)
    assert str(first) == "non-finite: t2[2] is inf at step 1, 2 lines pass it on"
    assert "exp(1234.1), of t1[2], is beyond the largest float64" in first.advice
    assert (second.quantity, second.passed_on) == ("dt1[2]", 1)
    assert "see what makes t2 infinite" in second.advice


def test_the_log_of_an_exact_zero_and_where_its_digits_were_lost() -> None:
    """From the field: -log(1 - p) for the wrong classes."""
    first, *_ = stops(Session(load(FIELD / "03_inf_cross_entropy.toml")))
    assert first.advice == (
        "It is the log of an exact 0: q[9], as t3 = 1 - p has lost its digits by rounding, "
        "p[9] = 1."
    )


@each_of(
    ("code", "a", "says"),
    [
        ("L = sum(log(a))", [1.0, 0.0], "the log of an exact 0: a[1] is 0."),
        ("L = sum(log(a))", [1.0, -2.0], "the log of a negative number: a[1] is -2."),
        ("L = sum(1 / a)", [0.0, 1.0], "a division by an exact 0: a[0] is 0."),
        ("L = sum(a / 0)", [1.0, 1.0], "a division by 0, which the line says itself."),
        ("L = sum(sqrt(a))", [-4.0, 1.0], "the root of a negative number: a[0] is -4."),
        ("L = sum(a ** -2)", [1.0, 0.0], "a negative power of an exact 0: a[1] is 0."),
        ("L = sum(a ** 0.5)", [-1.0, 1.0], "a broken power of a negative number: a[0] is -1."),
        ("L = sum(log(exp(a)))", [-800.0, 1.0], "where t1 = np.exp(a) is too small for float64"),
        ("L = sum(a * a)", [1e200, 1.0], "beyond the largest float64, 1.8e+308: scale down"),
    ],
)
def test_the_advice_says_what_it_comes_of(code: str, a: list[float], says: str) -> None:
    first, *_ = stops(Session(expression(code, "L", a=a)))
    assert says in first.advice
    assert "rate" not in first.advice


def test_what_is_no_number_is_not_called_too_large() -> None:
    session = Session(built_in("mazur"))
    session.override("a2 = sqrt(-z2)")
    session.step("iteration")
    assert stops(session)[0].advice.startswith("It is 0 / 0, the root or log of a negative number")


def test_an_eps_that_is_nothing_in_half_precision() -> None:
    case = network((2, 2, 1), rows=4, loss=MEAN, dtype="float16", optimized=optimizer("adam", 0.01))
    case = given(case, W2=0.0)
    faults_ = [f for f in faults(case) if f.name == "non-finite" and "eps" in f.advice]
    assert faults_ and "eps = 1e-08 is 0 in float16" in faults_[0].advice


def test_an_edited_number_is_said_to_be_read() -> None:
    session = Session(network((2, 2, 1), rows=4, loss=MEAN))
    session.step()
    session.edit("W1", (0, 0), float("nan"))
    session.step("iteration")
    (fault,) = [each for each in session.faults if each.level == "stop"]
    assert fault.tensor == "z1"
    assert fault.advice == "It was read: see what gave W1 a value that is not finite."


def test_the_count_grows_as_the_pass_goes_on() -> None:
    session = Session(load(FIELD / "24_naive_sigmoid_overflow.toml"))
    seen = []
    for _ in range(4):
        session.step()
        seen.append([fault.passed_on for fault in session.faults])
    assert seen == [[], [0], [1], [2]] or seen[:3] == [[], [0], [1]]
    assert len(session.faults) == 1


def test_the_count_is_that_of_the_furthest_place_however_it_was_come_to() -> None:
    def begun() -> Session:
        session = Session(network((2, 2, 1), rows=4, loss=MEAN))
        session.step()
        session.edit("W1", (0, 0), float("nan"))
        return session

    def counts(session: Session) -> list[int]:
        return [each.passed_on for each in session.faults if each.level == "stop"]

    ran, stepped = begun(), begun()
    ran.advance("run")  # the pass is computed whole, and the run taken back to the fault
    stepped.step()
    assert (ran.place, ran.newest) == (stepped.place, stepped.newest) == (2, 2)
    assert counts(ran) == counts(stepped) == [0]
    for session in (ran, stepped):
        session.seek(5)
        before = counts(session)
        session.back()
        assert counts(session) == before == [3]


def test_a_harmless_infinity_does_not_use_up_the_alarm() -> None:
    session = Session(load(FIELD / "24_naive_sigmoid_overflow.toml"))
    places = []
    while (stop := session.advance("run")) and stop.kind == "fault":
        places.append(session.place)
    assert len(places) == 2


@each_of("passes", [1, 5, 20, 60])
def test_behind_a_stop_faults_are_those_of_a_run_that_did_not_stop(passes: int) -> None:
    """To find a fault in arrears the run has gone further: that was not examined for good."""
    stopped, straight = Session(built_in("mazur")), Session(built_in("mazur"))
    for session in stopped, straight:
        session.edit("W1", (0, 0), np.nan)
    stop = stopped.advance("run")
    assert stop is not None
    assert stop.kind == "fault"
    place = stop.place + passes * len(stopped.program)
    stopped.seek(place)
    straight.seek(place)
    assert [str(each) for each in stopped.faults] == [str(each) for each in straight.faults]
    assert straight.faults[0].passed_on
