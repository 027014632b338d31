"""The last line of the screen: the most useful keys, or an answer to the key just pressed.

A long answer takes a second line.
"""

import textwrap
from collections.abc import Iterator

from nnstep.tui.actions import Action
from nnstep.tui.widgets.line_view import Line, LineView, Piece, empty, fit

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
