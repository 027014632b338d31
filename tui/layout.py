"""Where every pane stands, for each size of the terminal.

Narrow, the three kinds of tensors take turns in one pane. From 120 by 36 on there are two columns
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
TENSOR_COLUMN = 44
LEAST_PROGRAM = 32
COMFORTABLE_PROGRAM = 36
# The timeline takes a third, but no more and no less than so many lines.
LEAST_TIMELINE, MOST_TIMELINE = 8, 16
# The cell under the cursor is shown on one line if that is so wide, else on two.
ONE_LINE = 80
# A terminal with fewer lines has no room for that.
LEAST_HEIGHT = 8


@dataclass(frozen=True, slots=True)
class Needs:
    """What the panes need.

    That is the width at which no line of the program is cut, the height of all weights, how many
    expressions are watched, whether the timeline is asked for, and how many lines a message takes.
    """

    program_width: int
    weights_height: int
    watches: int = 0
    timeline: bool = False
    message: int = 1


def is_narrow(size: Size) -> bool:
    """Tell whether the tensors take turns in one pane, the one called `weights`."""
    return size.width < WIDE.width or size.height < WIDE.height


def regions_of(size: Size, needs: Needs, zoomed: str | None = None) -> dict[str, Region]:
    """Return the region of each pane that is shown, by its id."""
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
    if needs.timeline:
        body, timeline = body.split_horizontal(body.height - _timeline_height(body.height))
        lines["timeline"] = timeline
    if is_narrow(size):
        return lines | _narrow(body, needs)
    regions = (_roomy if width >= ROOMY_WIDTH else _wide)(body, needs)
    if needs.watches:
        program, watch = _with_watch(regions["program"], needs)
        regions |= {"program": program, "watch": watch}
    return lines | regions


def _narrow(body: Region, needs: Needs) -> dict[str, Region]:
    """Put program and tensors side by side, the loss on the line below.

    Where the timeline is shown, that has the loss.
    """
    panes, loss = body.split_horizontal(max(0, body.height - (0 if needs.timeline else 1)))
    program, tensors = panes.split_vertical(_program_width(body.width, needs, columns=1))
    regions = {"program": program, "weights": tensors}
    if not needs.timeline:
        regions["loss"] = loss
    if needs.watches:
        tensors, watch = _with_watch(tensors, needs)
        regions |= {"weights": tensors, "watch": watch}
    return regions


def _timeline_height(height: int) -> int:
    return min(MOST_TIMELINE, max(LEAST_TIMELINE, height // 3), max(0, height - 2))


def _with_watch(region: Region, needs: Needs) -> tuple[Region, Region]:
    """Put the watched expressions, as many as there is room for, below something else."""
    height = min(needs.watches + 1, max(2, region.height // 3))
    return region.split_horizontal(max(0, region.height - height))


def _wide(body: Region, needs: Needs) -> dict[str, Region]:
    """Put the weights over the values, and the gradients over the loss."""
    program, rest = body.split_vertical(_program_width(body.width, needs, columns=2))
    left, right = rest.split_vertical(rest.width // 2)
    weights, values = left.split_horizontal(min(needs.weights_height + 1, body.height // 2))
    gradients, loss = right.split_horizontal(body.height - body.height // 3)
    return {
        "program": program,
        "weights": weights,
        "values": values,
        "gradients": gradients,
        "loss": loss,
    }


def _roomy(body: Region, needs: Needs) -> dict[str, Region]:
    """Give each kind of tensor a column of its own; the loss is under the program."""
    left, rest = body.split_vertical(_program_width(body.width, needs, columns=3))
    program, loss = left.split_horizontal(body.height - body.height // 4)
    weights, rest = rest.split_vertical(rest.width // 3)
    values, gradients = rest.split_vertical(rest.width // 2)
    return {
        "program": program,
        "weights": weights,
        "values": values,
        "gradients": gradients,
        "loss": loss,
    }


def _program_width(width: int, needs: Needs, columns: int) -> int:
    """Give the program what it needs, but less than half, and less than the tensors can spare."""
    share = max(COMFORTABLE_PROGRAM, width * 2 // 5)
    most = min(share, width - columns * TENSOR_COLUMN)
    return max(min(LEAST_PROGRAM, width // 2), min(needs.program_width, most))


class Arrangement(Layout):
    """The layout of the debugger's screen."""

    name = "arrangement"

    def __init__(self) -> None:
        self.needs = Needs(0, 0)
        self.zoomed: str | None = None

    def regions(self, size: Size) -> Mapping[str, Region]:
        """Return the region of each pane that is shown, by its id."""
        return regions_of(size, self.needs, self.zoomed)

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        """Place the panes where they belong."""
        regions = self.regions(size)
        return [
            WidgetPlacement(region, NULL_OFFSET, NULL_SPACING, child)
            for child in children
            if (region := regions.get(child.id or "")) is not None
        ]
