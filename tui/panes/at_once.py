"""What a key changes is drawn and sent at once: each pane once, all of them in one piece.

Textual lets every widget wait for a turn of its own before it draws them, and looks first what
covers what. Here nothing covers a pane but for moments, and those are left to Textual.
"""

import asyncio
import time
from typing import TYPE_CHECKING

from rich.color import ColorSystem
from textual._compositor import CompositorUpdate
from textual.screen import Screen
from textual.strip import Strip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console
    from rich.segment import Segment

    from .line_view import Change, LineView


# In seconds: how often keys that wait for each other are drawn, and how soon after the last.
FRAME, _LOOK = 0.05, 0.005


class PiecesUpdate(CompositorUpdate):
    """Pieces of lines as they are sent, with the column and the line where each begins."""

    def __init__(self, pieces: "Sequence[tuple[int, int, str]]") -> None:
        self.pieces = pieces

    def render_segments(self, console: "Console") -> str:
        """Return what draws them on a terminal; a place is given for each, so no line ends."""
        return "".join([f"\x1b[{y + 1};{x + 1}H{text}" for x, y, text in self.pieces])


def sent(segments: "Sequence[Segment]", console: "Console") -> str:
    """Return what draws segments on a terminal."""
    colours = console._color_system or ColorSystem.TRUECOLOR
    return "".join(
        [Strip.render_style(style, text, colours) if style else text for text, style, _ in segments]
    )


class DrawnAtOnce(Screen[None]):
    """A screen that draws its views of lines when whatever was going on has changed them all."""

    def __init__(self) -> None:
        super().__init__()
        self._to_draw: dict[LineView, None] = {}
        self._drawn_at = 0.0

    @property
    def is_hurried(self) -> bool:
        """Whether more has been typed than is answered, so that not every state need be seen."""
        return False

    def draw_soon(self, view: "LineView") -> None:
        """Have a view drawn, once what is going on now is done."""
        if not self._to_draw:
            asyncio.get_running_loop().call_soon(self.draw)
        self._to_draw[view] = None

    def drawn(self) -> None:
        """Take note that everything is drawn anew, and not sent yet."""

    def draw(self) -> None:
        """Draw now what waits for that."""
        if not self._to_draw:
            return
        if self.is_hurried and (left := self._drawn_at + FRAME - time.monotonic()) > 0:
            asyncio.get_running_loop().call_later(min(left, _LOOK), self.draw)
            return
        views, self._to_draw = list(self._to_draw), {}
        self._drawn_at = time.monotonic()
        if self.is_attached:
            try:
                self._send({view: changes for view in views if (changes := view.changes())})
            except Exception as error:  # nobody waits for this, who could be told
                self.app._handle_exception(error)

    def _send(self, changed: "Mapping[LineView, Sequence[Change]]") -> None:
        """Send what has changed of views, or leave it to Textual."""
        self.drawn()
        if not self._sends_at_once:
            for view, changes in changed.items():
                view.refresh(*(change.region for change in changes))
            return
        pieces = [
            (at.x + change.x, at.y + change.y, change.sent or view.sent(change.pieces))
            for view, changes in changed.items()
            if (at := view.region)
            for change in changes
        ]
        if pieces or self.app.cursor_position != self.app._previous_cursor_position:
            self.app._display(self, PiecesUpdate(pieces))  # type: ignore[arg-type]

    @property
    def _sends_at_once(self) -> bool:
        """Whether nothing covers the views, and Textual has nothing to draw itself."""
        app = self.app
        is_alone = app.screen is self and not (app._batch_count or app._notifications)
        is_pending = self._layout_required or self._scroll_required or self._repaint_required
        return is_alone and not (is_pending or self._dirty_widgets or self.selections)
