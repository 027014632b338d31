"""Cases in one test: all run, and none that fails is hidden."""

import pytest
from in_one_test import each_of


def test_all_cases_run_in_all_combinations() -> None:
    seen = []

    @each_of("dtype", ["float32", "float64"])
    @each_of(("rows", "columns"), [(1, 2), (3, 4)])
    def test(dtype: str, rows: int, columns: int, fixture: str) -> None:
        seen.append((dtype, rows, columns, fixture))

    test(fixture="its own")
    assert seen == [
        (dtype, *shape, "its own") for dtype in ("float32", "float64") for shape in ((1, 2), (3, 4))
    ]


def test_all_that_fail_are_told_with_their_values() -> None:
    ran = []

    @each_of("number", range(5))
    def test(number: int) -> None:
        ran.append(number)
        assert number != 1
        if number == 3:
            with pytest.raises(ZeroDivisionError):
                assert 1 / number
        if number == 4:
            raise KeyError(number)

    with pytest.raises(BaseExceptionGroup, match="3 of 5 cases fail") as caught:
        test()
    assert ran == [0, 1, 2, 3, 4]
    assert list(map(type, caught.value.exceptions)) == [
        AssertionError,
        pytest.fail.Exception,
        KeyError,
    ]
    assert [one.__notes__ for one in caught.value.exceptions] == [
        [f"with {{'number': {number}}}"] for number in (1, 3, 4)
    ]


@pytest.mark.parametrize("cases", [[], [1, pytest.param(2, marks=pytest.mark.slow)]])
def test_no_cases_and_marks_for_some_are_mistakes(cases: list[object]) -> None:
    with pytest.raises(ValueError, match="at least one case"):
        each_of("number", cases)
