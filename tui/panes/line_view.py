"""The base of everything drawn: a widget that paints lines and sends only what changed.

A step changes a few cells of a screen, and over SSH what is sent is what is waited for. So a pane
paints its visible lines, the base compares them with those on the screen, and only the spans that
differ are drawn again.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.selection import Selection
from textual.strip import Strip
from textual.theme import Theme
from textual.widget import Widget

from nnstep.tui.theme import Palette, palette_of

from .at_once import DrawnAtOnce, sent

WHEEL_LINES = 3
# The line between a pane and what is to its left.
EDGE = "│"
# What is selected by mouse.
SELECTED = Style(reverse=True)

Piece = tuple[str, Style]
Line = tuple[Piece, ...]


class Change(Struct, frozen=True):
    """What differs of a line of a view: its pieces from a column on, and what draws them."""

    y: int
    x: int
    pieces: Line
    sent: str = ""

    @property
    def region(self) -> Region:
        """Where in the view that is."""
        return Region(self.x, self.y, _width(self.pieces), 1)


class LineView(Widget, inherit_css=False):
    """A widget whose subclass paints every visible line in `paint`.

    It has neither scrollbars nor links, and does not inherit how they look.
    """

    DEFAULT_CSS = """
    LineView { width: 1fr; height: 1fr; background: transparent; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.palette: Palette
        self._lines: list[Line] = []
        self._strips: list[Strip | None] = []
        self._filters: Sequence[LineFilter] = ()
        self._ground = Color(0, 0, 0)
        self._painted = Size(0, 0)

    def paint(self, width: int, height: int) -> list[Line]:
        """Return the `height` lines that are visible now, each made by `fit`."""
        raise NotImplementedError

    def fit_to(self, width: int, height: int) -> None:
        """Get ready to paint so many columns and lines."""

    @property
    def edge(self) -> Line:
        """What every line begins with: a rule, if there is something to the left."""
        return ((EDGE, self.palette.rule),) if self.region.x > 0 else ()

    def scroll_by(self, lines: int) -> None:
        """Scroll, in a pane that can have more than it shows."""

    def redraw(self) -> None:
        """Have this painted again, and the spans that differ from the screen drawn."""
        if not self.display or not self.is_mounted:
            self._painted = Size(0, 0)
        elif isinstance(screen := self.screen, DrawnAtOnce):
            screen.draw_soon(self)
        elif changes := self.changes():
            self.refresh(*(change.region for change in changes))

    def changes(self) -> list[Change]:
        """Paint again, and return what differs from what is on the screen.

        At another size than before, everything is drawn when Textual does so.
        """
        size = self.outer_size  # there is neither border nor padding
        if not self.display or not size:
            self._painted = Size(0, 0)
        elif size != self._painted:
            self.refresh()
        else:
            return self.renew()
        return []

    def renew(self) -> list[Change]:
        """Paint again, at the size that this has, and return what differs."""
        lines = self.paint_in(self._painted)
        return self.accept(lines, self.differences(self._lines, lines))

    def paint_in(self, size: Size) -> list[Line]:
        """Paint, or say that it cannot be done: one pane is no reason to see none."""
        try:
            self.fit_to(*size)
            return self.paint(*size)
        except Exception as error:
            error.add_note(f"Drawing the pane {self.id}")
            self.app._handle_exception(error)
            excuse = fit(
                [("This cannot be drawn.", self.palette.text)], size.width, self.palette.text
            )
            return [excuse] + [empty(size.width, self.palette.text)] * (size.height - 1)

    def differences(self, old: list[Line], new: list[Line]) -> list[Change]:
        """Return where the new lines differ from the old ones."""
        return [
            Change(y, *difference(before, after))
            for y, (before, after) in enumerate(zip(old, new, strict=True))
            if before is not after and before != after
        ]

    def accept(self, lines: list[Line], changes: list[Change]) -> list[Change]:
        """Take new lines in place of the old, which differ in this from them."""
        self._lines = lines
        for change in changes:
            self._strips[change.y] = None
        return changes

    def segments(self, pieces: Line) -> list[Segment]:
        """Return pieces as Textual sends them, in the colours that the terminal has."""
        segments = [Segment(*piece) for piece in pieces]
        for line_filter in self._filters:
            segments = line_filter.apply(segments, self._ground)
        return segments

    def sent(self, pieces: Line) -> str:
        """Return what draws pieces on the terminal."""
        return sent(self.segments(pieces), self.app.console)

    def _strip(self, y: int) -> Strip:
        """Return a painted line as Textual sends it; it is made when Textual first does so."""
        strip = self._strips[y]
        if strip is None:
            segments = self.segments(self._lines[y])
            strip = self._strips[y] = Strip(segments, self._painted.width)
        return strip

    def repaint(self) -> None:
        """Forget what is on the screen and draw everything."""
        self._painted = Size(0, 0)
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the painted lines in a region, for Textual to send.

        This goes past Textual's cache of styled lines: there is no border or padding to add, and
        what is on the screen is kept here already.
        """
        if self._painted != self.size:
            self._painted = self.size
            self._filters, self._ground = self.get_line_filters(), self.background_colors[1]
            self._lines = self.paint_in(self.size)
            self._strips = [None] * len(self._lines)
        last = min(crop.bottom, len(self._lines))
        strips = [self._strip(y) for y in range(crop.y, last)]
        if (selection := self.text_selection) is not None:
            strips = [
                _selected(strip, selection.get_span(y)) for y, strip in enumerate(strips, crop.y)
            ]
        if crop.column_span != (0, self.size.width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """Return a line with the places of its characters, for a selection made by mouse."""
        strips = self.render_lines(Region(0, y, self.size.width, 1))
        return strips[0].apply_offsets(0, y) if strips else Strip.blank(self.size.width)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return what is selected of the lines that are visible."""
        text = "\n".join("".join(piece for piece, _ in line) for line in self._lines)
        return selection.extract(text), "\n"

    def on_mount(self) -> None:
        """Take part in changes of the theme."""
        self.palette = palette_of(self.app.current_theme, no_color=self.app.no_color)
        self.app.theme_changed_signal.subscribe(self, self._change_theme)

    def _change_theme(self, theme: Theme) -> None:
        if (palette := palette_of(theme, no_color=self.app.no_color)) is not self.palette:
            self.palette = palette
            self.repaint()

    def on_resize(self, _event: events.Resize) -> None:
        """Draw everything at the new size, unless that has been done already."""
        self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down."""
        event.stop()
        self.scroll_by(WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up."""
        event.stop()
        self.scroll_by(-WHEEL_LINES)

    def watch_has_focus(self, has_focus: bool) -> None:
        """Show whether keys arrive here."""
        super().watch_has_focus(has_focus)
        self.redraw()


def _selected(strip: Strip, span: tuple[int, int] | None) -> Strip:
    """Return a line with what is selected of it reversed."""
    if span is None:
        return strip
    start, end = span[0], strip.cell_length if span[1] < 0 else span[1]
    before, chosen = strip.crop(0, start), strip.crop(start, end)
    after = strip.crop(end, strip.cell_length)
    return Strip.join([before, chosen.apply_style(SELECTED), after])


def fit(pieces: Iterable[Piece], width: int, blank: Style) -> Line:
    """Make a line exactly `width` columns wide, neighbours that look alike in one piece.

    Each piece costs the terminal some twenty bytes for its style.
    """
    line: list[Piece] = []
    taken = 0
    for text, style in pieces:
        _add(line, text, style)
        taken += columns(text)
    if taken > width:
        strip = Strip([Segment(*piece) for piece in line]).crop(0, width)
        return tuple((text, style or blank) for text, style, _ in strip)
    if taken < width:
        _add(line, " " * (width - taken), blank)
    return tuple(line)


def _add(line: list[Piece], text: str, style: Style) -> None:
    """Add a piece to a line; blanks take the style of what stands beside them."""
    if not text:
        return
    if line:
        before, its_style = line[-1]
        if its_style is style or (text.isspace() and _blank_alike(its_style, style)):
            line[-1] = (before + text, its_style)
            return
        if before.isspace() and _blank_alike(its_style, style):
            line[-1] = (before + text, style)
            return
    line.append((text, style))


@lru_cache(maxsize=1024)
def _blank_alike(one: Style, other: Style) -> bool:
    """Tell whether blanks look the same in two styles: only their ground is seen."""
    drawn = (one.reverse, one.underline, other.reverse, other.underline)
    return one.bgcolor == other.bgcolor and not any(drawn)


@lru_cache(maxsize=64)
def empty(width: int, blank: Style) -> Line:
    """Make a line with nothing on it."""
    return ((" " * width, blank),)


def columns(text: str) -> int:
    """Return how many columns a text takes."""
    return len(text) if text.isascii() else _columns_of_signs(text)


@lru_cache(maxsize=4096)
def _columns_of_signs(text: str) -> int:
    return cell_len(text)


def difference(old: Line, new: Line) -> tuple[int, Line]:
    """Return the column where two lines of one width begin to differ, and what the new one has.

    It has that up to where they are alike again, to their ends.
    """
    most, first, last = min(len(old), len(new)), 0, 0
    while first < most and old[first] == new[first]:
        first += 1
    while last < most - first and old[-1 - last] == new[-1 - last]:
        last += 1
    before, after = old[first : len(old) - last], list(new[first : len(new) - last])
    start = _width(new[:first])
    if before and after and before[0][1] == after[0][1]:
        text, style = after[0]
        common = _common_start(before[0][0], text)
        start += columns(common)
        after[0] = text[len(common) :], style
        before = ((before[0][0][len(common) :], style), *before[1:])
    if before and after and before[-1][1] == after[-1][1]:
        text, style = after[-1]
        common = _common_start(before[-1][0][::-1], text[::-1])
        after[-1] = text[: len(text) - len(common)], style
    return start, tuple(piece for piece in after if piece[0])


def _common_start(old: str, new: str) -> str:
    """Return the text that two texts begin with."""
    if old == new:
        return old
    same, apart = 0, min(len(old), len(new)) + 1
    while apart - same > 1:
        middle = (same + apart) // 2
        same, apart = (middle, apart) if old[:middle] == new[:middle] else (same, middle)
    return old[:same]


def _width(line: Sequence[Piece]) -> int:
    return sum([columns(text) for text, _ in line])
