"""Verification: the gradients of a pass against difference quotients, in a copy in float64."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Program

from .differences import compared
from .fingerprint import Counts, Outcomes, has_square, tensor_checks
from .point import Point
from .probe import Probe
from .verdict import BAD, Anew, Verification, worst_first

DEFAULT_CELLS = 2000
"""More cells than these are sampled; they take a few seconds with 784 inputs and a batch of 64."""

Progress = Callable[[int, int], None]
"""Told at the start, and from time to time, how many cells of how many have been tried."""

Cancelled = Callable[[], bool]


def verify(
    program: Program,
    tensors: Mapping[str, Array],
    *,
    standing: Mapping[str, Array] | None = None,
    earlier: Mapping[str, Array] | None = None,
    anew: Sequence[Anew] = (),
    edited: Sequence[str] = (),
    cells: int | None = DEFAULT_CELLS,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    seed: int = 0,
) -> Verification:
    """Compare the gradients of a program with difference quotients of its loss.

    `tensors` are live ones, of which the parameters, the constants and the batch are used; they
    stay as they are. The forward, loss and backward instructions of the program run on a copy in
    float64. Gradients that are `standing`, by parameter, are judged as they stand, the others as
    the program computes them. Stale tensors are looked for among `earlier` ones, those of the pass
    before, by default the live ones. `anew` and `edited` are handed on.

    Of more than `cells` cells in all parameters a sample is taken, drawn from `seed`; None is no
    limit. `cancelled` is asked before every cell, and ends the verification with what has been
    compared so far.

    Raises `KeyError` with the name of a tensor that the program needs and that is not given.
    """
    with np.errstate(all="ignore"):
        point = Point(program, tensors, seed, standing)
        counts = Counts(point)
        chosen = chosen_cells(_comparable(point), cells, seed)
        outcomes = _tried(point, chosen, progress, cancelled)
        checks = tensor_checks(point, outcomes, counts, tensors if earlier is None else earlier)
    total, tried = _count(chosen), _count(outcomes)
    return Verification(
        tensors=worst_first(checks),
        loss=point.loss,
        chosen=total,
        tried=tried,
        cancelled=tried < total,
        rows=counts.rows,
        averages=counts.averages,
        anew=tuple(anew),
        edited=tuple(edited),
        doubts=program.doubts,
        of_squares=has_square(point.forward)
        and all(one.verdict in BAD or one.silent for one in checks),
    )


def _comparable(point: Point) -> dict[str, Shape]:
    """Return the shapes of the parameters whose gradient has the same."""
    shapes = {name: point.tensors[name].shape for name in point.gradients}
    return {name: shape for name, shape in shapes.items() if point.gradients[name].shape == shape}


def _tried(
    point: Point,
    chosen: Mapping[str, Sequence[Shape]],
    progress: Progress | None,
    cancelled: Cancelled | None,
) -> dict[str, Outcomes]:
    """Compare the chosen cells, one after the other, until all are done or it is cancelled."""
    outcomes: dict[str, Outcomes] = {name: [] for name in chosen}
    done, total = 0, _count(chosen)
    often = max(1, total // 100)
    if progress:
        progress(0, total)
    for name, indices in chosen.items():
        probe, gradient = Probe(point, name), point.gradients[name]
        for index in indices:
            if cancelled and cancelled():
                return outcomes
            outcomes[name].append(compared(probe, index, float(gradient[index])))
            done += 1
            if progress and (done % often == 0 or done == total):
                progress(done, total)
    return outcomes


def _count(lists: Mapping[str, Sequence[object]]) -> int:
    return sum(map(len, lists.values()))


def chosen_cells(
    shapes: Mapping[str, Shape], limit: int | None, seed: int
) -> dict[str, list[Shape]]:
    """Return the indices of at most `limit` cells, by tensor; None is no limit.

    Each tensor has the same share, of which small ones leave some to the others, and one cell at
    least.
    """
    generator = np.random.default_rng(seed)
    counts = _shares({name: int(np.prod(shape)) for name, shape in shapes.items()}, limit)
    return {
        name: _indices(_drawn(int(np.prod(shape)), counts[name], generator), shape)
        for name, shape in shapes.items()
    }


def _shares(sizes: Mapping[str, int], limit: int | None) -> dict[str, int]:
    if limit is None:
        return dict(sizes)
    shares, left = {}, limit
    for place, name in enumerate(sorted(sizes, key=lambda name: sizes[name])):
        share = max(1, left // (len(sizes) - place))
        shares[name] = min(sizes[name], share)
        left -= shares[name]
    return shares


def _drawn(size: int, count: int, generator: np.random.Generator) -> Array:
    if count == size:
        return np.arange(size)
    return np.sort(generator.choice(size, count, replace=False))


def _indices(flat: Array, shape: Shape) -> list[Shape]:
    if not shape:
        return [()]
    return list(zip(*(axis.tolist() for axis in np.unravel_index(flat, shape)), strict=True))
