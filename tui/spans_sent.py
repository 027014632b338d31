"""Which part of a line is sent to the terminal: the columns that differ, and no others.

Textual sends a widget's line from its first column on, wherever the change begins: with a pane's
edge and its muted labels that is a fifth of a step's bytes.
"""

from typing import TYPE_CHECKING

from rich.control import Control
from textual._compositor import ChopsUpdate

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


class SpansUpdate(ChopsUpdate):
    """Updates spans of the screen, each from its first column to its last."""

    def render_segments(self, console: "Console") -> str:
        """Return what draws the spans on a terminal; a place is given for each, so no line ends."""
        sequences: list[str] = []
        for y, first, last in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=True):
                start, stop = max(x, first), min(end, last)
                if strip is None or start >= stop:
                    continue
                shown = strip if (start, stop) == (x, end) else strip.crop(start - x, stop - x)
                sequences += (Control.move_to(start, y).segment.text, shown.render(console))
        return "".join(sequences)


def spans_alone(renderable: "RenderableType | None") -> "RenderableType | None":
    """Return an update of spans that sends nothing else; anything else as it is."""
    if type(renderable) is ChopsUpdate:
        return SpansUpdate(renderable.chops, renderable.spans, renderable.chop_ends)
    return renderable
