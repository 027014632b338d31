"""What an explanation says of a sum: its largest terms, its zeros, and what cancels in it."""

from typing import Any

import numpy as np
import pytest
from building import expression, network
from built_in import built_in
from in_one_test import each_of

from nnstep.engine.explain.expansion import Expansion
from nnstep.engine.explain.nodes import Node
from nnstep.engine.program.program import Phase
from nnstep.engine.session.session import Session


def test_a_sum_of_many_numbers_tells_its_largest_terms() -> None:
    scenario = network((50, 300), rows=300, activations=("identity",))
    session = Session(scenario)
    while "L" not in session.values():
        session.step()
    explanation = session.explain("L", ())
    assert explanation.arithmetic == ""
    assert explanation.term_count == 90_000
    assert len(explanation.terms) == 1000
    total = sum(term.value for term in explanation.terms) + explanation.rest
    assert total == pytest.approx(explanation.value)
    assert "180,000 numbers" in explanation.printed or "more" in explanation.printed
    assert len(explanation.sources) == 2000


@pytest.mark.parametrize("rows", [2, 64])
def test_each_expression_of_a_cell_is_looked_at_once_whatever_the_number_of_terms(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[object] = []
    make = Expansion._make

    def counting(self: Expansion, node: Node, beside: bool) -> Any:
        looked_at.append(node)
        return make(self, node, beside)

    monkeypatch.setattr(Expansion, "_make", counting)
    session = Session(network((3, 4, 2), rows=rows))
    while session.step().phase is not Phase.LOSS:  # type: ignore[union-attr]
        pass
    explanation = session.explain(session.program.loss, ())
    assert explanation.term_count >= rows
    assert len(looked_at) < 60


def test_a_cell_of_a_large_product_costs_its_terms() -> None:
    """A 784x1024 weight gradient is not computed again to explain one of its cells."""
    session = Session(network((784, 1024, 1), rows=8, activations=("relu", "identity")))
    while "dW1" not in session.values():
        session.step()
    explanation = session.explain("dW1", (100, 200))
    assert len(explanation.terms) == 8
    assert len(explanation.sources) == 16
    session.seek(2)
    assert len(session.explain("z1", (3, 700)).terms) == 785


# What is said of sums


def test_terms_that_nearly_cancel_and_what_only_rounding_leaves() -> None:
    session = Session(expression("L = sum(A)", "L", A=[0.1, 0.2, -0.3]))
    session.step()
    explanation = session.explain("L", ())
    assert explanation.cancels
    assert explanation.printed == "= 0.1 + 0.2 + (-0.3) = 0 but for rounding"
    assert "rounding" in explanation.sentence


def test_a_sum_of_small_numbers_has_exponents_and_comes_out() -> None:
    session = Session(built_in("vanishing"))
    session.seek(57)
    assert session.explain("dW2", (0, 0)).printed == (
        "= (-5.807098e-9) + (-2.500650e-9) + (-2.61028e-10) + 1.96122e-10 = -8.37265e-9"
    )


def test_an_infinite_sum_is_not_what_rounding_leaves() -> None:
    session = Session(expression("L = mean(A)", "L", A=[1.5e308, 1.5e308, 2.0, np.inf]))
    session.step()
    explanation = session.explain("L", ())
    assert explanation.printed == "= (1.5e308 + 1.5e308 + 2 + inf) / 4 = inf"
    assert explanation.sentence == ""


def test_a_mean_is_divided_where_its_terms_are_listed_too() -> None:
    """The terms listed are those that the pane of the step has above the divisor."""
    session = Session(built_in("rows"))
    session.seek(6)
    explanation = session.explain("L", ())
    assert explanation.printed == "= (0.722555 + 0.695020 + 0.563355 + 0.546514) / 4 = 0.631861"
    assert explanation.terms[0].value == pytest.approx(0.722555 / 4, rel=1e-5)


def test_operands_of_a_large_factor_have_more_decimals_than_the_result() -> None:
    code = "b = a * 300\nL = b + d * 700"
    session = Session(expression(code, "L", a=1 / 3, d=0.123456789))
    session.step("iteration")
    assert "≈" not in session.explain("L", ()).printed


def test_a_quotient_before_a_product_stands_in_parentheses() -> None:
    session = Session(expression("b = 10 / f\nL = b * 2", "L", f=7.0))
    session.step("iteration")
    explanation = session.explain("df", ())
    assert explanation.rule == "∂L/∂f = (−∂L/∂b / f) · b"
    assert explanation.printed.startswith("= (−db / f)·b = (-2 / 7) × ")


def test_a_half_before_a_number_is_a_decimal() -> None:
    session = Session(expression("b = 0.5 * a\nL = 0.5 * (b - 3) ** 2", "L", a=7.0))
    session.step("iteration")
    assert session.explain("b", ()).printed == "= 0.5 × 7 = 3.5"
    assert session.explain("L", ()).printed == "= 0.5 × 0.25 = 0.125"
    mazur = Session(built_in("mazur"))
    mazur.seek(6)
    assert mazur.explain("L", ()).printed.startswith("= ½ (0.751365 − 0.01)² + ½ (")


def test_a_change_of_sign_is_not_the_result_twice() -> None:
    session = Session(expression("b = -a\nL = b * 2", "L", a=7.0))
    session.step("iteration")
    assert session.explain("b", ()).printed == "= −a = -7"


def test_a_product_that_adds_to_a_gradient_says_nothing_of_the_other_factor() -> None:
    session = Session(expression("b = a * 3\nc = a * k\nL = b + c", "L", a=7.0, k=2.0))
    session.step("iteration")
    said = [session.explain("da", (), at=at).sentence for at in range(session.place)[-3:]]
    assert not any("gets da" in each for each in said)


def test_a_product_that_is_zero_has_no_sign() -> None:
    session = Session(expression("L = sum(A * B)", "L", A=[-0.25, 0.75, -1.0], B=[0.0, 0.1, 0.3]))
    session.seek(2)
    for text in session.explain("L", ()).printings:
        assert "-0)" not in text
        assert not text.endswith("= -0")
    session = Session(built_in("xor"))
    for _ in range(6):
        session.seek(session.place + len(session.program))
        for index in np.ndindex(2, 2):
            assert "(-0)" not in session.explain("dW1", index).printed


def test_a_sum_of_one_term_is_not_printed_twice() -> None:
    session = Session(built_in("mazur"))
    session.override("dW1 = dz1.T @ x * 3")
    session.seek(13)
    for index in ((0, 0), (1, 1)):
        parts = session.explain("dW1", index).printed.split(" = ")
        assert len(parts) == len({*parts})


def test_a_sum_of_one_negative_number_has_one_pair_of_parentheses() -> None:
    session = Session(built_in("mazur"))
    session.seek(12)
    session.edit("dz1", (0, 0), -0.02001942)
    session.override("dW1 = dz1.T @ x / 3")
    session.step()
    explanation = session.explain("dW1", (0, 0))
    calculation = "= ((-0.02001942) × 0.05) / 3 = (-0.00100097) / 3 = -0.00033366"
    assert explanation.printed == calculation
    assert explanation.reductions[1:] == ("(-0.001000971) / 3", "-0.000333657")


@each_of(
    ("scenario", "line", "name", "arithmetic"),
    [
        ("mazur", "L = half_squared_error(a2, y)", "L", None),
        ("mazur", "L = 3", "L", "3.0"),
        ("mazur", "da2 = where(a2 > 0.5, 1, 2)", "da2", "1"),
        ("mazur", "db1 = where(dz1 > 0, 1, 2)[0]", "db1", "1"),
        ("mazur", "L = half_squared_error(a2, y) / 0", "L", None),
        ("two-layer", "t = t * 1.5 + 1", "t", "0 * 1.5 + 1"),
    ],
)
def test_a_line_of_ones_own_is_explained_whatever_its_type(
    scenario: str, line: str, name: str, arithmetic: str | None
) -> None:
    session = Session(built_in(scenario))
    session.override(line)
    session.step("iteration")
    value = session.value(name)
    explanation = session.explain(name, (0,) * value.ndim)
    assert explanation.value == value.flat[0]
    assert arithmetic in (None, explanation.arithmetic)


def test_an_index_that_is_moved_back_has_a_minus_or_is_a_number() -> None:
    session = Session(expression("t = concatenate((a, b))\nL = sum(t)", "L", a=[1.0], b=[3.0, 2.0]))
    session.step()
    explanation = session.explain("t", (2,))
    assert explanation.symbolic == "b[1]"
    assert "b[i − 1]" in explanation.general


def test_zeros_are_counted_and_explained() -> None:
    session = Session(built_in("digits"))
    session.seek(8)
    explanation = session.explain("dW2", (9, 5))
    assert explanation.zero_terms == 57
    assert explanation.special == (
        "57 of the 64 products are 0, because a1[n, 5] = 0: neuron 5 is off for these rows"
    )
    largest = explanation.terms[0]
    assert [factor.cell for factor in largest.factors] == ["dz2[0, 9]", "a1[0, 5]"]
    assert round(100 * largest.share) == 41


# A kind that comes later
