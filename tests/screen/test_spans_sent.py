"""Of a line that has changed, only columns that differ are sent, and the screen is right after."""

import io
from itertools import pairwise

import pyte
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from nnstep.tui.spans_sent import SpansUpdate, spans_alone

WIDTH, HEIGHT = 24, 4
CONSOLE = Console(file=io.StringIO(), force_terminal=True, color_system="256", width=WIDTH)
CUTS = st.sets(st.integers(1, WIDTH - 1), max_size=3).map(lambda cuts: [0, *sorted(cuts), WIDTH])
SPAN = st.tuples(st.integers(0, WIDTH), st.integers(0, WIDTH)).map(sorted)


def chopped(text: str, cuts: list[int]) -> dict[int, Strip | None]:
    """Return a line in pieces, as widgets beside each other draw it, in two styles."""
    pieces: dict[int, Strip | None] = {}
    for at, (start, end) in enumerate(pairwise(cuts)):
        middle = (start + end) // 2
        styles = Style(bold=True), Style(color="red" if at % 2 else "blue")
        parts = (text[start:middle], text[middle:end])
        pieces[start] = Strip([*map(Segment, parts, styles)], end - start)
    return pieces


def update(cuts: list[list[int]], spans: list[tuple[int, int, int]], sign: str) -> ChopsUpdate:
    lines = [chopped(sign * WIDTH, each) for each in cuts]
    return ChopsUpdate(lines, spans, [each[1:] for each in cuts])


@given(st.lists(CUTS, min_size=HEIGHT, max_size=HEIGHT), st.lists(SPAN, max_size=HEIGHT))
def test_what_is_in_the_spans_is_new_and_nothing_else_is_touched(
    cuts: list[list[int]], spans: list[list[int]]
) -> None:
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(screen)
    stream.feed("\x1b[?7l" + "".join(f"\x1b[{y + 1};1H{'o' * WIDTH}" for y in range(HEIGHT)))
    changed = [(y, first, last) for y, (first, last) in enumerate(spans)]
    sent = spans_alone(update(cuts, changed, "n"))
    assert isinstance(sent, SpansUpdate)
    stream.feed(sent.render_segments(CONSOLE))
    for y in range(HEIGHT):
        first, last = spans[y] if y < len(spans) else (0, 0)
        assert screen.display[y] == "o" * first + "n" * (last - first) + "o" * (WIDTH - last)


def test_what_is_no_update_of_spans_is_sent_as_it_is() -> None:
    assert spans_alone(None) is None
    assert spans_alone("text") == "text"
