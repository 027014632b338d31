"""A run until a condition holds ends where looking after every single step would end it."""

import pytest
from building import network, optimizer
from built_in import built_in
from msgspec.structs import replace

from nnstep.engine.language.computing import computing
from nnstep.engine.language.evaluate import holds
from nnstep.engine.language.nodes import ConditionError
from nnstep.engine.machine.step import Step
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.stops.trigger import parsed, tensors_in, values_at, written_at

CASES = {
    "mazur": built_in("mazur"),
    "batches": replace(
        network((2, 3, 1), rows=5, batch_size=2, shuffle=True, optimized=optimizer("adam", 0.1)),
        seed=3,
    ),
}
CONDITIONS = (
    "L < 0.29",
    "loss < 0.2 and iteration > 3",
    "norm(dW1) > 0",
    "L - dW1[0, 0] < 0.2",
    "W1[0, 0] > 0.1502",
    "lr > 0",
    "iteration == 7",
    "epoch == 2 and L < 1",
    "step >= 100 and L > 0",
    "step == 3",
    "W2[0, 0] < -9",
    "(W1 > -5) == (x > 100)",
)


def stepwise(session: Session, condition: str) -> None:
    """Run until a condition holds, looked at after every step."""
    program = session.program
    node = parsed(condition, program)
    compute = computing(node)
    first = written_at(tensors_in([node], program), program)

    def reached(step: Step) -> bool:
        if step.index % len(program) < first:
            return False
        return holds(compute, values_at(program, session.clock, step.index, session.values()))

    session.run(reached)


def outcome(session: Session, how: str, condition: str) -> object:
    """Return where a run ends, with what values, or what goes wrong there."""
    error = ""
    try:
        if how == "stepwise":
            stepwise(session, condition)
        else:
            session.run(until=condition)
    except ConditionError as problem:
        error = str(problem)
    values = {name: array.tobytes() for name, array in session.values().items()}
    return session.place, error, values, session.snapshot().losses.tolist()


@pytest.mark.sweep(9)
@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_ends_where_looking_after_every_step_ends(case: Scenario, condition: str) -> None:
    for start in (0, 40):
        sessions = {how: Session(case, iterations=70) for how in ("stepwise", "together")}
        for session in sessions.values():
            session.seek(start)
            session.edit("lr", (), 0.3)
        for _ in range(2):
            one, other = (outcome(session, how, condition) for how, session in sessions.items())
            assert one == other


def test_what_is_to_be_edited_on_the_way_is_seen() -> None:
    for how in ("stepwise", "together"):
        session = Session(built_in("mazur"), iterations=90)
        session.seek(16 * 30 + 4)
        session.edit("lr", (), 0.125)
        session.step("iteration")
        session.seek(0)
        outcome(session, how, "lr == 0.125")
        assert session.place == 16 * 30 + 4


def test_the_last_step_is_returned_and_none_at_the_end() -> None:
    session = Session(built_in("mazur"), iterations=90)
    step = session.run(until="iteration == 40")
    assert step is not None
    assert (step.index, step.iteration, session.place) == (640, 40, 641)
    assert session.run(until="L < 0") is not None
    assert session.finished
    assert session.run(until="L < 0") is None
