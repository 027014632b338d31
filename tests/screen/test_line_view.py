"""Of a line that has changed, the pieces that differ are found, and no more."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from nnstep.tui.panes.line_view import Piece, columns, difference, fit

PLAIN, BOLD = Style(color="white"), Style(bold=True)


@pytest.mark.parametrize(
    ("old", "new", "start", "pieces"),
    [
        ([("abc", PLAIN)], [("abd", PLAIN)], 2, [("d", PLAIN)]),
        ([("abc", PLAIN)], [("abc", BOLD)], 0, [("abc", BOLD)]),
        ([("a", PLAIN), ("bc", BOLD)], [("a", PLAIN), ("xc", BOLD)], 1, [("x", BOLD)]),
        ([("ab", PLAIN), ("cd", BOLD)], [("abc", PLAIN), ("d", BOLD)], 2, [("c", PLAIN)]),
        ([("aaaa", PLAIN)], [("aa", PLAIN), ("x", BOLD), ("a", PLAIN)], 2, [("x", BOLD)]),
        ([("aba", PLAIN), ("a", BOLD)], [("abaa", PLAIN)], 3, [("a", PLAIN)]),
    ],
)
def test_only_what_differs_is_drawn(
    old: list[Piece], new: list[Piece], start: int, pieces: list[Piece]
) -> None:
    assert difference(tuple(old), tuple(new)) == (start, tuple(pieces))


@given(st.lists(st.tuples(st.sampled_from("ab─神"), st.sampled_from([PLAIN, BOLD])), min_size=1))
def test_what_differs_in_place_of_what_was_there_is_the_new_line(signs: list[Piece]) -> None:
    old, new = (fit(some, 12, PLAIN) for some in (signs, [*signs[1::2], *signs[::2]]))
    if old != new:
        start, pieces = difference(old, new)
        end = start + sum(columns(text) for text, _ in pieces)
        cells = [(sign, style) for text, style in pieces for sign in text]
        assert [*_signs(old, 0, start), *cells, *_signs(old, end, 12)] == [*_signs(new, 0, 12)]


def _signs(line: Sequence[Piece], first: int, end: int) -> Iterator[Piece]:
    """Yield the signs of a line that begin in some columns."""
    at = 0
    for text, style in line:
        for sign in text:
            if first <= at < end:
                yield sign, style
            at += columns(sign)


def test_wide_characters_are_not_cut_in_two() -> None:
    old, new = fit([("神経", PLAIN)], 6, PLAIN), fit([("神径", PLAIN)], 6, PLAIN)
    start, pieces = difference(old, new)
    assert (start, pieces) == (2, (("径", PLAIN),))
