"""On a real terminal: it paints, a step sends little, and the terminal is left as it was found."""

import os
import re
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pseudo_terminal import Terminal
from screen_text import screen_lines

from nnstep.engine.loading import load
from nnstep.tui.app import NnstepApp

OPEN = ("-m", "nnstep.tui")
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?2004l")


def opened(scenario: str = "mazur", columns: int = 80, lines: int = 24) -> Terminal:
    terminal = Terminal(*OPEN, scenario, columns=columns, lines=lines)
    terminal.wait_for(lambda: "the run begins with" in terminal.text and "q quit" in terminal.text)
    return terminal


def assert_restored(terminal: Terminal) -> None:
    assert terminal.is_as_found
    for sequence in RESTORED:
        assert terminal.sent.rfind(sequence) >= 0
        assert terminal.sent.rfind(sequence) > terminal.sent.rfind(sequence[:-1] + b"h") or (
            sequence.endswith(b"h")
        )


def test_q_quits_and_leaves_the_terminal_as_it_was() -> None:
    with opened() as terminal:
        assert "step 0 of 1600 · iteration 0 · epoch 0 · batch" in terminal.text
        assert not terminal.is_as_found
        terminal.press("q")
        assert terminal.end() == 0
        assert_restored(terminal)


@pytest.mark.parametrize(
    ("columns", "lines", "budget", "most"),
    [(80, 24, 2048, 4096), (120, 36, 4096, 6144)],
    ids=["80x24", "120x36"],
)
def test_a_step_sends_little(columns: int, lines: int, budget: int, most: int) -> None:
    with opened(columns=columns, lines=lines) as terminal:
        terminal.press("i")
        terminal.wait_for_text("step 16 of")
        terminal.quiet()
        sizes = []
        # The second pass has all that the first has, and what has changed since.
        for place in range(17, 33):
            before = len(terminal.sent)
            terminal.press("s")
            terminal.wait_for_text(f"step {place} of")
            terminal.read(0.05)
            sizes.append(len(terminal.sent) - before)
        assert statistics.median(sizes) <= budget
        assert sorted(sizes)[round(0.97 * (len(sizes) - 1))] <= most


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name
)
def test_a_signal_ends_it_in_order(number: signal.Signals) -> None:
    with opened() as terminal:
        terminal.signal(number)
        assert terminal.end() == 128 + number
        assert_restored(terminal)


def test_a_signal_ends_a_run() -> None:
    with opened() as terminal:
        terminal.press("+++++++ ")
        terminal.wait_for(lambda: "end of the run" in terminal.text)
        terminal.press("r ")
        terminal.signal(signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
        assert_restored(terminal)


CRASH = """
from textual._compositor import Compositor
from textual._xterm_parser import XTermParser

from nnstep.tui.cli import main
from nnstep.tui.debugger import Debugger
from nnstep.tui.panes.at_once import PiecesUpdate

def broken(*given, **options):
    raise RuntimeError("as a test")

def the_deed(debugger):
    broken()

def drawing(debugger):
    Compositor.render_update = PiecesUpdate.render_segments = broken
    debugger.say("This cannot be drawn.")

def writing(debugger):
    debugger.app._driver._writer_thread._queue.put(0)

def reading(debugger):
    XTermParser.debug_log = broken
    debugger.say("The next key breaks it.")

Debugger.action_zoom = WHERE
main(["mazur"])
"""


def crashing(where: str) -> Terminal:
    """Open the app, two steps into a session; the key z breaks something in it."""
    terminal = Terminal("-c", CRASH.replace("WHERE", where), NNSTEP_FAILURES="")
    terminal.wait_for_text("q quit")
    terminal.press("ss")
    terminal.wait_for_text("step 2 of")
    terminal.press("z")
    return terminal


def test_after_a_failure_the_app_goes_on() -> None:
    with crashing("the_deed") as terminal:
        terminal.wait_for_text("The key z failed (RuntimeError: as a test); the session is kept")
        terminal.press("s")
        terminal.wait_for_text("step 3 of")
        terminal.press("q")
        assert terminal.end() == 0
        assert_restored(terminal)


CANNOT = {"drawing": "the screen", "writing": "to the terminal", "reading": "the keys"}


@pytest.mark.parametrize("where", CANNOT)
def test_where_it_cannot_go_on_the_terminal_is_restored_and_the_session_kept(where: str) -> None:
    with crashing(where) as terminal:
        if where == "reading":
            terminal.wait_for_text("The next key breaks it.")
            terminal.press("s")
        assert terminal.end() == 1
        assert_restored(terminal)
    words = terminal.sent.decode().replace("\r", "").rpartition("nnstep cannot go on. ")[2]
    told = re.fullmatch(
        r"(.+) failed.*, and (\S+) has its traceback\.\s+(.*)\s+nnstep (\S+)\s+", words
    )
    assert told is not None, words
    assert told[1] == f"{where.capitalize()} {CANNOT[where]}"
    assert "Traceback" in Path(told[2]).expanduser().read_text()
    assert told[3] == "The session is kept. To go on with it:"
    with Terminal(*OPEN, told[4]) as terminal:
        terminal.wait_for_text("step 2 of")


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_do_it_gets_a_sentence(term: str) -> None:
    with Terminal(*OPEN, "mazur", TERM=term) as terminal:
        assert terminal.end() == 2
        assert b"nnstep trace" in terminal.sent
        assert b"\x1b" not in terminal.sent


def test_a_mistake_in_the_scenario_comes_before_the_terminal(tmp_path: Path) -> None:
    with Terminal(*OPEN, str(tmp_path / "none.toml"), TERM="dumb") as terminal:
        assert terminal.end() == 2
        assert b"no such file" in terminal.sent


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "xterm"}], ids=["none", "16"])
def test_fewer_colours_show_the_same_text(variables: dict[str, Any]) -> None:
    with Terminal(*OPEN, "mazur", **variables) as plain, opened() as colourful:

        def same() -> bool:
            colourful.read(0)
            return plain.text == colourful.text

        plain.wait_for(same)


def test_without_colours_no_colour_is_sent() -> None:
    with Terminal(*OPEN, "mazur", NO_COLOR="1") as terminal:
        terminal.wait_for(lambda: "q quit" in terminal.text)
        for place in (1, 2, 3):
            terminal.press("s")
            terminal.wait_for(lambda place=place: f"step {place} of" in terminal.text)  # type: ignore[misc]
        terminal.press("?")
        terminal.wait_for_text("THREE KEYS TO BEGIN")
        assert not re.findall(
            rb"\x1b\[(?:\d+;)*(?:[349][0-7]|[34]8;[\d;]+|10[0-7])m", terminal.sent
        )


def test_the_user_s_configuration_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "nnstep"
    folder.mkdir()
    (folder / "config.toml").write_text('[keys]\nstep-op = "X"\nquit = "Q"\n', encoding="utf-8")
    with Terminal(*OPEN, "mazur", XDG_CONFIG_HOME=str(tmp_path)) as terminal:
        terminal.wait_for(lambda: "Q quit" in terminal.text)
        terminal.press("X")
        terminal.wait_for(lambda: "step 1 of" in terminal.text)
        terminal.press("Q")
        assert terminal.end() == 0


def test_the_gallery_opens_without_an_argument() -> None:
    with Terminal(*OPEN) as terminal:
        terminal.wait_for(lambda: "choose one of" in terminal.text)
        terminal.press("\r")
        terminal.wait_for(lambda: "step 0 of" in terminal.text)
        terminal.press("q")
        assert terminal.end() == 0


def test_the_module_is_the_command() -> None:
    command = Path(sys.executable).with_name("nnstep")
    if not os.access(command, os.X_OK):
        pytest.skip("the command is not installed beside this Python")
    with Terminal(str(command), "--version") as terminal:
        assert terminal.end() == 0
        assert b"nnstep 0.1.0" in terminal.sent


KEYS = "sssnnf3jjl0lljsiSm"


async def test_nothing_is_sent_without_a_key_and_after_many_what_was_drawn() -> None:
    with opened("digits", 120, 36) as terminal:
        terminal.quiet()
        until = time.monotonic() + 1.5
        app = NnstepApp(load("digits"))
        async with app.run_test(size=(120, 36)) as pilot:
            await pilot.press(*KEYS)
            await pilot.pause()
            drawn = screen_lines(app)
        assert terminal.read(max(0, until - time.monotonic())) == b""
        terminal.press(KEYS)
        terminal.wait_for(lambda: terminal.text.split("\n") == drawn)
