"""The commands why, whatif and when, and `nnstep explain --why`."""

import json

import pytest
from built_in import built_in
from click.testing import CliRunner
from commanding import give, told

from nnstep.engine.commands.command import INTERRUPTED, Work
from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.language.typed import TextError
from nnstep.engine.session.session import Session
from nnstep.tui.cli import main


@pytest.fixture
def mazur() -> Session:
    session = Session(built_in("mazur"))
    session.seek(13)
    return session


def test_why(mazur: Session) -> None:
    answer = give(mazur, "why dW1[0, 0]")
    first, *_, last = answer.lines
    assert first.startswith("dW1[0, 0] = 0.000438568")
    assert "step 12" in first
    assert last == f"cause     {mazur.why('dW1', (0, 0)).cause.text}"
    assert answer.title == "Why is dW1[0, 0] = 0.000438568?"
    assert "step 4" in told(mazur, "why a2[0, 0] at a2")
    with pytest.raises(TextError, match="no tensor"):
        give(mazur, "why dW9[0, 0]")
    with pytest.raises(TextError, match="has no value yet"):
        give(mazur, "why dW1[0, 0] at 3")


def test_whatif(mazur: Session) -> None:
    lines = give(mazur, "whatif W2[0, 1] = 0.5").lines
    found = mazur.what_if("W2", (0, 1), 0.5)
    assert [line.rpartition(" = ")[2] for line in lines[:3]] == [
        repr(found.before),
        repr(found.predicted),
        repr(found.exact),
    ]
    assert lines[3] == found.sentence
    assert give(mazur, "whatif W2[0, 1] = W2[0, 1] + 0.05").lines == lines
    assert mazur.value("W2")[0, 1] == 0.45
    for wrong in ("whatif W2[0, 1]", "whatif W2[0, 9] = 1", "whatif W2[0, 1] = x", "whatif"):
        with pytest.raises(TextError):
            give(mazur, wrong)
    assert "no derivative" in told(Session(built_in("digits")), "step 9", "whatif y[0] = 1")


@pytest.mark.parametrize(
    "line", ["readers W1[0, 0]", "factors dW1[0, 0]", "whatif W2[0, 1] = 0.5", "when L < 0"]
)
def test_what_looks_through_the_run_can_be_interrupted(
    line: str, mazur: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert give(mazur, line) is not INTERRUPTED
    monkeypatch.setattr(mazur._interrupted, "is_set", lambda: True)
    assert give(mazur, line) is INTERRUPTED
    assert isinstance(Interpreter(mazur).begin(line).goal, Work), "it is no work for a loop"


def test_when_goes_to_the_first_step_after_which_it_was_so() -> None:
    session = Session(built_in("xor"))
    session.seek(21 * 60)
    wanted = next(
        step.index for step in Session(built_in("xor")).steps() if "L" in step.writes
        and float(step.writes["L"][()]) < 0.6
    )  # fmt: skip
    answer = give(session, "when L < 0.6")
    assert session.place == wanted + 1
    assert f"first after step {wanted}" in answer.lines[0]
    give(session, "jump back")
    assert session.place == 21 * 60
    assert "has not been so" in told(session, "when L < -1")
    assert session.place == 21 * 60
    assert "from the start" in told(session, "when lr > 0")
    for wrong in ("when", "when L <", "when W9 > 1"):
        with pytest.raises(TextError):
            give(session, wrong)


def test_when_sees_edits() -> None:
    session = Session(built_in("mazur"))
    session.seek(40)
    session.edit("W1", (0, 0), 1e-9)
    session.seek(80)
    assert session.first_time("W1[0, 0] < 1e-6") == 40


def test_explain_names_what_a_cell_is_computed_from_the_largest_first(mazur: Session) -> None:
    def sources(cell: str) -> list[str]:
        lines = give(mazur, f"explain {cell}").lines
        return [line.split()[1] for line in lines if line.startswith("from ")]

    assert sources("z1[0, 0]") == ["b1[0]", "x[0,", "W1[0,", "x[0,", "W1[0,"]
    mazur.seek(15)
    assert sources("W1[0, 0]") == ["W1[0,", "lr", "dW1[0,"]
    lines = give(Session(built_in("digits")), "step 2", "explain z1[0, 0]").lines
    assert [line.split()[0] for line in lines].count("from") == 8
    assert lines[-1].endswith("and 121 more")


def test_explain_why() -> None:
    text = CliRunner().invoke(main, ["explain", "mazur", "dW1[0, 0]", "--why"])
    assert "" in text.output.splitlines()
    assert "''" not in text.output
    assert text.exit_code == 0
    assert text.stdout.splitlines()[-1].startswith("cause     b2[0] = 0.6")
    found = CliRunner().invoke(main, ["explain", "mazur", "dW1[0, 0]", "--why", "--format", "json"])
    why = json.loads(found.stdout)["why"]
    assert [hop["cell"] for hop in why["hops"]][:2] == ["dW1[0, 0]", "dz1[0, 0]"]
    assert set(why["hops"][0]) == {"cell", "value", "step", "text"}
    assert why["hops"][0]["value"] == 0.0004385677344743465
    assert set(why["cause"]) == {"kind", "cell", "step", "text"}
    assert (why["cause"]["kind"], why["cause"]["step"]) == ("frozen", None)
    plain = CliRunner().invoke(main, ["explain", "mazur", "dW1[0, 0]", "--format", "json"])
    assert "why" not in json.loads(plain.stdout)
