"""What the pass under way has not written yet is of the last iteration, and is said to be."""

from itertools import pairwise

import pytest
from built_in import built_in
from commanding import give, told
from in_one_test import each_of

from nnstep.engine import Breakpoint, Session
from nnstep.engine.commands.explaining import as_json


def test_a_value_of_the_last_iteration_says_so_at_the_prompt() -> None:
    session = Session(built_in("mazur"))
    assert told(session, "step 6", "print L") == "L = 0.2983711087600027 (float64)"
    assert told(session, "step iteration", "print L") == (
        "L = 0.2983711087600027 (float64), of iteration 0"
    )
    assert told(session, "print a1").startswith("a1: shape (1, 2), float64, of iteration 0\n")
    assert "of iteration" not in told(session, "print W1")
    assert told(session, "print L * W1[0, 0]").endswith(" (float64), L of iteration 0")
    assert told(session, "watch L") == "Watch: L = 0.298371, of iteration 0"
    assert "dW1  gradient, shape (2, 2), float64, of iteration 0" in told(session, "tensors")
    assert told(session, "step 6", "print L") == "L = 0.29102777369359933 (float64)"
    assert "of iteration" not in told(session, "run", "print dW1")


def test_a_value_that_was_typed_in_since_is_of_no_iteration() -> None:
    session = Session(built_in("mazur"))
    assert told(session, "step iteration", "set L = 3", "print L") == "L = 3.0 (float64)"
    give(session, "set a1[0, 0] = 0.5")
    first = told(session, "print a1").splitlines()[0]
    assert first.endswith("of iteration 0, but for what was edited since")


@each_of("start", [0, 6, 11, 20])
def test_a_condition_is_looked_at_where_what_it_reads_is_written(start: int) -> None:
    """In Python and at the prompt; 0.2984 is the first loss, 0.2910 the second."""
    session = Session(built_in("mazur"))
    session.seek(start) if start <= session.newest else give(session, f"goto {start}")
    step = session.run(until="L < 0.3")
    assert step is not None
    assert "L" not in session.old
    assert step.index == max(5 + 16 * ((start - 6) // 16 + 1 if start > 15 else 0), start)

    prompt = Session(built_in("mazur"))
    give(prompt, f"goto {start}", "run until L < 0.292")
    assert prompt.place == 22
    assert prompt.value("L") < 0.292


@pytest.mark.sweep(40)
@pytest.mark.parametrize("start", range(33))
@pytest.mark.parametrize(
    "point",
    [
        Breakpoint(at="a1", when="L < 0.292"),
        Breakpoint(at="backward 2", when="norm(dW1) > 0"),
        Breakpoint(when="L < 0.284 and dW1[0, 0] > 0.0003"),
        Breakpoint(when="L - dW1[0, 0] < 0.2907 and iteration > 0"),
        Breakpoint(when="dW1[0, 0] < 0.0013 * L"),
    ],
    ids=str,
)
def test_no_stop_rests_on_a_tensor_of_the_last_iteration(point: Breakpoint, start: int) -> None:
    """And wherever one begins, the stops are the same ones."""
    session = Session(built_in("mazur"), iterations=5)
    session.stops.add(point)
    found = []
    while (stop := session.advance("run")) and stop.kind == "point":
        assert {"L", "dW1"}.isdisjoint(session.old) or "dW1" not in str(point.when)
        assert "L" not in session.old
        found.append(stop.place)
    assert found

    session.seek(start)
    later = []
    while (stop := session.advance("run")) and stop.kind == "point":
        later.append(stop.place)
    assert later == [place for place in found if place > start]
    back = []
    while (stop := session.back_to_stop()) and stop.kind == "point":
        back.append(stop.place)
    assert back[::-1] == found
    assert all(one < other for one, other in pairwise(found))


def test_a_breakpoint_that_waits_says_so() -> None:
    session = Session(built_in("mazur"))
    assert told(session, "break a1 if L < 0.3").endswith(
        ", looked at once the pass has written what it reads"
    )
    assert told(session, "break dW2 if L < 0.3") == "Breakpoint 2: break dW2 if L < 0.3"


def test_an_explanation_of_an_old_value_says_of_which_iteration_it_is() -> None:
    session = Session(built_in("mazur"))
    give(session, "step iteration", "step 2")
    assert told(session, "explain a2[0, 0]").startswith(
        "a2[0, 0] = 0.7513650695523157, of iteration 0 "
    )
    explanation = session.explain("a2", (0, 0))
    assert explanation.old == 0
    assert as_json(explanation, "float64")["of_iteration"] == 0
    for fresh in ("z1[0, 0]", "W2[0, 0]", "lr", "x[0, 0]"):
        assert "of iteration" not in told(session, f"explain {fresh}"), fresh
    assert "of iteration" not in told(session, "explain a2[0, 0] at 4")
    assert "of iteration 0" in told(session, "explain a2[0, 0] at 16")
    give(session, "run")
    assert "of iteration" not in told(session, "explain a2[0, 0]")
    assert "of_iteration" not in as_json(session.explain("a2", (0, 0)), "float64")


def test_readers_and_layers_say_of_which_iteration_their_numbers_are() -> None:
    session = Session(built_in("mazur"))
    give(session, "step iteration", "step 2")
    assert told(session, "readers z1[0, 0]") == "a1[0, 0]  step 18  a1 = sigmoid(z1)  not run yet"
    old = told(session, "readers dz2[0, 0]").splitlines()
    assert old
    assert all(line.endswith(", of iteration 0") for line in old)
    assert "gradients are of iteration 0." in told(session, "layers")
    give(session, "step phase", "step phase", "step phase")
    assert "of iteration" not in told(session, "layers", "readers dz2[0, 0]")


def test_steps_of_a_chain_are_named_with_the_iteration_that_is_not_the_present_one() -> None:
    session = Session(built_in("mazur"))
    give(session, "goto iteration 1", "step 3")
    assert "a2[0, 0] = 0.751365  it 0 step 4  sigmoid" in told(session, "why a2[0, 0]")
    assert "dW1[0, 0] = 0.000438568   it 0 step 12 " in told(session, "factors dW1[0, 0]")
    give(session, "step 2")
    assert "a2[0, 0] = 0.742088  step 20   sigmoid" in told(session, "why a2[0, 0]")
    at_the_end = told(session, "goto 1600", "factors dW1[0, 0]")
    assert at_the_end.startswith("dW1[0, 0] = -0.000692763  step 1596  ")
