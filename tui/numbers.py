"""How a number is written: always the same few columns, so that a table never jumps.

Fixed with four decimals where that says something, scientific with four significant digits where it
would not (three if a sign and a long exponent would break the width). A reader should recognise a
value that is not finite at a glance, so it is a word.
"""

import math

import numpy as np

VALUE_WIDTH = 10
CHANGE_WIDTH = 9

INCREASED, DECREASED, OTHERWISE_CHANGED = "▲", "▼", "≠"

Number = float | int

# From here on four decimals would round to 10000.0000, a column too wide.
_ROUNDED_UP = 9999.99995


def format_value(value: Number) -> str:
    """Write `value` in at most `VALUE_WIDTH` columns, not padded."""
    if isinstance(value, int):
        text = str(value)
        return text if len(text) <= VALUE_WIDTH else _scientific(value)
    if not math.isfinite(value):
        return format_non_finite(value)
    if value == 0 or 1e-3 <= abs(value) < _ROUNDED_UP:
        return f"{value:.4f}"
    return _scientific(value)


def _scientific(value: Number) -> str:
    text = _short(f"{value:.3e}")
    return text if len(text) <= VALUE_WIDTH else _short(f"{value:.2e}")


def _short(text: str) -> str:
    """Write an exponent as one reads it: `-4.333e-9`, not `-4.333e-09`."""
    digits, _, exponent = text.partition("e")
    return f"{digits}e{int(exponent)}"


def format_non_finite(value: float) -> str:
    """Write a value that is not finite as the word for it."""
    if math.isnan(value):
        return "NaN"
    return "+inf" if value > 0 else "-inf"


def to_significant(value: float, digits: int, sign: str = "") -> str:
    """Write a value with so many significant digits at most, with `sign` "+" always signed."""
    text = f"{value:{sign}.{digits}g}"
    return _short(text) if "e" in text else text


def format_exact(value: np.generic) -> str:
    """Write a value with all the digits that its dtype has, and no more."""
    if value.dtype.kind == "f" and not np.isfinite(value):
        return format_non_finite(float(value))
    return str(value)


def format_change(old: Number, new: Number) -> str:
    """Write by how much `new` differs from `old`: signed, three significant digits.

    Equal values give nothing. Where one of them is not finite there is no difference to speak of,
    and the mark for that is all there is.
    """
    if is_same(old, new):
        return ""
    difference = new - old
    if isinstance(difference, int):
        text = f"{difference:+d}"
        return text if len(text) <= CHANGE_WIDTH else _short(f"{float(difference):+.2e}")
    if not math.isfinite(difference):
        return OTHERWISE_CHANGED
    if 1e-3 <= abs(difference) < 1e4:
        return f"{difference:+#.3g}".rstrip(".")
    text = _short(f"{difference:+.2e}")
    return text if len(text) <= CHANGE_WIDTH else _short(f"{difference:+.1e}")


def direction(old: Number, new: Number) -> str:
    """Return the arrow for a change from `old` to `new`, a blank where there is none."""
    if is_same(old, new):
        return " "
    if math.isnan(old) or math.isnan(new):
        return OTHERWISE_CHANGED
    return INCREASED if new > old else DECREASED


def is_same(old: Number, new: Number) -> bool:
    """Tell whether two values are equal to a reader, for whom one NaN is like another."""
    return old == new or (math.isnan(old) and math.isnan(new))
