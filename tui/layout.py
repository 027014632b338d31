"""Which regions a screen has, and where, for each size of the terminal.

Narrow, the three kinds of numbers take turns in one region. From 120 by 36 on there are two columns
of them, and in a roomy terminal three. What a program needs is taken into account, but never what a
step did to it: nothing moves while it runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

WIDE = Size(120, 36)
ROOMY_WIDTH = 176

# Two numbers of a row side by side, each with its change, and the edge before them.
NUMBERS_WIDTH = 44
LEAST_LISTING = 32
COMFORTABLE_LISTING = 36
# The bottom takes a third, but no more and no less than so many lines.
LEAST_BOTTOM, MOST_BOTTOM = 8, 16
# The cell under the cursor is shown on one line if that is so wide, else on two.
ONE_LINE = 80
# A terminal with fewer lines has no room for that.
LEAST_HEIGHT = 8


@dataclass(frozen=True, slots=True)
class Needs:
    """What the panes need.

    That is the width at which no line of the listing is cut, the height of all that there is in the
    first column of numbers, how many lines go below other ones, whether anything is at the bottom,
    and how many lines a message takes.
    """

    listing_width: int
    first_height: int
    below: int = 0
    bottom: bool = False
    message: int = 1


def is_narrow(size: Size) -> bool:
    """Tell whether all kinds of tensors take turns in one region."""
    return size.width < WIDE.width or size.height < WIDE.height


def regions_of(size: Size, needs: Needs, zoomed: str | None = None) -> dict[str, Region]:
    """Return the regions that there are, by name: those of the bars, and those of the panes.

    With `zoomed`, that is the only one of the panes, and has all the room.
    """
    width, height = size
    cell = 0 if height < LEAST_HEIGHT else 1 if width >= ONE_LINE else 2
    body = Region(0, 1, width, max(0, height - 2 - cell))
    # A long message takes lines from the cell: nothing else moves for it.
    keys = min(needs.message, cell + 1)
    lines = {
        "status": Region(0, 0, width, 1),
        "cell": Region(0, body.bottom, width, cell + 1 - keys),
        "keys": Region(0, max(0, height - keys), width, keys),
    }
    if zoomed is not None:
        return lines | {zoomed: body}
    if needs.bottom:
        body, bottom = body.split_horizontal(body.height - _bottom_height(body.height))
        lines["bottom"] = bottom
    if is_narrow(size):
        return lines | _narrow(body, needs)
    regions = (_roomy if width >= ROOMY_WIDTH else _wide)(body, needs)
    if needs.below:
        listing, below = _with_below(regions["listing"], needs)
        regions |= {"listing": listing, "below": below}
    return lines | regions


def _narrow(body: Region, needs: Needs) -> dict[str, Region]:
    """Put listing and numbers side by side, the curve on the line below.

    Where something is at the bottom, that has the curve.
    """
    panes, curve = body.split_horizontal(max(0, body.height - (0 if needs.bottom else 1)))
    listing, numbers = panes.split_vertical(_listing_width(body.width, needs, columns=1))
    regions = {"listing": listing, "numbers": numbers}
    if not needs.bottom:
        regions["curve"] = curve
    if needs.below:
        numbers, below = _with_below(numbers, needs)
        regions |= {"numbers": numbers, "below": below}
    return regions


def _bottom_height(height: int) -> int:
    return min(MOST_BOTTOM, max(LEAST_BOTTOM, height // 3), max(0, height - 2))


def _with_below(region: Region, needs: Needs) -> tuple[Region, Region]:
    """Put the lines that go below another region there, as many as there is room for."""
    height = min(needs.below + 1, max(2, region.height // 3))
    return region.split_horizontal(max(0, region.height - height))


def _wide(body: Region, needs: Needs) -> dict[str, Region]:
    """Put the first kind of numbers over the second, and the third over the curve."""
    listing, rest = body.split_vertical(_listing_width(body.width, needs, columns=2))
    left, right = rest.split_vertical(rest.width // 2)
    first, second = left.split_horizontal(min(needs.first_height + 1, body.height // 2))
    third, curve = right.split_horizontal(body.height - body.height // 3)
    return {"listing": listing, "first": first, "second": second, "third": third, "curve": curve}


def _roomy(body: Region, needs: Needs) -> dict[str, Region]:
    """Give each kind of numbers a column of its own; the curve is under the listing."""
    left, rest = body.split_vertical(_listing_width(body.width, needs, columns=3))
    listing, curve = left.split_horizontal(body.height - body.height // 4)
    first, rest = rest.split_vertical(rest.width // 3)
    second, third = rest.split_vertical(rest.width // 2)
    return {"listing": listing, "first": first, "second": second, "third": third, "curve": curve}


def _listing_width(width: int, needs: Needs, columns: int) -> int:
    """Give the listing what it needs, but less than half, and less than the numbers can spare."""
    share = max(COMFORTABLE_LISTING, width * 2 // 5)
    most = min(share, width - columns * NUMBERS_WIDTH)
    return max(min(LEAST_LISTING, width // 2), min(needs.listing_width, most))


class Arrangement(Layout):
    """The layout of the debugger's screen: the bars, and the pane that is `shown` in each region.

    If one is `zoomed`, that is the only one, and has all the room.
    """

    name = "arrangement"

    def __init__(self) -> None:
        self.needs = Needs(0, 0)
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
