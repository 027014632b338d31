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
        """Paint key by key as long as there is room."""
        for action in self._actions:
            key, word = f" {action.shown_keys[0]}", f" {action.footer} "
            width -= len(key) + len(word)
            if width < 0:
                return
            yield key, self.palette.bar_strong
            yield word, self.palette.bar
