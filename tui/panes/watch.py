"""The watched expressions: what each is here, and how it has changed since the last command."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Self

import numpy as np
from textual.geometry import Size

from nnstep.engine.arrays import Array
from nnstep.engine.session.snapshot import Snapshot, Watched
from nnstep.tui.actions import Action, bindings
from nnstep.tui.numbers import (
    CHANGE_WIDTH,
    OTHERWISE_CHANGED,
    VALUE_WIDTH,
    direction,
    format_change,
    format_exact,
    format_value,
    is_same,
)

from . import Row
from .curves import Figure, fitting
from .line_view import Line, Piece, columns, fit
from .pane import NO_CURSOR, Pane, Tab
from .program import shortened
from .scene import Scene

# The longest number that a float64 is written as: -2.2250738585072014e-308.
EXACT_WIDTH = 24
# A blank, an arrow, a blank and by how much.
ROOM_FOR_CHANGE = CHANGE_WIDTH + 3


class WatchPane(Pane):
    """Shows a line for each watched expression; `actions` tells by which keys they are added."""

    BINDINGS = bindings("watches")

    def __init__(self, tab: Tab, actions: tuple[Action, ...], *, id: str | None = None) -> None:
        super().__init__(tab, id=id)
        self._keys = {action.id: action.shown_keys for action in actions}
        self._watches: tuple[Watched, ...] = ()
        self._cursor = 0

    @classmethod
    def make(cls, row: Row, title: str, actions: tuple[Action, ...]) -> Self:
        """Make the pane of a row of the table."""
        return cls(Tab(row.digit, title), actions, id=row.id)

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Draw the watched expressions of a snapshot."""
        before, self._watches = self._watches, snapshot.watches
        if before and len(self._watches) > len(before):
            self._point_at(len(self._watches) - 1)
        elif len(self._watches) < len(before):
            self._point_at(self._cursor)
        if before or self._watches:
            self.redraw()

    @property
    def selected(self) -> str | None:
        """The expression under the cursor."""
        return self._watches[self._cursor].text if self._watches else None

    @property
    def nothing(self) -> str:
        """How to watch a cell, while nothing is watched."""
        return "" if self._watches else self._ways({"watch": "watches a cell"})

    def wanted(self, columns: int) -> Size:
        """Return a line for each expression."""
        return Size(0, len(self._watches))

    def fit_body(self, width: int, height: int) -> None:
        """Bring the line under the cursor into view, if the height has changed."""
        resized = self.scrolled.shown != height
        self.scrolled.fit(len(self._watches), height)
        if resized:
            self._point_at(self._cursor)

    def body(self, width: int, height: int) -> Iterator[Line]:
        """Paint the visible expressions."""
        palette = self.palette
        if not self._watches:
            for text in textwrap.wrap(self._how_to_add(), max(1, width - 2)):
                yield fit([(f" {text}", palette.muted)], width, palette.text)
            return
        left = min(max(columns(watch.text) for watch in self._watches), width // 2)
        for y, watch in enumerate(self._watches[self.scrolled.visible], self.scrolled.top):
            cursor = self.cursor_style if y == self._cursor else NO_CURSOR
            text = shortened(watch.text, 0, left)
            pieces = [
                (" ", palette.text),
                (text, palette.text + cursor),
                (" " * (left - columns(text)), palette.text),
                *self._outcome(watch, width - left - 1),
            ]
            yield fit(pieces, width, palette.text)

    def _how_to_add(self) -> str:
        return self._ways(
            {"watch": "watches the cell under the cursor", "prompt": "watch EXPR any expression"}
        )

    def _ways(self, does: Mapping[str, str]) -> str:
        """Say that nothing is watched, and what the keys of some actions do about it."""
        keys = {action: self._keys.get(action) for action in does}
        ways = [f"{shown[0]} {does[action]}" for action, shown in keys.items() if shown]
        return f"Nothing is watched: {'; '.join(ways)}." if ways else "Nothing is watched."

    def _outcome(self, watch: Watched, width: int) -> Iterable[Piece]:
        """Paint the value of an expression and its change, or why it has none."""
        value, before = watch.value, watch.before
        if value is None:
            problem = shortened(watch.problem or "no value yet", 0, max(1, width - 2))
            return [(f" {problem}", self.palette.muted)]
        if before is None or before.shape != value.shape:
            before = value
        figures = self._array if value.ndim else self._number
        of = next(
            (f" {each}" for each in _shorter(watch.of) if len(each) < width - VALUE_WIDTH), ""
        )
        shown = fitting(figures(value, before, width - len(of)), width - len(of))
        return [*shown, (of, self.palette.muted)] if of else shown

    def _array(self, value: Array, before: Array, width: int) -> Iterator[Figure]:
        """Paint several values, and whether any has changed."""
        yield [(f" {array_text(value, width - 3)}", self.palette.text)]
        if differs(before, value):
            yield [(f" {OTHERWISE_CHANGED}", self.palette.muted)]

    def _number(self, value: Array, before: Array, width: int) -> Iterator[Figure]:
        """Paint a single value, with all its digits if there is room, and its change."""
        is_float = value.dtype.kind == "f"
        if is_float and width >= EXACT_WIDTH + ROOM_FOR_CHANGE:
            text = format_exact(value.dtype.type(value))
        else:
            text = number_text(value).rjust(VALUE_WIDTH)
        finite = not is_float or np.isfinite(value)
        yield [
            (" ", self.palette.text),
            (text, self.palette.strong if finite else self.palette.error),
        ]
        for text in change_texts(before, value):
            yield [(text, self.palette.muted)]

    def _point_at(self, line: int) -> None:
        """Put the cursor on a line, the nearest one that there is, and bring it into view."""
        self._cursor = max(0, min(line, len(self._watches) - 1))
        self.scrolled.fit(len(self._watches), self.scrolled.shown)
        self.scrolled.reveal(self._cursor, self._cursor + 1)

    def action_select(self, lines: int) -> None:
        """Move the cursor by lines."""
        self._point_at(self._cursor + lines)
        self.redraw()

    def clicked(self, x: int, y: int) -> None:
        """Put the cursor on the line that was clicked."""
        if y < self.scrolled.shown:
            self._point_at(self.scrolled.top + y)
            self.redraw()


def _shorter(of: str) -> Iterator[str]:
    """Yield what is of the last iteration in words, and in fewer: none where nothing is."""
    if of:
        yield of
        yield of.replace("of iteration ", "it ")


def number_text(value: Array) -> str:
    """Write a single value, in at most `VALUE_WIDTH` columns."""
    if value.dtype.kind == "b":
        return "true" if value else "false"
    return format_value(value.item())


def change_texts(before: Array, value: Array) -> Iterator[str]:
    """Write how a single value has changed: an arrow, and by how much, or what it was."""
    old, new = before.item(), value.item()
    if is_same(old, new):
        return
    if value.dtype.kind == "b":
        yield f" {OTHERWISE_CHANGED}"
        yield f" was {number_text(before)}"
        return
    yield f" {direction(old, new)}"
    change = format_change(old, new)
    if change != OTHERWISE_CHANGED:
        yield f" {change}"


def differs(before: Array, value: Array) -> bool:
    """Tell whether two arrays of one shape differ; one NaN is like another."""
    if before is value:
        return False
    return not np.array_equal(before, value, equal_nan=value.dtype.kind == "f")


def array_text(array: Array, width: int) -> str:
    """Write an array and its shape on one line, as many of its values as there is room for.

    No more of it is read than is written.
    """
    shape, text, kept = f" {array.shape}", "", ""
    room = width - len(shape)
    for token in _tokens(array):
        if len(text) + len(token) > room:
            return shortened(f"{kept}…{shape}", 0, width)
        text += token
        if token in ("[", ", ") and len(text) < room:
            kept = text
    return text + shape


def _tokens(array: Array) -> Iterator[str]:
    """Write the values of an array in nested brackets, bit by bit."""
    if not array.ndim:
        yield number_text(array)
        return
    yield "["
    for i in range(len(array)):
        if i:
            yield ", "
        yield from _tokens(np.asarray(array[i]))
    yield "]"
