"""A canvas: boxes, wires and words are put anywhere, and lines are made of it in the end."""

from collections.abc import Iterator, Mapping

from rich.style import Style

from .line_view import Piece

# The directions that a wire leaves a sign in.
UP, RIGHT, DOWN, LEFT = 1, 2, 4, 8
_WIRES: Mapping[int, str] = {
    RIGHT | LEFT: "─",
    UP | DOWN: "│",
    LEFT | DOWN: "┐",
    LEFT | UP: "┘",
    RIGHT | DOWN: "┌",
    RIGHT | UP: "└",
    UP | DOWN | LEFT: "┤",
    UP | DOWN | RIGHT: "├",
    LEFT | RIGHT | DOWN: "┬",
    LEFT | RIGHT | UP: "┴",
    UP | RIGHT | DOWN | LEFT: "┼",
}
SINGLE, DOUBLE = "┌─┐│└┘", "╔═╗║╚╝"


class Canvas:
    """Signs in `height` lines of `width` columns, each with its style; `ground` is that of blanks.

    What does not fit is cut off.
    """

    def __init__(self, width: int, height: int, ground: Style) -> None:
        self.width, self.height = width, height
        self._signs = [[" "] * width for _ in range(height)]
        self._styles = [[ground] * width for _ in range(height)]
        self._wires: dict[tuple[int, int], int] = {}

    def put(self, x: int, y: int, text: str, style: Style) -> None:
        """Write a text from column `x` of line `y` on; each sign is one column wide."""
        if 0 <= y < self.height:
            for at, sign in enumerate(text, x):
                if 0 <= at < self.width:
                    self._signs[y][at], self._styles[y][at] = sign, style

    def box(self, x: int, y: int, width: int, height: int, style: Style, signs: str) -> None:
        """Draw a frame; `signs` are its corners and edges, `SINGLE` or `DOUBLE`."""
        left, across, right, down, lower_left, lower_right = tuple(signs)
        self.put(x, y, f"{left}{across * (width - 2)}{right}", style)
        for line in range(y + 1, y + height - 1):
            self.put(x, line, down, style)
            self.put(x + width - 1, line, down, style)
        self.put(x, y + height - 1, f"{lower_left}{across * (width - 2)}{lower_right}", style)

    def wire(self, x: int, y: int, directions: int, style: Style) -> None:
        """Draw a piece of a wire; where it meets another one, they join."""
        joined = self._wires[x, y] = self._wires.get((x, y), 0) | directions
        self.put(x, y, _WIRES.get(joined, "─" if joined & (LEFT | RIGHT) else "│"), style)

    def is_blank(self, x: int, y: int) -> bool:
        """Tell whether nothing stands in a place of the canvas."""
        return 0 <= x < self.width and 0 <= y < self.height and self._signs[y][x] == " "

    def line(self, y: int) -> Iterator[Piece]:
        """Yield a line, neighbours of one style in one piece."""
        signs, styles = self._signs[y], self._styles[y]
        start = 0
        for x in range(1, self.width + 1):
            if x == self.width or styles[x] is not styles[start]:
                yield "".join(signs[start:x]), styles[start]
                start = x
