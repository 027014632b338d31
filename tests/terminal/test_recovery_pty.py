"""The app is killed on a real terminal, at any moment, and opened again: nothing is lost."""

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest
from pseudo_terminal import Terminal, to_first_weight

from nnstep.engine.loading import load
from nnstep.engine.saving.journal import Script, read_session
from nnstep.engine.saving.recovery import leftovers
from nnstep.engine.saving.reference import SessionFileError
from nnstep.engine.saving.replay import open_session
from nnstep.engine.session.session import Session

OPEN = ("-m", "nnstep.tui")
OFFER = re.compile(r"An earlier session ended at step (\d+)(?: with (\d+) edits?)?: y takes it up")
UNITS = {"s": "op", "n": "layer", "f": "phase", "i": "iteration"}


@pytest.fixture
def folder() -> Path:
    """Where this test's app keeps its sessions."""
    return Path(os.environ["XDG_STATE_HOME"]) / "nnstep"


def opened(scenario: str = "mazur") -> Terminal:
    """Open a scenario, wide enough for every pane, with the cursor on the first weight."""
    terminal = Terminal(*OPEN, scenario, columns=120, lines=36)
    terminal.wait_for(lambda: "q quit" in terminal.text or "takes it up" in terminal.text)
    return terminal


def on_disk(folder: Path) -> list[Script]:
    found = []
    for path in folder.glob("*.session"):
        try:
            found.append(read_session(path))
        except SessionFileError:  # it was deleted in between
            assert not path.exists()
    return found


def places_on_disk(folder: Path) -> list[int]:
    return [script.place for script in on_disk(folder)]


class Mirror:
    """Does in a session of its own what is typed, to know what the screen has to show."""

    def __init__(self, terminal: Terminal, seed: int) -> None:
        self.session = Session(load("mazur"))
        self._terminal = terminal
        self._choose = random.Random(seed)
        self._edits = 0

    def state(self) -> tuple[int, int, str, float]:
        """Return the place, the number of edits, the branch and the first weight."""
        session = self.session
        weight = float(session.value("W1")[0, 0])
        return session.place, self._edits, session.branches.current, weight

    def type(self) -> None:
        """Type something that steps, goes back or edits; do not wait for what it does."""
        key = self._choose.choice("ssnfiiSIe") if self._edits else "e"
        unit = UNITS.get(key.lower())
        if key == "e":
            self._edit()
        elif key.islower():
            self.session.step(unit)  # type: ignore[arg-type]
            self._terminal.press(key)
        elif self.session.place:
            self.session.back(unit)  # type: ignore[arg-type]
            self._terminal.press(key)

    def _edit(self) -> None:
        self._edits += 1
        value = self._choose.uniform(-2, 2)
        self._terminal.press("e")
        self._terminal.wait_for_text("New value of W1[0, 0]")
        self.session.edit("W1", (0, 0), value)
        self._terminal.press(f"{value!r}\r")

    def is_shown_on(self, terminal: Terminal) -> bool:
        """Tell whether a screen shows where the session is."""
        place, _, branch, weight = self.state()
        text = terminal.text
        on_branch = branch == "main" or f" branch {branch} " in text
        at = f" step {place} of 1600 " in text and on_branch
        return at and f"{weight:.4f}" in text

    def wait(self) -> None:
        self._terminal.wait_for(lambda: self.is_shown_on(self._terminal))


def assert_taken_up(states: list[tuple[int, int, str, float]]) -> None:
    """Open the app again, see that it offers one of some states, and take that up."""
    with opened() as terminal:
        terminal.wait_for(lambda: OFFER.search(terminal.text) is not None)
        offered = OFFER.search(terminal.text)
        assert offered is not None
        place, edits = int(offered[1]), int(offered[2] or 0)
        (state,) = [state for state in states if state[:2] == (place, edits)]
        terminal.press("y")
        terminal.wait_for_text(f" step {place} of 1600 ")
        assert state[2] == "main" or f" branch {state[2]} " in terminal.text
        to_first_weight(terminal)
        terminal.wait_for_text(f" W1[0, 0] = {state[3]!r}")
        terminal.press("q")
        assert terminal.end() == 0
    # Edits are work, and stay even for who quits; a place alone does not.
    with opened() as terminal:
        if edits:
            terminal.wait_for_text("takes it up")
        else:
            terminal.quiet()
            assert "takes it up" not in terminal.text


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_once_after_a_key_at_most_that_key_is_lost(seed: int, folder: Path) -> None:
    with opened() as terminal:
        to_first_weight(terminal)
        mirror = Mirror(terminal, seed)
        for _ in range(3 + 2 * seed):
            mirror.type()
            mirror.wait()
        terminal.wait_for(lambda: places_on_disk(folder) == [mirror.session.place])
        states = [mirror.state()]
        while mirror.state()[:2] == states[0][:2]:
            mirror.type()
        states.append(mirror.state())
        terminal.read(0.001 * seed)
        terminal.signal(signal.SIGKILL)
        assert terminal.end() == -signal.SIGKILL
    assert_taken_up(states)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5, 10))
def test_when_the_line_drops_nothing_that_was_shown_is_lost(seed: int) -> None:
    with opened() as terminal:
        to_first_weight(terminal)
        mirror = Mirror(terminal, seed)
        for _ in range(seed):
            mirror.type()
            mirror.wait()
        terminal.signal(signal.SIGHUP)
        assert terminal.end() == 128 + signal.SIGHUP
    assert_taken_up([mirror.state()])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
@pytest.mark.parametrize("seed", range(3))
def test_killed_in_the_middle_of_a_run_its_place_is_kept(
    number: signal.Signals, seed: int, folder: Path
) -> None:
    with opened() as terminal:
        to_first_weight(terminal)
        mirror = Mirror(terminal, seed)
        mirror.type()
        mirror.wait()
        terminal.press("+++ ")
        reached = random.Random(seed).randrange(100, 900)
        terminal.wait_for(lambda: any(place >= reached for place in places_on_disk(folder)))
        terminal.signal(number)
        terminal.end()
    with opened() as terminal:
        terminal.wait_for(lambda: OFFER.search(terminal.text) is not None)
        offered = OFFER.search(terminal.text)
        assert offered is not None and int(offered[1]) >= reached and offered[2] == "1"
        terminal.press("y")
        terminal.wait_for_text(f" step {offered[1]} of 1600 ")
        mirror.session.seek(int(offered[1]))
        to_first_weight(terminal)
        terminal.wait_for(lambda: mirror.is_shown_on(terminal))


def test_the_terminal_itself_goes_away() -> None:
    with opened() as terminal:
        to_first_weight(terminal)
        mirror = Mirror(terminal, 11)
        for _ in range(4):
            mirror.type()
            mirror.wait()
        os.close(terminal._terminal)
        terminal._terminal = os.open(os.devnull, os.O_RDONLY)
        terminal.process.wait(20)
    assert_taken_up([mirror.state()])


@pytest.mark.slow
def test_an_offer_that_is_declined_is_made_again(folder: Path) -> None:
    with opened() as terminal:
        terminal.press("sss")
        terminal.wait_for_text(" step 3 of ")
        terminal.signal(signal.SIGHUP)
        terminal.end()
    for _ in range(2):
        with opened() as terminal:
            terminal.wait_for_text("An earlier session ended at step 3: y takes it up again.")
            terminal.press("s")
            terminal.wait_for_text(" step 1 of ")
            terminal.press("q")
            assert terminal.end() == 0
    assert places_on_disk(folder) == [3]


@pytest.mark.slow
def test_an_app_that_is_open_is_not_offered_to_another(folder: Path) -> None:
    with opened() as one:
        one.press("ss")
        one.wait_for_text(" step 2 of ")
        one.wait_for(lambda: places_on_disk(folder) == [2])
        with opened() as other:
            other.quiet()
            assert "takes it up" not in other.text
            other.press("q")
            assert other.end() == 0
        one.press("s")
        one.wait_for_text(" step 3 of ")
        one.signal(signal.SIGHUP)
        one.end()
    with opened() as other:
        other.wait_for_text("An earlier session ended at step 3: y takes it up again.")


@pytest.mark.slow
def test_only_looking_leaves_nothing(folder: Path) -> None:
    with opened() as terminal:
        terminal.press("2\t?\x1b")
        terminal.quiet()
        terminal.signal(signal.SIGHUP)
        terminal.end()
    assert not folder.exists()


@pytest.mark.parametrize("typed", [False, True], ids=["key", "command"])
def test_to_quit_leaves_nothing(folder: Path, typed: bool) -> None:
    with opened() as terminal:
        terminal.press("sss")
        terminal.wait_for_text(" step 3 of ")
        terminal.wait_for(lambda: len(on_disk(folder)) == 1)
        if typed:
            terminal.press(":")
            terminal.wait_for_text("Tab completes")
        terminal.press("quit\r" if typed else "q")
        assert terminal.end() == 0
    assert list(folder.iterdir()) == []


CRASH = """
from nnstep.engine import Session
from nnstep.tui.cli import main

advance = Session.advance

def broken(self, target, budget=None):
    if self.place == 3:
        raise RuntimeError("as a test")
    return advance(self, target, budget)

Session.advance = broken
main(["mazur"])
"""


def test_after_a_crash_the_session_is_offered(folder: Path) -> None:
    with Terminal("-c", CRASH, columns=120, lines=36) as terminal:
        terminal.wait_for(lambda: "q quit" in terminal.text)
        terminal.press("sss")
        terminal.wait_for(lambda: places_on_disk(folder) == [3])
        terminal.press("s")
        assert terminal.end() == 1
    with opened() as terminal:
        terminal.wait_for_text("An earlier session ended at step 3: y takes it up again.")


@pytest.mark.slow
def test_where_nothing_can_be_kept_that_is_told_and_the_app_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with opened() as terminal:
        terminal.press("s")
        terminal.wait_for_text("not saved: Not a directory")
        to_first_weight(terminal)
        terminal.press("e")
        terminal.wait_for_text("New value of W1[0, 0]")
        terminal.press("0.5\r")
        terminal.wait_for_text(" W1[0, 0] = 0.5")
        assert "not saved: Not a directory" in terminal.text
        (tmp_path / "file").unlink()
        terminal.press("s")
        terminal.wait_for_text(" step 2 of ")
        terminal.wait_for(lambda: "not saved" not in terminal.text)
        terminal.press("q")
        assert terminal.end() == 0
    (script,) = on_disk(tmp_path / "file" / "nnstep")
    assert (script.place, script.edits) == (2, 1)


@pytest.mark.slow
def test_sessions_that_are_left_are_in_the_gallery(folder: Path) -> None:
    with opened() as terminal:
        terminal.press("sss")
        terminal.wait_for(lambda: places_on_disk(folder) == [3])
        terminal.signal(signal.SIGKILL)
        terminal.end()
    (left,) = leftovers()
    with Terminal(*OPEN, columns=120, lines=60) as terminal:
        terminal.wait_for_text(f"An earlier session  {left.scenario}, step 3, ")
        terminal.press("\x1b[F\r")
        terminal.wait_for_text(" step 3 of 1600 ")
        terminal.wait_for_text("Taken up again at step 3.")
        assert leftovers() == ()


def confirmed(terminal: Terminal, line: str) -> bool:
    """Tell whether the screen says that a change was made."""
    text = terminal.text
    if line == "undo":
        return "The change of W1[0, 0] is undone." in text
    return f"{line.removeprefix('set ')} (was " in text


def changes_on_disk(folder: Path) -> list[str]:
    found = on_disk(folder)
    return [line.text for line in found[0].lines if line.text.startswith(("set", "undo"))]


def type_change(terminal: Terminal, line: str) -> None:
    if line == "undo":
        terminal.press("u")
        return
    terminal.press("e")
    terminal.wait_for_text("New value of W1[0, 0]")
    terminal.press(f"{line.rpartition(' ')[2]}\r")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_any_moment_every_edit_that_was_confirmed_is_there(
    seed: int, folder: Path
) -> None:
    choose = random.Random(seed)
    known: list[str] = []
    for kill in range(10):
        with opened() as terminal:
            if known:
                terminal.wait_for_text("takes it up again")
                terminal.press("y")
                terminal.wait_for_text("Taken up again at step ")
            to_first_weight(terminal)
            lines: list[str] = []
            for number in range(choose.randrange(1, 4)):
                undoable = (known + lines).count("undo") < (len(known) + len(lines)) / 2 - 1
                value = round(choose.uniform(-2, 2), 6)
                lines.append(
                    "undo" if undoable and choose.random() < 0.3 else f"set W1[0, 0] = {value!r}"
                )
                if number:
                    line = lines[-2]
                    terminal.wait_for(lambda line=line: confirmed(terminal, line))  # type: ignore[misc]
                    terminal.press(choose.choice("ssiS"))
                    terminal.quiet()
                type_change(terminal, lines[-1])
            moment = time.monotonic() + choose.uniform(0, 0.12)
            while (left := moment - time.monotonic()) > 0:
                terminal.read(left)
            terminal.signal(signal.SIGKILL)
            terminal.end()
            told = lines if confirmed(terminal, lines[-1]) else lines[:-1]
        there = changes_on_disk(folder) if on_disk(folder) else []
        assert there in (known + told, known + lines), f"kill {kill} of seed {seed}"
        known = there
        if there:
            (left_over,) = leftovers()
            replayed = open_session(left_over.path).replay()
            assert (replayed.problem, replayed.warning) == ("", "")
