"""The main screens with 16 colours, with none, and with nothing but ASCII, at the three sizes.

A picture in text shows no colour: here it is a list of what is drawn in which style. What is drawn
plainly is left out. `NNSTEP_UPDATE_SNAPSHOTS=1` accepts new ones.
"""

import textwrap
from collections.abc import Iterator
from itertools import groupby

import pytest
from built_in import built_in
from rich.color import ColorType
from rich.style import Style
from screen_text import assert_text, at_each_size, screen_lines, screen_text
from test_snapshots import SIZES

from nnstep.tui.app import NnstepApp
from nnstep.tui.config import Config
from nnstep.tui.theme import OWN_DARK

# What is looked at, and the keys that lead there from the one before.
SCREENS = {
    "step": ("n", *"sssssss"),
    "where from": ("p", "right"),
    "map": ("escape", "m"),
    "layers": ("m",),
    "edited": ("escape", "3", "e", "1", "enter"),
    "help": ("question_mark",),
    "what if": ("escape", "x", "up"),
    "inside": ("escape", "0", "s", "semicolon", "semicolon"),
    "large": ("comma", "z", "z"),
}
ATTRIBUTES = ("bold", "dim", "underline", "reverse")
RULES = "│─┌┐└┘├┤┬┴┼═║╔╗╚╝▶◀━┃╔▼ "


def styled(app: NnstepApp) -> Iterator[tuple[Style, str]]:
    """Yield what is drawn, from left to right and from above, each with its style.

    How a line is cut into pieces of one style is no matter: it depends on what was drawn before.
    """
    for strip in app.screen._compositor.render_strips():
        for style, pieces in groupby(strip, lambda piece: piece.style):
            text = "".join(piece.text for piece in pieces)
            if style is not None and text.strip(RULES):
                yield style, text.strip()


def style_map(app: NnstepApp) -> str:
    """Write what is drawn in each style but the plain one."""
    drawn: dict[str, list[str]] = {}
    for style, text in styled(app):
        words = [each for each in ATTRIBUTES if getattr(style, each)]
        colors = [color.name for color in (style.color, style.bgcolor) if color]
        words += [color for color in colors if color != "default"]
        drawn.setdefault(" ".join(words), []).append(text)
    lines = (
        textwrap.fill(f"{name}: {' | '.join(texts)}", 100, subsequent_indent="  ")
        for name, texts in sorted(drawn.items())
        if name
    )
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    ("look", "size"), at_each_size([("16-colours",), ("no-colour",), ("ascii",)], SIZES)
)
async def test_the_main_screens(look: str, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if look == "no-colour":
        monkeypatch.setenv("NO_COLOR", "1")
    config = Config(ascii=look == "ascii", theme=OWN_DARK.name if look == "16-colours" else None)
    app = NnstepApp(built_in("mazur"), config)
    shown = ""
    async with app.run_test(size=SIZES[size]) as pilot:
        for name, keys in SCREENS.items():
            await pilot.press(*keys)
            await pilot.pause()
            drawn = screen_text(app) if look == "ascii" else style_map(app)
            shown += f"{f' {name} ':=^80}\n{drawn}"
            if look == "ascii":
                assert "\n".join(screen_lines(app)).isascii()
            else:
                check_colors(app, {ColorType.DEFAULT, ColorType.STANDARD})
    assert_text(shown, f"{look}-{size}")


def check_colors(app: NnstepApp, known: set[ColorType]) -> None:
    """Check that no colours are sent but those of a terminal with 16, or with none."""
    colors = [color for style, _ in styled(app) for color in (style.color, style.bgcolor) if color]
    assert {color.type for color in colors} <= ({ColorType.DEFAULT} if app.no_color else known)
