"""Every colour of the app is chosen here, once for dark terminals and once for light ones.

The colours are those of the 256-colour palette, so that a terminal without truecolor shows the same
picture. Magnitude runs from blue to orange, which colour-blind readers can tell apart. The dark
grounds are all black where there are only 16 colours, so that text on them stays legible.
"""

from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style
from textual.theme import Theme

DARK = Theme(
    name="nnstep-dark",
    dark=True,
    primary="#87afff",
    secondary="#5fd7d7",
    accent="#ffaf5f",
    warning="#ffaf5f",
    error="#ff5f5f",
    success="#5fd7d7",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#2a2a2a",
    variables={
        "muted": "#8a8a8a",
        "rule": "#585858",
        "current": "#2a2a2a",
        "written": "#ff87d7",
        "read": "#5fd7d7",
        "heat-0": "#5f87ff",
        "heat-1": "#87afff",
        "heat-2": "#afd7ff",
        "heat-3": "#ffd7af",
        "heat-4": "#ffaf5f",
        "heat-5": "#ff8700",
        "block-cursor-background": "#2a2a2a",
        "block-cursor-foreground": "#d0d0d0",
        "block-cursor-text-style": "none",
        "scrollbar": "#585858",
        "scrollbar-background": "#1c1c1c",
    },
)

LIGHT = Theme(
    name="nnstep-light",
    dark=False,
    primary="#005faf",
    secondary="#005f5f",
    accent="#af5f00",
    warning="#af5f00",
    error="#af0000",
    success="#005f5f",
    foreground="#1c1c1c",
    background="#eeeeee",
    surface="#e4e4e4",
    panel="#dadada",
    variables={
        "muted": "#626262",
        "rule": "#9e9e9e",
        "current": "#d0d0d0",
        "written": "#af005f",
        "read": "#005f5f",
        "heat-0": "#0000af",
        "heat-1": "#005faf",
        "heat-2": "#5f5f87",
        "heat-3": "#875f00",
        "heat-4": "#af5f00",
        "heat-5": "#d75f00",
        "block-cursor-background": "#d0d0d0",
        "block-cursor-foreground": "#1c1c1c",
        "block-cursor-text-style": "none",
        "scrollbar": "#9e9e9e",
        "scrollbar-background": "#e4e4e4",
    },
)

THEMES = (DARK, LIGHT)


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """The styles that the line-drawn widgets paint with, each complete with its background."""

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
    error: Style
    current: Style
    current_muted: Style
    current_accent: Style
    bar: Style
    bar_strong: Style
    bar_accent: Style
    heat: tuple[Style, ...]
    changed_heat: tuple[Style, ...]


def palette_of(theme: Theme) -> Palette:
    """Return the palette of a theme; one from elsewhere lends its grounds if it names them all."""
    ours = DARK if theme.dark else LIGHT
    grounds = (theme.foreground, theme.background, theme.surface, theme.panel)
    if not all(grounds):
        grounds = (ours.foreground, ours.background, ours.surface, ours.panel)
    return _palette(theme.dark, *map(str, grounds))


@lru_cache(maxsize=8)
def _palette(dark: bool, text: str, ground: str, surface: str, panel: str) -> Palette:
    ours = DARK if dark else LIGHT
    colors = ours.variables

    def style(color: str, *, bold: bool = False, on: str = ground) -> Style:
        return Style(color=color, bgcolor=on, bold=bold or None)

    heats = [colors[f"heat-{level}"] for level in range(6)]
    return Palette(
        text=style(text),
        strong=style(text, bold=True),
        muted=style(colors["muted"]),
        rule=style(colors["rule"]),
        heading=style(colors["muted"], bold=True),
        title=style(text, bold=True, on=panel),
        focused_title=Style(color=ours.primary, bgcolor=ground, bold=True, reverse=True),
        tab=style(colors["muted"], on=panel),
        active_tab=Style(color=text, bgcolor=ground, bold=True, underline=True),
        note=style(colors["muted"], on=surface),
        note_strong=style(text, bold=True, on=surface),
        written=style(colors["written"], bold=True),
        read=style(colors["read"], bold=True),
        error=Style(color=ours.error, bgcolor=ground, bold=True, reverse=True),
        current=style(text, bold=True, on=colors["current"]),
        current_muted=style(text, on=colors["current"]),
        current_accent=style(ours.accent or text, bold=True, on=colors["current"]),
        bar=style(colors["muted"], on=surface),
        bar_strong=style(text, bold=True, on=surface),
        bar_accent=style(ours.accent or text, bold=True, on=surface),
        heat=tuple(style(color) for color in heats),
        changed_heat=tuple(style(color, bold=True) for color in heats),
    )
