"""What is sent with fewer bytes draws the same, on a terminal that is told of every style."""

import pyte
from hypothesis import given
from hypothesis import strategies as st

from nnstep.tui.styles_sent import shortened

COLOURS = st.one_of(
    st.integers(30, 37).map(str),
    st.integers(90, 97).map(str),
    st.integers(0, 255).map("38;5;{}".format),
    st.just("38;2;1;2;3"),
)
GROUNDS = st.one_of(st.integers(40, 47).map(str), st.integers(0, 255).map("48;5;{}".format))
STYLES = st.tuples(
    st.lists(st.sampled_from("1347"), max_size=3), st.lists(COLOURS, max_size=1), GROUNDS
).map(lambda parts: ";".join([*parts[0], *parts[1], parts[2]]))
PIECES = st.tuples(STYLES, st.text(st.sampled_from("ab ●█"), max_size=6)).map(
    lambda piece: f"\x1b[{piece[0]}m{piece[1]}\x1b[0m"
)
MOVES = st.sampled_from(["", "\x1b[2;3H", "\x1b[1;1H", "\r\n", "\x1b[K", "\x1b[?25l"])
WRITTEN = st.lists(st.tuples(PIECES, MOVES).map("".join), max_size=12).map("".join)


def drawn(text: str) -> list[list[pyte.screens.Char]]:
    screen = pyte.Screen(30, 6)
    pyte.Stream(screen).feed(text)
    return [[screen.buffer[y][x] for x in range(30)] for y in range(6)]


@given(WRITTEN)
def test_it_draws_the_same(text: str) -> None:
    assert drawn(shortened(text)) == drawn(text)
    assert len(shortened(text)) <= len(text)


@given(WRITTEN, WRITTEN)
def test_it_begins_and_ends_with_a_plain_style(one: str, other: str) -> None:
    assert drawn(shortened(one) + shortened(other)) == drawn(one + other)


def test_only_what_differs_is_sent() -> None:
    text = "\x1b[1;38;5;7;48;5;3mab\x1b[0m\x1b[2;3H\x1b[38;5;7;48;5;3mcd\x1b[0m"
    assert shortened(text) == "\x1b[1;38;5;7;48;5;3mab\x1b[2;3H\x1b[22mcd\x1b[0m"
    assert shortened("no style") == "no style"


def test_a_style_that_is_not_known_is_sent_as_it_is() -> None:
    text = "\x1b[58;5;1mab\x1b[0m\x1b[1mcd\x1b[0m"
    assert shortened(text) == text
