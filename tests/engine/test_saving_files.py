"""Session files: written whole or not at all, and their scenario is found again."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nnstep.engine.loading import load
from nnstep.engine.saving.errors import SessionFileError
from nnstep.engine.saving.files import read_session, write_session
from nnstep.engine.saving.old_reference import reference_to
from nnstep.engine.saving.opening import is_session_file, load_session, open_session
from nnstep.engine.saving.state import save
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import Breakpoint

SCENARIO = """
format = 1
[program]
code = "y = sum(a) * b"
loss = "y"
parameters = { a = 2.0, b = 1.0 }
[optimizer]
kind = "sgd"
lr = 0.1
[run]
iterations = 20
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "case.toml"
    path.write_text(SCENARIO)
    return path


def edited(path: Path | str) -> Session:
    session = Session(load(path))
    session.seek(11)
    session.seek(5)
    session.edit("a", (), 3.0)
    session.stops.add(Breakpoint("y"))
    session.seek(9)
    return session


def saved_at(path: Path, session: Session) -> Path:
    write_session(path, save(session), reference_to(session.scenario))
    return path


def problem_of(path: Path) -> str:
    """Return what is said of a file that is refused, and see that it is left alone."""
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(SessionFileError) as caught:
        load_session(path)
    assert before == (path.read_bytes() if path.exists() else None)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


# The scenario


def test_a_built_in_scenario_is_found_by_its_name(tmp_path: Path) -> None:
    session = Session(load("mazur"))
    session.seek(33)
    path = saved_at(tmp_path / "m.session", session)
    assert '"name": "mazur"' in path.read_text() and "/" not in path.read_text()
    opened = open_session(path)
    assert opened.warning == ""
    assert load_session(path).place == 33


def test_a_scenario_file_is_found_where_it_was(scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = saved_at(tmp_path / "case.session", edited(scenario))
    moved = path.rename(tmp_path / "elsewhere" / "case.session")
    assert load_session(moved).place == 9


def test_a_scenario_file_is_found_beside_the_session(scenario: Path, tmp_path: Path) -> None:
    path = saved_at(tmp_path / "case.session", edited(scenario))
    (tmp_path / "elsewhere").mkdir()
    for each in (path, scenario):
        each.rename(tmp_path / "elsewhere" / each.name)
    moved = tmp_path / "elsewhere" / "case.session"
    assert load_session(moved).scenario.path == str(tmp_path / "elsewhere" / "case.toml")


def test_of_two_scenarios_the_one_that_is_as_it_was_is_taken(
    scenario: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = saved_at(tmp_path / "case.session", edited(scenario))
    moved = path.rename(tmp_path / "elsewhere" / "case.session")
    other = tmp_path / "elsewhere" / "case.toml"
    other.write_text(SCENARIO.replace("lr = 0.1", "lr = 0.2"))
    assert open_session(moved).scenario.path == str(scenario)
    other.write_text("broken")
    assert open_session(moved).scenario.path == str(scenario)


def test_a_scenario_that_was_given_by_a_relative_path_is_found_from_anywhere(
    scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    saved_at(Path("case.session"), edited("case.toml"))
    monkeypatch.chdir("/")
    assert load_session(tmp_path / "case.session").place == 9


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
    from building import network

    path = saved_at(tmp_path / "case.session", Session(network()))
    assert problem_of(path).startswith("its scenario was not read from a file")


def test_a_changed_title_changes_nothing(scenario: Path, tmp_path: Path) -> None:
    path = saved_at(tmp_path / "case.session", edited(scenario))
    scenario.write_text("title = 'other'\n# comment" + SCENARIO)
    assert open_session(path).warning == ""


def test_a_changed_scenario_is_told_of_and_restored_if_it_fits(
    scenario: Path, tmp_path: Path
) -> None:
    path = saved_at(tmp_path / "case.session", edited(scenario))
    scenario.write_text(SCENARIO.replace("b = 1.0", "b = 4.0"))
    opened = open_session(path)
    assert opened.warning == (
        f"'{scenario}' has changed since the session was saved: the numbers may differ"
    )
    session = opened.restore()
    assert session is not None
    assert (session.place, session.branches.current) == (9, "b1")
    assert session.snapshot().losses[0] == 8.0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"a = 2.0": "a = [2.0]"}, "the edit at step 5 does not fit: a has shape (1,)"),
        ({"sum(a)": "sum(c)", "a = 2": "c = 2"}, "the edit at step 5 does not fit: there is no"),
        ({'"y': '"z'}, "the breakpoint 'break y' does not fit: the program has no tensor"),
    ],
    ids=["shape", "tensor", "breakpoint"],
)
def test_a_changed_scenario_that_does_not_fit_is_refused(
    scenario: Path, tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    path = saved_at(tmp_path / "case.session", edited(scenario))
    text = SCENARIO
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    scenario.write_text(text)
    assert problem_of(path).startswith(f"it does not fit '{scenario}' as that is now: {reason}")


def test_a_run_that_is_shorter_now_is_refused(scenario: Path, tmp_path: Path) -> None:
    path = saved_at(tmp_path / "case.session", edited(scenario))
    scenario.write_text(SCENARIO.replace("iterations = 20", "iterations = 1"))
    assert problem_of(path) == (
        "its run ends at step 8 now, and the session went on to step 11; "
        "give the scenario more iterations"
    )


# Writing


def test_a_session_file_is_known_by_its_name() -> None:
    assert is_session_file("a/b.session") and is_session_file(Path("B.SESSION"))
    assert not is_session_file("session") and not is_session_file("a.session/b.toml")


def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    session = Session(load("mazur"))
    old = os.umask(0o027)
    try:
        path = saved_at(tmp_path / "m.session", session)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    saved_at(path, session)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_private_file_is_the_owner_s_alone(tmp_path: Path) -> None:
    session = Session(load("mazur"))
    path = tmp_path / "m.session"
    write_session(path, save(session), reference_to(session.scenario), private=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link.session"
    link.symlink_to(tmp_path / "elsewhere" / "target.session")
    saved_at(link, Session(load("mazur")))
    assert link.is_symlink()
    assert load_session(tmp_path / "elsewhere" / "target.session").place == 0


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(load("mazur"))
    path = saved_at(tmp_path / "m.session", session)
    before = path.read_bytes()
    session.step()

    def full(one: object, other: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SessionFileError) as caught:
        saved_at(path, session)
    assert str(caught.value) == f"{path}: it cannot be written: No space left on device"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["none/m.session", "folder", "file/m.session", "a\0b.session"])
def test_a_path_that_cannot_be_written_to_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(SessionFileError):
        saved_at(tmp_path / name, Session(load("mazur")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_path_that_is_no_text_is_refused(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"case-\xff.toml")
    odd.write_text(SCENARIO)
    with pytest.raises(SessionFileError, match="no text"):
        saved_at(tmp_path / "case.session", Session(load(odd)))
    assert list(tmp_path.iterdir()) == [odd]


WRITER = """
import sys
from pathlib import Path
from nnstep.engine import Session, load
from nnstep.engine.saving.files import write_session
from nnstep.engine.saving.old_reference import reference_to
from nnstep.engine.saving.state import save

session = Session(load("mazur"))
reference = reference_to(session.scenario)
path = Path(sys.argv[1])
while True:
    for place in (0, 200):
        session.seek(place)
        if place:
            session.edit("W1", (0, 0), 0.5)
        write_session(path, save(session), reference)
        print(flush=True)
"""


@pytest.mark.slow
def test_whoever_reads_while_a_writer_writes_and_dies_finds_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "m.session"
    for rounds in range(1, 5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            seen, changes = path.stat().st_ino, 0
            while changes < 7 * rounds and writer.poll() is None:
                read_session(path)
                changes += path.stat().st_ino != seen
                seen = path.stat().st_ino
            assert writer.poll() is None
            writer.send_signal(signal.SIGKILL)
        read_session(path)
