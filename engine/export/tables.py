"""The numbers of a run by iteration: a CSV file, a row each, or an NPZ file, an array a tensor.

A tensor has the value that it has at the end of the iteration: a parameter is updated, a gradient
is clipped.
"""

import csv
from collections.abc import Iterator, Mapping
from math import prod
from typing import TextIO

import numpy as np

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Program, Role
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.text import cell_name
from nnstep.engine.trace import plain

from .errors import ExportError
from .script import iterations_of

_MOST_NUMBERS = 20_000_000
"""What an NPZ file may hold: all of it is in memory before it is written."""


def write_csv(scenario: Scenario, stream: TextIO, iterations: int | None = None) -> None:
    """Write a header, then a row an iteration: its number, its epoch, and every cell written.

    The loss comes first. A cell that a smaller batch does not have is empty.
    """
    session = _session(scenario, iterations)
    shapes = _written(session.program)
    header = [cell_name(name, i) for name, shape in shapes.items() for i in np.ndindex(shape)]
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["iteration", "epoch", *header])
    for iteration, epoch, tensors in _passes(session):
        cells = [cell for name, shape in shapes.items() for cell in _cells(tensors[name], shape)]
        rows.writerow([iteration, epoch, *cells])


def arrays_by_iteration(scenario: Scenario, iterations: int | None = None) -> Mapping[str, Array]:
    """Return what an NPZ file holds: under its name, a tensor's values, an iteration a row.

    A tensor whose shape changes with the size of the batch has an array for each iteration, such as
    `z1@3`, and one that is there from the beginning its first value, such as `W1@start`. Raises
    `ExportError` if these are too many numbers.
    """
    session = _session(scenario, iterations)
    program = session.program
    shapes = _written(program)
    numbers = iterations_of(scenario, iterations) * sum(map(prod, shapes.values()))
    if numbers > _MOST_NUMBERS:
        message = f"the tensors of all iterations are {numbers:,} numbers, more than "
        raise ExportError(f"{message}{_MOST_NUMBERS:,}: ask for fewer with --iterations")
    starting = program.with_role(Role.PARAMETER, Role.BUFFER, Role.RATE, Role.CONSTANT)
    arrays = {f"{tensor.name}@start": session.value(tensor.name) for tensor in starting}
    values: dict[str, list[Array]] = {name: [] for name in shapes}
    for _, _, tensors in _passes(session):
        for name, array in tensors.items():
            values[name].append(array)
    for name, listed in values.items():
        if len(set(program.tensors[name].shapes)) == 1 and listed:
            arrays[name] = np.stack(listed)
        else:
            arrays |= {f"{name}@{iteration}": array for iteration, array in enumerate(listed)}
    return arrays


def _session(scenario: Scenario, iterations: int | None) -> Session:
    return Session(scenario, iterations=iterations_of(scenario, iterations), history=None)


def _written(program: Program) -> dict[str, Shape]:
    """Return the largest shape of each tensor that an iteration writes, the loss first."""
    lines = program.instructions
    names = dict.fromkeys([program.loss, *(name for line in lines for name in line.writes)])
    return {name: program.tensors[name].shape for name in names}


def _passes(session: Session) -> Iterator[tuple[int, int, dict[str, Array]]]:
    """Yield every iteration with its epoch and the tensors that it has written, the last values."""
    last = len(session.program) - 1
    tensors: dict[str, Array] = {}
    for step in session.steps():
        tensors |= step.writes
        if step.index % len(session.program) == last:
            yield step.iteration, step.epoch, tensors
            tensors = {}


def _cells(array: Array, shape: Shape) -> list[object]:
    """Return the numbers of an array in the order of the cells of a shape that it fits into."""
    if array.shape == shape:
        return list(np.array(plain(array), dtype=object).flat)
    cells = np.full(shape, "", dtype=object)
    cells[tuple(slice(size) for size in array.shape)] = np.array(plain(array), dtype=object)
    return list(cells.flat)
