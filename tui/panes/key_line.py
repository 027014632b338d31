"""The line below everything: the keys of what has the focus."""

from collections.abc import Iterator

from nnstep.tui.actions import FOOTERS, Action

from .line_view import Line, LineView, Piece, columns, fit


class KeyLine(LineView):
    """Shows the keys of what has the focus, the commonest first."""

    def __init__(self, actions: tuple[Action, ...], *, id: str, scope: str = "program") -> None:
        super().__init__(id=id)
        self._actions = {action.id: action for action in actions}
        self._scope = scope

    def show(self, scope: str) -> None:
        """Draw the keys of a scope."""
        if scope != self._scope:
            self._scope = scope
            self.redraw()

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the keys on one line."""
        return [fit(self._keys(width), width, self.palette.bar)]

    def _keys(self, width: int) -> Iterator[Piece]:
        """Paint as many keys as there is room for, help among them."""
        footer = [
            (key, word, ids)
            for ids, word in FOOTERS[self._scope]
            if (key := "".join(self._key(each) for each in ids.split()))
        ]
        left = width - sum(_taken(key, word) for key, word, ids in footer if ids == "help")
        for key, word, ids in footer:
            if ids != "help":
                left -= _taken(key, word)
            if left < 0:
                return
            yield f" {key}", self.palette.bar_strong
            yield f" {word} ", self.palette.bar

    def _key(self, action: str) -> str:
        shown = self._actions[action].shown_keys if action in self._actions else ()
        return shown[0] if shown else ""


def _taken(key: str, word: str) -> int:
    return columns(key) + columns(word) + 3
