"""The map of an expression: a graph, values above and gradients below its lines, or else a list."""

from collections.abc import Mapping

from rich.style import Style

from nnstep.engine.program.program import Phase
from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.survey.graph import MOST_NODES, Graph, Node
from nnstep.tui.numbers import format_value
from nnstep.tui.theme import Palette

from .canvas import DOUBLE, DOWN, LEFT, RIGHT, SINGLE, UP, Canvas
from .line_view import Line, Piece, fit
from .map_places import Marks
from .scene import WRITTEN

# Lines from a name to the next one at the left edge, and the columns before it.
SPACING, MARGIN = 3, 3
# The columns of a value, and from it to the first wire that goes down or up.
VALUE, STUB = 9, 3
NOT_YET = "·"
LEGEND = (
    "on a line  the value, forward",
    "under it   the gradient of {loss}, backward; · not computed yet",
)


class NoRoomError(Exception):
    """The graph cannot be drawn: it is too large, or its wires would meet."""


def node_at_work(graph: Graph, snapshot: Snapshot) -> Node | None:
    """Return the operation that the line run last belongs to; None if it belongs to none."""
    last, gradients = snapshot.last, snapshot.program.gradients
    if last is None:
        return None
    if last.phase in (Phase.FORWARD, Phase.LOSS):
        return next((node for node in graph.nodes if node.name in last.writes), None)
    if last.phase is not Phase.BACKWARD:
        return None
    target = snapshot.program.tensors[last.writes[0]].of
    for node in graph.nodes:
        if target in node.inputs and gradients.get(node.name) in last.reads:
            return node
    return next((node for node in graph.nodes if node.name == target), None)


def value_text(snapshot: Snapshot, name: str | None) -> str:
    """Write the value of a tensor, or its shape if it is more than one number."""
    array = None if name is None else snapshot.tensors.get(name)
    if array is None:
        return NOT_YET
    return format_value(array.item()) if array.size == 1 else str(array.shape)


class GraphPainter:
    """Places the operations of an expression, and draws them on a canvas.

    An operation stands in the column of its level, in the middle between its inputs. A wire goes
    straight to the right, and at the last moment up or down. More than can be drawn are refused
    with `NoRoomError`.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        graph: Graph,
        marks: Marks,
        palette: Palette,
        *,
        chosen: str | None = None,
    ) -> None:
        self.places: dict[str, tuple[int, int]] = {}
        if len(graph.nodes) > MOST_NODES:
            raise NoRoomError
        self._snapshot, self._graph, self._marks = snapshot, graph, marks
        self._palette, self._chosen = palette, chosen
        self._name = max(len(name) for name in self._names)
        self._box = max(9, *(len(node.sign) + 4 for node in graph.nodes))
        self._rows = self._placed()

    @property
    def _names(self) -> tuple[str, ...]:
        return (*self._graph.leaves, *(node.name for node in self._graph.nodes))

    def draw(self, canvas: Canvas, top: int) -> None:
        """Draw the graph from a line on; raise `NoRoomError` if that is not possible."""
        self._check_boxes(canvas, top)
        columns = self._columns()
        ends: dict[str, int] = {}
        for name in self._graph.leaves:
            ends[name] = self._label(canvas, MARGIN, top + self._rows[name], name)
        work = node_at_work(self._graph, self._snapshot)
        for node in self._graph.nodes:
            x, y = columns[node.level], top + self._rows[node.name]
            if x + self._box + self._name + VALUE + 7 > canvas.width:
                raise NoRoomError
            lit = node is work
            frame = self._palette.strong if lit else self._palette.muted
            canvas.box(x, y - 1, self._box, 3, frame, DOUBLE if lit else SINGLE)
            sign = node.sign.center(self._box - 2)
            canvas.put(x + 1, y, sign, self._palette.strong if lit else self._palette.text)
            canvas.put(x + self._box, y, "── ", self._palette.muted)
            ends[node.name] = self._label(canvas, x + self._box + 3, y, node.name)
        self._wires(canvas, top, columns, ends)

    @property
    def height(self) -> int:
        """How many lines the graph takes."""
        return max(self._rows.values()) + 2

    # Placing

    def _placed(self) -> Mapping[str, int]:
        """Return the line of every name: leaves below one another, results between their inputs."""
        nodes = {node.name: node for node in self._graph.nodes}
        rows: dict[str, int] = {}
        used = 0

        def place(name: str) -> None:
            nonlocal used
            if name in rows:
                return
            node = nodes.get(name)
            if node is None:
                rows[name] = used * SPACING
                used += 1
                return
            for each in node.inputs:
                place(each)
            lines = [rows[each] for each in node.inputs]
            row = -(-(min(lines) + max(lines)) // 2) if lines else 0
            level = [n.name for n in self._graph.nodes if n.level == node.level]
            taken = [rows[each] for each in level if each in rows]
            while any(abs(row - other) < SPACING for other in taken):
                row += 1
            rows[name] = row

        for node in reversed(self._graph.nodes):
            place(node.name)
        return rows

    def _columns(self) -> Mapping[int, int]:
        """Return the column at which the boxes of each level begin."""
        label = self._name + VALUE + STUB
        lanes = self._lanes()
        found, x = {}, MARGIN
        for level in range(1, max(node.level for node in self._graph.nodes) + 1):
            wide = max((lanes[n.name] for n in self._graph.nodes if n.level == level), default=0)
            x += label + 2 * wide + 5
            found[level] = x
            x += self._box + 3
        return found

    def _lanes(self) -> Mapping[str, int]:
        """Return which upright each operation has: those that would touch have different ones."""
        found: dict[str, int] = {}
        for node in self._graph.nodes:
            span = self._span(node)
            taken = {
                found[other.name]
                for other in self._graph.nodes
                if other.name in found
                and other.level == node.level
                and self._span(other)[0] <= span[1]
                and span[0] <= self._span(other)[1]
            }
            found[node.name] = next(lane for lane in range(len(taken) + 1) if lane not in taken)
        return found

    def _span(self, node: Node) -> tuple[int, int]:
        lines = [self._rows[name] for name in (*node.inputs, node.name)]
        return min(lines), max(lines)

    def _check_boxes(self, canvas: Canvas, top: int) -> None:
        """Raise `NoRoomError` if boxes of a level would touch, or if there are not enough lines."""
        if top + self.height > canvas.height:
            raise NoRoomError
        for node in self._graph.nodes:
            for other in self._graph.nodes:
                near = abs(self._rows[node.name] - self._rows[other.name]) < SPACING
                if node is not other and node.level == other.level and near:
                    raise NoRoomError

    # Drawing

    def _label(self, canvas: Canvas, x: int, y: int, name: str) -> int:
        """Write a name with its value, and below that its gradient; return the column behind."""
        gradient = self._snapshot.program.gradients.get(name)
        canvas.put(x, y, name, self._style(name))
        self._number(canvas, x + self._name, y, name)
        if gradient is not None:
            self._number(canvas, x + self._name, y + 1, gradient)
        return x + self._name + VALUE + 1

    def _number(self, canvas: Canvas, x: int, y: int, name: str) -> None:
        """Write a value so that it ends where all do; its mark behind it."""
        text, palette = value_text(self._snapshot, name), self._palette
        end = x + VALUE
        start = end - len(text)
        mark = self._marks.of(name)
        if name == self._chosen and text != NOT_YET:
            canvas.put(start - 1, y, f"[{text}]", palette.selected)
        else:
            canvas.put(start, y, text, self._style(name))
        if mark == WRITTEN:
            canvas.put(end + 1 if name == self._chosen else end, y, mark, palette.written)
        elif mark == "▶":
            canvas.put(end, y, mark, palette.strong)
        self.places[name] = start, y

    def _style(self, name: str) -> Style:
        palette = self._palette
        return palette.written if self._marks.of(name) == WRITTEN else palette.text

    def _wires(
        self,
        canvas: Canvas,
        top: int,
        columns: Mapping[int, int],
        ends: Mapping[str, int],
    ) -> None:
        """Draw a wire from every name to the operations that read it."""
        lanes, style = self._lanes(), self._palette.muted
        owner: dict[tuple[int, int], str] = {}

        def wire(x: int, y: int, directions: int, whose: str) -> None:
            known = owner.setdefault((x, y), whose)
            if known != whose and not known.startswith("*"):
                raise NoRoomError
            if (x, y) not in owner or known == whose or canvas.is_blank(x, y):
                canvas.wire(x, y, directions, style)

        widest = {
            level: max(lanes[n.name] for n in self._graph.nodes if n.level == level)
            for level in columns
        }
        for node in self._graph.nodes:
            box = columns[node.level]
            upright = box - 5 - 2 * (widest[node.level] - lanes[node.name])
            center = top + self._rows[node.name]
            lines = [top + self._rows[name] for name in node.inputs]
            low, high = min([*lines, center]), max([*lines, center])
            for name, y in zip(node.inputs, lines, strict=True):
                for x in range(ends[name] + 1, upright):
                    if not canvas.is_blank(x, y) and owner.get((x, y)) != name:
                        raise NoRoomError
                    owner[x, y] = name
                    canvas.wire(x, y, LEFT | RIGHT, style)
            for y in range(low, high + 1):
                joins = [name for name, line in zip(node.inputs, lines, strict=True) if line == y]
                if not canvas.is_blank(upright, y) and owner.get((upright, y)) not in joins:
                    raise NoRoomError
                directions = (UP if y > low else 0) | (DOWN if y < high else 0)
                directions |= (LEFT if joins else 0) | (RIGHT if y == center else 0)
                owner[upright, y] = joins[0] if joins else f" {node.name}"
                canvas.wire(upright, y, directions, style)
            for x in range(upright + 1, box - 1):
                if not canvas.is_blank(x, center):
                    raise NoRoomError
                canvas.wire(x, center, LEFT | RIGHT, style)
            canvas.put(box - 1, center, "▶", style)
        self._out(canvas, top, ends)

    def _out(self, canvas: Canvas, top: int, ends: Mapping[str, int]) -> None:
        loss = self._snapshot.program.loss
        y = top + self._rows[loss]
        canvas.put(ends[loss], y, "──▶", self._palette.muted)


def run_so_far(
    snapshot: Snapshot, marks: Marks, palette: Palette, width: int, height: int
) -> list[Line]:
    """Paint the lines of the program under the graph, its phases side by side.

    Behind each that has run in this pass stands its value; nothing if there is no room for all.
    """
    phases: dict[str, list[int]] = {}
    for at, line in enumerate(snapshot.program.instructions):
        is_ahead = line.phase in (Phase.BATCH, Phase.FORWARD, Phase.LOSS)
        phases.setdefault("forward" if is_ahead else line.phase.value, []).append(at)
    code = max(len(line.code) for line in snapshot.program.instructions)
    wide, tall = code + VALUE + 8, max(map(len, phases.values()))
    if 1 + tall > height or MARGIN + wide * len(phases) > width:
        return []
    head = "".join(f"{phase:<{wide}}" for phase in phases)
    lines = [fit([(f"{' ' * MARGIN}{head}", palette.muted)], width, palette.text)]
    for row in range(tall):
        pieces: list[Piece] = [(" " * (MARGIN - 2), palette.text)]
        for positions in phases.values():
            if row < len(positions):
                pieces += _line_that_ran(snapshot, positions[row], marks, palette, code)
                pieces.append((" " * (wide - code - VALUE - 4), palette.text))
            else:
                pieces.append((" " * wide, palette.text))
        lines.append(fit(pieces, width, palette.text))
    return lines


def _line_that_ran(
    snapshot: Snapshot, position: int, marks: Marks, palette: Palette, code: int
) -> list[Piece]:
    """Paint a line of the program with its mark, and the value that it has given, if it has run."""
    count = len(snapshot.program)
    line, name = snapshot.program.instructions[position], ""
    ran = count if snapshot.finished else snapshot.position
    just = None if snapshot.last is None else (snapshot.position - 1) % count
    mark, style = " ", palette.text
    if position < ran or position == just:
        mark, style, name = "·", palette.muted, line.writes[0]
    elif position == snapshot.position and not snapshot.finished:
        mark, style = "▶", palette.strong
    later = snapshot.program.instructions[position + 1 : ran]
    if any(name in other.writes for other in later):
        name = ""  # it has another value by now
    if name and marks.of(name) == WRITTEN:
        mark, style = WRITTEN, palette.written
    value = value_text(snapshot, name) if name else ""
    return [(f"{mark} {line.code:<{code}}  ", style), (f"{value:>{VALUE}}", style)]


def listing(
    snapshot: Snapshot, graph: Graph, marks: Marks, palette: Palette, width: int, chosen: str | None
) -> tuple[list[Line], dict[str, int]]:
    """Paint the operations in the order of the program, each with its inputs, values and gradients.

    Also returns the line of every name.
    """
    gradients = snapshot.program.gradients
    code = max(8, *(len(node.code) for node in graph.nodes))
    code = min(code, max(8, width - 2 - 4 * VALUE))
    lines: list[Line] = []
    places: dict[str, int] = {}
    for name, text in (
        *((leaf, leaf) for leaf in graph.leaves),
        *((node.name, node.code) for node in graph.nodes),
    ):
        gradient = gradients.get(name)
        mark = marks.of(name) if name != text else " "
        pieces: list[Piece] = [
            (f" {mark} ", palette.written if mark == WRITTEN else palette.text),
            (f"{text[:code]:<{code}}  ", palette.strong if mark == WRITTEN else palette.text),
            *_cell(snapshot, name, marks, palette, chosen),
        ]
        if gradient is not None:
            pieces.append((f"  {gradient:>{VALUE}} ", palette.muted))
            pieces += _cell(snapshot, gradient, marks, palette, chosen)
            places[gradient] = len(lines)
        places[name] = len(lines)
        lines.append(fit(pieces, width, palette.text))
    return lines, places


def _cell(
    snapshot: Snapshot, name: str, marks: Marks, palette: Palette, chosen: str | None
) -> list[Piece]:
    """Paint a value between brackets or blanks, its mark behind it."""
    text = value_text(snapshot, name)
    mark = marks.of(name)
    written = palette.written if mark == WRITTEN else palette.text
    behind = (mark if mark in (WRITTEN, "▶") else " ", written)
    if name == chosen and text != NOT_YET:
        return [(f"[{text}]".rjust(VALUE + 2), palette.selected), behind]
    return [(f" {text} ".rjust(VALUE + 2), written), behind]
