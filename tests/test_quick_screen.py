"""The screen that tests look at shows what pyte shows."""

import random

import pyte
from quick_screen import QuickScreen

TEXTS = ("a", "z1 = x @ W1.T + b1", "● Σⱼ x[n, j]·W1[i, j]", "─" * 12, "e\u0301", "\u200b")
MOVES = ("\r\n", "\b", "\t", "\x1b[H", "\x1b[3;7H", "\x1b[2C", "\x1b[A", "\x1bM", "\x1b[2;4r")
STYLES = ("\x1b[1m", "\x1b[31;47m", "\x1b[38;5;123m", "\x1b[7m", "\x1b[0m", "\x1b[38;2;1;2;3m")
CHANGES = ("\x1b[K", "\x1b[1J", "\x1b[2J", "\x1b[2@", "\x1b[P", "\x1b[L", "\x1b[M", "\x1b[3X")
MODES = ("\x1b[4h", "\x1b[4l", "\x1b[?7l", "\x1b[?7h", "\x1b(0", "\x1b(B", "\x0e", "\x0f", "\x1bc")


def test_a_sign_that_is_two_columns_wide() -> None:
    ours, theirs = QuickScreen(20, 6), pyte.Screen(20, 6)
    for screen in (ours, theirs):
        pyte.Stream(screen).feed("a宽b\r\n" + 19 * "a" + "宽c")
    assert ours.display == theirs.display


def test_whatever_is_sent_it_shows_what_pyte_shows() -> None:
    draw = random.Random(0)
    for _ in range(20):
        ours, theirs = QuickScreen(20, 6), pyte.Screen(20, 6)
        streams = pyte.Stream(ours, strict=False), pyte.Stream(theirs, strict=False)
        for _ in range(30):
            kind = draw.choices((TEXTS, MOVES, STYLES, CHANGES, MODES), (5, 3, 2, 1, 0.3))[0]
            sent = draw.choice(kind)
            for stream in streams:
                stream.feed(sent)
            assert ours.display == theirs.display
            assert (ours.cursor.x, ours.cursor.y) == (theirs.cursor.x, theirs.cursor.y)
        for y in range(6):
            assert [ours.buffer[y][x] for x in range(20)] == [
                theirs.buffer[y][x] for x in range(20)
            ]
