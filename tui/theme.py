"""Every colour of the app is chosen here, once for each ground that a terminal may have.

Numbers have the colour of text. Hue says one of four things: written, read, touched by you, wrong;
and each has its sign besides, so that nothing is said by colour alone. All colours are those of the
256-colour palette: a terminal without truecolor shows the same picture. Where there are only 16, or
none, the terminal's own are used.
"""

from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct
from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme


class Colors(Struct, frozen=True):
    """The colours of a theme by what they say; None leaves one to the terminal.

    `bar` is the ground of titles and bars, and `current` that of the line next to run.
    """

    text: str | None
    muted: str | None
    rule: str | None
    written: str | None
    read: str | None
    touched: str | None
    fault: str | None
    ground: str | None
    bar: str | None
    current: str | None


_DARK = Colors(
    text="#dadada",
    muted="#a8a8a8",
    rule="#767676",
    written="#ffd75f",
    read="#5fd7ff",
    touched="#ff87d7",
    fault="#ff5f5f",
    ground="#121212",
    bar="#1c1c1c",
    current="#3a3a3a",
)
_LIGHT = Colors(
    text="#121212",
    muted="#4e4e4e",
    rule="#767676",
    written="#5f5f00",
    read="#005faf",
    touched="#af005f",
    fault="#af0000",
    ground="#eeeeee",
    bar="#e4e4e4",
    current="#c6c6c6",
)
_CONTRAST_DARK = Colors(
    text="#ffffff",
    muted="#d0d0d0",
    rule="#9e9e9e",
    written="#ffff5f",
    read="#5fffff",
    touched="#ffafff",
    fault="#ff8787",
    ground="#000000",
    bar="#000000",
    current="#000000",
)
_CONTRAST_LIGHT = Colors(
    text="#000000",
    muted="#303030",
    rule="#585858",
    written="#5f5f00",
    read="#00005f",
    touched="#5f005f",
    fault="#870000",
    ground="#ffffff",
    bar="#ffffff",
    current="#ffffff",
)
# The terminal's own colours: bright ones on a dark ground, and on a light one those that are seen.
_OWN_DARK = Colors(
    text=None,
    muted=None,
    rule=None,
    written="bright_yellow",
    read="bright_cyan",
    touched="bright_magenta",
    fault="red",
    ground=None,
    bar=None,
    current=None,
)
_OWN_LIGHT = Colors(
    text=None,
    muted=None,
    rule=None,
    written=None,
    read="blue",
    touched="magenta",
    fault="red",
    ground=None,
    bar=None,
    current=None,
)

# Of a colour, Textual would leave a grey, and of that a terminal of 16 colours black.
_NO_COLORS = Colors(*[None] * 10)


def _theme(name: str, colors: Colors, *, dark: bool) -> Theme:
    """Make a theme of our colours; those of dialogs and scrollbars follow from them."""
    own = colors.ground is None

    def css(color: str | None) -> str:
        return color if color and not own else f"ansi_{color or 'default'}"

    return Theme(
        name=name,
        dark=dark,
        ansi=own,
        primary=css(colors.read),
        secondary=css(colors.read),
        accent=css(colors.written),
        warning=css(colors.touched),
        error=css(colors.fault),
        success=css(colors.read),
        foreground=css(colors.text),
        background=css(colors.ground),
        surface=css(colors.bar),
        panel=css(colors.bar if colors.bar != colors.ground else colors.current),
        boost="ansi_default" if own else None,
        variables=(dict(BUILTIN_THEMES["ansi-dark"].variables) if own else {})
        | {
            "muted": css(colors.muted),
            "rule": css(colors.rule),
            "block-cursor-background": css(colors.current),
            "block-cursor-foreground": css(colors.text),
            "block-cursor-text-style": "bold reverse" if own else "bold",
            "scrollbar": css(colors.rule),
            "scrollbar-background": css(colors.bar),
            "screen-selection-background": css(colors.rule if not own else "bright_blue"),
            "screen-selection-foreground": css(colors.ground if not own else "black"),
        },
    )


DARK = _theme("dark", _DARK, dark=True)
LIGHT = _theme("light", _LIGHT, dark=False)
OWN_DARK = _theme("terminal", _OWN_DARK, dark=True)
OWN_LIGHT = _theme("terminal-light", _OWN_LIGHT, dark=False)
CONTRAST_DARK = _theme("contrast-dark", _CONTRAST_DARK, dark=True)
CONTRAST_LIGHT = _theme("contrast-light", _CONTRAST_LIGHT, dark=False)
THEMES = (DARK, LIGHT, CONTRAST_DARK, CONTRAST_LIGHT, OWN_DARK, OWN_LIGHT)
BY_NAME: Mapping[str, Theme] = {theme.name: theme for theme in THEMES}

ALIASES: Mapping[str, str] = {"nnstep-dark": DARK.name, "nnstep-light": LIGHT.name}
"""Names that themes had, and have kept."""

_COLORS = {
    DARK.name: _DARK,
    LIGHT.name: _LIGHT,
    CONTRAST_DARK.name: _CONTRAST_DARK,
    CONTRAST_LIGHT.name: _CONTRAST_LIGHT,
    OWN_DARK.name: _OWN_DARK,
    OWN_LIGHT.name: _OWN_LIGHT,
}


def fitting_theme(color_system: str | None, *, no_color: bool) -> Theme:
    """Return the theme for a terminal: its own colours if it has only 16, or shall show none."""
    return OWN_DARK if no_color or color_system in ("standard", "windows") else DARK


class Palette(Struct, frozen=True, eq=False):
    """The styles that the line-drawn widgets paint with, each complete with its background.

    `source` is what the cell in question was computed from, and `selected` that cell; `touched` is
    what somebody has edited and all that rests on it.
    """

    text: Style
    strong: Style
    muted: Style
    rule: Style
    heading: Style
    title: Style
    focused_title: Style
    tab: Style
    active_tab: Style
    note: Style
    note_strong: Style
    written: Style
    read: Style
    source: Style
    touched: Style
    selected: Style
    error: Style
    current: Style
    current_muted: Style
    current_accent: Style
    bar: Style
    bar_strong: Style
    bar_accent: Style


def palette_of(theme: Theme, *, no_color: bool = False) -> Palette:
    """Return the palette of a theme; one from elsewhere lends its grounds if it names them all.

    Without colours, what is grey is dim, and sources are underlined.
    """
    if theme.name in _COLORS:
        return _palette(_COLORS[theme.name], no_color)
    if theme.ansi:
        return _palette(_OWN_DARK if theme.dark else _OWN_LIGHT, no_color)
    ours = _DARK if theme.dark else _LIGHT
    grounds = (theme.foreground, theme.background, theme.surface, theme.panel)
    return _palette(_lent(ours, *map(str, grounds)) if all(grounds) else ours, no_color)


@lru_cache(maxsize=8)
def _lent(ours: Colors, text: str, ground: str, bar: str, current: str) -> Colors:
    return Colors(
        text,
        ours.muted,
        ours.rule,
        ours.written,
        ours.read,
        ours.touched,
        ours.fault,
        ground,
        bar,
        current,
    )


@lru_cache(maxsize=8)
def _palette(colors: Colors, no_color: bool) -> Palette:
    colors = _NO_COLORS if no_color else colors

    def style(
        color: str | None, on: str | None = colors.ground, *, bold: bool = False, dim: bool = False
    ) -> Style:
        return Style(color=color, bgcolor=on, bold=bold or None, dim=dim or None)

    def reversed_(color: str | None) -> Style:
        return Style(color=color, bgcolor=colors.ground, bold=True, reverse=True)

    is_flat = colors.bar == colors.ground
    muted = style(colors.muted, dim=no_color)
    return Palette(
        text=style(colors.text),
        strong=style(colors.text, bold=True),
        muted=muted,
        rule=style(colors.rule, dim=no_color),
        heading=muted,
        title=style(colors.text, colors.bar, bold=True),
        focused_title=reversed_(colors.text),
        tab=style(colors.muted, colors.bar, dim=no_color),
        active_tab=style(colors.text, colors.bar, bold=True),
        note=style(colors.muted, colors.bar, dim=no_color),
        note_strong=style(colors.text, colors.bar, bold=True),
        written=style(colors.written, bold=True),
        read=style(colors.read, bold=True),
        source=style(colors.read, bold=True) + Style(underline=no_color or None),
        touched=style(colors.touched, bold=True),
        selected=reversed_(colors.text),
        error=reversed_(colors.fault),
        current=style(colors.text, colors.current, bold=is_flat),
        current_muted=style(colors.muted, colors.current, dim=no_color),
        current_accent=style(colors.text, colors.current, bold=True),
        bar=style(colors.muted, colors.bar, dim=no_color),
        bar_strong=style(colors.text, colors.bar, bold=True),
        bar_accent=style(colors.text, colors.bar),
    )
