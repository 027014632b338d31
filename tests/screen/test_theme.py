"""Colours: legible on their grounds, told apart by most eyes, and never the only sign."""

import re

import pytest
from built_in import built_in
from rich.color import Color, ColorType
from rich.segment import Segment
from screen_text import screen_lines, screen_text, until
from textual.color import Color as Rgb

from nnstep.tui.app import NnstepApp
from nnstep.tui.config import Config
from nnstep.tui.prompt import Prompt
from nnstep.tui.signs import PLAIN, PlainSigns, in_ascii, needs_ascii
from nnstep.tui.spelled import spelled
from nnstep.tui.theme import (
    CONTRAST_DARK,
    CONTRAST_LIGHT,
    DARK,
    LIGHT,
    OWN_DARK,
    OWN_LIGHT,
    THEMES,
    Palette,
    fitting_theme,
    palette_of,
)

OF_OUR_OWN = [DARK, LIGHT, CONTRAST_DARK, CONTRAST_LIGHT]


def contrast(one: Rgb, other: Rgb) -> float:
    """The WCAG contrast of two colours."""

    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    def luminance(color: Rgb) -> float:
        parts = [part / 255 for part in color.rgb]
        red, green, blue = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def rgb(color: Color | None) -> Rgb:
    assert color is not None and color.triplet is not None
    return Rgb(*color.triplet)


@pytest.mark.parametrize("theme", OF_OUR_OWN, ids=lambda theme: theme.name)
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("text", 13), ("muted", 7), ("rule", 3.5), ("written", 5.5), ("read", 5.5), ("touched", 6),
        ("error", 6), ("selected", 13), ("current", 8), ("bar", 6.5), ("tab", 6.5),
    ],
)  # fmt: skip
def test_what_is_written_is_legible(theme: object, name: str, least: float) -> None:
    style = getattr(palette_of(theme), name)  # type: ignore[arg-type]
    assert contrast(rgb(style.color), rgb(style.bgcolor)) >= least


@pytest.mark.parametrize("theme", OF_OUR_OWN, ids=lambda theme: theme.name)
def test_every_colour_is_one_of_256(theme: object) -> None:
    palette = palette_of(theme)  # type: ignore[arg-type]
    levels = {0, 95, 135, 175, 215, 255}
    for name in Palette.__struct_fields__:
        for color in (getattr(palette, name).color, getattr(palette, name).bgcolor):
            red, green, blue = rgb(color).rgb
            is_grey = red == green == blue and (red - 8) % 10 == 0
            assert is_grey or {red, green, blue} <= levels, (name, color)


@pytest.mark.parametrize("theme", [OWN_DARK, OWN_LIGHT], ids=lambda theme: theme.name)
def test_the_terminal_keeps_its_own_colours(theme: object) -> None:
    palette = palette_of(theme)  # type: ignore[arg-type]
    for name in Palette.__struct_fields__:
        style = getattr(palette, name)
        assert style.bgcolor is None
        assert style.color is None or style.color.type is ColorType.STANDARD


def test_a_terminal_of_16_colours_or_without_keeps_its_own() -> None:
    assert fitting_theme("truecolor", no_color=False) is DARK
    assert fitting_theme("256", no_color=False) is DARK
    assert fitting_theme("standard", no_color=False) is OWN_DARK
    assert fitting_theme("truecolor", no_color=True) is OWN_DARK


def test_without_colours_there_are_attributes() -> None:
    palette = palette_of(OWN_DARK, no_color=True)
    assert palette.muted.dim
    assert palette.source.underline
    assert palette.written.bold
    assert palette.selected.reverse
    assert palette.error.reverse
    styles = [getattr(palette, name) for name in Palette.__struct_fields__]
    assert all(style.color is None and style.bgcolor is None for style in styles)


def test_names_are_there_once() -> None:
    assert len({theme.name for theme in THEMES}) == len(THEMES)


def test_marks_in_ascii_keep_their_widths() -> None:
    text = "●○▶·[0.1] ‹0.2›▲▼≈ │─ ⠉⠒⣀ ◀ ×÷ Σₙ"
    plain = in_ascii(text)
    assert plain.isascii()
    assert len(plain) == len(text)
    assert re.match(r"#o>\.\[0\.1\] \{0\.2\}\^v~ \|- '", plain)
    assert all(len(sign) == 1 and sign.isascii() for sign in PLAIN.values())
    (segment,) = PlainSigns().apply([Segment("● W1")], Rgb(0, 0, 0))
    assert segment.text == "# W1"


@pytest.mark.parametrize(
    ("environment", "plain"),
    [
        ({}, False),
        ({"LANG": "en_US.UTF-8"}, False),
        ({"LANG": "ja_JP.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, True),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "de_DE.UTF-8"}, False),
    ],
)
def test_where_signs_may_be_wide_they_are_ascii(environment: dict[str, str], plain: bool) -> None:
    assert needs_ascii(environment) == plain


def test_formulas_are_spelled_in_words_where_there_are_no_signs_for_them() -> None:
    assert spelled("½ (a2 − y)²") == "1/2 (a2 − y)^2"
    assert spelled("÷ √v_hat_W1[0, 1] + 1e-8") == "÷ sqrt(v_hat_W1[0, 1]) + 1e-8"
    assert spelled("= 0.5 / (√0.0968639 + 1e-8)") == "= 0.5 / (sqrt(0.0968639) + 1e-8)"
    assert spelled("∂L/∂W2 = (∂L/∂z2)ᵀ a1") == "dL/dW2 = (dL/dz2).T a1"
    assert spelled("dW2[i, j] = Σₙ dz2[n, i]·a1[n, j]") == "dW2[i, j] = sum_n dz2[n, i]*a1[n, j]"


async def test_in_ascii_no_formula_has_a_digit_in_the_place_of_a_sign() -> None:
    app = NnstepApp(built_in("mazur"), Config(ascii=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*"ssssss")
        await pilot.pause()
        text = "".join(in_ascii(line) + "\n" for line in screen_lines(app))
        await pilot.press("s", "s")
        await until(pilot, lambda: "slope at z2" in screen_text(app))
        slope = screen_text(app)
        await pilot.press("semicolon")
        await until(pilot, lambda: "inside dz2" in screen_text(app))
        inside = screen_text(app)
    assert "a2*(1 - a2) is the sigmoid's slope at z2" in slope.replace("−", "-")
    assert "dL/dz2 = dL/da2 * sigmoid'(z2)" in inside
    assert text.replace("\n", "").isascii()
    assert " L = 1/2 sum (a2 - y)^2" in text
    assert " = 1/2 (0.751365 - 0.01)^2 + 1/2 (0.772928 - 0.99)^2" in text
    assert "1/2 (a2 - y)^2" in text
    assert "L = the sum of 2" in text


@pytest.mark.parametrize("theme", ["nord", "textual-light"])
async def test_with_a_theme_of_textuals_there_is_a_prompt_too(theme: str) -> None:
    app = NnstepApp(built_in("mazur"), Config(theme=theme))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s", "colon")
        await until(pilot, lambda: isinstance(app.screen, Prompt))
