"""Classic mistakes, planted as overrides: where each fits, and that it changes a number."""

import pytest
from built_in import built_in
from in_one_test import each_of
from mistakes_found import fitting_in

from nnstep import scenarios
from nnstep.engine import Session
from nnstep.engine.override.mistakes import MISTAKES, MistakeError, fitting, planted


@each_of(
    ("scenario", "mistake", "line"),
    [
        ("rows", "missing-1-m", "dz2 = a2 - y"),
        ("mazur", "sign", "da2 = -(a2 - y)"),
        ("mazur", "transposed", "dW2 = (dz2.T @ a1).T"),
        ("mazur", "transposed@1", "dW1 = (dz1.T @ x).T"),
        ("blocks", "missing-derivative", "dz3 = da3"),
        ("mazur", "derivative-at-z", "dz2 = da2 * z2 * (1 - z2)"),
        ("mazur", "wrong-activation@1", "a1 = np.tanh(z1)"),
        ("rows", "bias-not-summed", "db2 = dz2[0]"),
        ("rows", "update-before-use", "da1 = dz2 @ (W2 - lr * dW2).T"),
        ("xor", "star-for-at", "dW1 = dz1.T * x"),
        ("blocks", "momentum-sign@2", "buf_W2 = 0.9 * buf_W2 - dW2"),
        ("two-layer", "no-bias-correction", "m_hat_W2 = m_W2"),
    ],
)
def test_it_is_made_in_the_first_line_from_the_output_that_it_fits(
    scenario: str, mistake: str, line: str
) -> None:
    assert planted(built_in(scenario), mistake).line == line


@pytest.mark.sweep(11)
@pytest.mark.parametrize("name", scenarios.names())
def test_every_mistake_that_fits_changes_a_number_of_its_line(name: str) -> None:
    scenario = built_in(name)
    for mistake in fitting(scenario):
        made = planted(scenario, mistake)
        right, wrong = Session(scenario), Session(scenario)
        wrong.override(f"{made.line} in {made.phase} {made.nth}")
        for session in (right, wrong):
            session.seek(made.position + 1)
        assert wrong.value(made.name).shape == right.value(made.name).shape
        assert wrong.value(made.name).tobytes() != right.value(made.name).tobytes()


def test_each_fits_somewhere_in_the_gallery() -> None:
    have_all = ("mazur", "rows", "blocks", "two-layer", "xor")
    found = {mistake for name in have_all for mistake in fitting_in(name)}
    assert found == set(MISTAKES)


@each_of(
    ("mistake", "message"),
    [
        ("mising-derivative", "did you mean 'missing-derivative'?"),
        (
            "no-bias-correction",
            "needs Adam, and changes nothing here otherwise; here one can",
        ),
        ("transposed@7", "needs a square weight matrix in layer 7"),
        ("transposed@two", "'two' is no layer; write it as in transposed@2"),
    ],
)
def test_one_that_does_not_fit_says_what_it_needs_and_which_do(mistake: str, message: str) -> None:
    with pytest.raises(MistakeError) as refused:
        planted(built_in("mazur"), mistake)
    assert message in str(refused.value)
