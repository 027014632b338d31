"""Real bytes in one write, as tmux, mosh and scripts send them: each key is answered in order."""

import pytest
from pseudo_terminal import Terminal


def opened() -> Terminal:
    terminal = Terminal("-m", "nnstep.tui", "mazur")
    terminal.wait_for(lambda: "the run begins with" in terminal.text and "q quit" in terminal.text)
    return terminal


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (":print lr\r", "lr = 0.5"),
        (":print W1\x15print lr\r", "lr = 0.5"),
        ("2e0.33\r", "W1[0, 0] = 0.33"),
        (":goto 5\rss", "step 7 of"),
        ("\x1b[200~sss\x1b[201~s", "step 1 of"),
        (":\x1b[200~goto 9\x1b[201~\r", "step 9 of"),
        ("g\x1bs", "step 1 of"),
    ],
)
def test_what_is_written_at_once_is_answered_in_order(typed: str, shown: str) -> None:
    with opened() as terminal:
        terminal.press(typed)
        terminal.wait_for_text(shown)
        is_answer = typed.startswith(":print")
        if is_answer:
            terminal.press("\r")  # an empty line: the prompt stays open behind an answer
        terminal.press("q")
        assert terminal.end() == 0
        assert is_answer or shown in terminal.text, "nothing that was typed came after it"


@pytest.mark.parametrize("size", [(80, 24), (300, 100)])
def test_q_comes_through_a_burst_of_keys(size: tuple[int, int]) -> None:
    columns, lines = size
    with Terminal("-m", "nnstep.tui", "mazur", columns=columns, lines=lines) as terminal:
        terminal.wait_for_text("q quit")
        terminal.press("sstn" * 500 + "q")
        assert terminal.end() == 0


@pytest.mark.parametrize("typed", ["\x1bq", ":print L\x1bq", "\x1b\x1bq"])
def test_q_right_behind_escape_quits(typed: str) -> None:
    with opened() as terminal:
        terminal.press(typed)
        assert terminal.end() == 0
