"""Session files are written whole or not at all, appended to, and outlive whoever wrote them."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from built_in import built_in
from in_one_test import each_of
from worked_sessions import SCENARIO, Worked, brought_back, saved_at

from nnstep.engine.language.typed import TextError
from nnstep.engine.loading import load
from nnstep.engine.saving.command import save
from nnstep.engine.saving.journal import read_session, script
from nnstep.engine.saving.journal_file import JournalFile
from nnstep.engine.saving.reference import SessionFileError
from nnstep.engine.saving.replay import open_session

# Writing


def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    case = Worked(built_in("mazur"))
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
    path = saved_at(tmp_path / "m", Worked(built_in("mazur")))
    assert path.name == "m.session"
    with pytest.raises(SessionFileError, match="there is such a file already"):
        saved_at(tmp_path / "m", Worked(built_in("mazur")))


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link.session"
    link.symlink_to(tmp_path / "elsewhere" / "target.session")
    saved_at(link, Worked(built_in("mazur")))
    assert link.is_symlink()
    assert brought_back(tmp_path / "elsewhere" / "target.session").session.place == 0


def test_what_cannot_be_copied_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Worked(built_in("mazur"))
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


@each_of(
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
        Worked(built_in("mazur")).give(f"save {typed}")
    assert str(caught.value).startswith(message)
    assert list(tmp_path.iterdir()) == []


@each_of("name", ["none/m.session", "folder", "file/m.session", "a\0b.session"])
def test_a_path_that_cannot_be_written_to_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.session").mkdir(exist_ok=True)
    (tmp_path / "file").touch()
    with pytest.raises(SessionFileError):
        saved_at(tmp_path / name, Worked(built_in("mazur")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.session"]
    assert list((tmp_path / "folder.session").iterdir()) == []


@pytest.mark.parametrize("where", ["exists", "resolve"])
def test_a_folder_that_may_not_be_entered_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    case = Worked(built_in("mazur"))  # a superuser may enter any

    def locked(path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, where, locked)
    with pytest.raises(SessionFileError, match="it cannot be written: Permission denied"):
        saved_at(tmp_path / "locked" / "m.session", case)


def test_a_name_is_as_long_as_a_file_s_may_be(tmp_path: Path) -> None:
    case = Worked(built_in("mazur"))
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
    case = Worked(built_in("mazur"))
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


@each_of("damage", ["deleted", "emptied", "changed"])
def test_a_file_that_somebody_has_touched_is_written_anew(tmp_path: Path, damage: str) -> None:
    case = Worked(built_in("mazur"))
    file = JournalFile(tmp_path / f"{damage}.session")
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
    case = Worked(built_in("mazur"))
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
from nnstep.engine.saving.journal import Journal
from nnstep.engine.saving.journal_file import JournalFile

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


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, 1, 3, 20])
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
