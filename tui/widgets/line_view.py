"""The base of everything drawn: a widget that paints lines and sends only what changed.

A step changes a few cells of a screen, and over SSH what is sent is what is waited for. So a pane
paints its visible lines as strips, the base compares them with those on the screen, and only the
spans that differ are drawn again.
"""

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from nnstep.tui.theme import Palette, palette_of

Piece = tuple[str, Style]


class LineView(Widget):
    """A widget whose subclass paints every visible line in `paint`."""

    DEFAULT_CSS = """
    LineView { width: 1fr; height: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Strip] | None = None
        self._painted = (0, 0)

    @property
    def palette(self) -> Palette:
        """The styles of the theme in use."""
        return palette_of(self.app.current_theme)

    def paint(self, width: int, height: int) -> list[Strip]:
        """Return the `height` strips that are visible now, each `width` columns wide."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Paint again and have the spans that differ from the screen drawn."""
        if not self.is_mounted:
            return
        width, height = self.size
        if self._lines is None or self._painted != (width, height) or not self.display:
            self.repaint()
            return
        old, self._lines = self._lines, self.paint(width, height)
        regions = [
            Region(span[0], y, span[1] - span[0], 1)
            for y, (before, after) in enumerate(zip(old, self._lines, strict=True))
            if (span := changed_span(before, after))
        ]
        if regions:
            self.refresh(*regions)

    def repaint(self) -> None:
        """Forget what is on the screen and draw everything."""
        self._lines = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return a painted line, for Textual to send."""
        width, height = self.size
        if self._lines is None or self._painted != (width, height):
            self._lines = self.paint(width, height)
            self._painted = (width, height)
        return self._lines[y] if y < len(self._lines) else Strip.blank(width, self.palette.text)

    def on_mount(self) -> None:
        """Take part in changes of the theme."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.repaint())

    def on_resize(self, _event: events.Resize) -> None:
        """Draw everything at the new size."""
        self.repaint()

    def on_focus(self) -> None:
        """Show that keys arrive here."""
        self.redraw()

    def on_blur(self) -> None:
        """Show that keys arrive elsewhere."""
        self.redraw()


def line(pieces: Iterable[Piece], width: int, blank: Style) -> Strip:
    """Make a strip exactly `width` columns wide, neighbours of one style in one segment."""
    segments: list[Segment] = []
    for text, style in pieces:
        if segments and segments[-1].style is style:
            segments[-1] = Segment(segments[-1].text + text, style)
        elif text:
            segments.append(Segment(text, style))
    return Strip(segments).adjust_cell_length(width, blank)


def changed_span(before: Strip, after: Strip) -> tuple[int, int] | None:
    """Return the columns, first and one past the last, in which two strips differ."""
    old, new = _characters(before), _characters(after)
    if old == new:
        return None
    width = max(before.cell_length, after.cell_length)
    if len(old) != width or len(new) != width:
        return 0, width
    return _common(old, new), width - _common(old[::-1], new[::-1])


def _characters(strip: Strip) -> list[Piece]:
    """Take a strip apart into styled characters."""
    return [(character, style or Style.null()) for text, style, _ in strip for character in text]


def _common(old: list[Piece], new: list[Piece]) -> int:
    """Return how many characters both lists begin with."""
    return next(
        (x for x, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]), len(old)
    )
