"""Whoever goes through `steps()` may do whatever they like in between."""

from collections.abc import Callable

import numpy as np
import pytest
from building import expression, network
from in_one_test import each_of

from nnstep.engine.machine.machine import Machine
from nnstep.engine.session.session import Session


def session(iterations: int = 6) -> Session:
    return Session(network(rows=5, batch_size=2, shuffle=True), iterations=iterations)


def bits(run: Session) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in run.values().items()}


def through(run: Session) -> dict[str, bytes]:
    for _ in run.steps():
        pass
    return bits(run)


@each_of(
    ("error", "place"),
    [(RuntimeError, 1), (RuntimeError, 18), (KeyboardInterrupt, 5), (KeyboardInterrupt, 40)],
)
def test_an_exception_in_the_loop_leaves_the_run_where_it_is(
    error: type[BaseException], place: int
) -> None:
    run = session()
    with pytest.raises(error):
        for step in run.steps():
            if step.index + 1 == place:
                raise error
    assert run.place == place
    assert through(run) == through(session())


def test_an_interruption_of_the_arithmetic_leaves_the_run_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = session()
    finish = Machine._go_past

    def interrupted(self: Machine, *given: object) -> None:
        monkeypatch.setattr(Machine, "_go_past", finish)
        raise KeyboardInterrupt

    monkeypatch.setattr(Machine, "_computed_passes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.advance("run")
    monkeypatch.undo()
    assert run.place == 0
    assert through(run) == through(session())


def test_a_generator_that_is_closed_early_has_gone_no_further() -> None:
    run = session()
    steps = run.steps()
    for _ in range(7):
        step = next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert run.place == step.index + 1 == 7
    assert "dW1" not in run.values()
    assert through(run) == through(session())


def test_two_generators_take_turns() -> None:
    run = session()
    one, other = run.steps(), run.steps()
    indices = [next(each).index for _ in range(30) for each in (one, other)]
    assert indices == list(range(60))
    assert through(run) == through(session())


def test_an_edit_in_the_loop_counts_from_the_next_line_on() -> None:
    run, other = session(), session()
    for step in run.steps():
        if step.index == 24:
            run.edit("W1", (0, 0), 0.5)
    other.advance(25)
    other.edit("W1", (0, 0), 0.5)
    assert through(other) == bits(run)


@each_of("batch_size", [2, 5])
def test_what_was_computed_ahead_takes_no_rows_of_the_data(batch_size: int) -> None:
    """Each epoch has an order of its own, and several passes are computed before they are due."""
    case = network(rows=5, batch_size=batch_size, shuffle=True)
    run, other = Session(case, iterations=14), Session(case, iterations=14)
    for step in run.steps():
        if step.index % 13 == 0:
            other.advance(step.index + 1)
            assert run._machine.rows_taken == other._machine.rows_taken
        if step.index in (101, 180):
            run.edit("W1", (0, 0), 0.25)
            other.advance(step.index + 1)
            other.edit("W1", (0, 0), 0.25)
    assert through(other) == bits(run)


def test_the_arrays_of_a_step_never_change() -> None:
    run = session()
    kept = []
    for step in run.steps():
        kept.append((step, [array.copy() for array in step.arrays]))
        if step.index == 30:
            run.edit("W2", (0, 0), 1.5)
        if step.index == 50 and len(kept) < 80:
            run.seek(20)
    for step, arrays in kept:
        assert all(not array.flags.writeable for array in step.arrays)
        assert all(map(np.array_equal, step.arrays, arrays))


def test_the_error_state_is_that_of_the_caller_and_may_change_in_the_loop() -> None:
    """Numbers overflow on the way: what the caller asks of NumPy is about the caller's own."""
    run = Session(expression("b = a * a\nc = b * b", "c", a=1e100), iterations=4)
    with np.errstate(all="raise"):
        for step in run.steps():
            assert np.geterr()["over"] == ("raise" if step.index < 5 else "warn")
            if step.index == 4:
                np.seterr(over="warn")
        assert np.geterr()["over"] == "warn"
        assert np.geterr()["invalid"] == "raise"
    assert np.isinf(run.value("c"))


def test_running_is_stepping() -> None:
    last = [*session().steps()][-1]
    run = session()
    step = run.run()
    assert step is not None
    assert (step.index, step.code) == (last.index, last.code)
    assert bits(run) == through(session())
    assert run.run() is None


def test_what_a_step_has_brought_is_there_whatever_is_asked_for_first() -> None:
    """Which steps have been taken is looked up only when somebody asks."""
    asked: tuple[Callable[[Session], object], ...] = (
        lambda run: run.place,
        lambda run: run.values()["W1"].tobytes(),
        lambda run: run.snapshot().losses.tobytes(),
        lambda run: run.faults,
        lambda run: run.memory,
    )
    plain = session(4)
    found = [[ask(plain) for ask in asked[:4]] for _ in plain.steps()]
    for each in (1, 45, len(found)):
        for first in asked:
            run = session(4)
            for _, step in zip(range(each), run.steps(), strict=False):
                assert step.index < each
            first(run)
            assert [ask(run) for ask in asked[:4]] == found[each - 1]
