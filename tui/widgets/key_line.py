"""The last line of the screen: the most useful keys, or an answer to the key just pressed."""

from collections.abc import Iterator

from nnstep.tui.actions import Action
from nnstep.tui.widgets.line_view import Line, LineView, Piece, fit


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

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the one line."""
        pieces = self._answer() if self._message else self._keys(width)
        return [fit(pieces, width, self.palette.bar)]

    def _answer(self) -> Iterator[Piece]:
        yield f" {self._message}", self.palette.bar_accent

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


def _key(action: Action) -> str:
    return f" {action.shown_keys[0]}"


def _word(action: Action) -> str:
    return f" {action.footer} "
