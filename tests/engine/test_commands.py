"""The commands that change, look and branch: what they do to a session, and what they say."""

import cProfile
import pstats
from pathlib import Path

import numpy as np
import pytest
from building import expression, network
from built_in import built_in
from commanding import give, small, told
from in_one_test import each_of
from msgspec.structs import replace

from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.language.typed import TextError
from nnstep.engine.saving.journal import Journal
from nnstep.engine.saving.recovery import Keeping, state_folder
from nnstep.engine.saving.replay import open_session
from nnstep.engine.session.session import Session
from nnstep.engine.verification.report import report_lines

# Changing


def test_setting_a_cell_in_the_past_starts_a_branch() -> None:
    session = small()
    before = session.value("W1")[0, 1]
    lines = give(session, "step 40", "goto 5", "set W1[0, -2] = 0.5").lines
    assert session.value("W1")[0, 1] == 0.5
    assert lines[0] == f"W1[0, 1] = 0.5 (was {before})"
    assert lines[1] == "A new branch, b1, begins here; what came after stays on main."
    assert lines[2] == "Stale until computed again: z1, a1, z2 and a2."
    assert session.branches.current == "b1"


@each_of(
    ("value", "expected"),
    [
        ("0.1", 0.1),
        ("-1e-3", -1e-3),
        ("1/4", 0.25),
        ("nan", np.nan),
        ("+inf", np.inf),
        ("-inf", -np.inf),
        ("lr * 2", 0.2),
        ("sum(b1) + 3", 3.0),
    ],
)
def test_a_value_is_a_number_or_an_expression(value: str, expected: float) -> None:
    session = small()
    give(session, f"set lr = {value}")
    np.testing.assert_array_equal(session.value("lr"), expected)


def test_a_cell_times_two() -> None:
    session = small()
    before = session.value("W1")[0, 1]
    give(session, "set W1[0,1]=W1[0,1]*2")
    assert session.value("W1")[0, 1] == 2 * before


def test_undo_and_redo_go_where_the_change_was_made() -> None:
    session = small()
    before = session.value("W1")
    give(session, "step 5", "set W1[0, 1] = 0.5", "step 20")
    assert told(session, "undo").startswith("The change of W1[0, 1] is undone.\nStep 5 of ")
    np.testing.assert_array_equal(session.value("W1"), before)
    assert told(session, "redo").startswith("The change of W1[0, 1] is made again.\nStep 25 of ")
    assert session.value("W1")[0, 1] != before[0, 1]
    with pytest.raises(TextError, match="there is no edit to make again"):
        give(session, "redo")


# Looking


def test_print_shows_every_digit() -> None:
    session = Session(built_in("mazur"))
    assert give(session, "print W1").lines == (
        "W1: shape (2, 2), float64",
        "0 [0.15 0.2 ]",
        "1 [0.25 0.3 ]",
    )
    value = told(session, "step 6", "print L")
    assert value == f"L = {float(session.value('L'))!r} (float64)"
    assert told(session, "p W1[0, 1] * 2 > 0.3") == "W1[0, 1] * 2 > 0.3 = True (bool)"
    give(session, "set W1[0, 0] = 1")
    assert give(session, "print norm(a2)").lines[1].startswith("Stale:")


def test_a_large_tensor_is_printed_with_an_ellipsis() -> None:
    lines = give(Session(built_in("digits")), "print W1").lines
    assert len(lines) < 20
    assert any("..." in line for line in lines)
    assert max(map(len, lines)) <= 80


@each_of("question", ["who {}", "who last changed {}?", "who last  changed {} ?"])
def test_who_last_changed_a_cell(question: str) -> None:
    session = small()
    before = session.value("W1")
    give(session, "step iteration", "step 3")
    now = session.value("W1")
    lines = give(session, question.format("W1[0,2]")).lines
    after = session.program.instructions.index(
        next(line for line in session.program.instructions if line.writes == ("W1",))
    )
    assert session.place == after + 1
    was, became = float(before[0, 2]), float(now[0, 2])
    assert lines[0] == (
        f"W1[0, 2] was {was!r}, and became {became!r} by W1 = W1 - lr * dW1, step {after}."
    )
    assert lines[1].startswith(f"Step {after + 1} of ")


def test_who_changed_what_nothing_has_changed() -> None:
    session = small()
    assert told(session, "step 3", "who b1[-1]") == "b1[1] has not changed since the start."
    assert session.place == 3
    assert "by an edit before step 3." in told(session, "set b1[1] = 3", "step", "who b1[1]")
    assert session.place == 3


def test_where_lists_the_same_facts_and_moves_nothing() -> None:
    session = small()
    lines = give(session, "watch lr", "step 3").lines
    assert give(session, "where").lines == lines


def test_the_listing_marks_the_line_and_the_breakpoints() -> None:
    session = small()
    lines = give(session, "break z1", "break a1", "disable 2", "step 3", "list").lines
    assert len(lines) == len(session.program)
    assert lines[0].startswith("     1 batch              x, y = ")
    assert lines[1].startswith(">*   2 forward, layer 1   z1 = ")
    assert lines[2].startswith(" o   3 ")
    assert not any(line.startswith(">") for line in give(session, "disable 1", "run", "list").lines)


def test_the_tensors_with_their_shapes() -> None:
    lines = give(small(), "tensors").lines
    assert "W1   parameter, shape (2, 3), float64" in lines
    assert "z1   value, no value yet" in lines


def test_the_tensors_of_a_long_program_are_listed_in_so_many_calls_each() -> None:
    """Each looked through the whole program, for 15 s in all where it had 1,500 lines."""
    lines = "\n".join(f"v{number + 1} = v{number} * 2" for number in range(400))
    session = Session(expression(f"v0 = a\n{lines}", "v400", a=2.0))
    give(session, "step")
    profile = cProfile.Profile()
    profile.enable()
    told = give(session, "tensors").lines
    profile.disable()
    calls = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
    assert calls < 60 * len(told)


def test_a_plot_has_its_series_and_is_told_in_words() -> None:
    session = small()
    give(session, "run")
    answer = give(session, "plot norm(dW1)")
    assert answer.plot
    assert len(answer.plot.values) == 30
    assert not answer.interrupted
    values = answer.plot.values
    assert answer.lines[0].startswith("norm(dW1) in 30 iterations: ")
    assert f"highest {values.max():.6g} in iteration {values.argmax()}" in answer.lines[0]
    assert answer.lines[-1] == f"Iteration 29: {values[-1]:.6g}"
    with pytest.raises(TextError, match=r"column 6: .* take a cell"):
        give(session, "plot W1")
    assert told(small(), "plot L") == "L has not been computed in any iteration yet."


def test_a_plot_tells_of_values_that_are_not_finite() -> None:
    session = Session(built_in("overflow"))
    give(session, "run", "run")
    assert "not a finite number" in told(session, "plot L")


def test_verify_has_its_verification() -> None:
    session = small()
    answer = give(session, "verify")
    assert answer.verification
    assert answer.lines == tuple(report_lines(answer.verification))
    assert answer.lines[0].startswith("Gradients verified")


# Branches


def test_branches_are_listed_switched_renamed_compared_and_deleted() -> None:
    session = small()
    give(session, "step 40", "goto 5", "set W1[0, 1] = 0.5", "step 40", "goto 30")
    give(session, "set lr = 0.2")
    first, second, third = give(session, "branches").lines
    assert first.startswith("main: seed 0, reaches step 40, loss ")
    assert second.startswith("  b1: left main before step 5, reaches step 45, loss ")
    assert second.endswith(", W1[0, 1] = 0.5 before step 5")
    assert third.startswith("    b2 (here): left b1 before step 30, reaches step 30, loss ")
    assert told(session, "rename warm").endswith("now called warm.")
    assert told(session, "rename b1 half") == "The branch b1 is now called half."
    assert told(session, "diff half warm") == "half and warm before step 30:\nlr: 0.1 and 0.2"
    assert told(session, "diff main").startswith("warm and main before step 30:\n")
    assert told(session, "switch half").startswith("Step 30 of ")
    assert session.branches.current == "half"
    assert told(session, "diff half half") == "half and half before step 30 do not differ."
    assert told(session, "delete warm") == "The branch warm is deleted."
    assert [line.split(":")[0] for line in give(session, "branches").lines] == [
        "main",
        "  half (here)",
    ]


def test_a_difference_says_where_it_is_greatest() -> None:
    session = small()
    first = session.value("W1")[0, 1]
    give(session, "step 9", "goto start", "set W1[0, 1] = 5", "set W1[1, 1] = 0.1")
    lines = give(session, "diff main b1").lines
    assert lines[1] == f"W1: 2 of 6 cells, most W1[0, 1]: {first} and 5.0"


# Saving


def kept(session: Session, *commands: str) -> Interpreter:
    """Return an interpreter with a journal, after some commands."""
    interpreter = Interpreter(session, Journal(session))
    for command in commands:
        interpreter.execute(command)
    return interpreter


@pytest.mark.parametrize("typed", ["{}/one", '"{}/one"', "{}/one.session # to go on"])
def test_a_saved_session_is_taken_up_where_it_was(typed: str, tmp_path: Path) -> None:
    session = Session(built_in("mazur"))
    lines = ("step 40", "goto 7", "set W1[0, 1] = 0.5", "break dW1", "watch L", "step 3")
    written = tmp_path / "one.session"
    answer = kept(session, *lines).execute(f"save {typed.format(tmp_path)}")
    assert answer.lines == (f"The session is saved in {written}.",)
    again = open_session(written).replay().session
    for command in ("where", "branches", "breakpoints", "print W1", "undo"):
        assert give(again, command).lines == give(session, command).lines


def test_a_file_is_replaced_if_it_is_the_session_s_own(tmp_path: Path) -> None:
    interpreter = kept(Session(built_in("mazur")), "watch L", f"save {tmp_path}/one")
    interpreter.execute("step")
    interpreter.execute(f"save {tmp_path}/one")
    again = open_session(tmp_path / "one.session").replay()
    assert again.session.place == 1
    Interpreter(again.session, again.journal).execute(f"save {tmp_path}/one")
    with pytest.raises(TextError, match="there is such a file already"):
        kept(small()).execute(f"save {tmp_path}/one")


def test_the_rows_of_a_matrix_are_numbered() -> None:
    lines = give(Session(built_in("digits")), "print W1").lines
    starts = [line.split()[0] for line in lines[1:] if "[" in line]
    assert starts == ["0", "1", "2", "29", "30", "31"]
    assert {line.index("[") for line in lines[1:] if "[" in line} == {3}
    assert told(small(), "print b1").splitlines()[1].startswith("[")


def test_digits_are_set_for_every_answer() -> None:
    session = small()
    before = told(session, "print W1", "step 8", "where")
    assert told(session, "digits") == "print writes all digits, and other answers 6."
    assert told(session, "digits 3") == told(session, "digits") == "Answers write 3 digits."
    weights = session.value("W1")
    rows = told(session, "print W1").splitlines()[1:]
    for row, line in enumerate(rows):
        words = line.replace("[", " ").replace("]", " ").split()
        assert words == [str(row), *(f"{number:.3g}" for number in weights[row])]
    assert told(session, "print lr / 3") == "lr / 3 = 0.0333 (float64)"
    assert told(session, "watch lr / 3") == "Watch: lr / 3 = 0.0333"
    give(session, "step iteration")
    loss = session.value("L")
    assert told(session, "print L") == f"L = {loss:.3g} (float64), of iteration 0"
    give(session, "unwatch lr / 3", "digits all", "goto 8")
    assert told(session, "where") == before
    for wrong in ("digits 0", "digits 18", "digits x", "digits -1", "digits 3 4"):
        with pytest.raises(TextError, match=r"column 8: .*digits"):
            give(session, wrong)


def test_about_says_what_the_scenario_is_about() -> None:
    case = built_in("digits")
    lines = give(Session(case), "about").lines
    assert lines[:3] == (case.title, case.source, "")
    assert "\n".join(lines[3:]) == case.description.strip()
    doubtful = replace(case, source="", description="", warnings=("One.", "Two."))
    assert give(Session(doubtful), "about").lines == (case.title, "", "Warnings:", "One.", "Two.")


def test_a_session_that_cannot_be_saved_is_told(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"column 6: .*No such file or directory"):
        kept(small()).execute(f"save {tmp_path}/missing/one")
    for nothing in ("save", 'save ""', "save /"):
        with pytest.raises(TextError, match="say the file to write"):
            kept(small()).execute(nothing)
    with pytest.raises(TextError, match="this session is not kept"):
        give(small(), "save one")


def test_sessions_that_are_left_are_listed_and_deleted_one_by_one() -> None:
    interpreter = kept(Session(built_in("mazur")))
    assert interpreter.execute("sessions").lines == ("No other session is left.",)
    for place in (3, 5):
        session = Session(built_in("xor"))
        journal = Journal(session)
        keeping = Keeping(journal, session.scenario)
        Interpreter(session, keeping).execute(f"step {place}")
        keeping.note(session)
        keeping.end(keep=True)
    first, second, where = interpreter.execute("sessions").lines
    assert (first, second) == ("1: xor, step 5, just now", "2: xor, step 3, just now")
    assert where.endswith(f"They are in {state_folder()}.")
    assert interpreter.execute("sessions delete 2").lines == (
        "The session is deleted: xor, step 3, just now.",
    )
    assert interpreter.execute("sessions").lines[0] == first
    for wrong in ("sessions delete 2", "sessions delete 0", "sessions delete", "sessions drop 1"):
        with pytest.raises(TextError):
            interpreter.execute(wrong)
    assert len(interpreter.execute("sessions").lines) == 2
    assert [path.suffix for path in state_folder().iterdir()] == [".session"]


def test_the_list_says_of_which_statement_a_backward_line_is_the_derivative() -> None:
    session = Session(expression("h = (a + b) * c\nL = h ** 2", "L", a=1.0, b=2.0, c=3.0))
    lines = Interpreter(session).execute("list").lines
    assert lines[6:8] == (
        "     7 backward  dc = dh * t1          # of h = (a + b) * c",
        "     8 backward  da = dt1              # of h = (a + b) * c",
    )
    assert not any("# of" in line for line in Interpreter(Session(network())).execute("list").lines)


def test_a_cell_is_copied_into_a_new_file(tmp_path: Path) -> None:
    session, path = small(), tmp_path / "value.txt"
    give(session, f"copy W1[0, 1] > {path}")
    assert path.read_text() == f"{session.value('W1')[0, 1]}\n"
    with pytest.raises(TextError, match="there is such a file already"):
        give(session, f"copy W1[0, 1] > {path}")
    with pytest.raises(TextError, match="as in: copy"):
        give(session, "copy W1[0, 1]")
