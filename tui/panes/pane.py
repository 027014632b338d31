"""The first line of a pane: its number and title, or, where panes share a place, a tab for each."""

from collections.abc import Iterator
from dataclasses import dataclass

from nnstep.tui.theme import Palette

from .line_view import Piece


@dataclass(frozen=True, slots=True)
class Tab:
    """A pane as its title names it: the digit that goes to it, and what it shows."""

    digit: int
    title: str

    @property
    def text(self) -> str:
        """The tab as it is written, a blank on either side."""
        return f" {self.digit} {self.title} "


def tab_line(
    tabs: tuple[Tab, ...],
    active: int,
    palette: Palette,
    width: int,
    hint: str = "",
    *,
    focused: bool,
) -> Iterator[Piece]:
    """Paint the tabs, the active one standing out; a lone tab is a plain title.

    `hint` is written at the right if there is room for all of it.
    """
    left = width
    for tab in in_order(tabs, active, width):
        left -= len(tab.text)
        if tab.digit != active:
            yield tab.text, palette.tab
        elif focused:
            yield tab.text, palette.focused_title
        else:
            yield tab.text, palette.title if len(tabs) == 1 else palette.active_tab
    if 0 < len(hint) <= left:
        yield hint.rjust(left), palette.tab


def in_order(tabs: tuple[Tab, ...], active: int, width: int) -> tuple[Tab, ...]:
    """Return the tabs from left to right: beginning with the active one if not all fit."""
    if sum(len(tab.text) for tab in tabs) <= width:
        return tabs
    at = next(i for i, tab in enumerate(tabs) if tab.digit == active)
    return tabs[at:] + tabs[:at]


def hidden_lines(above: int, below: int) -> str:
    """Write how many lines there are above and below what is visible."""
    return " ".join(f"{arrow}{n}" for arrow, n in (("↑", above), ("↓", below)) if n > 0) + " "


def tab_at(tabs: tuple[Tab, ...], x: int) -> Tab | None:
    """Return the tab at column `x` of the line."""
    for tab in tabs:
        if 0 <= x < len(tab.text):
            return tab
        x -= len(tab.text)
    return None
