"""Where a number goes: the cells that are computed from it, by the lines that read its tensor."""

from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import TYPE_CHECKING

import numpy as np

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Instruction, Tensor
from nnstep.engine.scenario.model import Data
from nnstep.engine.text import cell_name

from .expansion import cells_of
from .explanation import Reader
from .nodes import Cell, Environment, Letter, Node, cells_in, has_choice, letters_in, value_of
from .origin import origin_of
from .outline import Outline, outline_of

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline

MOST_READERS = 1000
"""Cells of one line that are told of."""


def readers_of(
    timeline: "Timeline",
    data: Data | None,
    total: int | None,
    name: str,
    index: Shape,
    at: int | None = None,
) -> Iterator[Reader]:
    """Yield the cells computed from the value that a cell has here, in the order of the run.

    With a place `at` that the branch has reached, it is the value that the cell has there.

    Those that the run has not come to are among them, up to where the tensor is written again; of
    one that no line writes, to the end of the pass.
    """
    place = timeline.place if at is None else at
    for step in _steps(timeline, total, name, index, place):
        line = timeline.line_of(step)
        if name in line.reads:
            yield from tuple(_of_line(timeline, data, line, step, name, index))


def _steps(timeline: "Timeline", total: int | None, name: str, index: Shape, place: int) -> range:
    """Return the steps at which the value that a cell has at a place is there to be read."""
    length = len(timeline.program)
    written = origin_of(timeline, name, index, place)
    start = place // length * length if written.step is None else written.step + 1
    end = start + length
    if written.edit is not None:
        start = max(start, written.edit.place)
    return range(start, end if total is None else min(end, total))


def _of_line(
    timeline: "Timeline", data: Data | None, line: Instruction, step: int, name: str, index: Shape
) -> Iterator[Reader]:
    """Yield the cells that a line computes from one."""
    has_run = step < timeline.place
    if has_run:
        tensors: Mapping[str, Array] = timeline.tensors_at(step)
    else:
        tensors = _foreseen(timeline, data, line, step)
    assert line.formula is not None, "the batch line reads nothing"
    with np.errstate(all="ignore"):
        outline = outline_of(line.formula, line.names, tensors)
        places = _places(outline, tensors, name, index)
        if has_run and has_choice(outline.node):
            places = (at for at in places if _is_read(outline, tensors, at, name, index))
        values = _written(timeline, line.writes[0], step) if has_run else None
        for at in islice(places, MOST_READERS):
            yield Reader(
                cell=cell_name(line.writes[0], at),
                step=step,
                value=None if values is None else values[at].item(),
                name=line.writes[0],
                index=at,
                code=line.code,
            )


def _written(timeline: "Timeline", name: str, step: int) -> Array:
    """Return what a step wrote, as it is now if nothing has written it since."""
    place = timeline.place
    still = timeline.program.last_writer(name, place) == step
    return timeline.tensors_at(place if still else step + 1)[name]


def _foreseen(
    timeline: "Timeline", data: Data | None, line: Instruction, step: int
) -> Mapping[str, Array]:
    """Return what a line will read: what is there already, or zeros of the shape to come."""
    live = timeline.machine.tensors
    rows = _rows(timeline, data, step)
    found: dict[str, Array] = {}
    for name in line.reads:
        shape = _shape(timeline.program.tensors[name], data, rows)
        array = live.get(name)
        is_there = array is not None and array.shape == shape
        found[name] = array if is_there and array is not None else np.zeros(shape)
    return found


def _rows(timeline: "Timeline", data: Data | None, step: int) -> int:
    """Return how many rows the batch of a step has."""
    if data is None:
        return 1
    turn = timeline.machine.clock.iteration(step) % data.batches_per_epoch
    if data.batches is not None:
        return len(data.batches[turn])
    return min(data.batch_size, len(data.x) - turn * data.batch_size)


def _shape(tensor: Tensor, data: Data | None, rows: int) -> Shape:
    sizes = list(data.batch_sizes) if data else [1]
    return tensor.shapes[sizes.index(rows)]


def _places(
    outline: Outline, tensors: Mapping[str, Array], name: str, index: Shape
) -> Iterator[Shape]:
    """Yield the indices of the result at which an expression has a cell, in order."""
    known: set[Shape] = set()
    for cell in cells_in(outline.node):
        if cell.name != name:
            continue
        for at in _where(cell, outline.free, tensors, index):
            if at not in known:
                known.add(at)
                yield at


def _where(
    cell: Cell, free: tuple[Letter, ...], tensors: Mapping[str, Array], index: Shape
) -> Iterator[Shape]:
    """Yield the values of the free letters for which a cell's index can be a given one."""
    fixed: dict[Letter, int] = {}
    for part, place in zip(cell.index, index, strict=True):
        if isinstance(part, int):
            if part % cell.shape[0] != place and part != place:
                return
        elif isinstance(part, Letter) and fixed.setdefault(part, place) != place:
            return
    pairs = zip(cell.index, index, strict=True)
    computed = [(part, at) for part, at in pairs if not isinstance(part, int | Letter)]
    letters = list(dict.fromkeys(each for part, _ in computed for each in letters_in(part)))
    bound = [each for each in letters if each not in free and each not in fixed]
    ranges = [[fixed[each]] if each in fixed else range(each.size) for each in free]
    for at in product(*ranges):
        if not computed:
            yield at
            continue
        where: Environment = {**tensors, **fixed, **dict(zip(free, at, strict=True))}
        if _can_be(computed, where, bound):
            yield at


def _can_be(computed: list[tuple[Node, int]], where: Environment, bound: list[Letter]) -> bool:
    """Tell whether indices that are computed come out as wanted, for some of the bound letters."""
    for at in product(*(range(each.size) for each in bound)):
        inner = {**where, **dict(zip(bound, at, strict=True))}
        if all(int(value_of(part, inner)) == wanted for part, wanted in computed):
            return True
    return False


def _is_read(
    outline: Outline, tensors: Mapping[str, Array], at: Shape, name: str, index: Shape
) -> bool:
    """Tell whether the calculation at an index reads a cell, whatever branch it takes."""
    part = outline.part(outline.where(at, tensors))
    return any(cell == (name, index) for cell, _ in cells_of(part))
