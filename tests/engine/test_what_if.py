"""What if: the loss as it is, as predicted and as it comes out, against NumPy written by hand."""

import random
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from built_in import built_in
from in_one_test import each_of

from nnstep.engine import EditError
from nnstep.engine.explain.writing import short
from nnstep.engine.scenario.model import Loss
from nnstep.engine.session.session import Session

Numbers = dict[str, Any]


def by_hand(given: Numbers, changed: str = "", index: tuple[int, ...] = (), to: float = 0) -> float:
    """The loss of a 3-4-2 network, tanh and sigmoid, half the squared error, in plain NumPy."""
    values = {name: np.array(array, dtype=np.float64) for name, array in given.items()}

    def known(name: str, array: Any) -> Any:
        if name == changed:
            array = np.array(array)
            array[index] = to
        return array

    x, y = known("x", values["x"]), known("y", values["y"])
    w1, b1 = known("W1", values["W1"]), known("b1", values["b1"])
    w2, b2 = known("W2", values["W2"]), known("b2", values["b2"])
    z1 = known("z1", x @ w1.T + b1)
    a1 = known("a1", np.tanh(z1))
    z2 = known("z2", a1 @ w2.T + b2)
    a2 = known("a2", 1 / (1 + np.exp(-z2)))
    return float(0.5 * np.sum((a2 - y) ** 2))


def slope_by_hand(given: Numbers, name: str, index: tuple[int, ...], at: float) -> float:
    h = 1e-5
    above, below = by_hand(given, name, index, at + h), by_hand(given, name, index, at - h)
    return (above - below) / (2 * h)


@pytest.mark.parametrize("cells", [40, pytest.param(300, marks=pytest.mark.slow)])
def test_many_cells_against_numpy(cells: int) -> None:
    choose = random.Random(0)
    scenario = network((3, 4, 2), activations=("tanh", "sigmoid"), rows=5, batch_size=2)
    session = Session(scenario)
    for _ in range(cells):
        session.seek(choose.randrange(6) * len(session.program) + choose.randrange(6, 16))
        start = session.place // len(session.program) * len(session.program)
        given = {**session.values_at(start), **batch(session, start)}
        name = choose.choice(["x", "y", "W1", "b1", "W2", "b2", "z1", "a1", "z2", "a2"])
        at_start = name in ("W1", "b1", "W2", "b2")
        array = given[name] if at_start else session.value(name)
        index = tuple(choose.randrange(size) for size in array.shape)
        value = float(array[index]) + choose.uniform(-1, 1)
        found = session.what_if(name, index, value)
        assert found.before == pytest.approx(by_hand(given), rel=1e-12)
        assert found.exact == pytest.approx(by_hand(given, name, index, value), rel=1e-12)
        slope = slope_by_hand(given, name, index, float(array[index]))
        assert found.predicted is not None
        wanted = found.before + slope * (value - float(array[index]))
        assert found.predicted == pytest.approx(wanted, rel=1e-8, abs=1e-8)


def batch(session: Session, start: int) -> Numbers:
    after = session.values_at(start + 1)
    return {"x": after["x"], "y": after["y"]}


@each_of("name", ["z1", "a2", "y", "x"])
def test_a_derivative_that_no_line_has(name: str) -> None:
    """The fused loss has no da2, and no network has dx or dy."""
    scenario = network(
        (3, 3, 2), rows=4, loss=Loss("binary_cross_entropy", "mean"), run=built_in("xor").run
    )
    session = Session(scenario)
    session.step("iteration")
    session.back()
    value = float(session.value(name)[0, 0])
    found = session.what_if(name, (0, 0), value + 1e-6)
    assert found.predicted is not None
    assert found.slope is not None
    assert abs(found.slope) > 1e-6
    assert (found.exact - found.before) / 1e-6 == pytest.approx(found.slope, rel=1e-4)
    assert found.predicted == pytest.approx(found.exact, abs=1e-10)


@each_of("dtype", ["float32", "float16"])
def test_smaller_dtypes(dtype: str) -> None:
    session = Session(network((2, 3, 1), dtype=dtype))
    session.seek(7)
    value = float(session.value("x")[0, 0]) + 0.25
    found = session.what_if("x", (0, 0), value)
    other = Session(network((2, 3, 1), dtype=dtype))
    other.seek(1)
    other.edit("x", (0, 0), value)
    other.step("iteration")
    assert found.exact == float(other.value("L"))
    assert found.predicted == pytest.approx(found.exact, rel=0.05)


def test_what_comes_out_is_what_an_edit_gives() -> None:
    for place, name, index in (
        (0, "W1", (0, 1)),
        (0, "b1", (1,)),
        (2, "z1", (0, 0)),
        (3, "a1", (0, 1)),
    ):
        session, other = Session(built_in("mazur")), Session(built_in("mazur"))
        session.seek(12)
        found = session.what_if(name, index, 0.7)
        other.seek(place)
        other.edit(name, index, 0.7)
        other.seek(12)
        assert found.exact == float(other.value("L"))
        assert found.before == float(session.value("L"))


def test_a_parameter_changes_at_the_start_of_the_pass() -> None:
    session = Session(built_in("mazur"))
    session.seek(16 * 3 + 15)  # W1 has been updated in this pass, W2 has not
    start = session.values_at(48)["W1"][0, 0]
    found = session.what_if("W1", (0, 0), 0.9)
    assert found.old == start != session.value("W1")[0, 0]
    assert found.before == float(session.value("L"))
    assert found.iteration == 3


def test_at_the_start_of_a_pass_it_is_that_pass() -> None:
    session, other = Session(built_in("xor")), Session(built_in("xor"))
    session.seek(21 * 4)
    found = session.what_if("W1", (0, 0), 0.7)
    other.seek(21 * 5 - 1)
    assert (found.iteration, found.before) == (4, float(other.value("L")))


def test_an_edit_made_in_this_pass_counts() -> None:
    session = Session(built_in("mazur"))
    session.seek(1)
    session.edit("W1", (0, 0), 0.5)
    session.seek(9)
    found = session.what_if("W1", (0, 0), 0.6)
    assert (found.old, found.value) == (0.5, 0.6)
    assert found.before == float(session.value("L"))
    other = Session(built_in("mazur"))
    other.seek(1)
    other.edit("W1", (0, 0), 0.6)
    other.seek(9)
    assert found.exact == float(other.value("L"))
    assert found.predicted == pytest.approx(found.exact, abs=1e-6)


def test_other_edits_of_the_pass_stay() -> None:
    session, other = Session(built_in("mazur")), Session(built_in("mazur"))
    for each in (session, other):
        each.seek(3)
        each.edit("a1", (0, 1), 0.9)
    session.seek(8)
    found = session.what_if("W2", (0, 1), 0.2)
    other.edit("W2", (0, 1), 0.2)
    other.seek(8)
    assert found.before == float(session.value("L"))
    assert found.exact == float(other.value("L"))


def test_a_line_of_ones_own_counts() -> None:
    session = Session(built_in("mazur"))
    session.override("L = half_squared_error(a2, y) * 2")
    session.seek(6)
    assert session.what_if("b2", (0,), 0.6).before == float(session.value("L"))


@each_of(
    ("name", "index", "moved"),
    [("lr", (), "W1"), ("dW1", (0, 0), "W1"), ("da2", (0, 0), None), ("m_W1", (0, 0), "W1")],
)
def test_what_cannot_move_the_loss_of_this_pass(
    name: str, index: tuple[int, ...], moved: str | None
) -> None:
    session = Session(network((2, 2, 1), optimized=optimizer("adam", 0.1)))
    session.seek(30)
    session.seek(len(session.program) - 1)
    found = session.what_if(name, index, 0.3)
    assert found.predicted == found.exact == found.before == float(session.value("L"))
    assert "of iteration 0" in found.sentence
    if moved:
        assert f"{moved}" in found.sentence
        assert "of iteration 1" in found.sentence


def test_what_no_update_reads() -> None:
    session = Session(built_in("mazur"))
    session.seek(16)
    session.back()
    assert "no later one" in session.what_if("db1", (0,), 1.0).sentence


def test_a_class_index_has_no_derivative() -> None:
    session = Session(built_in("digits"))
    session.seek(20)
    found = session.what_if("y", (0,), 3)
    assert found.predicted is None
    other = Session(built_in("digits"))
    other.seek(1)
    other.edit("y", (0,), 3)
    other.seek(20)
    assert found.exact == float(other.value("L")) != found.before


def test_an_expression_at_its_end() -> None:
    session = Session(built_in("graph"))
    session.run()
    found = session.what_if("d", (), 4.0)
    assert (found.before, found.predicted, found.exact) == (-9.0, -12.0, -12.0)
    squared = Session(expression("b = a * a\nL = b * k", "L", a=3.0, inputs={"k": 2.0}))
    squared.run()
    found = squared.what_if("a", (), 4.0)
    assert (found.before, found.predicted, found.exact) == (18.0, 30.0, 32.0)
    assert squared.what_if("k", (), 3.0).predicted == pytest.approx(27)


def test_what_cannot_be_asked() -> None:
    session = Session(built_in("mazur"))
    with pytest.raises(EditError, match="no value yet"):
        session.what_if("a1", (0, 0), 1.0)
    session.seek(17)
    with pytest.raises(EditError, match="has not been written yet in this pass"):
        session.what_if("a1", (0, 0), 1.0)
    with pytest.raises(EditError, match="no tensor"):
        session.what_if("W9", (0, 0), 1.0)
    with pytest.raises(EditError, match="outside"):
        session.what_if("W1", (7, 0), 1.0)
    with pytest.raises(EditError, match="whole number"):
        Session(built_in("mazur")).what_if("W1", (0.5, 0), 1.0)  # type: ignore[arg-type]


def test_the_run_is_untouched() -> None:
    session = Session(built_in("overflow"))
    session.seek(25)
    before, faults = session.snapshot(), session.faults
    losses = before.losses.tobytes()
    session.what_if("W1", (0, 0), 1e300)
    session.what_if("W1", (0, 0), float("nan"))
    after = session.snapshot()
    assert after.losses.tobytes() == losses
    assert (after.place, after.newest) == (before.place, before.newest)
    assert [each.name for each in after.branches] == ["main"]
    assert session.faults == faults
    assert session.log == []
    with pytest.raises(Exception, match="no edit to undo"):
        session.undo()


def test_the_value_that_a_cell_has_is_no_change() -> None:
    session = Session(built_in("mazur"))
    session.seek(6)
    found = session.what_if("W1", (0, 0), 0.15)
    assert found.predicted == found.exact == found.before
    assert found.sentence == "W1[0, 0] is 0.15: there is no change to predict yet."


def test_a_change_too_small_for_the_digits_is_told_as_a_change() -> None:
    session = Session(built_in("vanishing"))
    session.seek(61)
    found = session.what_if("W1", (0, 0), 1.54)
    assert found.slope is not None
    by, predicted = found.exact - found.before, found.slope * (1.54 + 0.77)
    assert found.sentence == (
        f"If W1[0, 0] were 1.54, L would change by {short(f'{by:+.4g}')}; its gradient, "
        f"-1.751e-9, predicts {short(f'{predicted:+.4g}')}."
    )
