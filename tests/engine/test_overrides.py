"""A person's own line in place of one of the program's: what runs, when, and what is refused."""

import io
import json
import random
from pathlib import Path

import numpy as np
import pytest
from built_in import built_in
from commanding import give, told
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from in_one_test import each_of

from nnstep import scenarios
from nnstep.engine import Interpreter, OverrideError, ScenarioError, Session, load
from nnstep.engine.override.override import overriding, reference
from nnstep.engine.saving.journal import Journal, read_session
from nnstep.engine.trace import write_jsonl

FIELD = Path(__file__).parent.parent / "oracles" / "field"


def mazur() -> Session:
    return Session(built_in("mazur"))


def test_a_line_runs_in_place_of_the_programs_from_here_on() -> None:
    session = mazur()
    session.seek(16 + 3)
    made = session.override("dW1 = dz1.T @ x / 3")
    assert (made.line, made.phase, made.nth, made.place) == (
        "dW1 = dz1.T @ x / 3",
        "backward",
        1,
        19,
    )
    assert session.overrides == (made,)
    session.seek(32)
    right = session.value("dz1").T @ session.value("x")
    assert (session.value("dW1") == right / 3).all()
    assert session.values_at(16)["dW1"].tolist() != session.value("dW1").tolist()
    assert session.program.instructions[12].code == "dW1 = dz1.T @ x / 3"


def test_before_its_place_the_programs_own_line_is_the_one_that_runs() -> None:
    session = mazur()
    session.seek(40)
    session.override("dW1 = dz1.T @ x / 3")
    session.seek(100)
    session.seek(20)
    assert not session.overrides
    assert session.program.instructions[12].code == "dW1 = dz1.T @ x"
    assert session.snapshot().program.instructions[12].rule is None
    session.seek(100)
    assert len(session.overrides) == 1


def test_it_is_undone_and_redone_and_in_the_past_begins_a_branch() -> None:
    session = mazur()
    session.seek(64)
    was = session.value("W1")
    session.seek(20)
    session.override("dW1 = dz1.T @ x / 3")
    assert session.branches.current == "b1"
    session.seek(64)
    assert session.value("W1").tolist() != was.tolist()
    session.undo()
    session.seek(64)
    assert (session.branches.current, session.overrides) == ("main", ())
    assert (session.value("W1") == was).all()
    session.redo()
    assert (session.branches.current, len(session.overrides)) == ("b1", 1)


def test_off_is_an_edit_too_and_a_second_one_takes_the_place_of_the_first() -> None:
    session = mazur()
    session.override("dW1 = dz1.T @ x / 3")
    session.override("dW1 = -dz1.T @ x")
    assert [each.line for each in session.overrides] == ["dW1 = -dz1.T @ x"]
    off = session.override_off("dW1")
    assert off.is_off
    assert not session.overrides
    session.undo()
    assert [each.line for each in session.overrides] == ["dW1 = -dz1.T @ x"]
    with pytest.raises(OverrideError, match="no line of 'dW2' is overridden; there is one of dW1"):
        session.override_off("dW2")


def test_a_whole_number_larger_than_arrays_have_is_one_as_it_is_anywhere_else() -> None:
    session = mazur()
    session.override("L = 99999999999999999999 if 0 else 0")
    session.seek(6)
    assert session.value("L") == 0.0


def test_restart_keeps_those_of_the_file(tmp_path: Path) -> None:
    session = Session(load(with_override(tmp_path, 'line = "dW1 = dz1.T @ x / 3"')))
    session.override("dW2 = -dz2.T @ a1")
    session.restart()
    assert [each.line for each in session.overrides] == ["dW1 = dz1.T @ x / 3"]
    session.override_off("dW1")
    assert not session.overrides


def with_override(folder: Path, table: str) -> Path:
    path = folder / "own.toml"
    text = scenarios.path("mazur").read_text(encoding="utf-8")
    path.write_text(f"{text}\n[[override]]\n{table}\n", encoding="utf-8")
    return path


@each_of(
    ("line", "message"),
    [
        ("dz1 = da1 * Z * (1 - Z)", "Z is no tensor here; did you mean z1?"),
        ("dW1 = dz1 @ x", "dz1 (1, 2) @ x (1, 2) does not fit; dz1 @ x.T does"),
        ("dW1 = dz1.T", "this has shape (2, 1), and dW1 has (2, 2)"),
        ("dW9 = dz1.T @ x", "there is no tensor 'dW9'; did you mean dW2?"),
        ("x = x * 2", "x is taken from the data; change a number with set x[…] = …"),
        ("lr = 1", "no line writes lr; it is changed as in: set lr = …"),
        ("b1 = b1 - lr * db1", "b1 is frozen: no line writes it"),
        ("a1 = z2", "z2 has no value yet at this line; a later one, z2 = a1 @ W2.T + b2, "),
        ("dW1 = iteration", "iteration can be used in conditions, not in a line of the program"),
        ("dW1 = 9 ** 9 ** 9", "this constant is inf, not a finite number"),
        ("dW1", "an override is a whole line, as in: dW1 = dz1.T @ x / 3"),
        ("dW1 = x and y", "'and', 'or' and 'not' belong in conditions"),
        ("dW1 = spread(x, (int(lr), 2))", "the size that spread gives is a number"),
        ("dW1 = nothing(x)", "there is no function 'nothing'"),
        ("W1 = W1 in update 2", "there are 1 such lines: W1 = W1 - lr * dW1 (in update 1)"),
        ("W1 = W1 in loss", "no line of phase loss writes W1"),
    ],
)
def test_what_cannot_run_there_is_refused_and_says_why(line: str, message: str) -> None:
    session = mazur()
    with pytest.raises(OverrideError) as refused:
        session.override(line)
    assert message in str(refused.value)
    assert not session.overrides


def test_where_several_lines_write_a_tensor_it_says_which() -> None:
    session = Session(built_in("graph"))
    assert session.override("d = a - b").phase == "forward"
    adam = Session(load("two-layer"))
    assert adam.override("W1 = W1 - lr * dW1").nth == 1


@pytest.mark.sweep(13)
@pytest.mark.parametrize("name", scenarios.names())
def test_every_line_of_the_gallery_can_take_its_own_place(name: str) -> None:
    """As it is printed, it is read, fits, prints itself, and gives the same bits."""
    scenario = built_in(name)
    session = Session(scenario)
    for position, line in enumerate(session.program.instructions):
        if line.phase == "batch":
            continue
        alike = [
            other
            for other in session.program.instructions
            if (other.phase, other.writes) == (line.phase, line.writes)
        ]
        nth = next(i for i, other in enumerate(alike, 1) if other is line)
        made = overriding(scenario, session.program, line.code, 0, line.phase, nth)
        assert (made.position, made.line) == (position, line.code)
        session.seek(position)
        tensors = session.values()
        session.seek(position + 1)
        assert made.instruction.kernel is not None
        with np.errstate(all="ignore"):
            got = np.asarray(made.instruction.kernel(tensors))
        written = session.value(line.writes[0])
        assert (got.tobytes(), got.dtype) == (written.tobytes(), written.dtype)
        rule = reference(made.instruction, tensors)
        assert rule is not None
        assert rule.tobytes() == written.tobytes()


def test_a_result_of_another_type_becomes_the_runs() -> None:
    session = mazur()
    assert session.override("dz1 = z1 > 0").line == "dz1 = np.float64(z1 > 0)"
    assert session.override("L = 3").line == "L = np.float64(3)"
    session.seek(32)
    assert session.value("L").dtype == session.value("dz1").dtype == np.float64


@examples(2)
@given(st.integers(0, 10**6))
def test_walks_with_overrides_and_edits_end_as_a_fresh_run_with_the_same(seed: int) -> None:
    """Back and on, on branches and over passes that are no longer kept: the same bits."""
    choose = random.Random(seed)
    lines = [
        "a1 = relu(z1)",
        "dW1 = dz1.T @ x / 3",
        "W2 = W2 + lr * dW2",
        "dz2 = (a2 - y) / len(y)",
        "L = ((a2 - y) ** 2).mean()",
    ]
    session = Session(built_in("mazur"), history=choose.choice([0, 20_000, 1 << 22]))
    for _ in range(choose.randrange(3, 9)):
        session.seek(choose.randrange(0, 120))
        match choose.randrange(4):
            case 0 if session.overrides:
                session.override_off(choose.choice(session.overrides).name)
            case 1:
                session.edit("W1", (0, 1), choose.uniform(-1, 1))
            case _:
                session.override(choose.choice(lines))
    session.seek(choose.randrange(0, 130))
    fresh = Session(built_in("mazur"))
    for change in session.snapshot().branch.edits:
        if change.place > session.place:
            break
        fresh.seek(change.place)
        if change.name == "W1":
            fresh.edit("W1", (0, 1), change.value)  # type: ignore[union-attr]
        elif change.is_off:  # type: ignore[union-attr]
            fresh.override_off(change.name)
        else:
            fresh.override(change.line)  # type: ignore[union-attr]
    fresh.seek(session.place)
    assert [each.line for each in session.overrides] == [each.line for each in fresh.overrides]
    mine, theirs = session.values(), fresh.values()
    assert {name: array.tobytes() for name, array in mine.items()} == {
        name: array.tobytes() for name, array in theirs.items()
    }


# At the prompt, in a file, in a trace


def test_the_prompt_says_what_runs_in_place_of_what_and_from_which_step() -> None:
    session = mazur()
    session.seek(9)
    assert told(session, "override dW1 = dz1.T @ x / 3") == (
        "dW1 = dz1.T @ x / 3 runs in place of dW1 = dz1.T @ x, from step 12 on."
    )
    assert "≠ dW1 = dz1.T @ x / 3   in place of dW1 = dz1.T @ x, since before step 9" in told(
        session, "override"
    )
    assert "runs again, from step 12 on" in told(session, "override dW1 off")
    assert told(session, "override").startswith("No line is overridden here")


def test_the_column_of_a_mistake_counts_from_the_command() -> None:
    with pytest.raises(ValueError, match="column 22: Z is no tensor here"):
        give(mazur(), "override dz1 = da1 * Z")


def test_a_session_file_carries_it(tmp_path: Path) -> None:
    session = mazur()
    interpreter = Interpreter(session, Journal(session))
    path = tmp_path / "own.session"
    for line in ("step 9", "override dW1 = dz1.T @ x / 3", "override", f'save "{path}"'):
        interpreter.execute(line)
    script = read_session(path)
    assert [line.text for line in script.lines if line.text.startswith("override dW1")]
    assert script.edits == 1


def test_in_a_file_a_mistake_has_its_line_and_column(tmp_path: Path) -> None:
    path = with_override(tmp_path, 'line = "dz1 = da1 * Z"')
    lines = path.read_text(encoding="utf-8").splitlines()
    with pytest.raises(ScenarioError) as refused:
        load(path)
    (problem,) = refused.value.problems
    assert problem.line == len(lines)
    assert problem.column == len('line = "dz1 = da1 * ') + 1
    assert problem.message.startswith("Z is no tensor here")


def test_a_trace_has_the_rule_and_what_it_would_have_given(tmp_path: Path) -> None:
    path = with_override(tmp_path, 'line = "W1 = W1 + lr * dW1"\nphase = "update"')
    stream = io.StringIO()
    write_jsonl(load(path), stream, 1)
    first, *steps = map(json.loads, stream.getvalue().splitlines())
    own = [line for line in first["program"] if "rule" in line]
    assert own == [
        {
            "code": "W1 = W1 + lr * dW1",
            "phase": "update",
            "layer": None,
            "rule": "W1 = W1 - lr * dW1",
        }
    ]
    told_of = [step for step in steps if "reference" in step]
    assert [step["code"] for step in told_of] == ["W1 = W1 + lr * dW1"]
    weights = np.array(first["initial"]["W1"])
    change = np.array(told_of[0]["writes"]["W1"]) - weights
    assert np.allclose(told_of[0]["reference"]["W1"], weights - change, rtol=0, atol=1e-15)


@pytest.mark.slow
def test_the_missing_slope_of_a_public_question_ends_where_the_person_ended() -> None:
    """Field case 01: dW2 without the sigmoid's slope, 2,000 epochs of XOR."""
    session = Session(load(FIELD / "01_xor_no_sigmoid_prime.toml"), history=None)
    session.override("dW2 = a1.T @ da2")
    session.run()
    a1 = 1 / (1 + np.exp(-np.array([[1, 1], [1, 0], [0, 1], [0, 0]]) @ session.value("W1")))
    out = 1 / (1 + np.exp(-a1 @ session.value("W2")))
    assert out.ravel().round(3).tolist() == [0.538, 0.553, 0.901, 0.049]
