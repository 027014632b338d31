"""Numbers: fixed where that says something, scientific where not, never wider than their column."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnstep.tui.numbers import (
    CHANGE_WIDTH,
    VALUE_WIDTH,
    direction,
    format_change,
    format_value,
)

FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"),
        (0.5, "0.5000"),
        (-0.59326, "-0.5933"),
        (1e-3, "0.0010"),
        (9.99e-4, "9.990e-4"),
        (1.2344e-5, "1.234e-5"),
        (9999.0, "9999.0000"),
        (-9999.99999, "-1.000e4"),
        (1e4, "1.000e4"),
        (-1.5e300, "-1.500e300"),
        (3, "3"),
        (-12, "-12"),
        (123456789012, "1.235e11"),
        (math.nan, "NaN"),
        (math.inf, "+inf"),
        (-math.inf, "-inf"),
    ],
)
def test_a_value_as_it_is_written(value: float, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (0.15, 0.15, ""),
        (0.15, 0.149780716, "-2.19e-4"),
        (0.5, 0.4876543, "-0.0123"),
        (0.0, 12345.0, "+1.23e4"),
        (0.0, 1.5, "+1.50"),
        (100.0, 400.0, "+300"),
        (0.0, 1e-9, "+1.00e-9"),
        (0.0, 2e-120, "+2.0e-120"),
        (3, 5, "+2"),
        (math.nan, math.nan, ""),
        (1.0, math.nan, "≠"),
        (1.0, math.inf, "≠"),
        (-1.7e308, 1.7e308, "≠"),
    ],
)
def test_a_change_as_it_is_written(old: float, new: float, text: str) -> None:
    assert format_change(old, new) == text


@given(FLOATS)
def test_every_value_fits_and_carries_its_sign(value: float) -> None:
    text = format_value(value)
    assert len(text) <= VALUE_WIDTH
    if not math.isnan(value):
        assert text.startswith("-") == (math.copysign(1, value) < 0)


@given(FLOATS, FLOATS)
def test_every_change_fits_and_agrees_with_its_arrow(old: float, new: float) -> None:
    text, arrow = format_change(old, new), direction(old, new)
    assert len(text) <= CHANGE_WIDTH
    assert (text == "") == (arrow == " ")
    if text[:1] in "+-" and text:
        assert arrow == {"+": "▲", "-": "▼"}[text[0]]
