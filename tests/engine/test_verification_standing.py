"""Verification speaks of what stands on the screen: gradients as written, edited or clipped."""

from pathlib import Path

import numpy as np
import pytest
from building import expression, network, optimizer
from commanding import give, told
from in_one_test import each_of

from nnstep.engine.loading import load
from nnstep.engine.scenario.model import Clip, Loss, Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.verification.explanation import explanations
from nnstep.engine.verification.report import report_lines
from nnstep.engine.verification.verdict import GOOD, Fingerprint, Verdict, Verification

FIELD = Path(__file__).parent.parent / "field"
MSE = Loss("mse", "batch_mean")


def report(verification: Verification) -> str:
    return " ".join(report_lines(verification))


def phases(session: Session, count: int) -> None:
    for _ in range(count):
        session.step("phase")


def at_backward(scenario: Scenario) -> Session:
    """A session at the end of phase backward of the first pass."""
    session = Session(scenario)
    phases(session, 4)
    assert "dW1" in session.values()
    return session


def bad(verification: Verification) -> list[str]:
    return [one.name for one in verification.tensors if one.verdict not in GOOD]


def test_gradients_as_written_pass_and_nothing_is_computed_anew() -> None:
    verification = at_backward(network((2, 3, 1), rows=4)).verify()
    assert (verification.verdict, verification.anew) == (Verdict.PASS, ())


def test_an_edited_cell_fails_by_name() -> None:
    session = at_backward(network((2, 3, 1), rows=4, loss=MSE))
    give(session, "set dW2[0,1] = 9")
    verification = session.verify()
    assert (verification.verdict, bad(verification)) == (Verdict.FAIL, ["W2"])
    assert verification.tensors[0].cell == "W2[0, 1]"
    text = report(verification)
    assert "dW2[0, 1] is 9 (numeric " in text
    assert "the other 2 cells agree" in text
    assert "Edited in this pass: dW2[0, 1]." in text


def test_an_edited_cell_has_the_mistake_that_it_looks_like() -> None:
    session = at_backward(network((2, 3, 1), rows=4, loss=MSE))
    give(session, f"set dW2[0,1] = {-float(session.value('dW2')[0, 1])!r}")
    verification = session.verify()
    assert verification.tensors[0].fingerprint is Fingerprint.SIGN
    assert "dW2[0, 1] has the opposite sign" in report(verification)


def test_a_bias_divided_by_the_rows_twice() -> None:
    """A question from the field: mine is 0.0278, why?"""
    session = Session(load(FIELD / "06_single_neuron_double_mean.toml"))
    phases(session, 4)
    give(session, f"set db1[0] = {float(session.value('db1')[0]) / 3!r}")
    assert float(session.value("db1")[0]) == pytest.approx(0.0278, abs=5e-5)
    verification = session.verify()
    assert (verification.verdict, bad(verification)) == (Verdict.FAIL, ["b1"])
    (text,) = explanations(verification)
    assert "db1 is 1/3 of the numeric gradient" in text
    assert "divided by the rows twice" in text


def test_weights_without_the_slope_of_the_sigmoid() -> None:
    """From the field: dW2 = a1.T @ da2, one sample at a time."""
    session = Session(load(FIELD / "01_xor_no_sigmoid_prime.toml"))
    phases(session, 4)
    right = np.array([0.10890610, 0.09149466])
    assert session.value("dW2")[:, 0] == pytest.approx(right, abs=1e-8)
    a, da = session.value("a1"), session.value("da2")
    for unit in range(2):
        give(session, f"set dW2[{unit},0] = {float(a[0, unit] * da[0, 0])!r}")
    (one, *_) = session.verify().tensors
    assert (one.name, one.fingerprint) == ("W2", Fingerprint.MISSING_DERIVATIVE)


def test_what_is_handed_on_from_an_edit_fails_too() -> None:
    session = Session(network((2, 3, 1), rows=4))
    while "dz2" not in session.values():
        session.step()
    give(session, "set dz2[0,0] = 5")
    session.step("phase")
    verification = session.verify()
    assert bad(verification) == ["b2", "W2", "b1", "W1"]
    assert verification.edited == ("dz2[0, 0]",)


def test_after_an_update_gradients_are_computed_anew() -> None:
    session = at_backward(network((2, 3, 1), rows=4))
    give(session, "set dW1[0,0] = 9")
    session.step()
    verification = session.verify()
    assert verification.verdict is Verdict.PASS
    (anew,) = verification.anew
    assert set(anew.gradients) == {"dW1", "db1", "dW2", "db2"}
    assert anew.why == "W1 has been updated since"
    assert "were computed anew: W1 has been updated since." in report(verification)


def test_of_the_last_pass_or_not_yet_computed() -> None:
    session = Session(network((2, 3, 1), rows=4))
    (anew,) = session.verify().anew
    assert anew.why == "this pass has not come to it yet"
    session.step("iteration")
    session.step("layer")
    session.step("layer")
    (anew,) = session.verify().anew
    assert anew.why == "what stands is of the last pass"
    while "dW2" not in session.snapshot().last.writes:  # type: ignore[union-attr]
        session.step()
    assert [one.gradients for one in session.verify().anew] == [("db2", "db1", "dW1")]


def test_a_parameter_edited_since_makes_all_of_it_old() -> None:
    session = at_backward(network((2, 3, 1), rows=4))
    give(session, "set W1[0,0] = 3")
    verification = session.verify()
    assert (verification.verdict, verification.anew[0].why) == (
        Verdict.PASS,
        "W1[0, 0] has been edited since",
    )


def test_a_parameter_edited_before_it_was_used_is_the_present_one() -> None:
    session = Session(network((2, 3, 1), rows=4))
    give(session, "step", "set W1[0,0] = 3")
    phases(session, 3)
    verification = session.verify()
    assert (verification.verdict, verification.anew) == (Verdict.PASS, ())


@each_of("clip", [Clip("norm", 1e-3), Clip("value", 1e-4)])
def test_a_clipped_gradient_is_judged_as_before(clip: Clip) -> None:
    scenario = network((2, 3, 1), rows=4, optimized=optimizer(lr=0.1, clip=clip))
    session = at_backward(scenario)
    before = session.value("dW1")
    while np.array_equal(session.value("dW1"), before):
        session.step()
    verification = session.verify()
    assert (verification.verdict, verification.anew) == (Verdict.PASS, ())
    give(session, "set dW1[0,0] = 9")
    assert bad(session.verify()) == ["W1"]


def test_at_the_end_of_a_run_without_updates_its_gradients_stand() -> None:
    session = Session(expression("L = sum(a ** 2)", "L", a=[1.0, 2.0]))
    session.run()
    assert session.verify().anew == ()
    give(session, "set da[1] = 3")
    assert bad(session.verify()) == ["a"]


@each_of("dtype", ["float32", "float16"])
def test_narrow_gradients_stand_though_they_are_rounded(dtype: str) -> None:
    session = at_backward(network((2, 3, 2), rows=4, dtype=dtype))
    assert session.verify().verdict is Verdict.PASS
    give(session, "set dW1[0,0] = 9")
    assert bad(session.verify()) == ["W1"]


BROADCAST = '''format = 1
[program]
code = """
o = sigmoid(x @ W)
e = o - y
L = mean(e ** 2)
"""
loss = "L"
parameters = { W = [[0.5], [-0.5]] }
[data]
x = [[1, 1], [1, 0], [0, 1], [0, 0]]
y = [0, 1, 1, 0]
'''


def test_a_list_beside_a_column_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(BROADCAST)
    scenario = load(path)
    (warning,) = scenario.warnings
    assert ":5:5: warning: shapes (4, 1) and (4,) broadcast to (4, 4)" in warning
    session = Session(scenario)
    session.step("iteration")
    assert "Warning: shapes (4, 1) and (4,) broadcast to (4, 4)" in report(session.verify())
    assert "Warning: shapes (4, 1) and (4,)" in " ".join(told(session, "verify").split())


@pytest.mark.parametrize("y", ["[[0], [1], [1], [0]]"])
def test_columns_are_not_warned_of(tmp_path: Path, y: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(BROADCAST.replace("y = [0, 1, 1, 0]", f"y = {y}"))
    assert load(path).warnings == ()
