"""What was done in a process that was killed is offered at the next start, and nothing else is."""

import errno
import os
import random
import threading
from pathlib import Path

import pytest
from left_sessions import MAZUR, XOR, grow_old, kept, leave, names, offered, process, worked
from worked_sessions import Worked, code

from nnstep.engine.loading import load
from nnstep.engine.saving import recovery
from nnstep.engine.saving.journal import read_session
from nnstep.engine.saving.journal_file import JournalFile
from nnstep.engine.saving.recovery import (
    Claim,
    Keeping,
    Leftover,
    find_offer,
    is_claimed,
    is_own,
    leftovers,
    state_folder,
    take,
)
from nnstep.engine.saving.reference import SessionFileError
from nnstep.engine.saving.replay import open_session

# What is kept


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]


@pytest.mark.parametrize("seed", SEEDS)
def test_at_whatever_moment_it_is_killed_what_it_has_told_of_is_there_and_offered(
    tmp_path: Path, seed: int
) -> None:
    choose = random.Random(seed)
    with process(tmp_path) as running:
        for _ in range(15):
            running.step()
        (path,) = tmp_path.glob("*.session")
        there = read_session(path)
        assert (there.place, there.edits, there.problem) == (15, 2, "")
        assert is_claimed(path)
        assert find_offer(MAZUR, tmp_path) is None
        running.begin(500)
        told = max(running.read() for _ in range(choose.randrange(1, 100)))
        told = max(told, running.end())
    assert not is_claimed(path)
    offer = offered(tmp_path)
    assert (offer.path, offer.age) == (path, "just now")
    replayed = open_session(path).replay()
    assert replayed.warning == ""
    edits = [edit.place for edit in replayed.session.snapshot().branch.edits]
    assert edits[: told // 7] == list(range(7, told + 1, 7))
    assert len(edits) == offer.edits <= told // 7 + 1
    # What the process has left of its claim is nobody's, and gone with the next.
    assert names(tmp_path) == {path.name, path.with_suffix(".claim").name}
    Claim(path).release()
    assert names(tmp_path) == {path.name}


@pytest.mark.slow
def test_a_process_that_is_killed_at_rest_has_left_all_of_it(tmp_path: Path) -> None:
    with process(tmp_path) as running:
        for _ in range(15):
            running.step()
        running.end()
    offer = offered(tmp_path)
    assert (offer.place, offer.edits) == (15, 2)
    replayed = open_session(offer.path).replay()
    assert (replayed.problem, replayed.warning) == ("", "")
    assert replayed.session.place == 15
    assert [edit.place for edit in replayed.session.snapshot().branch.edits] == [7, 14]


@pytest.mark.slow
def test_a_process_that_is_running_is_never_offered_to_another(tmp_path: Path) -> None:
    with process(tmp_path) as one, process(tmp_path) as other:
        one.step()
        assert [other.step(), other.step()] == [1, 2]
        assert leftovers(tmp_path) == ()
        one.end()
        assert offered(tmp_path).place == 1
        other.end()
    assert {each.place for each in leftovers(tmp_path)} == {1, 2}


def test_only_the_same_scenario_is_offered_and_all_are_listed(tmp_path: Path) -> None:
    leave(tmp_path, age=50)
    assert find_offer(XOR, tmp_path) is None
    leave(tmp_path, "goto 3", scenario=XOR)
    assert [each.scenario for each in leftovers(tmp_path)] == ["xor", "mazur"]
    assert [each.scenario for each in leftovers(tmp_path, MAZUR)] == ["mazur"]
    assert [str(each) for each in leftovers(tmp_path)] == [
        "xor, step 3, just now",
        "mazur, step 12 with 1 edit, just now",
    ]


def test_a_scenario_file_is_known_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(XOR.path).read_text()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Größe 1.toml").write_text(text)
    monkeypatch.chdir(tmp_path / "one")
    leave(tmp_path / "state", "goto 7", scenario=load("Größe 1.toml"))
    monkeypatch.chdir(tmp_path)
    offer = offered(tmp_path / "state", load("one/Größe 1.toml"))
    assert offer.place == 7
    assert open_session(offer.path, lambda _: True).warning == ""
    assert find_offer(load("other/Größe 1.toml"), tmp_path / "state") is None


def test_nothing_is_left_of_a_session_in_which_nothing_was_done(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    case = Worked(MAZUR)
    keeping = Keeping(case.journal, MAZUR, folder)
    keeping.note(case.session)
    keeping.write_all().result()
    keeping.end(keep=True)
    assert not folder.exists()


def test_a_session_that_is_back_at_its_beginning_is_not_kept(tmp_path: Path) -> None:
    case = Worked(MAZUR)
    keeping = Keeping(case.journal, MAZUR, tmp_path)
    case.session.seek(5)
    keeping.note(case.session)
    keeping.write_all().result()
    assert len(list(tmp_path.glob("*.session"))) == 1
    case.session.seek(0)
    keeping.note(case.session)
    keeping.end(keep=False)
    assert names(tmp_path) == set()


def test_a_watch_alone_is_worth_keeping(tmp_path: Path) -> None:
    leave(tmp_path, "watch norm(W1)")
    assert open_session(offered(tmp_path).path).replay().session.watches == ["norm(W1)"]


def test_a_session_that_was_quit_leaves_nothing_but_edits(tmp_path: Path) -> None:
    kept(worked("goto 20", "break L"), tmp_path).end(keep=False)
    assert names(tmp_path) == set()
    kept(worked("set W1[0, 0] = 1", "undo"), tmp_path).end(keep=False)
    assert names(tmp_path) == set()
    kept(worked("set W1[0, 0] = 1", "undo", "redo"), tmp_path).end(keep=False)
    assert len(names(tmp_path)) == 1


def test_a_session_of_a_scenario_without_a_file_is_not_kept(tmp_path: Path) -> None:
    kept(worked("set a = 1", scenario=code()), tmp_path).end(keep=True)
    assert names(tmp_path) == set()


def test_files_and_folder_are_the_owner_s_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    keeping = kept(worked(), folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(names(folder)) == 2
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    keeping.end(keep=False)


# What cannot be written


def test_where_nothing_can_be_kept_that_is_told_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    case = worked()
    keeping = kept(case, tmp_path / "file")
    assert keeping.problem == "not saved: File exists"
    keeping.write_all().result()
    assert keeping.problem == "not saved: File exists"
    (tmp_path / "file").unlink()
    keeping.write_all().result()
    assert keeping.problem == ""
    assert read_session(offered_when_ended(keeping, tmp_path / "file")).edits == 1


def offered_when_ended(keeping: Keeping, folder: Path) -> Path:
    keeping.end(keep=True)
    return offered(folder).path


def test_a_full_disk_keeps_what_was_there_and_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = worked()
    keeping = kept(case, tmp_path)
    whole = os.pwrite

    def full(descriptor: int, content: bytes, at: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    case.give("set W1[0, 1] = 1")
    keeping.write_all().result()
    assert keeping.problem == "not saved: No space left on device"
    (path,) = tmp_path.glob("*.session")
    assert (read_session(path).edits, read_session(path).problem) == (1, "")
    monkeypatch.setattr(os, "pwrite", whole)
    keeping.write_all().result()
    assert (keeping.problem, read_session(path).edits) == ("", 2)
    keeping.end(keep=False)


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(recovery, "state_folder", nowhere)
    case = worked()
    keeping = Keeping(Worked(MAZUR).journal, MAZUR)
    keeping.journal = case.journal
    keeping.write_all().result()
    assert keeping.problem == "not saved: Could not determine home directory."
    assert leftovers() == ()


def test_a_slow_disk_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, go_on = threading.Event(), threading.Event()
    write = JournalFile.write

    def slow(self: JournalFile, journal: object) -> None:
        written.set()
        go_on.wait()
        write(self, journal)  # type: ignore[arg-type]

    monkeypatch.setattr(JournalFile, "write", slow)
    monkeypatch.setattr(recovery, "PATIENCE", 0.05)
    case = Worked(MAZUR)
    keeping = Keeping(case.journal, MAZUR, tmp_path)
    keeping.before(case.session)
    case.session.edit("W1", (0, 0), 1.0)
    keeping.after("set W1[0, 0] = 1", case.session)
    first = keeping.write_all()
    written.wait()
    assert not first.done()
    case.session.step()
    keeping.note(case.session)
    second = keeping.write_all()
    keeping.end(keep=True)
    go_on.set()
    first.result()
    second.result()
    (path,) = tmp_path.glob("*.session")
    assert (read_session(path).place, read_session(path).edits) == (1, 1)


# What is offered


def test_an_offer_is_a_line() -> None:
    def said(place: int, edits: int) -> str:
        return Leftover(Path(), 0, "mazur", place, edits).offer("y")

    assert said(412, 2) == "An earlier session ended at step 412 with 2 edits: y takes it up again."
    assert said(412, 1) == "An earlier session ended at step 412 with 1 edit: y takes it up again."
    assert said(412, 0) == "An earlier session ended at step 412: y takes it up again."


def test_an_offer_tells_its_age(tmp_path: Path) -> None:
    path = leave(tmp_path)
    for age, words in (
        (5, "just now"),
        (61, "1 minute ago"),
        (150, "2 minutes ago"),
        (3600, "1 hour ago"),
        (86400 * 3 + 10, "3 days ago"),
    ):
        grow_old(path, age)
        assert offered(tmp_path).age == words


def test_the_newest_is_offered_and_what_is_a_month_old_only_listed(tmp_path: Path) -> None:
    leave(tmp_path, "goto 3", age=200)
    leave(tmp_path, "goto 5", age=100)
    leave(tmp_path, "goto 4", age=31 * 86400)
    assert offered(tmp_path).place == 5
    assert [each.place for each in leftovers(tmp_path)] == [5, 3, 4]
    for path in list(tmp_path.glob("*.session"))[:]:
        if read_session(path).place != 4:
            path.unlink()
    assert find_offer(MAZUR, tmp_path) is None


def test_none_is_deleted_however_many_and_old_they_are(tmp_path: Path) -> None:
    paths = [leave(tmp_path, f"goto {n + 1}", age=n * 40 * 86400) for n in range(5)]
    kept(worked(), tmp_path).end(keep=False)
    assert len(leftovers(tmp_path)) == 6
    assert all(path.exists() for path in paths)


def test_a_declined_offer_is_made_again(tmp_path: Path) -> None:
    path = leave(tmp_path)
    for _ in range(2):
        kept(worked("goto 3"), tmp_path).end(keep=False)
        assert offered(tmp_path).path == path


def test_a_leftover_that_was_taken_up_goes_on_in_its_file(tmp_path: Path) -> None:
    path = leave(tmp_path)
    taken = take(path)
    assert find_offer(MAZUR, tmp_path) is None
    replayed = open_session(path).replay()
    keeping = Keeping(replayed.journal, MAZUR, tmp_path, taken)
    keeping.write_all().result()
    assert list(tmp_path.glob("*.session")) == [path]
    replayed.session.seek(20)
    keeping.note(replayed.session)
    keeping.end(keep=True)
    assert (offered(tmp_path).path, offered(tmp_path).place) == (path, 20)


def test_a_leftover_that_was_taken_up_and_quit_at_once_is_gone_if_it_has_no_edits(
    tmp_path: Path,
) -> None:
    path = leave(tmp_path, "goto 12")
    replayed = open_session(path).replay()
    Keeping(replayed.journal, MAZUR, tmp_path, take(path)).end(keep=False)
    assert names(tmp_path) == set()


def test_a_leftover_is_taken_up_once(tmp_path: Path) -> None:
    path = leave(tmp_path)
    taken = take(path)
    with pytest.raises(SessionFileError, match="another nnstep has it open"):
        take(path)
    taken.claim.release()
    take(path).claim.release()
    assert names(tmp_path) == {path.name}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "this is no session file"),
        (b'{"format": 1}', "it is a session of format 1"),
        (b"\xff", "this is no session file"),
    ],
)
def test_what_cannot_be_read_is_listed_as_such_and_left_alone(
    tmp_path: Path, content: bytes, said: str
) -> None:
    sound = leave(tmp_path, age=100)
    damaged = leave(tmp_path)
    damaged.write_bytes(content)
    assert offered(tmp_path).path == sound
    first, second = leftovers(tmp_path)
    assert (first.path, first.scenario, second.path) == (damaged, "", sound)
    assert first.problem.startswith(f"{damaged.name}: {said}")
    assert str(first).startswith(first.problem)
    assert damaged.read_bytes() == content


def test_of_a_damaged_session_the_rest_is_offered_and_that_is_told(tmp_path: Path) -> None:
    path = leave(tmp_path, "goto 3", "set W1[0, 0] = 1", "goto 9", "watch L")
    path.write_bytes(path.read_bytes().replace(b"watch L", b"watch K"))
    offer = offered(tmp_path)
    assert (offer.place, offer.edits) == (9, 1)
    assert "line 5 is not as it was written" in str(offer)


def test_a_session_of_another_scenario_under_this_one_s_name_is_not_offered(tmp_path: Path) -> None:
    other = leave(tmp_path, "goto 3", scenario=XOR)
    other.rename(leave(tmp_path))
    assert find_offer(MAZUR, tmp_path) is None


def test_a_folder_that_cannot_be_read_has_no_offers(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "none", tmp_path / "file"):
        assert leftovers(folder) == ()


def test_the_folder_is_where_the_system_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert state_folder() == Path("/somewhere/nnstep")
    assert is_own("/somewhere/nnstep/a.session") and not is_own("/somewhere/a.session")
    monkeypatch.setenv("HOME", "/home/someone")
    for setting in ("", "relative/path"):
        monkeypatch.setenv("XDG_STATE_HOME", setting)
        assert state_folder() == Path("/home/someone/.local/state/nnstep")


# Claims


def test_a_claim_holds_until_it_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "c.session"
    assert not is_claimed(path)
    held = Claim(path)
    assert is_claimed(path) and is_claimed(path)
    with pytest.raises(BlockingIOError):
        Claim(path)
    assert is_claimed(path)
    held.release()
    assert not is_claimed(path) and names(tmp_path) == set()


def test_without_locks_nothing_is_kept_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(recovery, "flock", no_locks)
    assert kept(worked(), tmp_path).problem == "not saved: No locks available"
    assert names(tmp_path) == set()
