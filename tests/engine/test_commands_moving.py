"""The commands that move: where they go, and what they say of it."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from building import network
from built_in import built_in
from commanding import give, small, told
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from in_one_test import each_of

from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.commands.moving import repeated
from nnstep.engine.language.typed import TextError
from nnstep.engine.machine.clock import UNITS, Clock, Unit, end_of, start_of
from nnstep.engine.program.compile import compile_scenario
from nnstep.engine.session.session import Session

LENGTH = len(small().program)


def test_a_step_tells_where_it_led_what_it_wrote_and_what_is_next() -> None:
    assert give(Session(built_in("mazur")), "step", "step").lines == (
        "Step 2 of 1600, iteration 0, epoch 0, forward, layer 1, branch main.",
        "Last: z1 = x @ W1.T + b1",
        "z1 = [[0.3775 0.3925]]",
        "Next: a1 = sigmoid(z1)",
    )


@each_of("unit", UNITS)
def test_steps_and_steps_back_are_those_of_the_session(unit: Unit) -> None:
    reference, session = small(), small()
    for _ in range(3):
        reference.step(unit)
    answer = give(session, f"step 3 {unit}s")
    assert session.place == reference.place
    assert answer.moved
    assert answer.stop
    for _ in range(2):
        reference.back(unit)
    give(session, f"back 2 {unit}")
    assert session.place == reference.place


@each_of(("command", "place"), [("step", 1), ("s", 1), ("s 5", 5), ("step 0", 0)])
def test_a_step_is_an_operation_unless_told_otherwise(command: str, place: int) -> None:
    session = small()
    give(session, command)
    assert session.place == place


@examples(20)
@given(st.sampled_from(UNITS), st.integers(0, 200), st.integers(1, 60))
def test_many_moves_are_as_many_moves_one_by_one(unit: Unit, place: int, count: int) -> None:
    program = compile_scenario(network(rows=6, batch_size=2))
    clock = Clock(len(program), 3)
    for unit_of in (end_of, start_of):
        move: Callable[[int], int] = partial(unit_of, unit, program, clock)
        expected = place
        for _ in range(count):
            expected = move(expected)
        assert repeated(move, place, count, clock) == expected


def test_a_great_many_steps_are_told_at_once() -> None:
    session = small(None)
    give(session, "goto iteration 3")
    program, clock = session.program, Clock(LENGTH, 2)
    layer = partial(end_of, "layer", program, clock)
    assert repeated(layer, 3, 10**12, clock) > 10**12
    assert repeated(partial(start_of, "layer", program, clock), 3, 10**12, clock) == 0


def test_there_is_nothing_before_the_first_step() -> None:
    session = small()
    assert told(session, "back").startswith("This is the first step")
    assert told(session, "reverse").splitlines()[1] == "No earlier stop: the first step."


@each_of("command", ["run", "continue", "c", "step 100 epochs", "goto epoch 15"])
def test_the_end_of_the_run_is_told(command: str) -> None:
    session = small()
    lines = give(session, command).lines
    assert session.finished
    assert lines[0] == f"Step {30 * LENGTH} of {30 * LENGTH}, branch main."
    assert lines[-1] == "This is the end of the run."
    assert give(session, "step", "run").lines == lines


@each_of(
    ("command", "place"),
    [
        ("goto 412", 412),
        ("goto start", 0),
        ("goto newest", 100),
        ("goto iteration 3", 3 * LENGTH),
        ("goto epoch 2", 4 * LENGTH),
        ("goto iteration 30", 30 * LENGTH),
    ],
)
def test_going_to_a_place(command: str, place: int) -> None:
    session = small()
    give(session, "step 100", "back 50", command)
    assert session.place == place


def test_going_to_a_place_is_not_stopped_on_the_way() -> None:
    session, reference = small(), small()
    lines = give(session, "break dW1", 'break L log "L is {L}"', "goto 200").lines
    reference.seek(200)
    assert session.place == 200
    assert all((session.value(n) == a).all() for n, a in reference.values().items())
    assert sum(line.startswith("Log, step ") for line in lines) == 11
    assert not any("Stopped" in line for line in lines)
    assert "Log" not in told(session, "goto 10")


def test_a_run_stops_at_breakpoints_and_goes_back_to_them() -> None:
    session = small()
    give(session, "break dW1 after 1")
    first = give(session, "run")
    assert first.stop
    assert first.lines[1] == "Stopped by 1: break dW1 after 1."
    place = session.place
    assert session.snapshot().current.writes == ("dW1",)
    give(session, "continue")
    assert session.place == place + LENGTH
    assert give(session, "continue back").lines == give(session, "reverse", "run").lines
    assert session.place == place


def test_running_until_a_condition_holds() -> None:
    session, reference = small(), small()
    answer = give(session, "break dW2 if norm(dW2) > 1e9", "run until L < 0.05")
    reference.run("L < 0.05")
    assert session.place == reference.place
    assert answer.lines[1] == "Stopped by the condition L < 0.05."
    assert told(session, "run until L < 0.05").startswith("L < 0.05 holds here already.")
    assert session.place == reference.place
    assert told(session, "run until L < 0").startswith("L < 0 has not come to hold.")
    assert session.finished
    assert told(session, "break L").startswith("Breakpoint 2:")
    assert told(session, "breakpoints").count("\n") == 1


def test_a_run_until_is_also_stopped_by_others() -> None:
    session = small()
    lines = give(session, "break dW2", "run until L < 0").lines
    assert lines[1] == "Stopped by 1: break dW2."
    give(session, "delete 1", "break if iteration == 4")
    lines = give(session, "run until step == 4 * 18").lines
    assert lines[1] == "Stopped by 2: break if iteration == 4; the condition step == 4 * 18."


def test_each_line_that_makes_a_value_that_is_not_finite_stops_once() -> None:
    session = Session(built_in("overflow"))
    answer = give(session, "run")
    assert answer.stop
    assert answer.stop.kind == "fault"
    assert "L is inf" in answer.lines[1]
    assert not any(line.startswith("Fault:") for line in answer.lines if "non-finite" in line)
    place = session.place
    stops = [place]
    while give(session, "run").stop and not session.finished:
        stops.append(session.place)
    assert session.finished
    assert stops == sorted(set(stops))
    assert stops == [fault.place for fault in session.faults if fault.level == "stop"]
    give(session, "goto start", "goto next fault")
    assert session.place <= place
    give(session, "goto start", "step 5000")
    assert session.place == place


def test_the_log_is_kept() -> None:
    session = small()
    assert told(session, "log") == "No breakpoint has printed anything."
    give(session, 'break L log "L is {L}"', "step 3 iterations")
    lines = give(session, "log").lines
    assert len(lines) == 3
    assert lines[2].endswith(f"L is {session.value('L'):.6g}")


def test_going_to_faults() -> None:
    session = Session(built_in("overflow"))
    give(session, "run", "run")
    places = [fault.place for fault in session.faults]
    assert told(session, "faults").count("\n") == len(places) - 1
    for number, place in enumerate(places, 1):
        give(session, f"goto fault {number}")
        assert session.place == place
    with pytest.raises(TextError, match="numbered from 1 to"):
        give(session, f"goto fault {len(places) + 1}")
    give(session, "goto fault")
    assert session.place == places[0]
    give(session, "goto newest")
    with pytest.raises(TextError, match="no fault has been found after this place"):
        give(session, "goto next fault")


def test_a_new_fault_is_told_where_it_is_found() -> None:
    session = Session(built_in("overflow"))
    lines = [line for _ in range(3) for line in give(session, "run").lines]
    assert session.faults
    for fault in map(str, session.faults):
        assert sum(fault in line for line in lines) == 1


def test_starting_again_with_another_seed() -> None:
    session = small()
    lines = give(session, "run", "restart seed 7").lines
    assert lines[0] == "A run with seed 7, from the first step."
    assert (session.seed, session.place) == (7, 0)
    give(session, "step", "restart")
    assert (session.seed, session.place) == (7, 0)


@each_of("command", ["run", "run until L < 0", "goto 1000000000", "continue"])
def test_another_thread_can_interrupt_a_run_without_end(command: str) -> None:
    session, done = small(None), threading.Event()

    def interrupt() -> None:
        while not done.wait(0.001):
            session.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        answer = Interpreter(session).execute(command)
    finally:
        done.set()
        thread.join()
    assert answer.interrupted
    assert "Interrupted." in answer.lines
    assert give(session, "step").stop


def test_jump_goes_back_to_where_one_was_and_on_again() -> None:
    session = small()
    assert give(session, "jump back").told == "There is no jump to go back from."
    give(session, "step 5")
    give(session, "goto 2")
    give(session, "goto 9")
    places = []
    for line in ("jump back", "jump back", "jump on", "step", "jump back", "jump back"):
        give(session, line)
        places.append(session.place)
    assert places == [2, 5, 2, 3, 5, 5]
    with pytest.raises(TextError, match="jump back or jump on"):
        give(session, "jump up")
