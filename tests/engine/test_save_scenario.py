"""`save-scenario` writes what the session runs from step 0; read again it gives the same bits."""

from pathlib import Path

import pytest
from building import expression
from built_in import built_in
from in_one_test import each_of

from nnstep import scenarios
from nnstep.engine.commands.command import Work
from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.language.typed import TextError
from nnstep.engine.loading import load
from nnstep.engine.saving.journal import Journal
from nnstep.engine.saving.scenario_file import scenario_file
from nnstep.engine.session.session import Session


def saved(session: Session, path: Path, *, more: str = "") -> tuple[Session, str]:
    answer = Interpreter(session, Journal(session)).execute(f"save-scenario {path}{more}")
    return Session(load(path)), answer.told


def same_bits(first: Session, second: Session) -> None:
    assert first.values().keys() == second.values().keys()
    for name, value in first.values().items():
        assert value.dtype == second.value(name).dtype
        assert value.tobytes() == second.value(name).tobytes(), name


@pytest.mark.sweep(7)
@pytest.mark.parametrize("name", scenarios.names())
def test_every_scenario_of_the_gallery_comes_back(name: str, tmp_path: Path) -> None:
    session = Session(built_in(name))
    again, said = saved(session, tmp_path / "s.toml")
    assert said == f"The scenario is written to {tmp_path / 's.toml'}."
    assert again.total == session.total
    assert again.scenario.expectations == session.scenario.expectations
    assert again.scenario.notes == session.scenario.notes
    steps = min(3 * len(session.program), session.total or 0)
    session.seek(steps)
    again.seek(steps)
    same_bits(session, again)


def test_parameters_are_those_of_the_start_of_the_branch(tmp_path: Path) -> None:
    session = Session(load("two-layer"), iterations=7)
    session.edit("W1", (0, 0), 0.1 + 0.2)
    session.edit("lr", (), 1e-3)
    session.step("iteration")
    session.edit("W1", (0, 0), 5.0)
    session.edit("b1", (0,), 5.0)
    again, said = saved(session, tmp_path / "s.toml")
    assert "2 changes stand after step 0 and not in it; a session file keeps them" in said
    assert again.total == 7 * len(session.program)
    session.seek(0)
    same_bits(session, again)
    assert float(again.value("W1")[0, 0]) == 0.1 + 0.2


def test_the_session_file_is_named_if_there_is_one(tmp_path: Path) -> None:
    session = Session(built_in("mazur"))
    journal = Journal(session)
    interpreter = Interpreter(session, journal)
    interpreter.execute("step 20")
    interpreter.execute("set W1[0, 0] = 3")
    interpreter.execute(f"save {tmp_path / 'mine'}")
    answer = interpreter.execute(f"save-scenario {tmp_path / 's'}")
    assert f"{tmp_path / 'mine.session'} has it." in answer.told


def test_drawn_parameters_and_the_order_of_rows(tmp_path: Path) -> None:
    session = Session(built_in("iris"))
    session.restart(seed=5)
    again, said = saved(session, tmp_path / "s.toml")
    assert 'init = "xavier_uniform"' in (tmp_path / "s.toml").read_text("utf-8")
    assert "order" not in said
    session.seek(40)
    again.seek(40)
    same_bits(session, again)
    session.seek(0)
    session.edit("W1", (0, 0), 0.0)
    again, said = saved(session, tmp_path / "s.toml", more=" --force")
    assert "The rows come in another order" in said
    session.seek(0)
    same_bits(session, again)


def test_breakpoints_watches_and_printed_numbers_go_along(tmp_path: Path) -> None:
    session = Session(built_in("mazur"))
    interpreter = Interpreter(session, Journal(session))
    for line in (
        'break dW1 if norm(dW1) > 1e-3 after 2 every 3 log "a ""b"" {L}"',
        "watch W1[0, 0] changes",
        "watch norm(dW1)",
        "expect W1[0, 1] = 0.20",
        "step 16",
        "expect dW1[0, 0] = 0.000439",
    ):
        interpreter.execute(line)
    again, said = saved(session, tmp_path / "s.toml")
    assert "A scenario has no place for 'watch W1[0, 0] changes'." in said
    point, kept = again.stops.points[0], session.stops.points[0]
    assert str(point) == str(kept)
    assert again.watches == session.watches
    assert again.expectations == session.expectations


def test_what_a_file_cannot_have_is_told(tmp_path: Path) -> None:
    session = Session(built_in("mazur"))
    session.edit("W1", (0, 0), float("nan"))
    with pytest.raises(TextError, match="it would not load: this must be finite"):
        saved(session, tmp_path / "s.toml")
    assert list(tmp_path.iterdir()) == []


def test_it_is_work_for_a_thread_and_refused_before_that(tmp_path: Path) -> None:
    session = Session(built_in("mazur"))
    interpreter, path = Interpreter(session, Journal(session)), tmp_path / "s.toml"
    assert isinstance(interpreter.begin(f'save-scenario "{path}"').goal, Work)
    assert isinstance(interpreter.begin("sessions").goal, Work)
    path.touch()
    with pytest.raises(TextError, match="is there already"):
        interpreter.begin(f'save-scenario "{path}"')


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("mine")
    with pytest.raises(TextError, match="is there already; choose another path, or overwrite"):
        saved(Session(built_in("graph")), path)
    assert path.read_text() == "mine"
    saved(Session(built_in("graph")), path, more=" --force")
    assert load(path).expression is not None


@each_of("text", ['a "quoted" \\ path\twith é and \x7f', 'two\n"""lines"""\n\\n'])
def test_any_text_is_written_as_it_is_read(text: str, tmp_path: Path) -> None:
    from msgspec.structs import replace

    scenario = replace(expression("e = a * a", "e", a=2.0), description=text)
    written = scenario_file(Session(scenario)).text
    (tmp_path / "s.toml").write_text(written, "utf-8")
    assert load(tmp_path / "s.toml").description == text.replace("\x7f", "\\x7f")


def test_overrides_go_along_from_step_0(tmp_path: Path) -> None:
    session = Session(load("two-layer"))
    session.seek(3)
    session.override("dW1 = dz1.T @ x / 3")
    session.override("W1 = W1 - lr in update")
    again, said = saved(session, tmp_path / "s.toml")
    assert "stand" not in said
    assert [str(each) for each in again.overrides] == [str(each) for each in session.overrides]
    assert [each.nth for each in again.overrides] == [each.nth for each in session.overrides]
