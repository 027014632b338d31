"""Through a real terminal: bytes that are no text, and answers that no terminal should give."""

import pytest
from pseudo_terminal import Terminal


@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    "sent",
    [
        b"\xff",
        b"\xc3",
        b"\x1b[1114112u",
        b"\x1b[48;0;0;0;0t\x1b[<0;3;4M",
        b"\x1b[48;24;80;0;0t\x1b[<0;3;4M\x1b[<0;3;4m",
        b"\x1b[48;2:4;8:0;:1;1:t",
    ],
)
def test_the_app_goes_on(sent: bytes) -> None:
    with Terminal("-m", "nnstep.tui", "mazur") as terminal:
        terminal.wait_for_text("q quit")
        terminal.send(sent)
        terminal.press("s")
        terminal.wait_for_text("step 1 of 1600")
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.is_as_found
        assert b"Traceback" not in terminal.sent
