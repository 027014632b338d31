"""A session steps by units, edits, knows what is stale, and is the same run every time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from in_one_test import each_of

from nnstep.engine.language.evaluate import NumberError, parse_value
from nnstep.engine.language.nodes import ConditionError, GrammarError
from nnstep.engine.machine.step import Step
from nnstep.engine.scenario.model import Data, Run, Scenario
from nnstep.engine.session.edits import EditError, UndoError
from nnstep.engine.session.session import Session


def run_of(scenario: Scenario, iterations: int) -> list[Step]:
    return list(Session(scenario, iterations=iterations).steps())


def assert_same(first: list[Step], second: list[Step]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.code == other.code
        for name, array in one.writes.items():
            assert array.tobytes() == other.writes[name].tobytes()


def test_the_same_scenario_gives_the_same_bits() -> None:
    scenario = network(rows=8, batch_size=3, shuffle=True, optimized=optimizer("adam", 0.1))
    assert_same(run_of(scenario, 7), run_of(scenario, 7))


def test_restart_is_the_same_run_and_another_seed_another() -> None:
    session = Session(network(rows=8, batch_size=3, shuffle=True), iterations=4)
    first = list(session.steps())
    session.restart()
    assert_same(first, list(session.steps()))
    session.restart(seed=1)
    assert session.seed == 1
    assert not np.array_equal(session.value("W1"), first[0].writes["x"])
    second = list(session.steps())
    assert second[1].writes["z1"].tobytes() != first[1].writes["z1"].tobytes()


def test_a_generator_goes_on_from_the_start_after_a_restart() -> None:
    session = Session(network(), iterations=2)
    steps: Iterator[Step] = session.steps()
    next(steps), next(steps)
    session.restart()
    assert next(steps).index == 0


def test_steps_carry_place_iteration_and_epoch() -> None:
    session = Session(network(rows=4, batch_size=2), iterations=3)
    steps = list(session.steps())
    length = len(session.program)
    assert [step.index for step in steps] == list(range(3 * length))
    assert [step.iteration for step in steps] == [i // length for i in range(3 * length)]
    assert [step.epoch for step in steps] == [i // length // 2 for i in range(3 * length)]
    assert session.finished


def test_units_end_where_the_design_says() -> None:
    session = Session(network(rows=4, batch_size=2), iterations=10)

    def written(step: Step | None) -> str:
        assert step is not None
        return step.code.split(" =")[0]

    assert written(session.step("op")) == "x, y"
    assert written(session.step("layer")) == "a1"
    assert written(session.step("layer")) == "a2"
    assert written(session.step("phase")) == "L"
    assert written(session.step("layer")) == "da1"
    assert written(session.step("phase")) == "db1"
    assert written(session.step("layer")) == "b2"
    assert written(session.step("phase")) == "x, y"
    assert written(session.step("phase")) == "a2"
    assert written(session.step("iteration")) == "b2"
    assert session.place == 2 * len(session.program)
    assert written(session.step("epoch")) == "b2"
    assert session.place == 4 * len(session.program)
    session.step("op")
    session.step("epoch")
    assert session.place == 6 * len(session.program)


def test_a_run_ends_where_the_scenario_says() -> None:
    assert Session(network()).total is None
    length = len(Session(network()).program)
    assert Session(network(run=Run(iterations=3))).total == 3 * length
    assert Session(network(rows=5, batch_size=2, run=Run(epochs=2))).total == 6 * length
    assert Session(network(run=Run(iterations=3)), iterations=1).total == length
    graph = Session(expression("e = a * b", "e", a=2.0, b=3.0))
    assert len(list(graph.steps())) == len(graph.program)
    assert graph.step() is None


def test_run_until_a_condition_or_a_callable() -> None:
    session = Session(network(), iterations=500)
    step = session.run(until="L < 0.01 and iteration > 3")
    assert step is not None
    assert step.iteration > 3
    assert session.value("L") < 0.01
    session.restart()
    step = session.run(until=lambda step: "dW1" in step.writes)
    assert step is not None
    assert step.code.startswith("dW1")
    with pytest.raises(ConditionError, match=r"column 1: the program has no tensor 'M'"):
        session.run(until="M < 1")
    with pytest.raises(GrammarError):
        session.run(until="L <")


def test_advance_stops_at_its_budget_and_goes_on() -> None:
    session = Session(network(), iterations=10)
    assert not session.advance("run", budget=0.0)
    assert session.place == 1
    assert session.advance("iteration")
    assert session.place == len(session.program)
    assert session.advance("run")
    assert session.finished
    assert session.advance("run", budget=0.0)


def test_arrays_handed_out_cannot_change() -> None:
    session = Session(network(rows=3, batch_size=2), iterations=2)
    for step in session.steps():
        for array in step.writes.values():
            assert not array.flags.writeable
    for array in session.values().values():
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_the_callers_error_state_is_left_alone_between_steps() -> None:
    scenario = expression("e = log(a) / b", "e", a=-1.0, b=0.0)
    with np.errstate(all="raise"):
        before = np.geterr()
        for step in Session(scenario).steps():
            assert np.geterr() == before
            assert step.writes
    session = Session(scenario)
    session.run()
    assert np.isnan(session.value("db"))


def test_editing_leaves_old_arrays_and_the_scenario_alone() -> None:
    scenario = network()
    session = Session(scenario)
    session.step("iteration")
    held = session.value("W1")
    copy = held.copy()
    session.edit("W1", (0, 1), 0.5)
    assert session.value("W1")[0, 1] == 0.5
    assert np.array_equal(held, copy)
    session.edit("lr", (), 0.125)
    assert session.value("lr") == 0.125
    assert scenario.optimizer is not None
    assert scenario.optimizer.lr == 0.5


def test_an_edit_takes_effect_from_here_on() -> None:
    session = Session(network())
    session.step("layer")
    session.step("layer")
    session.edit("a1", (0, 0), 3.0)
    session.step("op")
    expected = session.value("a1") @ session.value("W2").T + session.value("b2")
    assert np.array_equal(session.value("z2"), expected)


def test_what_came_from_the_old_value_is_stale_until_computed_again() -> None:
    session = Session(network())
    session.step("iteration")
    session.step("layer")
    session.step("layer")
    session.step("op")
    session.edit("W1", (0, 0), 1.0)
    assert session.stale == {"z1", "a1", "z2"}
    session.step("layer")
    assert session.stale == {"z1", "a1", "z2", "a2"}
    session.step("iteration")
    session.step("op")
    assert "z1" in session.stale
    session.step("op")
    assert "z1" not in session.stale
    session.step("phase")
    session.step("phase")
    session.step("phase")
    assert session.stale == frozenset()


def test_a_parameter_edited_after_its_update_makes_nothing_stale() -> None:
    session = Session(network())
    session.step("iteration")
    session.edit("W1", (0, 0), 1.0)
    assert session.stale == frozenset()


def test_editing_a_buffer_or_target_makes_its_results_stale() -> None:
    session = Session(network(optimized=optimizer(momentum=0.9)))
    session.run(until=lambda step: "dz2" in step.writes)
    session.edit("y", (0, 0), 0.0)
    assert session.stale == {"L", "da2", "dz2"}


def test_undo_takes_back_edits_one_by_one() -> None:
    session = Session(network())
    with pytest.raises(UndoError, match="there is no edit to undo"):
        session.undo()
    session.step("layer")
    session.step("layer")
    before = session.value("W1")
    session.edit("W1", (0, 1), 0.5)
    session.edit("W1", (0, 0), 0.25)
    assert session.undo() == "W1[0, 0]"
    assert session.value("W1")[0, 1] == 0.5
    assert session.stale == {"z1", "a1"}
    assert session.undo() == "W1[0, 1]"
    assert session.value("W1") is before
    assert session.stale == frozenset()


@each_of(
    ("name", "index", "value", "message"),
    [
        ("WW1", (0, 0), 1.0, r"there is no tensor 'WW1' \(did you mean 'W1'\?\)"),
        ("z1", (0, 0), 1.0, "z1 has no value yet; it gets one in forward, layer 1: z1 = x"),
        ("W1", (0,), 1.0, r"W1 has shape \(2, 2\) and takes 2 indices, not 1"),
        ("W1", (0, 2), 1.0, "index 2 is outside axis 1 of W1, which has 2"),
    ],
)
def test_a_wrong_edit_is_refused(
    name: str, index: tuple[int, ...], value: float, message: str
) -> None:
    session = Session(network())
    with pytest.raises(EditError, match=message):
        session.edit(name, index, value)


def test_class_indices_and_small_dtypes_limit_what_can_be_typed() -> None:
    half = Session(network(dtype="float16"))
    with pytest.raises(EditError, match="100000 is too large for float16"):
        half.edit("W1", (0, 0), 1e5)
    counted = Session(network(optimized=optimizer("adam")))
    with pytest.raises(EditError, match=r"t holds whole numbers from 0, not 0\.5"):
        counted.edit("t", (), 0.5)


@each_of(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("+.5", 0.5),
        ("+inf", np.inf),
        (" -1e-3 ", -1e-3),
        ("1/4", 0.25),
        ("2 ** 3", 8.0),
        ("inf", np.inf),
    ],
)
def test_numbers_can_be_typed_in_many_ways(text: str, value: float) -> None:
    assert parse_value(text) == value


@each_of(
    ("text", "message"),
    [
        ("", "type a number"),
        ("abc", "'abc' is not a number"),
        ("1 +", "column"),
        ("1/0", "inf"),
        ("1,5", "after a point"),
    ],
)
def test_what_is_not_a_number_is_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(NumberError, match=message):
        parse_value(text)


def test_a_snapshot_does_not_change_while_the_session_goes_on() -> None:
    session = Session(network(), iterations=3)
    session.step("iteration")
    snapshot = session.snapshot()
    kept = {name: array.copy() for name, array in snapshot.tensors.items()}
    losses = snapshot.losses.copy()
    session.edit("W1", (0, 0), 9.0)
    list(session.steps())
    assert snapshot.place == len(session.program)
    assert all(np.array_equal(kept[name], array) for name, array in snapshot.tensors.items())
    assert np.array_equal(snapshot.losses, losses)
    assert len(session.snapshot(snapshot.tensors).losses) == 3


@pytest.mark.slow
def test_the_loss_of_every_iteration_is_kept() -> None:
    session = Session(network(), iterations=3000)
    losses = [float(step.writes["L"]) for step in session.steps() if "L" in step.writes]
    assert session.snapshot().losses.tolist() == losses


def test_the_loss_of_an_expression_is_kept_under_its_own_name() -> None:
    session = Session(expression("error = a * a", "error", a=3.0, optimized=optimizer(lr=0.25)))
    session.run(until=lambda step: step.iteration == 2)
    assert session.snapshot().losses.tolist() == [9.0, 2.25, 0.5625]


def test_an_expression_with_data_takes_batches() -> None:
    rows = Data(np.arange(6.0).reshape(3, 2), np.ones((3, 1)), 2)
    scenario = expression(
        "L = mean((x @ W - y) ** 2)", "L", data=rows, optimized=optimizer(), W=[[1.0], [2.0]]
    )
    session = Session(scenario, iterations=2)
    sizes = [len(step.writes["x"]) for step in session.steps() if "x" in step.writes]
    assert sizes == [2, 1]


@each_of(
    ("index", "value"), [(0, 1.0), ((0.5, 0), 1.0), ((0, 0), "a"), ((0, 0), None), ((0, 0), 1j)]
)
def test_an_edit_of_the_wrong_kind_is_refused_in_words(index: Any, value: Any) -> None:
    with pytest.raises(EditError, match="takes whole numbers and a number"):
        Session(network()).edit("W1", index, value)


def test_the_count_of_updates_cannot_be_negative() -> None:
    session = Session(network(optimized=optimizer("adam")))
    with pytest.raises(EditError, match="t holds whole numbers from 0, not -5"):
        session.edit("t", (), -5)


def test_units_and_iterations_are_checked() -> None:
    with pytest.raises(ValueError, match="there is no unit 'bogus'"):
        Session(network()).step("bogus")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="iterations is a whole number from 0, not -1"):
        Session(network(), iterations=-1)


def test_settings_too_large_for_the_dtype_warn_nobody() -> None:
    with np.errstate(all="raise"):
        Session(network(dtype="float16", optimized=optimizer(lr=1e10)), iterations=1).run()
