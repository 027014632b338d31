"""The curve: every peak shows, nothing breaks it, and its edges are the values' own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnstep.tui.braille import MARK, curve

BLANK = "\u2800"


def test_nothing_to_draw() -> None:
    assert curve(np.array([]), 10, 3).rows == ("",)
    assert curve(np.array([1.0]), 0, 3).rows == ("",)


def test_two_values_are_a_rising_line() -> None:
    drawn = curve(np.array([1.0, 2.0]), 10, 2)
    assert (drawn.low, drawn.high, drawn.log) == (1.0, 2.0, False)
    top, bottom = drawn.rows
    assert top[0] == BLANK != bottom[0]
    assert bottom[-1] == BLANK != top[-1]


def test_a_peak_among_very_many_values_does_not_vanish() -> None:
    values = np.zeros(100_000)
    values[77_777] = 1.0
    top = curve(values, 20, 4).rows[0]
    assert sum(character != BLANK for character in top) == 1


def test_a_curve_over_many_decades_has_a_logarithmic_scale() -> None:
    drawn = curve(np.geomspace(1.0, 1e-6, 40), 20, 4)
    assert drawn.log
    assert drawn.rows[0][0] != BLANK != drawn.rows[-1][-1]


def test_values_that_are_not_finite_are_marked_and_the_rest_is_drawn() -> None:
    drawn = curve(np.array([1.0, 1.0, np.nan, 2.0, np.inf, 3.0]), 3, 2)
    assert drawn.rows[0].count(MARK) == 2
    assert (drawn.low, drawn.high) == (1.0, 3.0)
    assert curve(np.array([np.nan, np.nan]), 3, 2).rows == (MARK * 3,)


@pytest.mark.filterwarnings("error")
def test_the_largest_numbers_there_are() -> None:
    drawn = curve(np.array([1.7e308, -1.7e308]), 4, 2)
    assert drawn.rows[0][0] != BLANK != drawn.rows[1][-1]


@given(
    st.lists(st.floats(), max_size=200),
    st.integers(1, 30),
    st.integers(1, 6),
)
def test_any_values_at_any_size(values: list[float], width: int, height: int) -> None:
    drawn = curve(np.array(values), width, height)
    if np.isfinite(values).any():
        assert [len(row) for row in drawn.rows] == [width] * height
