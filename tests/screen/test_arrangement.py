"""At every size the panes tile the screen: nothing is covered, and nothing is left empty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Size

from nnstep.tui.layout import NUMBERS_WIDTH, Needs, regions_of

REGIONS = ("listing", "first", "second", "third", "curve")
sizes = st.builds(Size, st.integers(1, 320), st.integers(1, 90))
needs = st.builds(Needs, st.integers(10, 400), st.integers(0, 400))


@given(sizes, needs, st.sampled_from((None, *REGIONS)))
def test_the_panes_tile_the_screen(size: Size, needed: Needs, zoomed: str | None) -> None:
    regions = [region for region in regions_of(size, needed, zoomed).values() if region]
    if size.height > 2:
        assert sum(region.area for region in regions) == size.area
    for at, region in enumerate(regions):
        assert size.region.contains_region(region)
        assert size.height < 2 or not any(region.overlaps(other) for other in regions[:at])


@pytest.mark.parametrize(("width", "program"), [(80, 36), (120, 32), (200, 68), (300, 90)])
def test_the_program_takes_what_the_tensors_can_spare(width: int, program: int) -> None:
    regions = regions_of(Size(width, 24 if width == 80 else 60), Needs(90, 15))
    assert regions["listing"].width == program
    assert all(regions[name].width >= NUMBERS_WIDTH for name in REGIONS[1:4] if name in regions)


def test_a_short_program_takes_no_more_than_it_needs() -> None:
    assert regions_of(Size(300, 20), Needs(44, 15))["listing"].width == 44


def test_few_weights_leave_their_lines_to_the_values() -> None:
    regions = regions_of(Size(120, 36), Needs(44, 6))
    assert regions["first"].height == 7
    assert regions["second"].height == 26
