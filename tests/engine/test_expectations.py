"""Printed numbers: which values they stand for, and when a tensor has the value they are of."""

from pathlib import Path

import numpy as np
import pytest
from in_one_test import each_of

from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.expectations import agrees
from nnstep.engine.language.typed import TextError
from nnstep.engine.loading import load
from nnstep.engine.program.code import work_of
from nnstep.engine.saving.journal import Journal
from nnstep.engine.saving.replay import open_session
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.engine.session.session import Session

STRAIGHT = """\
format = 1
[network]
inputs = 1
[[network.layers]]
units = 1
weights = [[2.0]]
bias = false
[loss]
kind = "half_squared_error"
[optimizer]
kind = "sgd"
lr = 0.25
clip = { value = 1.5 }
[data]
x = [[1.0], [3.0], [2.0]]
y = [[0.0], [0.0], [1.0]]
batch_size = 2
[run]
iterations = 4
"""


@pytest.fixture
def write(tmp_path: Path) -> "Write":
    return Write(tmp_path / "s.toml")


class Write:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, addition: str) -> Path:
        self.path.write_text(STRAIGHT + addition, "utf-8")
        return self.path

    def mistakes(self, addition: str) -> list[str]:
        with pytest.raises(ScenarioError) as error:
            load(self(addition))
        return [f"{one.line}:{one.column}: {one.message}" for one in error.value.problems]


@each_of(
    ("printed", "value", "tol", "right"),
    [
        ("0.3775", 0.37745, 0.5, True),
        ("0.3775", 0.37755, 0.5, True),
        ("0.3775", 0.377449, 0.5, False),
        ("0.3775", 0.377551, 0.5, False),
        ("0.3775", 0.37950, 20, True),
        ("0.3775", 0.37951, 20, False),
        ("27", 27.5, 0.5, True),
        ("27.", 27.51, 0.5, False),
        ("-1.2e3", -1250.0, 0.5, True),
        ("-1.2e3", -1251.0, 0.5, False),
        ("3.510e-5", 3.5104e-5, 0.5, True),
        ("0.00", -0.0, 0.5, True),
        ("0.28", 0.1 + 0.185, 0.5, True),
        ("0.0000351085", 3.510854812251261e-05, 0.5, True),
        ("inf", np.inf, 0.5, True),
        ("-inf", np.inf, 0.5, False),
        ("nan", np.nan, 0.5, True),
        ("1.0", np.nan, 0.5, False),
        ("nan", 1.0, 0.5, False),
        ("1e300", np.inf, 0.5, False),
        ("0.1", np.float32(0.1), 0.5, True),
        ("0.15", np.float32(0.145), 0.5, True),
        ("7", np.int64(7), 0.5, True),
    ],
)
def test_half_a_unit_of_the_last_digit(printed: str, value: float, tol: float, right: bool) -> None:
    assert agrees(printed, value, tol) is right


@each_of(
    ("addition", "said"),
    [
        ('at = "W1"\ncell = [0]\nvalue = "1"', "22:8: a cell of W1 has 2 indices, this one 1"),
        ('at = "W1"\ncell = [0, 1]\nvalue = "1"', "22:12: W1 has shape (1, 1), so that"),
        ('at = "W1"\nvalue = "1"', "20:1: a cell of W1 has 2 indices, this one 0"),
        ('at = "z1"\nvalues = [["1", "2"]]', "22:10: z1 has shape (2, 1), and these values (1, 2)"),
        ('at = "z1"\niteration = 1\nvalues = [["1"], ["2"]]', "23:10: z1 has shape (1, 1), and"),
        ('at = "z1"\niteration = 3\ncell = [1, 0]\nvalue = "1"', "23:9: z1 has shape (1, 1), so"),
        ('at = "z1"\nvalues = [["1"], ["2", "3"]]', "22:18: here a list of 1 is expected, as"),
        ('at = "z1"\nvalues = [["1"], [2.0]]', "22:19: a number is written as it is printed"),
        ('at = "z1"\nvalues = [["1"], ["x"]]', "22:19: 'x' is no number"),
        ('at = "z1"', "20:1: say what is printed, by one of 'value' and 'values'"),
        ('at = "L"\nvalue = "1"\nvalues = ["1"]', "20:1: say what is printed, by one of"),
        ('at = "z1"\ncell = [0, 0]\nvalues = [["1"], ["2"]]', "22:1: 'values' are those of all"),
        ('at = "z1"\niteration = "start"\ncell = [0, 0]\nvalue = "1"', "22:13: z1 has no value"),
        ('at = "L"\niteration = "end"\nvalue = "1"', "22:13: 'iteration' must be 'start', not"),
        ('at = "W1"\niteration = "start"\nphase = "backward"\nvalues = [["1"]]', "23:1: before"),
        ('at = "dW1"\nphase = "update"\nvalues = [["1"]]', "22:9: 'phase' must be 'backward'"),
        ('at = "L"\nvalue = "1"\ntol = 0.0', "23:7: 'tol' must be a number > 0"),
        ('at = "L"\nvalue = "1e99999"', "22:9: '1e99999' is no number"),
    ],
)
def test_what_does_not_fit_has_a_line_and_a_column(write: Write, addition: str, said: str) -> None:
    assert write.mistakes(f"[[expect]]\n{addition}\n")[0].startswith(said)


def unmet(session: Session, place: int) -> list[str]:
    session.seek(place)
    return [f"{one.name} {one.printed} {one.got}" for one in session.snapshot().unmet]


def test_a_value_is_judged_as_long_as_it_stands(write: Write) -> None:
    one = '[[expect]]\nat = "z1"\niteration = 1\ncell = [0, 0]\nvalue = "9.9"\n'
    session = Session(load(write(one)))
    steps = len(session.program)
    z1 = next(at for at, line in enumerate(session.program.instructions) if "z1" in line.writes)
    found = [place for place in range(3 * steps + 1) if unmet(session, place)]
    assert found == list(range(steps + z1 + 1, 2 * steps + z1 + 1))


def test_a_gradient_before_and_after_it_is_clipped(write: Write) -> None:
    session = Session(
        load(
            write(
                '[[expect]]\nat = "dW1"\nphase = "backward"\nvalues = [["19.99"]]\n'
                '[[expect]]\nat = "dW1"\nvalues = [["1.49"]]\n'
            )
        )
    )
    codes = [line.code for line in session.program.instructions]
    clip = max(at for at, line in enumerate(session.program.instructions) if "dW1" in line.writes)
    assert "clip" in codes[clip]
    assert unmet(session, clip) == ["dW1[0, 0] 19.99 20.0"]
    assert unmet(session, clip + 1) == ["dW1[0, 0] 1.49 1.5"]


def test_a_first_value_and_a_wrong_number(write: Write) -> None:
    session = Session(
        load(
            write(
                '[[expect]]\nat = "W1"\niteration = "start"\nvalues = [["2.0"]]\nwrong = "so"\n'
                '[[expect]]\nat = "W1"\niteration = 0\nvalues = [["1.7"]]\nwrong = "it is 1.625"\n'
            )
        )
    )
    (found,) = session.snapshot().unmet
    assert str(found) == (
        "W1[0, 0] is 2.0 at the start, printed is 2.0: they agree, but the file says wrong"
    )
    assert unmet(session, len(session.program)) == []


def test_an_edit_makes_a_number_wrong(write: Write) -> None:
    one = '[[expect]]\nat = "W1"\niteration = "start"\nvalues = [["2.0"]]\n'
    session = Session(load(write(one)))
    assert unmet(session, 0) == []
    Interpreter(session).execute("set W1[0, 0] = 2.1")
    assert [str(each) for each in session.snapshot().unmet] == [
        "W1[0, 0] is 2.1 at the start, printed is 2.0: they differ by 1 unit of its last digit"
    ]


def told(session: Session, line: str) -> str:
    return Interpreter(session).execute(line).told


def test_a_number_is_compared_with_the_value_that_stands_here(write: Write) -> None:
    session = Session(load(write("")))
    assert told(session, "expect W1[0, 0] = 2.00").endswith("at the start: right, it is 2.0.")
    assert told(session, "expect z1[1, 0] = 6") == (
        "z1[1, 0] = 6 is expected in iteration 0; it has no value there yet."
    )
    assert told(session, "expect lr = 0.3").endswith("at the start: right, it is 0.25.")
    session.step("iteration")
    assert told(session, "expect W1[-1, 0] = 1.7").startswith("NOT RIGHT: W1[0, 0] is 1.625 in ite")
    assert [each.iteration for each in session.expectations] == [None, 0, None, 0]
    session.back("op")
    session.back("op")
    assert told(session, "expect dW1[0, 0] = 20.0").endswith(
        "after phase backward of iteration 0: right, it is 20.0."
    )


def test_expected_numbers_are_listed_replaced_and_forgotten(write: Write) -> None:
    session = Session(load(write('[[expect]]\nat = "z1"\nvalues = [["2.0"], ["6.1"]]\n')))
    session.step("iteration")
    interpreter = Interpreter(session)
    assert interpreter.execute("expect").lines == (
        "right: z1[0, 0] is 2.0 in iteration 0, printed is 2.0",
        "NOT RIGHT: z1[1, 0] is 6.0 in iteration 0, printed is 6.1: they differ by 1 unit of its "
        "last digit",
    )
    told(session, "expect z1[1, 0] = 6.0")
    assert session.snapshot().unmet == ()
    told(session, "expect z1[0, 0] off")
    assert [each.printed for each in session.expectations] == [(((1, 0), "6.0"),)]
    with pytest.raises(TextError, match=r"column 8: no printed number of L is compared"):
        told(session, "expect L off")


def test_a_rule_that_gives_the_number_is_named_but_not_on_an_edited_run(write: Write) -> None:
    session = Session(load(write("")))
    session.seek(len(session.program))
    said = told(session, "expect L = 10.0")
    assert "10.0 is what the mean over all in place of the sum over all" in said
    session.seek(0)
    session.edit("W1", (0, 0), 2.0)
    session.seek(len(session.program))
    assert "would give" not in told(session, "expect L = 10.0")


def test_no_rule_is_tried_where_that_would_keep_somebody_waiting(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(load(write("")))
    session.seek(len(session.program))
    monkeypatch.setattr("nnstep.engine.misprints.MAX_WORK_AT_ONCE", work_of(session.program))
    assert "10.0 is what the mean over all" in told(session, "expect L = 10.0")
    monkeypatch.setattr("nnstep.engine.misprints.MAX_WORK_AT_ONCE", work_of(session.program) - 1)
    assert "10.0 is what" not in told(session, "expect L = 10.0")


def test_an_expected_number_is_in_the_session_file(write: Write, tmp_path: Path) -> None:
    session = Session(load(write("")))
    journal = Journal(session)
    interpreter = Interpreter(session, journal)
    for line in ("step 20", "expect W1[0, 0] = 1.7", f"save {tmp_path / 'kept'}"):
        interpreter.execute(line)
    replayed = open_session(tmp_path / "kept.session", lambda scenario: True).replay()
    assert replayed.session.expectations == session.expectations
    assert len(session.expectations) == 1


@each_of(
    ("line", "said"),
    [
        ("expect L", "column 9: a printed number is given as in: expect a1"),
        ("expect L = L", "column 12: a number is written as it is printed, such as 0.3775"),
        ("expect W1 = 1", r"column 8: W1 has shape \(1, 1\); write one of its cells as in W1"),
        ("expect W1[0, 1] = 1", "column 8: index 1 is outside axis 1 of W1"),
        ("expect Q = 1", "column 8: the program has no tensor 'Q'"),
        ("expect = 1", "column 8: a cell, such as"),
    ],
)
def test_what_is_wrong_with_a_printed_number_is_told(write: Write, line: str, said: str) -> None:
    with pytest.raises(TextError, match=said):
        told(Session(load(write(""))), line)
