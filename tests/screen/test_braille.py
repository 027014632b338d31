"""The curve: every peak shows, nothing breaks it, and its edges are the values' own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnstep.tui.panes.braille import BLANK, MARK, Scale, column_of, curve, curves, index_at, layered


def test_nothing_to_draw() -> None:
    assert curve(np.array([]), 10, 3).rows == ("",)
    assert curve(np.array([1.0]), 0, 3).rows == ("",)


def test_two_values_are_a_rising_line() -> None:
    drawn = curve(np.array([1.0, 2.0]), 10, 2)
    assert drawn.scale == Scale(1.0, 2.0, log=False)
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
    assert drawn.scale.log
    assert drawn.rows[0][0] != BLANK != drawn.rows[-1][-1]


def test_values_that_are_not_finite_are_marked_and_the_rest_is_drawn() -> None:
    drawn = curve(np.array([1.0, 1.0, np.nan, 2.0, np.inf, 3.0]), 3, 2)
    assert drawn.rows[0].count(MARK) == 2
    assert drawn.scale == Scale(1.0, 3.0, log=False)


def test_where_no_value_is_finite_there_are_marks_and_no_scale() -> None:
    drawn = curve(np.array([np.nan, np.nan]), 3, 2)
    assert drawn.rows == (MARK * 3, BLANK * 3)
    assert np.isnan([drawn.scale.low, drawn.scale.high]).all()


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
    if values:
        assert [len(row) for row in drawn.rows] == [width] * height


def is_blank(drawn: str) -> bool:
    return not drawn.strip(BLANK)


def test_two_curves_have_one_scale_and_one_length() -> None:
    front, behind = curves([np.array([1.0, 2.0]), np.array([0.0, 0.0, 4.0, 4.0])], 8, 4)
    assert front.scale == behind.scale == Scale(0.0, 4.0, log=False)
    assert is_blank(front.rows[0])
    assert is_blank(front.rows[3])
    assert all(is_blank(row[3:]) for row in front.rows)
    assert not is_blank(behind.rows[0][-1])


def test_the_curve_behind_is_dotted_with_nothing_in_the_right_half_of_a_character() -> None:
    noise = np.random.default_rng(0).random(500)
    (front,) = curves([noise], 10, 3)
    _, behind = curves([np.zeros(1), noise], 10, 3)
    right = 0x08 | 0x10 | 0x20 | 0x80
    assert any((ord(dots) - ord(BLANK)) & right for row in front.rows for dots in row)
    assert not any((ord(dots) - ord(BLANK)) & right for row in behind.rows for dots in row)


def test_a_peak_of_the_curve_behind_does_not_vanish() -> None:
    values = np.zeros(100_000)
    values[77_777] = 1.0
    _, behind = curves([np.zeros(100_000), values], 20, 4)
    assert sum(character != BLANK for character in behind.rows[0]) == 1


def test_where_both_curves_have_dots_the_front_one_is_seen() -> None:
    runs = list(layered(f"ab{BLANK}{BLANK}c", f"x{BLANK}yz{BLANK}"))
    assert runs == [("ab", True), ("yz", False), ("c", True)]


def test_what_is_not_finite_in_either_curve_is_marked() -> None:
    front, behind = curves([np.array([1.0, np.nan]), np.array([np.inf, 1.0])], 2, 1)
    assert front.rows[0][1] == MARK != front.rows[0][0]
    assert behind.rows[0][0] == MARK != behind.rows[0][1]


@pytest.mark.parametrize("known", [0, 1, 7, 499, 500])
@pytest.mark.parametrize("count", [500, 3])
def test_values_still_to_come_leave_their_columns_blank(known: int, count: int) -> None:
    known = min(known, count)
    drawn = curve(np.ones(known), 20, 1, count)
    last = column_of(known - 1, count, 40) // 2 if known else -1
    assert not any(map(is_blank, drawn.rows[0][: last + 1]))
    assert is_blank(drawn.rows[0][last + 1 :])


@given(st.integers(1, 5000), st.integers(1, 300), st.data())
def test_a_value_is_found_again_in_its_column(
    count: int, columns: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, count - 1))
    column = column_of(index, count, columns)
    assert 0 <= column < columns
    assert column_of(0, count, columns) == 0
    if count > 1:
        assert column_of(count - 1, count, columns) == columns - 1
    found = index_at(column, count, columns)
    assert column_of(found, count, columns) == column
    assert found <= index if count > columns else found == index
    assert column_of(np.array([index]), count, columns).tolist() == [column]


@given(st.integers(2, 400), st.integers(1, 30), st.data())
def test_the_column_of_a_value_is_where_it_is_drawn(
    count: int, width: int, data: st.DataObject
) -> None:
    values = np.zeros(count)
    values[peak := data.draw(st.integers(0, count - 1))] = 1.0
    drawn = curve(values, width, 2)
    assert drawn.rows[0][column_of(peak, count, 2 * width) // 2] != BLANK
