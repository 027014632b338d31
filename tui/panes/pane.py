"""A pane: a title, an edge, and a body that scrolls; each kind of pane paints its own body."""

from collections.abc import Iterable, Iterator
from typing import Self

from msgspec import Struct
from rich.style import Style
from textual import events
from textual.geometry import Offset, Size
from textual.message import Message

from nnstep.engine.program.program import Tensor
from nnstep.tui.actions import Action

from . import Row
from .line_view import Line, Piece, empty, fit
from .scene import Scene, Topic
from .scene_view import SceneView, State, Varying

CURSOR = Style(reverse=True, underline=True)
RESTING_CURSOR = Style(underline=True)
NO_CURSOR = Style()


class Tab(Struct, frozen=True):
    """A pane as its title names it: the digit that goes to it, if one does, and what it shows."""

    digit: int | None
    title: str

    @property
    def text(self) -> str:
        """The tab as it is written, a blank on either side."""
        return f" {self.title} " if self.digit is None else f" {self.digit} {self.title} "


class Scroll(Varying):
    """Which lines of a body are visible: of all `length`, those `shown` from `top` on."""

    def __init__(self) -> None:
        self.length = self.shown = self.top = 0

    def __eq__(self, other: object) -> bool:
        """Tell whether the same lines of as many are visible."""
        return isinstance(other, Scroll) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def fit(self, length: int, shown: int) -> None:
        """Take other measures; the top line stays, as far as that can be."""
        self.length, self.shown = length, max(0, shown)
        self.go_to(self.top)

    def go_to(self, top: int) -> None:
        """Scroll to a line, or as near to it as there are lines."""
        self.top = max(0, min(top, self.length - self.shown))

    def reveal(self, first: int, end: int) -> None:
        """Scroll as little as shows the lines from `first` to before `end`, the first above all."""
        if self.top + self.shown < end:
            self.go_to(end - self.shown)
        if first < self.top:
            self.go_to(first)

    @property
    def visible(self) -> slice:
        """The lines that are visible."""
        return slice(self.top, self.top + self.shown)

    @property
    def hidden(self) -> str:
        """How many lines there are above and below what is visible, in words; empty if none."""
        sides = ("↑", self.top), ("↓", self.length - self.top - self.shown)
        return " ".join(f"{arrow}{count}" for arrow, count in sides if count > 0)


class Pane(SceneView, can_focus=True):
    """The base of all panes: a subclass paints its body in `body` and takes snapshots in `show`.

    `tabs` are the panes that take turns in this region of the screen, and `tab` is the one shown.
    """

    # Whether it needs the layers in numbers, which are not found out otherwise.
    shows_layers = False
    # How the cursor looks while keys go elsewhere.
    resting = NO_CURSOR

    class TabClicked(Message):
        """Someone clicked on the tab of another pane."""

        def __init__(self, digit: int) -> None:
            super().__init__()
            self.digit = digit

    def __init__(self, tab: Tab, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.tab = self.own_tab = tab
        self.tabs: tuple[Tab, ...] = (tab,)
        # What the session is about, for a pane that says so.
        self.subject = ""
        self._scroll = Scroll()

    @classmethod
    def make(cls, row: Row, title: str, actions: tuple[Action, ...]) -> Self:
        """Make the pane of a row of the table; `actions` tell which key does what."""
        return cls(Tab(row.digit, title), id=row.id)

    # What a kind of pane says of itself.

    def ask(self, scene: Scene) -> None:
        """Draw another cell in question, in a pane that has cells."""

    def body(self, width: int, height: int) -> Iterable[Line]:
        """Paint what is under the title, each line made by `fit`; lines too many are cut off."""
        raise NotImplementedError

    def fit_body(self, width: int, height: int) -> None:
        """Get ready to paint the body in so many columns and lines."""

    def hint(self) -> str:
        """Return what stands at the right of the title, if there is room for it."""
        return self.scrolled.hidden

    def wanted(self, columns: int) -> Size:
        """Return the width at which nothing is cut, and the height of all there is in `columns`."""
        return Size(0, 0)

    @property
    def nothing(self) -> str:
        """A sentence that says why there is nothing to show; empty if there is something."""
        return ""

    @property
    def topic(self) -> Topic | None:
        """What the strip has to say in place of the cell in question, while this has the keys."""
        return None

    @property
    def footer(self) -> str:
        """Which keys the last line tells of; empty for those of the pane's own scope."""
        return ""

    def holds(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is shown here."""
        return False

    def take(self, other: "Pane") -> bool:
        """Show, where this pane stands, what another one shows; False if that is not possible.

        A pane that can do so for others of its kind spares the screen a new layout.
        """
        return other is self

    def cell_offset(self) -> Offset | None:
        """Return where the cell in question stands in the pane, None if it is not seen here."""
        return None

    def clicked(self, x: int, y: int) -> None:
        """Take a click on column `x` of line `y` of the body."""

    # What is the same in all of them.

    @property
    def scrolled(self) -> Scroll:
        """Which lines of the body are visible."""
        return self._scroll

    @property
    def look(self) -> State:
        """What the drawing depends on besides the state."""
        return *super().look, self.tab, self.tabs

    def fit_to(self, width: int, height: int) -> None:
        """Get ready to paint the body under the title and after the edge."""
        self.fit_body(width - len(self.edge), max(0, height - 1))

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the title and the body, an edge before each line."""
        inner = width - len(self.edge)
        hint = self.hint()
        title = fit(self.title(inner, hint), inner, self.palette.tab)
        return self.framed([title, *self.body(inner, max(0, height - 1))], inner, height)

    def framed(self, lines: list[Line], width: int, height: int) -> list[Line]:
        """Return as many lines as there is room for, or blank ones, each after the edge."""
        edge = self.edge
        lines += [empty(width, self.palette.text)] * (height - len(lines))
        return [edge + line for line in lines[:height]] if edge else lines[:height]

    def title(self, width: int, hint: str = "") -> Iterator[Piece]:
        """Paint the tabs, the one shown standing out; a lone tab is a plain title."""
        palette, left = self.palette, width
        for tab in in_order(self.tabs, self.tab, width):
            left -= len(tab.text)
            text = f"[{tab.text[1:-1]}]" if tab == self.tab and len(self.tabs) > 1 else tab.text
            if tab != self.tab:
                yield text, palette.tab
            elif self.has_focus:
                yield text, palette.focused_title
            else:
                yield text, palette.title if len(self.tabs) == 1 else palette.active_tab
        if 0 < len(hint) <= left:
            yield hint.rjust(left), palette.tab

    @property
    def cursor_style(self) -> Style:
        """How the cursor looks now."""
        return CURSOR if self.has_focus else self.resting

    def scroll_by(self, lines: int) -> None:
        """Scroll by lines; the cursor stays where it is."""
        self.scrolled.go_to(self.scrolled.top + lines)
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Go to the pane whose tab was clicked, or hand the click to the body."""
        x, y = event.x - len(self.edge), event.y - 1
        if y >= 0:
            self.clicked(x, y)
            return
        tab = tab_at(in_order(self.tabs, self.tab, self.size.width - len(self.edge)), x)
        if tab is not None and tab != self.tab and tab.digit is not None:
            self.post_message(self.TabClicked(tab.digit))


def in_order(tabs: tuple[Tab, ...], active: Tab, width: int) -> tuple[Tab, ...]:
    """Return the tabs from left to right: beginning with the active one if not all fit."""
    if sum(len(tab.text) for tab in tabs) <= width:
        return tabs
    at = tabs.index(active)
    return tabs[at:] + tabs[:at]


def tab_at(tabs: tuple[Tab, ...], x: int) -> Tab | None:
    """Return the tab at column `x` of the line."""
    for tab in tabs:
        if 0 <= x < len(tab.text):
            return tab
        x -= len(tab.text)
    return None
