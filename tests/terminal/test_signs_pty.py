"""The terminal is asked how wide it shows signs, and nobody waits for what it says."""

from pathlib import Path

import pytest
from pseudo_terminal import Terminal

from nnstep.tui.terminal import HOW_WIDE

ASKED = b"\x1b[6n"
OPEN = ("-m", "nnstep.tui", "mazur")


SIGNS = HOW_WIDE.split("H", 1)[1].partition("\x1b")[0]


def answer(wide: int) -> bytes:
    """Return what a terminal says that shows so many of the signs two columns wide."""
    return f"\x1b[2;{1 + len(SIGNS) + wide}R".encode()


@pytest.mark.parametrize(("wide", "plain"), [(0, False), (1, True), (len(SIGNS), True)])
def test_where_signs_are_wide_all_is_in_ascii(wide: int, plain: bool) -> None:
    with Terminal(*OPEN) as terminal:
        terminal.wait_for(lambda: ASKED in terminal.sent)
        assert HOW_WIDE.encode() in terminal.sent, "and taken away with the same write"
        terminal.send(answer(wide))
        terminal.press("ss")
        terminal.wait_for(lambda: "step 2 of" in terminal.text and "W1[i, j]" in terminal.text)
        assert terminal.text.isascii() == plain
        assert ("sum_j x[n, j]*W1[i, j]" in terminal.text) == plain


def test_it_may_answer_late_or_not_at_all() -> None:
    with Terminal(*OPEN) as terminal:
        terminal.wait_for_text("q quit")
        terminal.press("ss")
        terminal.wait_for_text("Σⱼ x[n, j]·W1[i, j]")
        terminal.send(answer(3))
        terminal.wait_for(lambda: terminal.text.isascii())
        terminal.press("s")
        terminal.wait_for_text("step 3 of")


def test_it_is_not_asked_where_the_user_has_said_or_there_is_no_room(tmp_path: Path) -> None:
    folder = tmp_path / "nnstep"
    folder.mkdir()
    (folder / "config.toml").write_text("ascii = false\n", encoding="utf-8")
    with Terminal(*OPEN, XDG_CONFIG_HOME=str(tmp_path)) as terminal:
        terminal.wait_for_text("q quit")
        assert ASKED not in terminal.sent
    with Terminal(*OPEN, columns=30) as terminal:
        terminal.wait_for_text("step 0")
        assert ASKED not in terminal.sent
