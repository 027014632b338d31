"""pyte's screen, quicker: most of what is sent is text on one line, one column a sign."""

from collections.abc import Mapping

import pyte
from pyte.charsets import LAT1_MAP
from pyte.modes import IRM
from pyte.screens import Char, wcwidth

# Signs that are one column wide, as far as any were met, and how each looks in a style.
_narrow: set[str] = set()
_cells: dict[Char, dict[str, Char]] = {}


def _is_narrow(text: str) -> bool:
    unknown = set(text) - _narrow
    _narrow.update(sign for sign in unknown if wcwidth(sign) == 1)
    return unknown <= _narrow


class QuickScreen(pyte.Screen):
    """Shows the same as `pyte.Screen`."""

    def __init__(self, columns: int, lines: int) -> None:
        self._shown: dict[int, str] = {}
        super().__init__(columns, lines)

    def draw(self, data: str) -> None:
        """Put text at the cursor; one sign after another only where there is more to it."""
        cursor, is_plain = self.cursor, self.charset == 0 and self.g0_charset is LAT1_MAP
        fits = cursor.x + len(data) <= self.columns and IRM not in self.mode
        if not (is_plain and fits and _is_narrow(data)):
            super().draw(data)
            return
        line, known = self.buffer[cursor.y], _cells.setdefault(cursor.attrs, {})
        for x, sign in enumerate(data, cursor.x):
            if sign not in known:
                known[sign] = cursor.attrs._replace(data=sign)
            line[x] = known[sign]
        cursor.x += len(data)
        self.dirty.add(cursor.y)

    @property
    def display(self) -> list[str]:
        """The lines; only those that have changed are put together again."""
        for y in self.dirty:
            self._shown[y] = self._text(self.buffer[y])
        self.dirty.clear()
        return [self._shown[y] for y in range(self.lines)]

    def _text(self, line: Mapping[int, Char]) -> str:
        # The second column of a wide sign is empty.
        return "".join([line[x].data for x in range(self.columns)])
