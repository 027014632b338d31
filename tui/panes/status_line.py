"""The line above everything: where the run is, what is going on, and the loss."""

from collections.abc import Iterator, Mapping

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.numbers import direction, format_value

from .braille import curve, same_values
from .line_view import Line, Piece, columns, fit
from .scene import STALE, Scene
from .scene_view import SceneView

SEPARATOR = " · "
# The columns of the curve of the losses: it gets what is left up to the most, or goes.
LEAST_CURVE, MOST_CURVE = 8, 16
# What says least is left out first.
RANKED = (
    *("title", "epoch", "newest", "fault", "branch", "running", "curve", "activity", "change"),
    *("loss", "phase", "iteration"),
)


class StatusLine(SceneView):
    """Shows the place of a snapshot, what is going on, and the loss with a small curve.

    `activity` says what is running, empty for nothing.
    """

    STATE = ("_snapshot", "_activity")

    def __init__(self, title: str, *, id: str) -> None:
        super().__init__(id=id)
        self._title = title
        self._snapshot: Snapshot | None = None
        self._activity = ""
        self._curve: tuple[Array, int, str] = (np.empty(0), 0, "")

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Draw the place of a snapshot."""
        self._snapshot = snapshot
        self.redraw()

    @property
    def activity(self) -> str:
        """What is going on."""
        return self._activity

    @activity.setter
    def activity(self, text: str) -> None:
        if text != self._activity:
            self._activity = text
            self.redraw()

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the one line."""
        return [fit(self._pieces(width), width, self.palette.bar)]

    def _pieces(self, width: int) -> Iterator[Piece]:
        if self._snapshot is None:
            return
        palette, snapshot = self.palette, self._snapshot
        parts = place_of(snapshot) | loss_of(snapshot) | faults_of(snapshot)
        parts |= {"activity": self._activity, "title": f"   {self._title}" if self._title else ""}
        if len(snapshot.losses) > 1:
            parts["curve"] = " " * (LEAST_CURVE + 1)
        shorten(parts, width)
        left, right = columns(_left(parts)), columns(_right(parts))
        yield f" {_place(parts)}", palette.bar_strong
        if activity := parts.get("activity"):
            yield f"{SEPARATOR}{activity}", palette.bar_accent
        if fault := parts.get("fault"):
            yield " ", palette.bar
            yield fault, palette.error
        gap = width - left - right
        more = max(0, min(MOST_CURVE - LEAST_CURVE, gap - 1)) if parts.get("curve") else 0
        yield " " * (gap - more), palette.bar
        lost = len(snapshot.losses) and not np.isfinite(snapshot.losses[-1])
        yield parts.get("loss", ""), palette.error if lost else palette.bar_strong
        yield parts.get("change", ""), palette.bar_strong
        if parts.get("curve"):
            yield f" {self._drawn(snapshot.losses, LEAST_CURVE + more)}", palette.bar_accent
        yield f"{parts.get('title', '')} ", palette.bar

    def _drawn(self, losses: Array, width: int) -> str:
        """Return the curve of the losses so far, which few steps change."""
        known, at, drawn = self._curve
        if at != width or not same_values(losses, known):
            drawn = curve(losses, width, 1).rows[0]
            self._curve = losses, width, drawn
        return drawn


def place_of(snapshot: Snapshot) -> dict[str, str]:
    """Write where a snapshot was taken, part by part: step, iteration, epoch, phase and branch."""
    current = snapshot.current
    of_total = "" if snapshot.total is None else f" of {snapshot.total}"
    phase = current.phase.value
    if current.layer is not None:
        phase += f" {current.layer}"
    parts = {"step": f"step {snapshot.place}{of_total}"}
    if snapshot.newest > snapshot.place:
        parts["newest"] = f"newest {snapshot.newest}"
    parts["iteration"] = f"iteration {snapshot.iteration}"
    parts["epoch"] = f"epoch {snapshot.epoch}"
    parts["phase"] = "end of the run" if snapshot.finished else phase
    if len(snapshot.branches) > 1:
        parts["branch"] = f"branch {snapshot.branch.name}"
    return parts


def loss_of(snapshot: Snapshot) -> dict[str, str]:
    """Write the last loss, and whether it has grown or is stale."""
    name, losses = snapshot.program.loss, snapshot.losses
    if not len(losses):
        return {"loss": "no loss yet"}
    last = losses[-1].item()
    change = direction(losses[-2].item(), last) if len(losses) > 1 else ""
    mark = STALE if name in snapshot.stale else change.strip()
    return {"loss": f"{name} {format_value(last)}", "change": f" {mark}" if mark else ""}


def faults_of(snapshot: Snapshot) -> dict[str, str]:
    """Write which fault has shown last up to here, and how many more have.

    What may be no fault at all is left out.
    """
    faults = [fault for fault in snapshot.faults if fault.level != "info"]
    if not faults:
        return {}
    more = f" +{len(faults) - 1}" if len(faults) > 1 else ""
    return {"fault": f" ! {faults[-1].name}{more} "}


def shorten(parts: dict[str, str], width: int) -> None:
    """Leave out the parts that say least, or shorten them, until the others fit."""
    for name in RANKED:
        if name not in parts and name != "running":
            continue
        if columns(_left(parts)) + columns(_right(parts)) < width:
            return
        if name == "fault":
            count = parts["fault"].partition("+")[2].strip()
            parts["fault"] = f" !{int(count) + 1} " if count else " ! "
        elif name == "running":
            parts["activity"] = parts["activity"].removeprefix("running, ")
        else:
            del parts[name]


PLACE = ("step", "newest", "iteration", "epoch", "phase", "branch")


def _place(parts: Mapping[str, str]) -> str:
    return SEPARATOR.join(parts[name] for name in PLACE if name in parts)


def _left(parts: Mapping[str, str]) -> str:
    """Return all that stands at the left."""
    activity = f"{SEPARATOR}{parts['activity']}" if parts.get("activity") else ""
    fault = f" {parts['fault']}" if parts.get("fault") else ""
    return f" {_place(parts)}{activity}{fault}"


def _right(parts: Mapping[str, str]) -> str:
    """Return all that stands at the right, a blank behind it."""
    return "".join(parts.get(name, "") for name in ("loss", "change", "curve", "title")) + " "
