"""The first line of the screen: where the run is, and whether it is running."""

from collections.abc import Iterator

from nnstep.engine.snapshot import Snapshot
from nnstep.tui.widgets.line_view import Line, LineView, Piece, fit


class StatusLine(LineView):
    """Shows the place of a snapshot and what is going on."""

    def __init__(self, title: str, *, id: str) -> None:
        super().__init__(id=id)
        self._title = title
        self._snapshot: Snapshot | None = None
        self._activity = ""

    def show(self, snapshot: Snapshot, activity: str) -> None:
        """Draw the place of a snapshot; `activity` says what is running, empty for nothing."""
        self._snapshot, self._activity = snapshot, activity
        self.redraw()

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the one line."""
        return [fit(self._pieces(width), width, self.palette.bar)]

    def _pieces(self, width: int) -> Iterator[Piece]:
        if self._snapshot is None:
            return
        palette, parts = self.palette, place_of(self._snapshot)
        activity = f" · {self._activity}" if self._activity else ""
        if len(" · ".join(parts)) + 1 + len(activity) > width and activity:
            # What is running says more than the phase, which will be another one in no time.
            parts = parts[:-1]
        text = f" {' · '.join(parts)}"
        yield text, palette.bar_strong
        yield activity, palette.bar_accent
        taken = len(text) + len(activity)
        if len(self._title) + 3 <= width - taken:
            yield f"{self._title} ".rjust(width - taken), palette.bar


def place_of(snapshot: Snapshot) -> list[str]:
    """Write where a snapshot was taken: step, iteration, epoch, and the phase with its layer."""
    current = snapshot.current
    of_total = "" if snapshot.total is None else f" of {snapshot.total}"
    phase = current.phase.value
    if current.layer is not None:
        phase += f", layer {current.layer}"
    return [
        f"step {snapshot.place}{of_total}",
        f"iteration {snapshot.iteration}",
        f"epoch {snapshot.epoch}",
        "end of the run" if snapshot.finished else phase,
    ]
