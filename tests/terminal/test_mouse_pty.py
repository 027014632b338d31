"""Through the bytes of a terminal: the mouse chooses, scrolls, selects; what is copied arrives."""

from base64 import b64decode

from pseudo_terminal import Terminal

LEFT, WHEEL_UP, WHEEL_DOWN, DRAG = 0, 64, 65, 32


def mouse(terminal: Terminal, button: int, column: int, line: int, *, up: bool = False) -> None:
    """Send what a terminal does at a place, counted from 0."""
    terminal.press(f"\x1b[<{button};{column + 1};{line + 1}{'m' if up else 'M'}")


def click(terminal: Terminal, text: str) -> None:
    """Click on the first place of the screen that shows a text."""
    column, line = place_of(terminal, text)
    mouse(terminal, LEFT, column, line)
    mouse(terminal, LEFT, column, line, up=True)


def place_of(terminal: Terminal, text: str) -> tuple[int, int]:
    """Return the column and the line that a text begins at on the screen."""
    lines = terminal.text.split("\n")
    line = next(y for y, shown in enumerate(lines) if text in shown)
    return lines[line].index(text), line


def copied(terminal: Terminal) -> str:
    """Return what was sent for the clipboard last (OSC 52)."""
    sent = terminal.sent.rpartition(b"\x1b]52;c;")[2]
    return b64decode(sent.partition(b"\a")[0]).decode()


def test_the_mouse_chooses_scrolls_and_selects() -> None:
    with Terminal("-m", "nnstep.tui", "mazur", lines=20) as terminal:

        def shows(*texts: str) -> bool:
            return all(text in terminal.text for text in texts)

        terminal.wait_for_text("q quit")
        terminal.press("s" * 9)
        terminal.wait_for(lambda: shows("─ dW2[0, 0] = ", "-0.0227", "q quit"))

        # A click chooses a cell, the terminal's cursor stands on its last digit, y copies it.
        column, line = place_of(terminal, "-0.0227")
        click(terminal, "-0.0227")
        terminal.wait_for_text("─ dW2[1, 1] = -0.022740242215978222 ")
        cursor = terminal.screen.cursor
        terminal.wait_for(lambda: (cursor.x, cursor.y) == (column + len("-0.0227") - 1, line))
        terminal.press("y")
        terminal.wait_for_text("is copied, if this terminal allows it; in any, :copy")
        assert copied(terminal) == "-0.022740242215978222"

        # The wheel scrolls what is under the mouse.
        shown = place_of(terminal, "x, y = next(batches)")
        assert "↓3" in terminal.text
        mouse(terminal, WHEEL_DOWN, *shown)
        terminal.wait_for_text("↑3")
        assert "next(batches)" not in terminal.text
        mouse(terminal, WHEEL_UP, *shown)
        terminal.wait_for(lambda: shows("x, y = next(batches)", "↓3", "dz2 = da2", "db2 = dz2"))

        # What the mouse has gone over is selected, and y copies that.
        first, last = place_of(terminal, "dz2 = da2"), place_of(terminal, "db2 = dz2")
        mouse(terminal, LEFT, *first)
        mouse(terminal, DRAG, last[0] + 2, last[1])
        mouse(terminal, LEFT, last[0] + 2, last[1], up=True)
        terminal.press("y")
        terminal.wait_for_text("The selected text is copied")
        ran, *_, end = copied(terminal).split("\n")
        assert (ran, end) == ("dz2 = da2 * a2 * (1 - a2)", " ▶        db2")
