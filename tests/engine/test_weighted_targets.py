"""Targets edited so that a row no longer sums to 1: the derivative of the loss allows for it."""

from typing import Any

import numpy as np
from building import network
from commanding import told
from in_one_test import each_of
from msgspec.structs import replace

from nnstep.engine.arrays import frozen
from nnstep.engine.scenario.model import Data, Loss, Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.verification.verdict import GOOD, Verdict

FUSED = "dz2 = (a2 - y) / len(a2)"
GENERAL = "dz2 = (a2 * y.sum(axis=-1, keepdims=True) - y) / len(a2)"


def classes(**options: Any) -> Scenario:
    loss = Loss("cross_entropy", "batch_mean", **options)
    last = "identity" if options.get("from_logits") else "softmax"
    scenario = network((2, 3, 3), activations=("tanh", last), rows=4, loss=loss)
    assert scenario.data is not None
    y = np.eye(3)[[0, 1, 2, 1]]
    return replace(scenario, data=Data(scenario.data.x, frozen(y), 4), run=scenario.run)


def codes(session: Session) -> list[str]:
    return [line.code for line in session.program.instructions]


def begun(scenario: Scenario) -> Session:
    session = Session(scenario, iterations=20)
    session.step()
    return session


def at_backward(session: Session) -> Session:
    for _ in range(3):
        session.step("phase")
    return session


@each_of("from_logits", [False, True])
def test_the_gradient_is_that_of_the_loss(from_logits: bool) -> None:
    session = begun(classes(from_logits=from_logits))
    before = codes(session)
    session.edit("y", (0, 1), 0.7)
    assert sum(a != b for a, b in zip(before, codes(session), strict=True)) == 1
    verification = at_backward(session).verify()
    assert verification.anew == ()
    assert {one.verdict for one in verification.tensors} <= GOOD


def test_the_edit_says_so() -> None:
    session = begun(classes())
    assert FUSED in codes(session)
    said = told(session, "set y[0, 1] = 0.7")
    assert "A row of y no longer sums to 1: from here on " + GENERAL in said
    assert GENERAL in codes(session)
    assert GENERAL in [line.code for line in session.snapshot().program.instructions]
    assert "sums to 1" not in told(session, "set W1[0, 0] = 0.7")


def test_rows_that_still_sum_to_1_change_nothing() -> None:
    session = begun(classes())
    session.edit("y", (0, 0), 1.0)
    assert FUSED in codes(session)


@each_of(
    "scenario",
    [classes(fuse=False), network((2, 1), loss=Loss("binary_cross_entropy", "mean"))],
)
def test_where_the_derivative_is_general_already_nothing_changes(scenario: Scenario) -> None:
    session = begun(scenario)
    before = codes(session)
    session.edit("y", (0, 0), 0.4)
    assert codes(session) == before
    assert at_backward(session).verify().verdict is Verdict.PASS


def test_it_holds_from_the_edit_on_and_on_its_branch_only() -> None:
    session = begun(classes())
    session.run(until="iteration == 3")
    session.edit("y", (0, 1), 0.7)
    place = session.place
    session.run(until="iteration == 6")
    assert GENERAL in codes(session)
    after = session.values()
    session.seek(place - 1)
    assert FUSED in codes(session)
    session.seek(place + 40)
    assert GENERAL in codes(session)
    session.run(until="iteration == 6")
    assert all(np.array_equal(after[name], array) for name, array in session.values().items())
    session.undo()
    assert FUSED in codes(session)


def test_running_again_gives_the_same_bits() -> None:
    """With nothing kept, going back runs the program from its beginning, over the edit."""
    kept, again = (Session(classes(), iterations=20, history=h) for h in (10**8, None))
    for session in (kept, again):
        session.step("iteration")
        session.step()
        session.edit("y", (0, 1), 0.7)
        session.run(until="iteration == 9")
        session.seek(session.place - 30)
    assert codes(kept) == codes(again)
    for name, array in kept.values().items():
        assert array.tobytes() == again.value(name).tobytes(), name


def test_the_line_that_the_edit_put_in_place_is_explained() -> None:
    session = begun(classes())
    session.edit("y", (0, 1), 0.7)
    session.run(until="iteration == 1")
    length = len(session.program)
    position = codes(session).index(GENERAL)
    for step in (position, position + length):
        if step >= session.newest:
            session.seek(step + 1)
        told_of = session.explain("dz2", (0, 1), at=step)
        assert f"dz2 = {GENERAL.partition(' = ')[2]}" == told_of.code
        np.testing.assert_allclose(eval_of(told_of.arithmetic), told_of.value, rtol=1e-12)
        why = session.why("dz2", (0, 1), at=step)
        assert "y.sum" in why.hops[0].text
    before = Session(classes(), iterations=20)
    before.seek(position + 1)
    assert before.explain("dz2", (0, 1)).code == FUSED


def eval_of(arithmetic: str) -> float:
    return float(eval(arithmetic, {"exp": np.exp, "log": np.log}))
