"""Which regions a screen has, and where, for each size of the terminal.

The left 80 columns of a wide screen are the screen of 80 by 24: the program, the pane of the step
beside it, the strip below. More width adds columns of panes at the right, more height adds panes
below these two and lines to the strip. What a program needs is taken into account, but never what
a step did to it: nothing moves while it runs.
"""

from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

# The columns of the program, and where those of the step end if there are panes beside it.
LISTING, MAIN_END = 36, 80
# A program with fewer columns is not shown beside the step.
LEAST_LISTING = 24
# From these widths on there are panes at the right, in one column and in two.
THIRD_COLUMN, FOURTH_COLUMN = 120, 200
# The lines of the step's pane at 80 by 24, and what there has to be below it to stand there.
MAIN_LINES, LOWER_LINES = 18, 8
MOST_CURVE = 16
# A curve below a short program.
LEAST_CURVE = 4
# The lines of a map beside other panes, its title included.
MAP_LINES = 19
# How many lines the strip has, by the height of the terminal from which on it has them.
STRIP_LINES = ((56, 12), (36, 8), (30, 6), (0, 4))
# What is said for the back row: a head and three lines, with air.
LARGE_STRIP = 8
# The strip yields before the panes have fewer lines than this, down to a head and a line.
LEAST_BODY, LEAST_STRIP = 10, 2
# A terminal with fewer lines has no room for it.
LEAST_HEIGHT = 8
# What is at the bottom takes a third, but no more and no less than so many lines.
LEAST_BOTTOM, MOST_BOTTOM = 8, 16


class Needs(Struct, frozen=True):
    """What the panes need.

    That is the height of all there is in the panes of weights, of values and of gradients, and of
    the program, title included; how many lines go below the step, and whether anything is at the
    bottom. A `large` strip has air between its lines, and a `tree` takes the place of the listing
    and of the step. With `whole`, one pane takes the place of all others.
    """

    weights: int = 0
    values: int = 0
    gradients: int = 0
    below: int = 0
    bottom: bool = False
    large: bool = False
    tree: bool = False
    whole: bool = False
    listing: int = MAIN_LINES


def strip_lines(height: int, *, large: bool = False) -> int:
    """Return how many lines the strip has in a terminal of so many lines."""
    if height < LEAST_HEIGHT:
        return 0
    wanted = next(lines for least, lines in STRIP_LINES if height >= least)
    return min(LARGE_STRIP if large else wanted, max(LEAST_STRIP, height - 2 - LEAST_BODY))


@lru_cache(maxsize=16)
def regions_of(size: Size, needs: Needs, zoomed: str | None = None) -> Mapping[str, Region]:
    """Return the regions that there are, by name: those of the bars, and those of the panes.

    With `zoomed`, that is the only one of the panes, and has all the room.
    """
    width, height = size
    strip = strip_lines(height, large=needs.large)
    body = Region(0, 1, width, max(0, height - 2 - strip))
    lines = {
        "status": Region(0, 0, width, 1),
        "strip": Region(0, body.bottom, width, strip),
        "keys": Region(0, max(0, height - 1), width, 1),
    }
    if zoomed is not None:
        return lines | {zoomed: body}
    if needs.whole:
        return lines | {"whole": body}
    if needs.bottom:
        body, bottom = body.split_horizontal(body.height - _bottom_height(body.height))
        lines["bottom"] = bottom
    panes = _panes(body, needs)
    if needs.tree:
        width = MAIN_END if width >= THIRD_COLUMN else width
        beside = {name: region for name, region in panes.items() if region.x >= width}
        panes = {**beside, "tree": Region(0, body.y, width, body.height)}
    return lines | panes


def _panes(body: Region, needs: Needs) -> dict[str, Region]:
    """Divide the body: the program, the step, and the columns beside them."""
    regions: dict[str, Region] = {}
    listing, main = body.split_vertical(_listing_width(body.width))
    if body.width >= THIRD_COLUMN:
        main, beside = main.split_vertical(MAIN_END - LISTING)
        is_wide = body.width >= FOURTH_COLUMN
        regions |= (_two_columns if is_wide else _one_column)(beside, needs)
    curve = _curve_lines(body.height, needs)
    if listing and curve:
        listing, regions["curve"] = listing.split_horizontal(body.height - curve)
    main, lower = _under_the_step(main, needs, beside={*regions})
    regions |= lower
    if needs.below and "below" not in regions:
        main, regions["below"] = _with_below(main, needs)
    if listing:
        regions["listing"] = listing
    return regions | {"main": main}


def _listing_width(width: int) -> int:
    """Give the program its columns, or what the step leaves of a narrow screen, or none."""
    left = min(LISTING, width - (MAIN_END - LISTING))
    return left if left >= LEAST_LISTING else 0


def _curve_lines(height: int, needs: Needs) -> int:
    """Give the curve a third below the program, or what a short program leaves."""
    if height >= MAIN_LINES + LOWER_LINES:
        left = height - max(MAIN_LINES, needs.listing)
        return min(MOST_CURVE, max(LOWER_LINES, height // 3, left))
    left = height - needs.listing
    return left if height > MAIN_LINES and left >= LEAST_CURVE else 0


def _under_the_step(
    main: Region, needs: Needs, beside: set[str]
) -> tuple[Region, dict[str, Region]]:
    """Put the kinds of numbers that have no place `beside` the step below it, if there is room.

    Each has what it needs, or its share of the lines; what is left is the step's.
    """
    wanted = {"weights": needs.weights, "values": needs.values, "gradients": needs.gradients}
    room = max(0, main.height - MAIN_LINES)
    below = [name for name in wanted if name not in beside][: room // LOWER_LINES]
    shares: dict[str, int] = {}
    for name in sorted(below, key=lambda each: wanted[each]):
        most = (room - sum(shares.values())) // (len(below) - len(shares))
        shares[name] = min(max(LOWER_LINES, wanted[name]), most)
    regions: dict[str, Region] = {}
    for name in reversed(below):
        main, regions[name] = main.split_horizontal(main.height - shares[name])
    return main, regions


def _one_column(region: Region, needs: Needs) -> dict[str, Region]:
    """Put the values over the gradients."""
    most = max(region.height // 2, region.height - needs.gradients)
    values, gradients = region.split_horizontal(min(needs.values, most) or region.height // 2)
    return {"values": values, "gradients": gradients}


def _two_columns(region: Region, needs: Needs) -> dict[str, Region]:
    """Put the weights over the values, what is watched below them, the gradients beside them.

    Below the gradients there is room for the map.
    """
    left, gradients = region.split_vertical(region.width // 2)
    regions = {}
    if gradients.height >= LOWER_LINES + MAP_LINES:
        lines = min(max(LOWER_LINES, needs.gradients), gradients.height - MAP_LINES)
        gradients, regions["map"] = gradients.split_horizontal(lines)
    regions["gradients"] = gradients
    if needs.below:
        left, regions["below"] = _with_below(left, needs)
    weights = min(needs.weights, max(left.height // 2, left.height - needs.values))
    first, second = left.split_horizontal(weights or left.height // 2)
    return regions | {"weights": first, "values": second}


def _with_below(region: Region, needs: Needs) -> tuple[Region, Region]:
    """Put the lines that go below another region there, as many as there is room for."""
    height = min(needs.below + 1, max(2, region.height // 3))
    return region.split_horizontal(max(0, region.height - height))


def _bottom_height(height: int) -> int:
    return min(MOST_BOTTOM, max(LEAST_BOTTOM, height // 3), max(0, height - 2))


class Arrangement(Layout):
    """The layout of the debugger's screen: the bars, and the pane that is `shown` in each region.

    If one is `zoomed`, that is the only one, and has all the room.
    """

    name = "arrangement"

    def __init__(self) -> None:
        self.needs = Needs()
        # The region of each pane, by the pane's id.
        self.shown: Mapping[str, str] = {}
        self.zoomed: str | None = None

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        """Put the bars and the panes where they belong."""
        regions = regions_of(size, self.needs, self.zoomed)
        names = ((child, child.id or "") for child in children)
        return [
            WidgetPlacement(region, NULL_OFFSET, NULL_SPACING, child)
            for child, name in names
            if (region := regions.get(self.shown.get(name, name))) is not None
        ]
