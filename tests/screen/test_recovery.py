"""What was done in an app that was killed is offered at the next start, and nothing else is."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Semaphore

import pytest

from nnstep.engine.loading import load
from nnstep.engine.saving import claim
from nnstep.engine.saving.claim import Claim, is_claimed
from nnstep.engine.saving.opening import open_session
from nnstep.engine.saving.state import SavedSession, save
from nnstep.engine.session.session import Session
from nnstep.tui import recovery
from nnstep.tui.recovery import Autosave, Offer, clear_out, find_offer, state_folder

MAZUR = load("mazur")
XOR = load("xor")

APP = """
import sys
from pathlib import Path
from nnstep.engine import Session, load
from nnstep.engine.saving.state import save
from nnstep.tui.recovery import Autosave

session = Session(load(sys.argv[2]))
autosave = Autosave(session.scenario, save(session), folder=Path(sys.argv[1]))
for line in sys.stdin:
    for _ in range(int(line)):
        session.step()
        if session.place % 7 == 0:
            session.edit("W1", (0, 0), float(session.place))
        autosave.keep(save(session))
        if line == "1\\n":
            autosave.flush()
        print(session.place, flush=True)
"""


class App:
    """An app without a screen in a process of its own; it steps when told to, and keeps that."""

    def __init__(self, folder: Path, scenario: str = "mazur", code: str = APP) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, str(folder), scenario],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def begin(self, steps: int) -> None:
        assert self._process.stdin is not None
        print(steps, file=self._process.stdin)

    def read(self) -> int:
        """Return the next place that it says it has come to, and has handed over."""
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def step(self) -> int:
        """Have it do one step; return the place, which is on disk by then."""
        self.begin(1)
        return self.read()

    def end(self) -> int:
        """Kill it; return the last place that it has told of, 0 if nothing is left to read."""
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return 0
        self._process.send_signal(signal.SIGKILL)
        told = self._process.stdout.read().split()
        self._process.__exit__(None, None, None)
        return int(told[-1]) if told else 0


@contextmanager
def app(folder: Path, scenario: str = "mazur", code: str = APP) -> Iterator[App]:
    running = App(folder, scenario, code)
    try:
        yield running
    finally:
        running.end()


def edited(place: int = 12) -> SavedSession:
    session = Session(MAZUR)
    session.seek(place)
    session.edit("W1", (0, 0), 0.5)
    return save(session)


def leave(folder: Path, saved: SavedSession | None = None, age: float = 0) -> Path:
    """Leave a session behind, as if its app had died some seconds ago; return its file."""
    before = set(folder.glob("*.session"))
    autosave = Autosave(MAZUR, save(Session(MAZUR)), folder=folder)
    autosave.keep(saved or edited())
    autosave.end(keep=True)
    (path,) = set(folder.glob("*.session")) - before
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# What is kept


def test_a_killed_session_is_offered_with_all_that_was_kept(tmp_path: Path) -> None:
    with app(tmp_path) as running:
        for _ in range(15):
            running.step()
        assert find_offer(MAZUR, tmp_path) is None
        running.end()
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None
    assert (offer.place, offer.edits, offer.age) == (15, 2, "just now")
    session = open_session(offer.path).restore()
    assert session is not None
    assert session.place == 15
    assert [edit.place for edit in session.snapshot().branch.edits] == [7, 14]


@pytest.mark.parametrize("seed", range(6))
def test_at_whatever_moment_it_is_killed_what_was_written_is_whole(
    tmp_path: Path, seed: int
) -> None:
    choose = random.Random(seed)
    with app(tmp_path) as running:
        written = max(running.step() for _ in range(choose.randrange(1, 10)))
        running.begin(500)
        handed_over = max(running.read() for _ in range(choose.randrange(1, 200)))
        handed_over = max(handed_over, running.end())
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None
    assert written <= offer.place <= handed_over + 1
    session = open_session(offer.path).restore()
    assert session is not None
    edits = session.snapshot().branch.edits
    assert [edit.place for edit in edits] == list(range(7, offer.place + 1, 7))


def test_an_app_that_is_running_is_never_offered_to_another(tmp_path: Path) -> None:
    with app(tmp_path) as one, app(tmp_path) as other:
        one.step()
        assert [other.step(), other.step()] == [1, 2]
        assert find_offer(MAZUR, tmp_path) is None
        one.end()
        found = find_offer(MAZUR, tmp_path)
        assert found is not None and found.place == 1
        other.end()
        assert open_session(found.path).saved.place == 1
        found = find_offer(MAZUR, tmp_path)
        assert found is not None and found.place == 2


def test_only_the_same_scenario_is_offered(tmp_path: Path) -> None:
    leave(tmp_path)
    assert find_offer(XOR, tmp_path) is None
    assert find_offer(MAZUR, tmp_path) is not None


def test_a_scenario_file_is_known_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(XOR.path).read_text()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Größe 1.toml").write_text(text)
    monkeypatch.chdir(tmp_path / "one")
    scenario = load("Größe 1.toml")
    session = Session(scenario)
    autosave = Autosave(scenario, save(session), folder=tmp_path / "state")
    session.seek(7)
    autosave.keep(save(session))
    autosave.end(keep=True)
    monkeypatch.chdir(tmp_path)
    offer = find_offer(load("one/Größe 1.toml"), tmp_path / "state")
    assert offer is not None and offer.place == 7
    assert open_session(offer.path).warning == ""
    assert find_offer(load("other/Größe 1.toml"), tmp_path / "state") is None


def test_nothing_is_left_of_a_session_in_which_nothing_was_done(tmp_path: Path) -> None:
    session = Session(MAZUR)
    folder = tmp_path / "state"
    autosave = Autosave(MAZUR, save(session), folder=folder)
    autosave.keep(save(session))
    autosave.end(keep=True)
    assert not folder.exists()


def test_a_session_that_is_back_at_its_beginning_is_not_kept(tmp_path: Path) -> None:
    session = Session(MAZUR)
    autosave = Autosave(MAZUR, save(session), folder=tmp_path)
    session.seek(5)
    autosave.keep(save(session))
    autosave.flush()
    assert len(list(tmp_path.glob("*.session"))) == 1
    session.seek(0)
    autosave.keep(save(session))
    autosave.end(keep=True)
    assert names(tmp_path) == set()


def test_a_breakpoint_alone_is_worth_keeping(tmp_path: Path) -> None:
    session = Session(MAZUR)
    autosave = Autosave(MAZUR, save(session), folder=tmp_path)
    session.watch("norm(W1)")
    autosave.keep(save(session))
    autosave.end(keep=True)
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None and open_session(offer.path).saved.watches == ("norm(W1)",)


def test_a_session_that_was_quit_leaves_nothing(tmp_path: Path) -> None:
    autosave = Autosave(MAZUR, save(Session(MAZUR)), folder=tmp_path)
    autosave.keep(edited())
    autosave.flush()
    assert names(tmp_path) != set()
    autosave.keep(edited(20))
    autosave.end(keep=False)
    assert names(tmp_path) == set()


def test_a_state_that_is_handed_over_last_is_written_before_the_end(tmp_path: Path) -> None:
    autosave = Autosave(MAZUR, save(Session(MAZUR)), folder=tmp_path)
    for place in range(1, 200):
        autosave.keep(edited(place))
    autosave.end(keep=True)
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None and offer.place == 199


def test_states_do_not_queue_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    go_on = threading.Event()

    def write(path: Path, saved: SavedSession, reference: object, *, private: bool) -> None:
        written.append(saved.place)
        assert private
        go_on.wait()

    monkeypatch.setattr(recovery, "write_session", write)
    autosave = Autosave(MAZUR, save(Session(MAZUR)), folder=tmp_path)
    autosave.keep(edited(1))
    while not written:
        time.sleep(0)
    for place in range(2, 50):
        autosave.keep(edited(place))
    go_on.set()
    autosave.flush()
    assert written == [1, 49]
    autosave.end(keep=False)


# What is offered


def test_an_offer_is_a_line() -> None:
    def said(place: int, edits: int) -> str:
        return Offer(Path(), place, edits, "").text("y")

    assert said(412, 2) == "An earlier session ended at step 412 with 2 edits: y takes it up again."
    assert said(412, 1) == "An earlier session ended at step 412 with 1 edit: y takes it up again."
    assert said(412, 0) == "An earlier session ended at step 412: y takes it up again."


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (5, "just now"),
        (61, "1 minute ago"),
        (150, "2 minutes ago"),
        (3600, "1 hour ago"),
        (86400 * 3 + 10, "3 days ago"),
    ],
)
def test_an_offer_tells_its_age(tmp_path: Path, age: float, words: str) -> None:
    leave(tmp_path, age=age)
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None and offer.age == words


def test_the_newest_is_offered(tmp_path: Path) -> None:
    leave(tmp_path, edited(3), age=200)
    leave(tmp_path, edited(5), age=100)
    leave(tmp_path, edited(4), age=300)
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None and offer.place == 5


def test_a_declined_offer_is_made_again(tmp_path: Path) -> None:
    path = leave(tmp_path)
    for _ in range(2):
        autosave = Autosave(MAZUR, save(Session(MAZUR)), folder=tmp_path)
        autosave.keep(edited(3))
        autosave.end(keep=False)
        offer = find_offer(MAZUR, tmp_path)
        assert offer is not None and offer.path == path


def test_an_offer_that_was_taken_up_goes_once_it_is_kept_again(tmp_path: Path) -> None:
    path = leave(tmp_path)
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None
    session = open_session(offer.path).restore()
    assert session is not None
    autosave = Autosave(MAZUR, save(Session(MAZUR)), folder=tmp_path)
    autosave.take_up(offer, save(session))
    autosave.flush()
    assert not path.exists()
    (own,) = tmp_path.glob("*.session")
    assert open_session(own).saved == save(session)
    assert find_offer(MAZUR, tmp_path) is None
    autosave.end(keep=True)
    assert find_offer(MAZUR, tmp_path) is not None


def test_an_offer_that_was_taken_up_and_quit_at_once_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = leave(tmp_path)
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None
    autosave = Autosave(MAZUR, save(Session(MAZUR)), folder=tmp_path)
    claim_now = Claim.__init__

    def claim_at_the_end(self: Claim, path: Path) -> None:
        while not autosave._is_ending:
            time.sleep(0)
        claim_now(self, path)

    monkeypatch.setattr(Claim, "__init__", claim_at_the_end)
    autosave.keep(edited(3))
    autosave.take_up(offer, edited(4))
    autosave.end(keep=False)
    assert not path.exists()
    assert names(tmp_path) == set()


def test_an_offer_is_there_until_just_what_it_held_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = leave(tmp_path)
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None
    steps: Queue[int] = Queue()
    go_on = Semaphore(0)

    def write(path: Path, saved: SavedSession, reference: object, *, private: bool) -> None:
        steps.put(saved.place)
        go_on.acquire()

    monkeypatch.setattr(recovery, "write_session", write)
    autosave = Autosave(MAZUR, save(Session(MAZUR)), folder=tmp_path)
    autosave.keep(edited(3))
    assert steps.get() == 3
    autosave.take_up(offer, edited(4))
    go_on.release()
    assert steps.get() == 4
    assert path.exists()
    go_on.release()
    autosave.end(keep=True)
    assert not path.exists()


def test_an_offer_whose_session_cannot_be_kept_stays(tmp_path: Path) -> None:
    path = leave(tmp_path)
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None
    (tmp_path / "file").touch()
    autosave = Autosave(MAZUR, save(Session(MAZUR)), folder=tmp_path / "file")
    autosave.take_up(offer, edited())
    autosave.end(keep=True)
    assert path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 2}', b"\xff"])
def test_a_damaged_session_is_never_offered_and_left_alone(tmp_path: Path, content: bytes) -> None:
    sound = leave(tmp_path, age=100)
    damaged = leave(tmp_path, age=40 * 86400)
    damaged.write_bytes(content)
    newest = leave(tmp_path)
    newest.write_bytes(content)
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None and offer.path == sound
    os.utime(damaged, (0, 0))
    clear_out(tmp_path, MAZUR)
    assert newest.read_bytes() == damaged.read_bytes() == content


def test_a_session_of_another_scenario_under_this_one_s_name_is_not_offered(tmp_path: Path) -> None:
    session = Session(XOR)
    autosave = Autosave(XOR, save(session), folder=tmp_path)
    session.step()
    autosave.keep(save(session))
    autosave.end(keep=True)
    (path,) = tmp_path.glob("xor-*.session")
    path.rename(leave(tmp_path))
    assert find_offer(MAZUR, tmp_path) is None


# What is cleared out


def test_the_newest_few_of_each_scenario_stay(tmp_path: Path) -> None:
    paths = [leave(tmp_path, age=100 * count) for count in range(8)]
    clear_out(tmp_path, XOR)
    assert all(path.exists() for path in paths[:5])
    clear_out(tmp_path, MAZUR)
    assert [path.exists() for path in paths] == [True] * 5 + [False] * 3


def test_old_sessions_go_and_running_ones_stay(tmp_path: Path) -> None:
    month = 31 * 86400
    old, young = leave(tmp_path, age=month), leave(tmp_path, age=month - 2 * 86400)
    with app(tmp_path) as running:
        running.step()
        (claimed,) = (path for path in tmp_path.glob("*.session") if path not in (old, young))
        os.utime(claimed, (0, 0))
        assert find_offer(MAZUR, tmp_path) is not None
        clear_out(tmp_path, XOR)
        assert not old.exists() and young.exists() and claimed.exists()
    os.utime(claimed, (0, 0))
    young.unlink()
    assert find_offer(MAZUR, tmp_path) is None
    clear_out(tmp_path, XOR)
    assert names(tmp_path) == set()


def test_a_file_that_was_never_finished_goes_with_its_app(tmp_path: Path) -> None:
    with app(tmp_path) as running:
        running.step()
        (path,) = tmp_path.glob("*.session")
        unfinished = path.with_name(f".{path.name}.0123.unfinished")
        unfinished.touch()
        clear_out(tmp_path, XOR)
        assert unfinished.exists()
    clear_out(tmp_path, XOR)
    assert not unfinished.exists() and path.exists()


def test_the_first_change_clears_out(tmp_path: Path) -> None:
    old = leave(tmp_path, age=31 * 86400)
    autosave = Autosave(XOR, save(Session(XOR)), folder=tmp_path)
    session = Session(XOR)
    session.step()
    autosave.keep(save(session))
    autosave.end(keep=False)
    assert not old.exists()


# What can go wrong


@pytest.mark.parametrize("place", ["file", "file/below", "a\0b"])
def test_a_folder_that_cannot_be_written_is_told_of_once(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    told: list[str] = []
    autosave = Autosave(MAZUR, save(Session(MAZUR)), told.append, tmp_path / place)
    for step in range(1, 5):
        autosave.keep(edited(step))
        autosave.flush()
    autosave.end(keep=True)
    assert len(told) == 1
    assert told[0].startswith("Autosave is off: ") and told[0].isprintable()
    assert names(tmp_path) == {"file"}
    assert find_offer(MAZUR, tmp_path / place) is None


def test_a_disk_that_has_room_again_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    autosave = Autosave(MAZUR, save(Session(MAZUR)), told.append, tmp_path)
    autosave.keep(edited(1))
    autosave.flush()
    replace, is_full = os.replace, True

    def replace_if_there_is_room(one: Path, other: Path) -> None:
        if is_full:
            raise OSError(28, "No space left on device")
        replace(one, other)

    monkeypatch.setattr(os, "replace", replace_if_there_is_room)
    autosave.keep(edited(2))
    autosave.flush()
    assert told == [f"Autosave is off: {tmp_path}: it cannot be written: No space left on device."]
    is_full = False
    autosave.keep(edited(3))
    autosave.end(keep=True)
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None and offer.place == 3
    assert len(told) == 1


def test_an_app_that_is_ending_need_not_be_told(tmp_path: Path) -> None:
    def closed(message: str) -> None:
        raise RuntimeError("Event loop is closed")

    (tmp_path / "file").touch()
    autosave = Autosave(MAZUR, save(Session(MAZUR)), closed, tmp_path / "file")
    autosave.keep(edited(1))
    autosave.flush()
    autosave.keep(edited(2))
    autosave.end(keep=True)
    assert names(tmp_path) == {"file"}


def test_the_folder_and_the_files_are_the_user_s_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "nnstep"
    leave_in = Autosave(MAZUR, save(Session(MAZUR)), folder=folder)
    leave_in.keep(edited())
    leave_in.flush()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    leave_in.end(keep=False)


def test_the_folder_is_where_the_system_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert state_folder() == Path("/somewhere/nnstep")
    monkeypatch.setenv("HOME", "/home/someone")
    for setting in ("", "relative/path"):
        monkeypatch.setenv("XDG_STATE_HOME", setting)
        assert state_folder() == Path("/home/someone/.local/state/nnstep")


# Claims


def test_a_claim_holds_until_it_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "c.claim"
    assert not is_claimed(path)
    held = Claim(path)
    assert is_claimed(path) and is_claimed(path)
    with pytest.raises(FileExistsError):
        Claim(path)
    assert is_claimed(path)
    held.release()
    assert not is_claimed(path) and not path.exists()


HOLDER = """
import sys
from pathlib import Path
from nnstep.engine.saving import claim
if sys.argv[2] == "without locks":
    claim.flock = None
held = claim.Claim(Path(sys.argv[1]) / "c.claim")
print(0, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("locks", ["with locks", "without locks"])
def test_a_claim_ends_with_its_process(tmp_path: Path, locks: str) -> None:
    with app(tmp_path, locks, HOLDER) as holder:
        holder.read()
        assert is_claimed(tmp_path / "c.claim")
    assert (tmp_path / "c.claim").exists()
    assert not is_claimed(tmp_path / "c.claim")


def test_a_process_that_has_got_the_number_of_another_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked.claim"
    with app(tmp_path, "with locks", HOLDER) as holder:
        holder.read()
        locked.write_text((tmp_path / "c.claim").read_text())
    kind, machine, process, started = locked.read_text().split()
    assert kind == "lock" and int(process) > 0
    locked.write_text(f"lock {machine} {os.getpid()} {started}")
    assert not is_claimed(locked)
    monkeypatch.setattr(claim, "flock", None)
    held = Claim(tmp_path / "own.claim")
    assert is_claimed(tmp_path / "own.claim")
    kind, machine, process, started = (tmp_path / "own.claim").read_text().split()
    assert (kind, int(process)) == ("process", os.getpid())
    (tmp_path / "own.claim").write_text(f"process {machine} {process} {started}0")
    assert not is_claimed(tmp_path / "own.claim")
    (tmp_path / "own.claim").write_text(f"process another-machine {process} {started}0")
    assert is_claimed(tmp_path / "own.claim")
    held.release()


@pytest.mark.parametrize("content", ["process", "process x y z", "process m -5 -\n\n", ""])
def test_in_doubt_a_claim_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr(claim, "flock", None)
    (tmp_path / "c.claim").write_text(content)
    assert is_claimed(tmp_path / "c.claim")


def test_without_locks_sessions_are_kept_and_offered_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "flock", None)
    code = APP.replace(
        "session = ", "from nnstep.engine.saving import claim\nclaim.flock = None\nsession = ", 1
    )
    with app(tmp_path, code=code) as running:
        running.step()
        assert find_offer(MAZUR, tmp_path) is None
    offer = find_offer(MAZUR, tmp_path)
    assert offer is not None and offer.place == 1
