"""A session file is opened on a real terminal: asked about where it should be, and given up."""

import re
from pathlib import Path

import pytest
from pseudo_terminal import Terminal, to_first_weight

from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.loading import load
from nnstep.engine.saving.journal import Journal
from nnstep.engine.session.session import Session

OPEN = ("-m", "nnstep.tui")


def saved(path: Path, *lines: str) -> Path:
    """Save a session of the scenario `mazur` that was given commands."""
    session = Session(load("mazur"))
    interpreter = Interpreter(session, Journal(session))
    for line in (*lines, f"save {path}"):
        interpreter.execute(line)
    return path


def test_a_session_file_is_opened(tmp_path: Path) -> None:
    path = saved(tmp_path / "work.session", "goto 40", "goto 21", "set W1[0, 0] = 0.625")
    with Terminal(*OPEN, str(path), columns=120, lines=36) as terminal:
        terminal.wait_for_text(" step 21 of 1600 ")
        assert " branch b1 " in terminal.text
        to_first_weight(terminal)
        terminal.wait_for_text(" W1[0, 0] = 0.625")
        terminal.press("u")
        terminal.wait_for_text("The change of W1[0, 0] is undone.")
        terminal.press("q")
        assert terminal.end() == 0


def test_of_a_damaged_file_the_rest_is_opened_and_that_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "work.session", "goto 21", "set W1[0, 0] = 0.625", "watch L")
    content = path.read_bytes().replace(b"watch L", b"watch K")
    path.write_bytes(content)
    with Terminal(*OPEN, str(path), columns=120, lines=36) as terminal:
        terminal.wait_for_text(" step 21 of 1600 ")
        said = "line 4 is not as it was written"
        terminal.wait_for(lambda: said in " ".join(terminal.text.split()))
        terminal.press("q")
        assert terminal.end() == 0
    assert path.read_bytes() == content
    path.write_bytes(content[:40])
    with Terminal(*OPEN, str(path)) as terminal:
        assert terminal.end() == 2
        assert b"the file ends within its first line" in terminal.sent.replace(b"\r\n", b" ")
        assert b"Traceback" not in terminal.sent


def test_a_scenario_from_elsewhere_is_asked_about(tmp_path: Path) -> None:
    scenario = tmp_path / "mine.toml"
    scenario.write_text(Path(load("xor").path).read_text())
    session = Session(load(scenario))
    interpreter = Interpreter(session, Journal(session))
    (tmp_path / "other").mkdir()
    for line in ("goto 7", "watch L", f"save {tmp_path}/other/work"):
        interpreter.execute(line)
    path = tmp_path / "other" / "work.session"
    with Terminal(*OPEN, str(path), columns=200, lines=36) as terminal:
        terminal.wait_for_text("is not in its folder. Open that? [y/N]:")
        terminal.press("y\r")
        terminal.wait_for_text(" step 7 of ")
    with Terminal(*OPEN, str(path), columns=200, lines=36) as terminal:
        terminal.wait_for_text("[y/N]:")
        terminal.press("\r")
        assert terminal.end() == 2
        # Where a line is broken depends on how long the path is.
        assert "ifyoutrustit" in "".join(terminal.text.split())


@pytest.mark.slow
def test_a_session_that_asks_for_much_is_asked_about(tmp_path: Path) -> None:
    path = saved(tmp_path / "work.session", "watch L")
    first, *rest = path.read_text().splitlines(keepends=True)
    header = re.sub("}  # .*", ', "iterations": 9000000}', first)
    path.write_text("".join([header, "goto 120000000\n", *rest]))
    with Terminal(*OPEN, str(path), columns=120, lines=36) as terminal:
        terminal.wait_for_text("asks for 120,000,000 operations. Execute them? [y/N]:")
        terminal.press("\r")
        assert terminal.end() == 2
        assert "and is not executed" in " ".join(terminal.text.split())
    with Terminal(*OPEN, str(path), columns=120, lines=36) as terminal:
        terminal.wait_for_text("[y/N]:")
        terminal.press("y\r")
        terminal.wait_for_text("restoring, Escape stops: ")


@pytest.mark.slow
def test_escape_keeps_what_has_been_brought_back(tmp_path: Path) -> None:
    path = saved(tmp_path / "work.session", "set W1[0, 0] = 0.5", "watch L")
    first, *rest = path.read_text().splitlines(keepends=True)
    header = re.sub("}  # .*", ', "iterations": 9000000}', first)
    path.write_text("".join([header, *rest[:1], "goto 90000000\n", "watch K\n"]))
    with Terminal(*OPEN, str(path), columns=120, lines=36) as terminal:
        terminal.wait_for_text("restoring, Escape stops: ")
        terminal.press("\x1b")
        terminal.wait_for_text("it was stopped")
        to_first_weight(terminal)
        terminal.press("u")
        terminal.wait_for_text("The change of W1[0, 0] is undone.")
