"""Session files: appended to, copied whole or not at all, and their scenario is found again."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from test_journal import Worked, changed_scenarios, code

from nnstep.engine.language.typed import TextError
from nnstep.engine.loading import load
from nnstep.engine.saving.command import save
from nnstep.engine.saving.journal import JournalFile, read_session, script
from nnstep.engine.saving.reference import SessionFileError, listing_digest, scenario_digest
from nnstep.engine.saving.replay import Opened, Replayed, open_session
from nnstep.engine.scenario.model import Run
from nnstep.engine.session.session import Session

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


def edited(path: Path | str) -> Worked:
    case = Worked(load(path))
    case.give("goto 11", "goto 5", "set a = 3", "break y", "goto 9")
    case.journal.note(case.session)
    return case


def saved_at(path: Path, case: Worked) -> Path:
    case.journal.note(case.session)
    return save(case.journal, path)


def brought_back(path: Path) -> Replayed:
    replayed = open_session(path).replay()
    assert replayed.problem == ""
    return replayed


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
    case = Worked(load("mazur"))
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


# Writing


def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    case = Worked(load("mazur"))
    old = os.umask(0o027)
    try:
        path = saved_at(tmp_path / "m.session", case)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    save(case.journal, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_file_that_is_there_is_not_replaced_unless_it_is_the_session_s_own(
    tmp_path: Path,
) -> None:
    path = saved_at(tmp_path / "m", Worked(load("mazur")))
    assert path.name == "m.session"
    with pytest.raises(SessionFileError, match="there is such a file already"):
        saved_at(tmp_path / "m", Worked(load("mazur")))


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link.session"
    link.symlink_to(tmp_path / "elsewhere" / "target.session")
    saved_at(link, Worked(load("mazur")))
    assert link.is_symlink()
    assert brought_back(tmp_path / "elsewhere" / "target.session").session.place == 0


def test_what_cannot_be_copied_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Worked(load("mazur"))
    path = saved_at(tmp_path / "m.session", case)
    before = path.read_bytes()
    case.give("goto 1", "watch L")

    def full(one: object, other: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SessionFileError) as caught:
        save(case.journal, path)
    assert str(caught.value) == f"{path}: it cannot be written: No space left on device"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ('""', "column 6: say the file to write, as in save lesson"),
        ('"', "column 6: a path stands between two quotation marks"),
        ('"a" b', "column 6: a path stands between two quotation marks"),
        ("..", "column 6: say the file to write, as in save lesson: this names a folder"),
        ("lessons/", "column 6: say the file to write, as in save lesson: this names a folder"),
        ("none/m", "column 6: none/m: it cannot be written: No such file or directory: there is"),
    ],
)
def test_a_name_that_is_no_files_is_refused(
    typed: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TextError) as caught:
        Worked(load("mazur")).give(f"save {typed}")
    assert str(caught.value).startswith(message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["none/m.session", "folder", "file/m.session", "a\0b.session"])
def test_a_path_that_cannot_be_written_to_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.session").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(SessionFileError):
        saved_at(tmp_path / name, Worked(load("mazur")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.session"]
    assert list((tmp_path / "folder.session").iterdir()) == []


@pytest.mark.parametrize("where", ["exists", "resolve"])
def test_a_folder_that_may_not_be_entered_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    case = Worked(load("mazur"))  # a superuser may enter any

    def locked(path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, where, locked)
    with pytest.raises(SessionFileError, match="it cannot be written: Permission denied"):
        saved_at(tmp_path / "locked" / "m.session", case)


def test_a_name_is_as_long_as_a_file_s_may_be(tmp_path: Path) -> None:
    case = Worked(load("mazur"))
    longest = "a" * (255 - len(".session"))
    saved_at(tmp_path / longest, case)
    assert [path.name for path in tmp_path.iterdir()] == [f"{longest}.session"]
    with pytest.raises(SessionFileError, match="it cannot be written: File name too long"):
        saved_at(tmp_path / f"{longest}a", case)


def test_a_path_that_is_no_text_is_refused(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"case-\xff.toml")
    odd.write_text(SCENARIO)
    with pytest.raises(SessionFileError, match="no text"):
        saved_at(tmp_path / "case.session", Worked(load(odd)))
    assert list(tmp_path.iterdir()) == [odd]


# Appending


def test_lines_are_appended_and_the_last_place_is_replaced(tmp_path: Path) -> None:
    case = Worked(load("mazur"))
    file = JournalFile(tmp_path / "m.session")
    written = []
    for line in ("goto 40", "goto 7", "set W1[0, 0] = 1", "goto 9", "undo", "goto 50", "watch L"):
        case.give(line)
        case.journal.note(case.session)
        file.write(case.journal)
        assert file.path.read_bytes() == case.contents()
        written.append(file.path.stat().st_ino)
    assert len(set(written)) == 1
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["deleted", "emptied", "changed"])
def test_a_file_that_somebody_has_touched_is_written_anew(tmp_path: Path, damage: str) -> None:
    case = Worked(load("mazur"))
    file = JournalFile(tmp_path / "m.session")
    case.give("watch L")
    file.write(case.journal)
    match damage:
        case "deleted":
            file.path.unlink()
        case "emptied":
            file.path.write_bytes(b"")
        case "changed":
            file.path.write_bytes(b"x" * 1000)
    case.give("watch W1[0, 0]")
    file.write(case.journal)
    assert file.path.read_bytes() == case.contents()


def test_a_write_that_fails_half_way_leaves_what_was_there_and_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Worked(load("mazur"))
    file = JournalFile(tmp_path / "m.session")
    case.give("watch L")
    file.write(case.journal)
    before = script(file.path.read_bytes()).lines[:1]
    whole = os.pwrite

    def half(descriptor: int, content: bytes, at: int) -> int:
        if len(content) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(descriptor, content[: len(content) // 2], at)

    monkeypatch.setattr(os, "pwrite", half)
    case.give("watch W1[0, 0]", "goto 3", "set W1[0, 0] = 2")
    with pytest.raises(OSError, match="No space"):
        file.write(case.journal)
    found = read_session(file.path)
    assert (found.lines, found.problem) == (before, "")
    monkeypatch.setattr(os, "pwrite", whole)
    file.write(case.journal)
    assert file.path.read_bytes() == case.contents()


WRITER = """
import sys
from pathlib import Path
from nnstep.engine import Session, load
from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.saving.journal import Journal, JournalFile

session = Session(load("mazur"))
journal, file = Journal(session), JournalFile(Path(sys.argv[1]))
interpreter = Interpreter(session)
for count in range(100_000):
    line = f"set W1[0, 0] = {count}"
    journal.before(session)
    interpreter.execute(line)
    journal.after(line, session)
    file.write(journal)
    print(count, flush=True)
    interpreter.execute("step")
    journal.note(session)
    file.write(journal)
"""


SLOW = pytest.mark.slow


@pytest.mark.parametrize("count", [0, 1, pytest.param(3, marks=SLOW), pytest.param(20, marks=SLOW)])
def test_whenever_a_writer_dies_its_edits_are_there(tmp_path: Path, count: int) -> None:
    path = tmp_path / "m.session"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(count + 1)]
        writer.send_signal(signal.SIGKILL)
        told += map(int, writer.stdout.read().split())
    found = read_session(path)
    edits = [line.text for line in found.lines if line.text.startswith("set")]
    assert edits[: len(told)] == [f"set W1[0, 0] = {n}" for n in told]
    assert found.problem in (
        "",
        f"line {len(found.lines) + 2}, the last one, has no end and is left out",
    )
    assert open_session(path).replay().session.value("W1")[0, 0] == len(edits) - 1


# The digest


def test_the_digest_is_that_of_the_numbers_alone() -> None:
    case = load("mazur")
    again = replace(case, title="other", description="", run=Run(iterations=1), path="elsewhere")
    assert scenario_digest(case) == scenario_digest(again) == scenario_digest(load("mazur"))


def test_whatever_changes_a_number_changes_the_digest() -> None:
    digests = [scenario_digest(case) for case in changed_scenarios()]
    assert len(set(digests)) == len(digests) == 25


def test_the_listing_has_a_digest_of_its_own() -> None:
    one, other = load("mazur"), load("xor")
    assert listing_digest(Session(one).program) == listing_digest(Session(load("mazur")).program)
    assert listing_digest(Session(one).program) != listing_digest(Session(other).program)
