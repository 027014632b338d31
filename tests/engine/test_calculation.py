"""A line that has run is laid out as one would calculate it on paper."""

import ast
from collections.abc import Callable, Container, Iterator

import numpy as np
import pytest
from building import expression, network, optimizer
from built_in import built_in
from random_programs import random_expression, random_network

from nnstep import scenarios
from nnstep.engine import Session
from nnstep.engine.explain.calculation import Calculation, Row, Rule
from nnstep.engine.explain.layout import calculation_of
from nnstep.engine.explain.parts import Parts, is_number, tensors_in
from nnstep.engine.operations.formula import variable
from nnstep.engine.scenario.model import Clip, Loss, Scenario


def calculations(scenario: Scenario, known: Container[str] = frozenset()) -> Iterator[Calculation]:
    """Lay out every line of the first pass, but for those whose code is known."""
    session = Session(scenario)
    for step in session.steps():
        if step.iteration:
            return
        line = session.program.instructions[step.index]
        if line.code in known:
            continue
        before = session.values_at(step.index)
        yield calculation_of(line, before, {**before, **step.writes})


def drawn(calculation: Calculation) -> list[str]:
    """Write a calculation as its rows' signs and texts."""
    return [
        "-" * 5 if isinstance(row, Rule) else f"{row.sign or ' '} {mark(row)} {row.text}"
        for row in calculation.rows
    ]


def mark(row: Row) -> str:
    return "●" if row.written else "○" if row.tensor else " "


def of(name: str, code: str) -> Calculation:
    return next(one for one in calculations(built_in(name)) if one.line.code == code)


def whole(row: Row) -> np.ndarray:
    return row.values[(slice(None),) * len(row.shape)]


def check(calculation: Calculation) -> None:
    """Check that all that was read is there, and that any window shows what the whole has."""
    line = calculation.line
    assert calculation.result.tensor == line.writes[0]
    assert calculation.result is calculation.rows[-1] or line.formula is None
    assert whole(calculation.result).shape == calculation.result.shape
    if line.formula is None:
        return
    tree = line.formula.on(**{p: variable(name) for p, name in line.names.items()}).tree
    shown = {row.tensor for row in calculation.operands} | {
        row.classes for row in calculation.rows if isinstance(row, Row)
    }
    assert shown.issuperset(tensors_in(tree)), line.code
    for row in calculation.rows:
        if isinstance(row, Row):
            assert len(row.axes) == len(row.shape)
            assert len(set(row.axes)) == len(row.axes)
            numbers = whole(row)
            assert numbers.shape == row.shape
            window = tuple(slice(size // 2, size // 2 + 2) for size in row.shape)
            part = row.values[window]
            # A sum over a part of the columns may add up in another order.
            assert part.shape == numbers[window].shape
            if numbers.dtype.kind == "f":
                np.testing.assert_allclose(part, numbers[window], rtol=1e-3, atol=1e-6)
            else:
                np.testing.assert_array_equal(part, numbers[window])


@pytest.mark.sweep(17)
@pytest.mark.parametrize("name", scenarios.names())
def test_every_line_of_every_built_in_scenario(name: str) -> None:
    for calculation in calculations(built_in(name)):
        check(calculation)


@pytest.mark.sweep(4)
@pytest.mark.parametrize("kind", ["mse", "mae", "huber", "half_squared_error"])
def test_the_lines_of_losses_and_optimizers(kind: str) -> None:
    options = {"delta": 1.0} if kind == "huber" else {}
    known = set[str]()
    for update in (
        optimizer("adam", amsgrad=True, weight_decay=0.1, clip=Clip("norm", 0.1)),
        optimizer("rmsprop", centered=True, momentum=0.9, clip=Clip("value", 0.1)),
        optimizer("adagrad", lr_decay=0.1),
        optimizer("sgd", momentum=0.9, dampening=0.1),
        optimizer("sgd", momentum=0.9, nesterov=True),
    ):
        scenario = network(
            (2, 3, 2),
            activations=("silu", "gelu"),
            rows=3,
            optimized=update,
            loss=Loss(kind, "batch_mean", options=options),
        )
        for calculation in calculations(scenario, known):  # up to the update, all are the same
            check(calculation)
            known.add(calculation.line.code)


@pytest.mark.sweep(21)
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("drawn_at_random", [random_network, random_expression])
def test_the_lines_of_random_programs(
    drawn_at_random: Callable[[int], Scenario], seed: int
) -> None:
    for calculation in calculations(drawn_at_random(seed)):
        check(calculation)


def test_a_loss_is_opened_into_its_definition() -> None:
    assert drawn(of("mazur", "L = half_squared_error(a2, y)")) == [
        "  ○ a2",
        "− ○ y",
        "-----",
        "=   a2 − y",
        "    ½ (a2 − y)²",
        "-----",
        "Σ ● L",
    ]


def test_a_mean_is_a_sum_and_a_count() -> None:
    assert drawn(of("overflow", "L = mse(a1, y)"))[-6:] == [
        "    (a1 − y)²",
        "-----",
        "Σ   the sum",
        "÷   3",
        "-----",
        "= ● L",
    ]


def test_factors_that_share_a_tensor_are_parts() -> None:
    assert drawn(of("mazur", "dz1 = da1 * a1 * (1 - a1)")) == [
        "  ○ da1",
        "× ○ a1",
        "×   1 − a1",
        "-----",
        "= ● dz1",
    ]


def test_a_named_function_is_opened_one_level() -> None:
    calculation = of("mazur", "a1 = sigmoid(z1)")
    assert drawn(calculation) == [
        "  ○ z1",
        "    exp(−z1)",
        "    1 + exp(−z1)",
        "-----",
        "= ● a1",
    ]
    assert calculation.formula == "1 / (1 + exp(−z1))"


def test_a_tensor_that_is_replaced_stands_twice() -> None:
    calculation = of("mazur", "W1 = W1 - lr * dW1")
    assert drawn(calculation) == [
        "  ○ dW1",
        "× ○ lr",
        "-----",
        "=   lr·dW1",
        "  ○ W1",
        "-----",
        "− ● W1",
    ]
    old, new = (row for row in calculation.rows if isinstance(row, Row) and row.tensor == "W1")
    assert old.before
    assert not new.before
    assert np.array_equal(whole(old), [[0.15, 0.2], [0.25, 0.3]])
    assert not np.array_equal(whole(old), whole(new))


def test_a_product_has_its_factors_as_the_formula_has_them() -> None:
    product = of("mazur", "dW2 = dz2.T @ a1").product
    assert product is not None
    assert (product.left.text, product.left.turned, product.left.shape) == ("dz2.T", True, (2, 1))
    assert product.left.stored((1, 0)) == (0, 1)
    assert product.right.text == "a1"
    # The inner axis is the same one, the outer ones are those of the result.
    assert product.left.axes[1] == product.right.axes[0]
    assert product.result.axes == (product.left.axes[0], product.right.axes[1])


def test_what_is_added_to_a_product_stands_with_it() -> None:
    product = of("mazur", "z1 = x @ W1.T + b1").product
    assert product is not None
    assert [(row.sign, row.text) for row in product.added] == [("+", "b1")]
    assert product.added[0].axes == product.result.axes[1:]


def test_classes_are_a_row() -> None:
    calculation = of("digits", "dz2 = (a2 - one_hot(y, a2)) / len(a2)")
    assert drawn(calculation) == [
        "  ○ a2",
        "−   one_hot(y)",
        "-----",
        "=   a2 − one_hot(y)",
        "÷   len(a2)",
        "-----",
        "= ● dz2",
    ]
    row = calculation.rows[1]
    assert isinstance(row, Row)
    assert row.classes == "y"


def test_a_choice_has_its_test_and_both_branches() -> None:
    rows = of("digits", "dz1 = np.where(z1 <= 0, 0, da1)").rows
    assert [
        (row.text, row.test, row.branch) for row in rows if isinstance(row, Row) and not row.written
    ] == [("z1", False, ""), ("z1 ≤ 0", True, ""), ("0", False, "yes"), ("da1", False, "no")]


def test_a_function_that_mixes_a_row_is_its_parts() -> None:
    assert drawn(of("digits", "a2 = softmax(z2)")) == [
        "  ○ z2",
        "    exp(z2)",
        "-----",
        "÷   Σ exp(z2)",
        "-----",
        "= ● a2",
    ]


def test_a_batch_is_what_it_wrote() -> None:
    calculation = next(calculations(built_in("mazur")))
    assert drawn(calculation) == ["= ● x", "= ● y"]


def test_only_the_numbers_looked_at_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(expression("u = sigmoid(W)\nL = sum(u)", "L", W=np.zeros((300, 300))))
    session.step()
    before = session.values_at(0)
    calculation = calculation_of(session.program.instructions[0], before, session.values())
    part = next(row for row in calculation.rows if isinstance(row, Row) and not row.tensor)
    whole_values = Parts._value

    def of_numbers(parts: Parts, node: ast.expr) -> np.ndarray:
        assert is_number(node), "all numbers of a part were computed"
        return whole_values(parts, node)

    monkeypatch.setattr(Parts, "_value", of_numbers)
    assert part.values[slice(3, 5), slice(7, 8)].tolist() == [[1.0], [1.0]]
