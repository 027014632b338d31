"""Session files: appended to, copied whole or not at all, and their scenario is found again."""

from pathlib import Path

import pytest
from built_in import built_in
from msgspec.structs import replace
from test_journal import changed_scenarios
from worked_sessions import SCENARIO, Worked, brought_back, code, saved_at

from nnstep.engine.loading import load
from nnstep.engine.saving.journal import read_session, script
from nnstep.engine.saving.reference import SessionFileError, listing_digest, scenario_digest
from nnstep.engine.saving.replay import Opened, open_session
from nnstep.engine.scenario.model import Run
from nnstep.engine.session.session import Session


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "case.toml"
    path.write_text(SCENARIO)
    return path


def edited(path: Path | str) -> Worked:
    case = Worked(load(path))
    case.give("goto 11", "goto 5", "set a = 3", "break y", "goto 9")
    case.journal.note(case.session)
    return case


def problem_of(path: Path) -> str:
    """Return what is said of a file that is refused, and see that it is left alone."""
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(SessionFileError) as caught:
        open_session(path)
    assert before == (path.read_bytes() if path.exists() else None)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


# The scenario


def test_a_built_in_scenario_is_found_by_its_name(tmp_path: Path) -> None:
    case = Worked(built_in("mazur"))
    case.give("goto 33", "break L")
    path = saved_at(tmp_path / "m.session", case)
    assert '"name":"mazur"' in path.read_text() and "/" not in path.read_text()
    assert open_session(path).warning == ""
    assert brought_back(path).session.place == 33


def test_a_scenario_file_in_the_folder_of_the_session_is_opened(
    scenario: Path, tmp_path: Path
) -> None:
    path = saved_at(tmp_path / "case.session", edited(scenario))
    (tmp_path / "elsewhere").mkdir()
    for each in (path, scenario):
        each.rename(tmp_path / "elsewhere" / each.name)
    moved = tmp_path / "elsewhere" / "case.session"
    assert open_session(moved).scenario.path == str(tmp_path / "elsewhere" / "case.toml")
    assert brought_back(moved).session.place == 9


def test_a_scenario_anywhere_else_is_asked_about(scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = saved_at(tmp_path / "elsewhere" / "case.session", edited(scenario))
    assert problem_of(path) == (
        f"its scenario '{scenario}' is not in its folder; if you trust it, execute the session on "
        "it with: nnstep run SCENARIO --commands SESSION"
    )
    asked: list[str] = []

    def agrees(scenario: str) -> bool:
        asked.append(scenario)
        return True

    opened = open_session(path, agrees)
    assert asked == [str(scenario)]
    assert opened.replay().session.place == 9


def test_a_link_leads_to_no_scenario_elsewhere(scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = saved_at(tmp_path / "case.session", edited(scenario))
    moved = path.rename(tmp_path / "elsewhere" / "case.session")
    (tmp_path / "elsewhere" / "case.toml").symlink_to(scenario)
    assert "is not in its folder" in problem_of(moved)


def test_of_two_scenarios_the_one_that_is_as_it_was_is_taken(
    scenario: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = saved_at(tmp_path / "case.session", edited(scenario))
    moved = path.rename(tmp_path / "elsewhere" / "case.session")
    other = tmp_path / "elsewhere" / "case.toml"
    other.write_text(SCENARIO.replace("lr = 0.1", "lr = 0.2"))
    assert open_session(moved, lambda _: True).scenario.path == str(scenario)
    other.write_text("broken")
    assert open_session(moved, lambda _: True).scenario.path == str(scenario)


def test_a_scenario_that_was_given_by_a_relative_path_is_found_from_anywhere(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved_at(Path("case.session"), edited("case.toml"))
    monkeypatch.chdir("/")
    assert brought_back(tmp_path / "case.session").session.place == 9


def test_a_scenario_that_is_gone_is_named(scenario: Path, tmp_path: Path) -> None:
    path = saved_at(tmp_path / "case.session", edited(scenario))
    scenario.unlink()
    assert problem_of(path) == (
        f"its scenario '{scenario}' is not there; put it back, or beside the session file"
    )


def test_a_scenario_with_mistakes_is_named(scenario: Path, tmp_path: Path) -> None:
    path = saved_at(tmp_path / "case.session", edited(scenario))
    scenario.write_text("format = 1\nx")
    assert problem_of(path).startswith(f"its scenario cannot be opened: {scenario}:2:")


def test_a_scenario_that_was_made_in_python_cannot_be_found(tmp_path: Path) -> None:
    path = saved_at(tmp_path / "case.session", Worked(code()))
    assert problem_of(path).startswith("its scenario was not read from a file")


def test_a_changed_title_changes_nothing(scenario: Path, tmp_path: Path) -> None:
    path = saved_at(tmp_path / "case.session", edited(scenario))
    scenario.write_text("title = 'other'\n# comment" + SCENARIO)
    assert open_session(path).warning == ""


def test_a_changed_scenario_is_told_of_and_brought_back_if_it_fits(
    scenario: Path, tmp_path: Path
) -> None:
    path = saved_at(tmp_path / "case.session", edited(scenario))
    scenario.write_text(SCENARIO.replace("b = 1.0", "b = 4.0"))
    replayed = brought_back(path)
    assert replayed.warning == (
        f"'{scenario}' has changed since the session was saved: the numbers may differ. "
        "Line 2: the numbers before step 11 are not what they were."
    )
    session = replayed.session
    assert (session.place, session.branches.current) == (9, "b1")
    assert session.snapshot().losses[0] == 8.0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"a = 2.0": "a = [2.0]"}, "line 4: column 5: a has shape (1,)"),
        ({"sum(a)": "sum(c)", "a = 2": "c = 2"}, "line 4: column 5: the program has no tensor 'a'"),
        ({'"y': '"z'}, "line 5: column 7: the program has no tensor"),
        (
            {"iterations = 20": "iterations = 1"},
            "line 2: column 6: the steps are counted from 0 to 8",
        ),
    ],
    ids=["shape", "tensor", "breakpoint", "end"],
)
def test_of_a_changed_scenario_it_is_told_what_does_not_fit(
    scenario: Path, tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    path = saved_at(tmp_path / "case.session", edited(scenario))
    text = SCENARIO
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    scenario.write_text(text)
    assert open_session(path).replay().problem.startswith(f"{path}: {reason}")


def test_another_listing_is_told_first() -> None:
    case = Worked(code())
    case.give("goto 5", "watch a")
    found = script(case.contents())
    header = replace(found.header, scenario=replace(found.header.scenario, listing="0"))
    replayed = Opened("w", replace(found, header=header), code()).replay()
    assert replayed.warning.startswith(
        f"Version {header.nnstep} of nnstep had other lines here: a step may be another one."
    )


# The length of the run, and the scenario's own breakpoints


def test_the_length_of_the_run_comes_back_if_it_is_not_the_scenario_s_own(
    scenario: Path, tmp_path: Path
) -> None:
    for iterations in (None, 20, 25):
        case = Worked(load(scenario), iterations=iterations)
        case.give("break y")
        path = tmp_path / f"{iterations}.session"
        saved_at(path, case)
        assert read_session(path).header.iterations == (25 if iterations == 25 else None)
        assert brought_back(path).session.total == case.session.total


# The digest


def test_the_digest_is_that_of_the_numbers_alone() -> None:
    case = built_in("mazur")
    again = replace(case, title="other", description="", run=Run(iterations=1), path="elsewhere")
    assert scenario_digest(case) == scenario_digest(again) == scenario_digest(load("mazur"))


def test_whatever_changes_a_number_changes_the_digest() -> None:
    digests = [scenario_digest(case) for case in changed_scenarios()]
    assert len(set(digests)) == len(digests) == 25


def test_the_listing_has_a_digest_of_its_own() -> None:
    one, other = load("mazur"), load("xor")
    assert listing_digest(Session(one).program) == listing_digest(Session(load("mazur")).program)
    assert listing_digest(Session(one).program) != listing_digest(Session(other).program)
