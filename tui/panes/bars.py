"""The bars above and below the panes: status, exact cell, keys."""

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.text import cell_name
from nnstep.tui.actions import Action
from nnstep.tui.numbers import direction, format_exact, is_same
from nnstep.tui.theme import Palette

from .line_view import Line, LineView, Piece, columns, empty, fit
from .tensors import TensorView

SEPARATOR = " · "


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
        palette, snapshot = self.palette, self._snapshot
        activity = f"{SEPARATOR}{self._activity}" if self._activity else ""
        parts, left = place_of(snapshot), width - 1 - columns(activity)
        badge = badge_within(snapshot, left - columns(_joined(parts)))
        left -= columns(badge)
        complete = shorten(parts, left, snapshot, running=bool(activity))
        text = _joined(parts)
        left -= columns(text)
        yield f" {text}", palette.bar_strong
        yield activity, palette.bar_accent
        if badge:
            yield badge[:1], palette.bar
            yield badge[1:], palette.error
        if complete and columns(self._title) + 3 <= left:
            yield f"{' ' * (left - columns(self._title) - 1)}{self._title} ", palette.bar


def place_of(snapshot: Snapshot) -> dict[str, str]:
    """Write where a snapshot was taken, part by part: step, iteration, epoch, phase and branch."""
    current = snapshot.current
    of_total = "" if snapshot.total is None else f" of {snapshot.total}"
    phase = current.phase.value
    if current.layer is not None:
        phase += f", layer {current.layer}"
    parts = {"step": f"step {snapshot.place}{of_total}"}
    if snapshot.newest > snapshot.place:
        parts["newest"] = f"newest {snapshot.newest}"
    parts["iteration"] = f"iteration {snapshot.iteration}"
    parts["epoch"] = f"epoch {snapshot.epoch}"
    parts["phase"] = "end of the run" if snapshot.finished else phase
    parts["branch"] = f"branch {snapshot.branch.name}"
    return parts


def shorten(parts: dict[str, str], width: int, snapshot: Snapshot, *, running: bool) -> bool:
    """Leave out the parts that say least, until the others fit; tell whether all did."""
    if columns(_joined(parts)) <= width:
        return True
    ranked = ["epoch", "phase", "newest", "branch", "iteration"]
    if len(snapshot.branches) == 1:
        ranked.insert(0, "branch")
    if snapshot.epoch == snapshot.iteration:
        ranked.insert(0, "epoch")
    if running:
        # It will be another one in no time.
        ranked.insert(0, "phase")
    for name in ranked:
        parts.pop(name, None)
        if columns(_joined(parts)) <= width:
            break
    return False


def badge_within(snapshot: Snapshot, width: int) -> str:
    """Write which faults have shown up to here: the latest by its name if that fits, or how many.

    What may be no fault at all is left out. There are blanks around it, one before what is to stand
    out.
    """
    faults = [fault for fault in snapshot.faults if fault.level != "info"]
    if not faults:
        return ""
    more = f" +{len(faults) - 1}" if len(faults) > 1 else ""
    named = f"  ! {faults[-1].name}{more} "
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return named if columns(named) <= width else f"  ! {count} "


def _joined(parts: dict[str, str]) -> str:
    return SEPARATOR.join(parts.values())


class CellLine(LineView):
    """Shows the cell of one view; on two lines, the change below the value, where it is narrow."""

    def __init__(self, view: TensorView, *, id: str) -> None:
        super().__init__(id=id)
        self._view = view

    def show(self, view: TensorView) -> None:
        """Draw the cell that a view's cursor is on."""
        self._view = view
        self.redraw()

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint what is known of the cell, as much of it as fits."""
        snapshot, selected, palette = self._view.snapshot, self._view.selected, self.palette
        value: list[Piece] = []
        change: list[Piece] = []
        if snapshot is not None and selected is not None:
            name, index = selected
            array, before = snapshot.tensors[name], snapshot.before.get(name)
            texts = f" {cell_name(name, index)}", f" = {format_exact(array[index])}"
            value = [(text, palette.note_strong) for text in texts]
            if before is not None and before is not array and before.shape == array.shape:
                room = width - (columns("".join(texts)) + 1 if height == 1 else 0)
                change = list(_change(before[index], array[index], room, palette))
        if height == 1:
            value, change = [*value, (" ", palette.note), *change], []
        return [fit(_fitting(line, width), width, palette.note) for line in (value, change)][
            :height
        ]


def _change(old: Any, new: Any, width: int, palette: Palette) -> Iterator[Piece]:
    """Paint the earlier value and the difference, with fewer digits if all do not fit."""
    was = f" was {format_exact(old)}"
    yield was, palette.note
    before, after = old.item(), new.item()
    if is_same(before, after):
        return
    yield f" {direction(before, after)}", palette.note_strong
    with np.errstate(all="ignore"):
        difference = new - old
    if np.isfinite(difference):
        exact, short = format_exact(difference), f"{difference.item():+.6g}"
        signed = exact if exact.startswith("-") else f"+{exact}"
        yield f" {signed if len(was) + 3 + len(signed) <= width else short}", palette.note


def _fitting(pieces: Iterable[Piece], width: int) -> Iterator[Piece]:
    """Leave out what does not fit: a number that is cut would be another number."""
    for text, style in pieces:
        width -= columns(text)
        if width < 0:
            return
        yield text, style


MOST_LINES = 2


class KeyLine(LineView):
    """Shows the keys that have a place in the footer; a message takes their place for a while."""

    def __init__(self, actions: tuple[Action, ...], *, id: str) -> None:
        super().__init__(id=id)
        self._actions = [action for action in actions if action.footer and action.keys]
        self._message = ""

    @property
    def message(self) -> str:
        """What is said now, empty when the keys are shown."""
        return self._message

    @message.setter
    def message(self, text: str) -> None:
        if text != self._message:
            self._message = text
            self.redraw()

    def lines_at(self, width: int) -> int:
        """Return how many lines the message takes, at most two."""
        if len(self._message) < width:
            return 1
        return min(MOST_LINES, len(_wrapped(self._message, width)))

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the keys on one line, or the message on as many as there are."""
        if not self._message:
            blank = [empty(width, self.palette.bar)] * (height - 1)
            return [fit(self._keys(width), width, self.palette.bar), *blank]
        lines = _wrapped(self._message, width)
        if len(lines) > height:
            lines = [*lines[: height - 1], f"{lines[height - 1][: max(0, width - 3)]} …"]
        lines += [""] * (height - len(lines))
        style = self.palette.bar_accent
        return [fit([(f" {line}", style)], width, self.palette.bar) for line in lines]

    def _keys(self, width: int) -> Iterator[Piece]:
        """Paint as many keys as there is room for, the most useful ones."""
        shown = set()
        for action in sorted(self._actions, key=lambda action: action.rank):
            width -= len(_key(action)) + len(_word(action))
            if width < 0:
                break
            shown.add(action.id)
        for action in self._actions:
            if action.id in shown:
                yield _key(action), self.palette.bar_strong
                yield _word(action), self.palette.bar


def _wrapped(message: str, width: int) -> list[str]:
    """Break a message at blanks, as wide as it may be behind a blank."""
    return textwrap.wrap(message, max(1, width - 2)) or [""]


def _key(action: Action) -> str:
    return f" {action.shown_keys[0]}"


def _word(action: Action) -> str:
    return f" {action.footer} "
