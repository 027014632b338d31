"""Marks for terminals that show the usual ones wrongly: each as wide as the one that it stands for.

Some terminals show signs such as `●` or `≈` two columns wide, some have no such letters at all. A
filter over everything that is drawn puts others in their place.
"""

import locale
import os
import re
from collections.abc import Mapping
from functools import cache

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SIGNS = "●○▶▲▼‹›≈×÷−·⊙→←↑↓◀▸▾━┃▏▎▍▌▋▊▉█✓Σ∂σ√½…–≠′▁⏎■□ₙᵢⱼₖ²ᵀ⁻Δ"
_OTHERS = "#o>^v{}~*/-.*><^v<>v=|..-==###vSdsq5~-x'_<*-nijk2T-D"
PLAIN = {
    **dict(zip(_SIGNS, _OTHERS, strict=True)),
    "─": "-",
    "│": "|",
    **dict.fromkeys("┌┐└┘├┤┬┴┼", "+"),
    **dict.fromkeys("╔═╗║╚╝╤", "#"),
}
"""A sign of ASCII for each sign that may be shown wrongly."""

_BRAILLE = range(0x2800, 0x2900)
# The height of a curve in a column, from the dots of its left and right half.
_DOTS = ((0x40 | 0x80, "_"), (0x04 | 0x20, "."), (0x02 | 0x10, "-"), (0x01 | 0x08, "'"))


def _plain_braille(code: int) -> str:
    bits = code - _BRAILLE.start
    return next((sign for dots, sign in _DOTS if bits & dots), " ")


# Before a line of the listing, `≠` says that it is somebody's own; in a formula it is unequal.
_BEFORE_A_LINE = r"^( *)≠ "


@cache
def _table() -> Mapping[int, str]:
    """Return a sign of ASCII for each code that has another."""
    braille = {code: _plain_braille(code) for code in _BRAILLE}
    return {ord(sign): plain for sign, plain in PLAIN.items()} | braille


# What stands before a node of the tree that has nothing below it; in ASCII, a dot would be a mark.
_LEAF, _PLAIN_LEAF = "·", "-"


def draws_ascii(app: object) -> bool:
    """Tell whether an app has signs of ASCII alone."""
    return bool(getattr(app, "in_ascii", False))


def leaf(app: object) -> str:
    """Return the sign before a leaf of the tree."""
    return _PLAIN_LEAF if draws_ascii(app) else _LEAF


def in_ascii(text: str) -> str:
    """Return a text of the same width, with all signs of the app in ASCII."""
    if "≠" in text:
        text = re.sub(_BEFORE_A_LINE, r"\1#!", text).replace("(≠)", "#! ").replace(" ≠ ", " !=")
    return text.translate(_table())


class PlainSigns(LineFilter):
    """Puts signs of ASCII in the place of others, in everything that is drawn."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return segments of the same widths."""
        return [
            segment
            if segment.text.isascii()
            else Segment(in_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]


def needs_ascii(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the locale says that signs are wide, or that there are none but ASCII.

    Terminals set to Chinese, Japanese or Korean show many of them two columns wide.
    """
    names = (environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    chosen = next(filter(None, names), "")
    if chosen.startswith(("zh", "ja", "ko")):
        return True
    return "utf" not in locale.getpreferredencoding(do_setlocale=False).lower() and bool(chosen)
