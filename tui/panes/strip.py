"""The strip: the one place that speaks, of the cell in question and of whatever was asked for.

Its head is a rule with the cell and its value; the lines below say how it got that. An answer to a
key takes the last of these lines, as many as it needs, until the next key.
"""

import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.numbers import direction, format_exact, is_same

from .line_view import Line, LineView, Piece, columns, empty, fit
from .scene import Scene

RULE = "─"


class Strip(LineView):
    """Speaks of the cell in question; `message` is the answer to the last key, empty for none."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._snapshot: Snapshot | None = None
        self._scene: Scene | None = None
        self._message = ""

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Speak of the cell in question."""
        self._snapshot, self._scene = snapshot, scene
        self.redraw()

    @property
    def message(self) -> str:
        """What is said now in answer to a key."""
        return self._message

    @message.setter
    def message(self, text: str) -> None:
        if text != self._message:
            self._message = text
            self.redraw()

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the head, what there is to say of the cell, and below it the answer to a key."""
        if not height:
            return []
        said = self._said(width, height)
        lines = [*self._about_the_cell(width)][: height - len(said)]
        blank = empty(width, self.palette.text)
        return [*lines, *[blank] * (height - len(lines) - len(said)), *said]

    def _said(self, width: int, height: int) -> list[Line]:
        """Paint the answer to a key, on as many lines as there are below the head."""
        if not self._message:
            return []
        lines = textwrap.wrap(self._message, max(1, width - 2)) or [""]
        if len(lines) > (most := max(1, height - 1)):
            lines = [*lines[: most - 1], f"{lines[most - 1][: max(0, width - 4)]} …"]
        palette = self.palette
        return [fit([(f" {line}", palette.strong)], width, palette.text) for line in lines]

    def _about_the_cell(self, width: int) -> Iterator[Line]:
        palette, snapshot = self.palette, self._snapshot
        asked = self._scene.asked if self._scene else None
        array = snapshot.tensors.get(asked.name) if snapshot and asked else None
        if snapshot is None or asked is None or array is None:
            yield fit([(RULE * width, palette.rule)], width, palette.text)
            return
        value = array[asked.index]
        yield self._head(f"{asked.text} = {format_exact(value)}", str(array.shape), width)
        if snapshot.last is not None and asked.name in snapshot.written:
            step = f"step {snapshot.place - 1}".rjust(width - 2 - columns(snapshot.last.code))
            code = f" {snapshot.last.code}"
            yield fit([(code, palette.strong), (step, palette.muted)], width, palette.text)
        before = snapshot.before.get(asked.name)
        if before is not None and before is not array and before.shape == array.shape:
            change = self._change(before[asked.index], value, width)
            yield fit(change, width, palette.text)

    def _head(self, left: str, right: str, width: int) -> Line:
        """Paint a rule with the cell at its left and the shapes at its right, if both fit."""
        palette = self.palette
        pieces: list[Piece] = [(f"{RULE} ", palette.rule), (left, palette.strong)]
        gap = width - columns(left) - columns(right) - 6
        if gap > 0:
            rule = f" {RULE * gap} "
            pieces += [(rule, palette.rule), (right, palette.muted), (f" {RULE}", palette.rule)]
        else:
            pieces.append((f" {RULE * (width - columns(left) - 3)}", palette.rule))
        return fit(pieces, width, palette.text)

    def _change(self, old: Any, new: Any, width: int) -> Iterator[Piece]:
        """Paint the earlier value and the difference, with fewer digits if all do not fit."""
        was = f" was {format_exact(old)}"
        yield was, self.palette.text
        before, after = old.item(), new.item()
        if is_same(before, after):
            return
        yield f" {direction(before, after)}", self.palette.strong
        with np.errstate(all="ignore"):
            difference = new - old
        if np.isfinite(difference):
            exact, short = format_exact(difference), f"{difference.item():+.6g}"
            signed = exact if exact.startswith("-") else f"+{exact}"
            fits = columns(was) + 3 + columns(signed) <= width
            yield f" {signed if fits else short}", self.palette.text
