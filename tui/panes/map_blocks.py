"""The map of a network: a block a layer, forward above, what is kept between, backward below."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from rich.style import Style

from nnstep.engine.program.program import Phase
from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.survey.blocks import Block, BlockLine
from nnstep.engine.survey.layers import Survey, norm
from nnstep.engine.text import listed
from nnstep.tui.numbers import format_value
from nnstep.tui.theme import Palette

from .canvas import DOUBLE, SINGLE, Canvas
from .map_places import Marks
from .scene import WRITTEN

# The columns at the left of the first block, behind the last one, and the least between two.
LEFT, RIGHT, LEAST_GAP = 9, 7, 4
# The columns of a norm behind a tensor, and what they are.
NORM = 11
NORMS = "in the blocks, behind each tensor of this pass: its norm, √Σ v²."
# Of how many lines a map consists besides those in the blocks.
OTHER_LINES = 7


class Shape(Struct, frozen=True):
    """How blocks are drawn: so wide, so far apart; with shapes, activations, norms, or without."""

    width: int
    gap: int
    shapes: bool
    activations: bool
    norms: bool
    left: int

    def columns(self, count: int) -> int:
        """Return how many columns so many blocks take."""
        return self.left + count * self.width + (count - 1) * self.gap + RIGHT

    def most(self, columns: int) -> int:
        """Return how many blocks there is room for."""
        return max(0, (columns - self.left - RIGHT + self.gap) // (self.width + self.gap))


def shapes_of(blocks: Sequence[Block], snapshot: Snapshot) -> list[Shape]:
    """Return the ways to draw blocks, from the most that they show to the least."""
    return [
        _shape(blocks, snapshot, shapes=shapes, activations=activations, norms=norms)
        for shapes, activations, norms in (
            (True, True, True),
            (True, True, False),
            (False, True, False),
            (False, False, False),
        )
    ]


def _shape(
    blocks: Sequence[Block], snapshot: Snapshot, *, shapes: bool, activations: bool, norms: bool
) -> Shape:
    def text(name: str) -> str:
        return f"{name} {shape_text(snapshot, name)}" if shapes else name

    rows = [
        row
        for block in blocks
        for row in (
            *(text(name) for name in block.parameters),
            *(text(line.name) for line in block.forward[:-1]),
            *_last(block, norms=norms, activations=activations),
            *(text(line.name) if norms else line.name for line in block.backward),
        )
    ]
    between = [_between(snapshot, block.output) for block in blocks[:-1]] if shapes else []
    names = [len(block.output) + 2 for block in blocks]
    first = len(shape_text(snapshot, blocks[0].source)) + 2 if shapes else 0
    return Shape(
        width=max(7, *(len(row) + 4 for row in rows)) + (NORM if norms else 0),
        gap=max(LEAST_GAP, *names, *map(len, between)),
        shapes=shapes,
        activations=activations,
        norms=norms,
        left=max(LEFT, first),
    )


def _last(block: Block, *, norms: bool, activations: bool) -> list[str]:
    """Return what stands in the last forward line: the activation, the tensor, or both."""
    operation = block.forward[-1].operation
    return [f"{block.output} {operation}" if norms else operation if activations else block.output]


def shape_text(snapshot: Snapshot, name: str) -> str:
    """Write the shape of a tensor, as it is or as it will be."""
    array = snapshot.tensors.get(name)
    return str(snapshot.program.tensors[name].shape if array is None else array.shape)


def _between(snapshot: Snapshot, name: str) -> str:
    return shape_text(snapshot, name).strip("(),")


class Rows(Struct, frozen=True):
    """The tensors in the lines of a block, None for a blank line, above and below."""

    upper: tuple[str | None, ...]
    lower: tuple[str | None, ...]


def rows_of(blocks: Sequence[Block]) -> list[Rows]:
    """Return the lines of every block, alike ones beside one another.

    The derivative that goes to the layer before stands below the one that it is made from, so that
    the arrow leaves beside it; the gradients of the parameters follow.
    """
    held = max(len(block.parameters) for block in blocks)
    split = [_split(block) for block in blocks]
    above = max(len(before) for before, _ in split)
    below = max(len(behind) for _, behind in split)
    found = []
    for block, (before, behind) in zip(blocks, split, strict=True):
        parameters = [*block.parameters, *[None] * (held - len(block.parameters))]
        own: list[str | None] = [None] * (above - len(before))
        rest: list[str | None] = [None] * (below - len(behind))
        found.append(
            Rows(
                (*parameters, *(line.name for line in block.forward)),
                (*own, *before, block.outgoing, *behind, *rest),
            )
        )
    return found


def _split(block: Block) -> tuple[list[str], list[str]]:
    """Return the backward lines up to dz, and behind it the gradients of the parameters."""
    names = list(dict.fromkeys(line.name for line in block.backward if line.name != block.outgoing))
    before = [name for name in names if name not in block.gradients]
    return before, [name for name in names if name in block.gradients]


class BlocksPainter:
    """Draws blocks of a network on a canvas, and remembers where each tensor stands."""

    def __init__(
        self,
        snapshot: Snapshot,
        blocks: Sequence[Block],
        shape: Shape,
        marks: Marks,
        palette: Palette,
        *,
        chosen: str | None = None,
        survey: Survey | None = None,
    ) -> None:
        self.places: dict[str, tuple[int, int]] = {}
        self._snapshot, self._blocks, self._shape = snapshot, blocks, shape
        self._marks, self._palette, self._chosen = marks, palette, chosen
        self._survey = survey
        self._rows = rows_of(blocks)
        self._operations = {block.output: block.forward[-1].operation for block in blocks}

    @property
    def height(self) -> int:
        """How many lines the whole takes."""
        return OTHER_LINES + len(self._rows[0].upper) + len(self._rows[0].lower)

    def draw(self, canvas: Canvas, *, first: int, of: int) -> None:
        """Draw the blocks; they begin with number `first` of `of` in the network."""
        upper = len(self._rows[0].upper)
        between = upper + 3
        for number, block in enumerate(self._blocks):
            x = self._x(number)
            canvas.put(x + 2, 0, f"layer {block.layer}", self._head(block))
            self._half(canvas, block, x, 1, self._rows[number].upper, is_forward=True)
            self._kept(canvas, block, x, between)
            self._half(canvas, block, x, between + 1, self._rows[number].lower, is_forward=False)
            if number:
                self._arrow_back(canvas, number, between + 2)
        self._arrows_forward(canvas, is_first=first == 0, is_last=first + len(self._blocks) == of)
        if first + len(self._blocks) == of:
            self._from_loss(canvas, between + 2)
        canvas.put(2, between, "kept", self._palette.muted)
        self._figures(canvas, between + 3 + len(self._rows[0].lower))

    def _x(self, number: int) -> int:
        return self._shape.left + number * (self._shape.width + self._shape.gap)

    def _is_lit(self, block: Block, *, is_forward: bool) -> bool:
        return self._marks.at_work == block.layer and self._marks.is_forward is is_forward

    def _head(self, block: Block) -> Style:
        return self._palette.strong if self._marks.at_work == block.layer else self._palette.muted

    def _half(
        self,
        canvas: Canvas,
        block: Block,
        x: int,
        y: int,
        names: Sequence[str | None],
        *,
        is_forward: bool,
    ) -> None:
        """Draw a half of a block: its frame, and a tensor a line."""
        width, lit = self._shape.width, self._is_lit(block, is_forward=is_forward)
        frame = self._palette.strong if lit else self._palette.muted
        canvas.box(x, y, width, len(names) + 2, frame, DOUBLE if lit else SINGLE)
        middle = x + width // 2
        if is_forward:
            canvas.put(middle, y + len(names) + 1, "╤" if lit else "┬", frame)
        else:
            canvas.put(middle, y, "▼", frame)
        for line, name in enumerate(names, y + 1):
            if name is not None:
                self._tensor(canvas, name, x + 1, line, self._text(name), lit=lit)
                if self._shape.norms:
                    self._norm(canvas, name, x + width - 2, line)

    def _text(self, name: str) -> str:
        """Write a line of a block: an activation by its name, forward tensors with their shape."""
        if name in self._operations and self._shape.activations:
            operation = self._operations[name]
            return f"{name} {operation}" if self._shape.norms else operation
        is_gradient = name in self._snapshot.program.gradients.values()
        is_gradient = is_gradient and not self._shape.norms
        return (
            name
            if is_gradient or not self._shape.shapes
            else f"{name} {shape_text(self._snapshot, name)}"
        )

    def _tensor(
        self, canvas: Canvas, name: str, x: int, y: int, text: str, *, lit: bool = False
    ) -> None:
        palette, mark = self._palette, self._marks.of(name)
        style = palette.written if mark == WRITTEN else palette.strong if lit else palette.text
        self.places[name] = x, y
        if name != self._chosen:
            canvas.put(x, y, f"{mark}{text}", style)
            return
        word = text.split(" ", maxsplit=1)[0]
        canvas.put(x, y, f"{mark}{text}", style)
        if mark == " ":
            canvas.put(x, y, f"[{word}]", palette.selected)
        else:
            canvas.put(x + 1, y, f"[{word}]", palette.selected)

    def _norm(self, canvas: Canvas, name: str, end: int, y: int) -> None:
        """Write the norm of a tensor that has a value of this pass."""
        array = self._snapshot.tensors.get(name)
        if array is not None and name not in self._snapshot.old:
            text = format_value(norm(array))
            canvas.put(end - len(text), y, text, self._palette.text)

    def _kept(self, canvas: Canvas, block: Block, x: int, y: int) -> None:
        """Name, under a block, what its backward half reads of the forward pass."""
        text = "  ".join(block.kept)[: self._shape.width]
        canvas.put(x + self._shape.width // 2 - len(text) // 2, y, text, self._palette.read)

    def _arrows_forward(self, canvas: Canvas, *, is_first: bool, is_last: bool) -> None:
        """Draw what goes from block to block above, with its shape, and in and out of the row."""
        palette, shape, snapshot = self._palette, self._shape, self._snapshot
        source = self._blocks[0].source
        left = shape.left
        canvas.put(left - 5, 2, "────▶", palette.muted)
        self._tensor(
            canvas, source, 1 if len(source) < 3 else 0, 2, f"{source}"
        ) if is_first else canvas.put(1, 2, source, palette.muted)
        if shape.shapes:
            canvas.put(1, 3, shape_text(snapshot, source), palette.muted)
        for number, block in enumerate(self._blocks):
            x = self._x(number) + shape.width
            is_end = number + 1 == len(self._blocks)
            gap = len(block.output) + 2 if is_end else shape.gap
            canvas.put(x, 2, _arrow(block.output, gap), palette.muted)
            if not is_end and shape.shapes:
                canvas.put(
                    x, 3, _between(snapshot, block.output).center(gap).rstrip(), palette.muted
                )
            if is_end and is_last:
                loss = snapshot.program.loss
                self._tensor(canvas, loss, x + gap, 2, loss)
                if loss in snapshot.tensors:
                    value = format_value(snapshot.tensors[loss].item())
                    canvas.put(x + 1, 3, value, palette.text)

    def _arrow_back(self, canvas: Canvas, number: int, y: int) -> None:
        """Draw the derivative that a block gives to the one before it, at the line of its own."""
        name = self._blocks[number].outgoing
        if name is None:
            return
        line = self._rows[number].lower.index(name)
        gap = self._shape.gap
        text = f"◀{name}".ljust(gap, "─")
        canvas.put(self._x(number) - gap, y + line, text, self._palette.muted)

    def _from_loss(self, canvas: Canvas, y: int) -> None:
        """Draw that the last block's backward half begins with the loss."""
        x = self._x(len(self._blocks) - 1) + self._shape.width
        lower = self._rows[-1].lower
        line = next(at for at, name in enumerate(lower) if name is not None)
        text = f"◀─── {self._snapshot.program.loss}"
        canvas.put(x, y + line, text, self._palette.muted)

    def _figures(self, canvas: Canvas, y: int) -> None:
        """Write one figure a layer: what the phase at work is about."""
        head, figures = self._figure()
        canvas.put(1, y, head, self._palette.muted)
        for number, block in enumerate(self._blocks):
            value = figures.get(block.layer)
            text = "–" if value is None else format_value(value)
            middle = self._x(number) + self._shape.width // 2
            canvas.put(middle - len(text) // 2, y, text, self._palette.text)

    def _figure(self) -> tuple[str, Mapping[int, float | None]]:
        """Return |dW| in phase backward, step/|W| in the update, |a| else, by the layer."""
        last, tensors = self._snapshot.last, self._snapshot.tensors
        phase = None if last is None else last.phase
        lines = self._survey.lines if self._survey else ()
        if phase is Phase.BACKWARD:
            return "|dW|", {
                line.layer: None if line.of_last_pass else line.gradient
                for line in lines
                if line.layer
            }
        if phase is Phase.UPDATE:
            return "step/W", {line.layer: line.moved for line in lines if line.layer}
        values = {block.layer: tensors.get(block.output) for block in self._blocks}
        return "|a|", {
            layer: None if array is None else norm(array) for layer, array in values.items()
        }


def _arrow(name: str, gap: int) -> str:
    """Write an arrow with a name on it, as long as the gap between two blocks."""
    room = gap - len(name) - 2
    if room < 3:
        return f"─{name}{'─' * room}▶"
    return f"─ {name} {'─' * (room - 1)}▶"


def note(blocks: Sequence[Block], marks: Marks, width: int) -> str:
    """Say of the block at work what is kept in it, or which of its lines take that; it fits."""
    block = next((each for each in blocks if each.layer == marks.at_work), None)
    if block is None or marks.phase is Phase.UPDATE:
        return ""
    takers = _takers(block)
    if marks.is_forward:
        said = ", ".join(f"{listed(line.kept, 'and')} for {line.name}" for line in takers)
        heads = "the lit block keeps ", "keeps "
    else:
        said = ", ".join(f"{line.name} takes {listed(line.kept, 'and')}" for line in takers)
        heads = "of what was kept, in the lit block: ", "lit: "
    texts = [f"{head}{said}." for head in heads if said]
    return next((text for text in texts if len(text) < width), "")


def _takers(block: Block) -> list[BlockLine]:
    return [line for line in block.backward if line.kept]
