"""A hidden mistake: it runs, nothing that is shown tells it, and an accusation is answered."""

from pathlib import Path

import numpy as np
import pytest
from building import network
from built_in import built_in
from commanding import give, told
from mistakes_found import fitting_in
from msgspec.structs import replace

from nnstep import scenarios
from nnstep.engine import Interpreter, Session, load
from nnstep.engine.arrays import frozen
from nnstep.engine.language.typed import TextError
from nnstep.engine.override.hunt import hunt
from nnstep.engine.override.mistakes import MISTAKES, MistakeError, fitting
from nnstep.engine.saving.journal import Journal, read_session
from nnstep.engine.saving.replay import open_session


def hunting(name: str = "mazur", seed: int = 2) -> Session:
    session = Session(built_in(name))
    session.begin_hunt(seed)
    return session


@pytest.mark.sweep(7)
@pytest.mark.parametrize("name", ["mazur", "rows", "blocks", "two-layer", "graph"])
@pytest.mark.parametrize("seed", range(4))
def test_what_runs_is_the_mistake_and_what_is_shown_the_rule(name: str, seed: int) -> None:
    plain, wrong, hidden = Session(built_in(name)), Session(built_in(name)), hunting(name, seed)
    planted = hunt(built_in(name), seed).planted
    wrong.override(f"{planted.line} in {planted.phase} {planted.nth}")
    assert [line.code for line in hidden.program.instructions] == [
        line.code for line in plain.program.instructions
    ]
    assert not hidden.overrides
    steps = len(plain.program)
    for session in (plain, wrong, hidden):
        session.seek(steps)
    assert {k: v.tobytes() for k, v in hidden.values().items()} == {
        k: v.tobytes() for k, v in wrong.values().items()
    }
    assert hidden.value(planted.name).tobytes() != plain.value(planted.name).tobytes()
    hidden.seek(planted.position + 1)
    index = (0,) * hidden.value(planted.name).ndim
    explained = hidden.explain(planted.name, index)
    assert explained.comparison is None
    assert explained.code == plain.program.instructions[planted.position].code


@pytest.mark.slow
def test_seeds_draw_every_mistake_that_fits() -> None:
    scenario = built_in("blocks")
    drawn = {hunt(scenario, seed).mistake.name for seed in range(120)}
    assert drawn == set(fitting(scenario))


def test_an_accusation_is_answered_and_a_right_one_shows_the_override() -> None:
    session = hunting()
    assert "is right: it gives what the rule gives. So far 0 verifications and 1 wrong" in told(
        session, "accuse dW1"
    )
    session.seek(8)
    session.verify()
    said = told(session, "accuse 8")
    assert said.startswith(
        "Yes: dz2 = da2 * z2 * (1 - z2) ran in place of dz2 = da2 * a2 * (1 - a2)."
    )
    assert said.endswith("Found with 1 verification and 1 wrong accusation.")
    assert session.place == 8
    comparison = session.explain("dz2", (0, 0)).comparison
    assert comparison is not None
    assert comparison.mistake == "z2 stands where a2 belongs."
    with pytest.raises(ValueError, match="it is found already"):
        give(session, "accuse 8")


def test_showing_it_changes_no_number_and_restart_keeps_it() -> None:
    session = hunting()
    session.seek(40)
    before = {name: array.tobytes() for name, array in session.values().items()}
    give(session, "accuse dz2")
    session.seek(40)
    assert {name: array.tobytes() for name, array in session.values().items()} == before
    session.restart()
    session.seek(40)
    assert {name: array.tobytes() for name, array in session.values().items()} == before


def test_it_is_hidden_at_the_start_alone_and_once() -> None:
    session = Session(built_in("mazur"))
    session.step()
    with pytest.raises(ValueError, match="before the first step"):
        session.begin_hunt(1)
    with pytest.raises(ValueError, match="hidden already"):
        hunting().begin_hunt(1)
    with pytest.raises(ValueError, match="no mistake is hidden here"):
        give(session, "accuse dW1")


def test_where_no_mistake_changes_a_number_it_says_so() -> None:
    case = network((2, 1), activations=("identity",))
    assert case.data is not None
    nothing_to_change = replace(case, data=replace(case.data, y=frozen([[np.nan]])))
    with pytest.raises(MistakeError, match="no classic mistake"):
        hunt(nothing_to_change, 0)


@pytest.mark.slow
def test_a_mistake_fits_into_every_built_in_scenario() -> None:
    assert all(fitting_in(name) for name in scenarios.names())


def test_a_session_file_names_the_seed_only(tmp_path: Path) -> None:
    session = Session(built_in("mazur"))
    interpreter = Interpreter(session, Journal(session))
    path = tmp_path / "own.session"
    for line in ("hunt 2", "step 9", f'save "{path}"'):
        interpreter.execute(line)
    text = path.read_text(encoding="utf-8")
    assert "hunt 2" in text
    assert not any(name in text for name in MISTAKES)
    assert "z2 * (1 - z2)" not in text
    assert [line.text for line in read_session(path).lines][:1] == ["hunt 2"]


def test_how_often_one_has_looked_outlives_the_session(tmp_path: Path) -> None:
    session = Session(built_in("mazur"))
    interpreter = Interpreter(session, Journal(session))
    path = tmp_path / "own.session"
    for line in ("hunt 2", "verify", "accuse dW1", "step 9", "verify", f'save "{path}"'):
        interpreter.execute(line)
    text = path.read_text(encoding="utf-8")
    assert not any(name in text for name in MISTAKES)
    again = open_session(path).replay()
    assert again.problem == ""
    assert again.session.place == 9
    assert again.session.hunt is not None
    assert again.session.hunt.told == "2 verifications and 1 wrong accusation"
    assert not again.session.overrides
    interpreter = Interpreter(again.session, again.journal)
    for line in ("hunt looks 1", "verify", f'save "{path}"'):
        interpreter.execute(line)
    last = open_session(path).replay().session
    assert told(last, "accuse 8").endswith("3 verifications and 1 wrong accusation.")
    with pytest.raises(TextError, match="nothing is counted"):
        give(last, "hunt looks 4")


def test_a_scenario_saved_meanwhile_is_the_rules_and_later_has_the_override(tmp_path: Path) -> None:
    session = Session(built_in("mazur"))
    interpreter = Interpreter(session, Journal(session))
    path = tmp_path / "saved.toml"
    interpreter.execute("hunt 2")
    said = interpreter.execute(f"save-scenario {path}").told
    assert "The hidden mistake is not in it" in said
    assert not load(path).overrides
    assert not any(name in said + path.read_text(encoding="utf-8") for name in MISTAKES)
    interpreter.execute("accuse dz2")
    assert "hidden" not in interpreter.execute(f"save-scenario {path} --force").told
    assert [each.line for each in load(path).overrides] == ["dz2 = da2 * z2 * (1 - z2)"]


@pytest.mark.sweep(3)
@pytest.mark.parametrize("seed", range(6))
def test_a_line_of_ones_own_runs_in_place_of_what_is_hidden(seed: int) -> None:
    plain = Session(built_in("mazur"))
    plain.seek(64)
    right = {name: array.tobytes() for name, array in plain.values().items()}
    together, apart = (Session(built_in("mazur")) for _ in range(2))
    for session in (together, apart):
        session.begin_hunt(seed)
        assert session.hunt is not None
        position = session.hunt.planted.position
        line = session.program.instructions[position]
        session.override(line.code)
    together.seek(64)
    for _ in range(64):
        apart.step()
    for session in (together, apart):
        assert {name: array.tobytes() for name, array in session.values().items()} == right
    session.seek(position + 1)
    value = session.value(line.writes[0])
    comparison = session.explain(line.writes[0], (0,) * value.ndim).comparison
    assert comparison is not None
    assert not comparison.different
    session.seek(0)
    session.override_off(line.writes[0])
    session.seek(position + 1)
    assert session.value(line.writes[0]).tobytes() != value.tobytes()


@pytest.mark.sweep(30)
@pytest.mark.parametrize("seed", range(60))
def test_what_is_hidden_is_verified_whatever_it_reads(seed: int) -> None:
    session = Session(built_in("iris"))
    session.begin_hunt(seed)
    session.step("iteration")
    verification = session.verify(sample=20)
    assert verification.tried
