"""What the map draws: the blocks or the graph as they fit, or the layers."""

from collections.abc import Sequence

from msgspec import Struct

from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.survey.blocks import Block, blocks_of
from nnstep.engine.survey.graph import Graph, graph_of
from nnstep.engine.survey.layers import Survey
from nnstep.tui.theme import Palette

from .canvas import Canvas
from .line_view import Line, empty, fit
from .map_blocks import NORMS, BlocksPainter, note, shapes_of
from .map_graph import LEGEND, GraphPainter, NoRoomError, listing, run_so_far
from .map_layers import LayersPainter, legend
from .map_numbers import values_at_work
from .map_places import Marks, Places, marks_of
from .scene import WRITTEN, Scene


class Drawing(Struct, frozen=True, eq=False):
    """Lines, where the name of each tensor stands in them, and the line to bring into view."""

    lines: Sequence[Line]
    places: Places
    reveal: int | None = None


def all_fit(snapshot: Snapshot, width: int) -> bool:
    """Tell whether all blocks fit beside one another; an expression has none."""
    blocks = blocks_of(snapshot.program)
    shapes = shapes_of(blocks, snapshot) if blocks else []
    return not blocks or any(shape.columns(len(blocks)) <= width for shape in shapes)


def draw(
    snapshot: Snapshot,
    scene: Scene,
    palette: Palette,
    width: int,
    height: int,
    *,
    layer: int | None = None,
) -> Drawing:
    """Draw the map, or the layers, of which number `layer` from the top is chosen."""
    if layer is not None:
        return _layers(scene.survey, layer, palette, width, height)
    marks, chosen = marks_of(snapshot, scene), _chosen(scene)
    if blocks := blocks_of(snapshot.program):
        return _network(snapshot, scene, blocks, marks, palette, width, height, chosen)
    return _expression(snapshot, graph_of(snapshot.program), marks, palette, width, height, chosen)


def _chosen(scene: Scene) -> str | None:
    """Return the tensor of the cell in question, where that is not what was just written."""
    asked = scene.asked if scene.is_shown else None
    return None if asked is None or asked.name in scene.standing.written else asked.name


def _network(
    snapshot: Snapshot,
    scene: Scene,
    blocks: tuple[Block, ...],
    marks: Marks,
    palette: Palette,
    width: int,
    height: int,
    chosen: str | None,
) -> Drawing:
    """Draw the blocks, or those around the one at work if not all fit."""
    shapes = shapes_of(blocks, snapshot)
    shape = next((each for each in shapes if each.columns(len(blocks)) <= width), None)
    first, count = 0, len(blocks)
    if shape is None:
        shape = next((each for each in shapes if each.most(width) > 1), shapes[-1])
        count = max(1, min(count, shape.most(width)))
        numbers = [block.layer for block in blocks]
        here = numbers.index(marks.at_work) if marks.at_work in numbers else 0
        first = max(0, min(here - count // 2, len(blocks) - count))
    seen = blocks[first : first + count]
    painter = BlocksPainter(
        snapshot, seen, shape, marks, palette, chosen=chosen, survey=scene.survey
    )
    canvas = Canvas(width, painter.height, palette.text)
    painter.draw(canvas, first=first, of=len(blocks))
    lines = [fit(canvas.line(y), width, palette.text) for y in range(painter.height)]
    if len(lines) < height:
        said = note(blocks, marks, width - 1)
        lines.append(fit([(f" {said}", palette.muted)], width, palette.text))
    if shape.norms and len(lines) < height:
        lines.append(fit([(f" {NORMS}", palette.muted)], width, palette.text))
    room = height - len(lines)
    lines += values_at_work(seen, snapshot, marks, palette, width, room, scene.asked)
    written = [
        painter.places[name][1]
        for name, mark in marks.marks.items()
        if mark == WRITTEN and name in painter.places
    ]
    return Drawing(lines, painter.places, max(written, default=None))


def _expression(
    snapshot: Snapshot,
    graph: Graph,
    marks: Marks,
    palette: Palette,
    width: int,
    height: int,
    chosen: str | None,
) -> Drawing:
    """Draw the graph and what its lines mean; if it does not fit, list the operations."""
    try:
        painter = GraphPainter(snapshot, graph, marks, palette, chosen=chosen)
        spare = height - painter.height
        told = LEGEND if spare > len(LEGEND) else ()
        top = min(2, max(0, spare - len(told) - 1))
        canvas = Canvas(width, height, palette.text)
        painter.draw(canvas, top)
        used = top + painter.height + 1
        for y, text in enumerate(told, used):
            canvas.put(3, y, text.format(loss=snapshot.program.loss), palette.muted)
        used += len(told) + 1
        ran = run_so_far(snapshot, marks, palette, width, height - used)
    except NoRoomError:
        lines, rows = listing(snapshot, graph, marks, palette, width, chosen)
        gradients = {*snapshot.program.gradients.values()}
        places = {name: (int(name in gradients), y) for name, y in rows.items()}
        written = [y for name, y in rows.items() if marks.of(name) == WRITTEN or name == chosen]
        return Drawing(lines, places, max(written, default=None))
    shown = [fit(canvas.line(y), width, palette.text) for y in range(used if ran else height)]
    return Drawing([*shown, *ran], painter.places)


def _layers(
    survey: Survey | None, chosen: int, palette: Palette, width: int, height: int
) -> Drawing:
    """Draw the layers, with blank lines between them where there is room."""
    blank = empty(width, palette.text)
    if survey is None or not survey.lines:
        said = "The program has no parameters."
        return Drawing([fit([(f" {said}", palette.muted)], width, palette.text)], {})
    painter = LayersPainter(survey, chosen, width, palette)
    rows, at = painter.rows(), chosen
    signs = legend(is_network=survey.lines[0].layer is not None, width=width)
    room = height - len(signs) - 3
    if 2 * len(rows) + 1 <= room:
        rows = [blank, *(line for row in rows for line in (row, blank))][:-1]
        at = 2 * chosen + 1
    elif len(rows) > room > 0:
        first = max(0, min(at - room // 2, len(rows) - room))
        rows = rows[first : first + room]
    said_lines = [fit([(text, palette.muted)], width, palette.text) for text in signs]
    return Drawing([blank, painter.head(), *rows, blank, *said_lines], {})
