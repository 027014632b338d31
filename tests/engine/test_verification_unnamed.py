"""Mistakes that fail without a name: what is said of them is what is known."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from building import expression, network
from msgspec.structs import replace
from wrong_rules import MSE, deep, fingerprints, planted, verified

from nnstep.engine.arrays import Array
from nnstep.engine.session.session import Session
from nnstep.engine.verification.explanation import explanations
from nnstep.engine.verification.verdict import (
    Fingerprint,
    Verdict,
)
from nnstep.engine.verification.verify import verify


def test_a_forgotten_penalty() -> None:
    scenario = network((2, 3, 1), rows=4)
    assert scenario.network is not None
    scenario = replace(scenario, network=replace(scenario.network, l2=0.5))
    verification = verified(scenario, "dW2", lambda g, t: g - 0.5 * t["W2"])
    assert fingerprints(verification) == {"W2": None}


def test_a_gradient_that_stays_zero() -> None:
    verification = verified(deep(), "dW2", lambda g, t: g * 0)
    assert fingerprints(verification) == {"W2": None}
    assert explanations(verification) == [
        "dW2 is 0, and the numeric gradient is not: a contribution is missing."
    ]


def test_one_cell_alone() -> None:
    def rule(g: Any, t: Mapping[str, Array]) -> Any:
        wrong = np.array(g)
        wrong[1, 1] *= 1.5
        return wrong

    verification = verified(deep(), "dW2", rule)
    assert fingerprints(verification) == {"W2": None}
    first = verification.tensors[0]
    assert (first.name, first.cell) == ("W2", "W2[1, 1]")
    assert first.worst is not None
    assert first.worst.error == pytest.approx(1 / 3)


def test_the_ratio_of_a_single_number_is_not_worth_a_sentence() -> None:
    verification = verified(expression("L = a * 2", "L", a=1.0), "da", lambda g, t: g * 3.7)
    assert fingerprints(verification) == {"a": None}
    assert explanations(verification) == []
    unknown = verified(deep(), "dz3", lambda g, t: g * 3.7)
    assert explanations(unknown)[0].startswith("db3, dW3, db2, dW2, db1 and dW1 are 3.7 times")


def test_a_gradient_that_is_not_finite_where_the_loss_is() -> None:
    verification = verified(deep(), "dW2", lambda g, t: g * np.nan)
    first = verification.tensors[0]
    assert (first.name, first.verdict) == ("W2", Verdict.NOT_FINITE)
    assert (first.checked, first.not_finite) == (0, 4)
    assert verification.verdict is Verdict.NOT_FINITE


def test_tiny_cells_have_no_say_in_the_ratio() -> None:
    scenario = expression("L = sum(sin(a) * k) + 1", "L", inputs={"k": [1, 2, 3e-11]}, a=[1, 2, 3])
    verification = verified(scenario, "da", lambda g, t: -g)
    assert verification.checked == 3
    assert fingerprints(verification) == {"a": Fingerprint.SIGN}


def test_a_fingerprint_beside_a_cell_that_is_not_finite() -> None:
    scenario = network((2, 2, 3, 1), rows=5, loss=MSE)
    verification = verified(scenario, "db2", lambda g, t: np.array([np.nan, -1, -1]) * g)
    first = verification.tensors[0]
    assert (first.name, first.not_finite, first.checked) == ("b2", 1, 2)
    assert first.worst is not None
    assert (first.verdict, first.worst.verdict) == (Verdict.FAIL, Verdict.FAIL)
    assert first.fingerprint is Fingerprint.SIGN


def test_different_factors_have_a_sentence_each() -> None:
    session = Session(deep())
    session.step()
    program = planted(session.program, "dW1", lambda g, t: g * 3.3)
    program = planted(program, "dW2", lambda g, t: g * -7)
    sentences = explanations(verify(program, session.values()))
    assert [sentence.split(" times")[0] for sentence in sentences] == ["dW2 is -7", "dW1 is 3.3"]
