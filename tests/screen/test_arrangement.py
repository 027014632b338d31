"""At every size the panes tile the screen, and the left of a wide one is the narrow one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Region, Size

from nnstep.tui.layout import Needs, regions_of, strip_lines

PANES = ("listing", "main", "weights", "values", "gradients", "curve", "below", "bottom")
sizes = st.builds(Size, st.integers(1, 320), st.integers(1, 90))
heights = st.integers(0, 400)
needs = st.builds(Needs, heights, heights, heights, st.integers(0, 9), st.booleans())


@given(sizes, needs, st.sampled_from((None, *PANES)))
def test_the_panes_tile_the_screen(size: Size, needed: Needs, zoomed: str | None) -> None:
    regions = [region for region in regions_of(size, needed, zoomed).values() if region]
    if size.height > 2:
        assert sum(region.area for region in regions) == size.area
    for at, region in enumerate(regions):
        assert size.region.contains_region(region)
        assert size.height < 2 or not any(region.overlaps(other) for other in regions[:at])


@pytest.mark.parametrize(
    ("height", "lines"), [(24, 4), (29, 4), (30, 6), (35, 6), (36, 8), (55, 8), (56, 12), (90, 12)]
)
def test_the_strip_grows_with_the_screen(height: int, lines: int) -> None:
    assert strip_lines(height) == lines


def test_a_large_strip_has_air_between_its_lines_and_is_no_larger_on_a_larger_screen() -> None:
    assert [strip_lines(height, large=True) for height in (20, 24, 36, 60)] == [8, 8, 8, 8]


@pytest.mark.parametrize("height", range(14, 24))
def test_the_strip_yields_before_the_panes_do(height: int) -> None:
    assert height - 2 - strip_lines(height) >= 10


NARROW = {"listing": Region(0, 1, 36, 18), "main": Region(36, 1, 44, 18)}


@pytest.mark.parametrize(
    ("size", "more"),
    [
        ((80, 24), set()),
        ((100, 30), {"curve"}),
        ((80, 50), {"curve", "weights", "values"}),
        ((120, 24), {"values", "gradients"}),
        ((120, 36), {"curve", "weights", "values", "gradients"}),
        ((132, 43), {"curve", "weights", "values", "gradients"}),
        ((160, 50), {"curve", "weights", "values", "gradients"}),
        ((200, 24), {"weights", "values", "gradients"}),
        ((200, 60), {"curve", "weights", "values", "gradients", "map"}),
    ],
)
def test_a_larger_screen_only_adds_panes(size: tuple[int, int], more: set[str]) -> None:
    regions = regions_of(Size(*size), Needs(12, 12, 14))
    assert regions.keys() - {"status", "strip", "keys"} == {"listing", "main", *more}
    for name, narrow in NARROW.items():
        assert regions[name].offset == narrow.offset
        assert regions[name].height >= narrow.height
    assert regions["listing"].width == 36
    assert regions["main"].right == (80 if size[0] >= 120 else size[0])
    assert all(regions[name].height >= 4 for name in more)
    if size[0] >= 120:
        assert min(regions[name].width for name in ("values", "gradients")) >= 40


def test_at_36_lines_the_step_keeps_what_it_has_at_24() -> None:
    regions = regions_of(Size(120, 36), Needs(30, 12, 14))
    assert regions["main"] == NARROW["main"]
    assert regions["weights"] == Region(36, 19, 44, 8)
    assert regions["curve"] == Region(0, 19, 36, 8)


def test_below_the_step_each_kind_of_numbers_has_what_it_needs_or_its_share() -> None:
    tall = Size(80, 60)
    roomy = regions_of(tall, Needs(weights=9, values=8, gradients=8))
    assert [roomy[name].height for name in ("weights", "values", "gradients")] == [9, 8, 8]
    assert roomy["main"].height == tall.height - 2 - strip_lines(tall.height) - 25
    tight = regions_of(tall, Needs(weights=300, values=9, gradients=300))
    assert [tight[name].height for name in ("main", "weights", "values", "gradients")] == [
        18,
        9,
        9,
        10,
    ]


def test_a_curve_stands_below_a_short_program_but_not_at_24_lines() -> None:
    assert regions_of(Size(100, 30), Needs(listing=17))["curve"].height == 5
    assert regions_of(Size(132, 43), Needs(listing=18))["curve"].height == 15
    assert "curve" not in regions_of(Size(100, 30), Needs(listing=20))
    assert "curve" not in regions_of(Size(80, 24), Needs(listing=8))


def test_without_room_beside_the_step_the_program_goes_first() -> None:
    assert regions_of(Size(67, 24), Needs())["main"] == Region(0, 1, 67, 18)
