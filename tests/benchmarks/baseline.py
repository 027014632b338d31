"""The least that a Textual app can be, to compare with: one widget, and NumPy imported.

python baseline.py static    one Static
python baseline.py lines     one line-drawn widget, a row of which changes at each key s
"""

import sys

import numpy as np
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

READY = f"ready, numpy {np.__version__}"


class Lines(Widget):
    """Draws its rows itself."""

    count = 0

    def render_line(self, y: int) -> Strip:
        return Strip([Segment(f"{READY} {self.count if y == 0 else y}")])


class Baseline(App[None]):
    """One widget."""

    BINDINGS = [("s", "step", "Step"), ("q", "quit", "Quit")]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        yield Lines() if sys.argv[1] == "lines" else Static(READY)

    def action_step(self) -> None:
        lines = self.query_one(Lines)
        lines.count += 1
        lines.refresh(Region(0, 0, lines.size.width, 1))


if __name__ == "__main__":
    Baseline().run()
