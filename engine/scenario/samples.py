"""Samples, and the generators of the classic ones: xor, moons, circles, spirals, blobs."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.limits import MAX_ELEMENTS


class DataError(ValueError):
    """Data that cannot be used.

    `option` is the key of `[data]` that asked for it; `element` the index in a list of names.
    """

    def __init__(self, message: str, option: str = "file", element: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.option = option
        self.element = element


Floats = np.ndarray[tuple[Any, ...], np.dtype[np.float64]]


class Samples(Struct, frozen=True):
    """Inputs `x` and targets `y`, a row of each for every sample.

    `y` is of integers where the source had whole numbers or class names; `classes` are those names.
    `by_columns` tells that the source has a sample a column, so that its indices are the other way
    round.
    """

    x: Array
    y: Array
    classes: tuple[str, ...] | None = None
    by_columns: bool = False

    def turned(self) -> "Samples":
        """Return samples that are written a sample a column as rows; a flat list stays flat."""
        x, y = np.ascontiguousarray(self.x.T), np.ascontiguousarray(self.y.T)
        return Samples(x, y, self.classes, by_columns=True)

    def as_written(self, array: Array) -> Array:
        """Return x or y in the shape that the source has."""
        return array.T if self.by_columns else array

    def where(self, index: Shape) -> Shape:
        """Return the index in the source of an element of x or y."""
        return index[::-1] if self.by_columns else index


def one_hot(y: Array) -> Floats:
    """Return a row of one 1 and zeros for each element of `y`; columns are its sorted values.

    Raises `DataError` if these are too many numbers.
    """
    values, places = np.unique(y, return_inverse=True)
    if y.size * values.size > MAX_ELEMENTS:
        message = f"one_hot would make {y.size:,} rows of {values.size:,} classes"
        raise DataError(f"{message}: more than {MAX_ELEMENTS:,} numbers", "one_hot")
    rows: Floats = np.zeros((y.size, values.size))
    rows[np.arange(y.size), places.reshape(-1)] = 1.0
    return rows


def standardized(x: Array) -> tuple[Array, tuple[int, ...]]:
    """Shift and scale each column to mean 0 and population standard deviation 1.

    A column whose values are all equal is only shifted; the second result lists such columns.
    """
    with np.errstate(all="ignore"):
        deviation = x.std(axis=0)
        constant = (x == x[:1]).all(axis=0) | (deviation == 0)
        scaled = (x - x.mean(axis=0)) / np.where(constant, 1.0, deviation)
    return scaled, tuple(map(int, np.flatnonzero(constant)))


DEFAULT_SAMPLES = 100


def generate(
    kind: str,
    *,
    samples: int | None = None,
    noise: float | None = None,
    seed: int = 0,
    classes: int | None = None,
) -> Samples:
    """Return points x, of shape (samples, 2), and class indices y, (samples, 1); raise `DataError`.

    The rows take the classes in turn, so that a small batch sees them all. `noise` is the standard
    deviation of what is added to each coordinate. The same arguments give the same points.
    """
    row = GENERATORS[kind]
    count = samples or row.samples
    groups = classes or 2
    if 2 * count > MAX_ELEMENTS:
        raise DataError(f"at most {MAX_ELEMENTS // 2:,} samples can be generated", "samples")
    if row.two_classes and groups != 2:
        raise DataError(f"{kind} has two classes", "classes")
    if not 2 <= groups <= count:
        raise DataError("there must be at least two classes, and a sample of each", "classes")
    x, y = row.points(count, groups)
    deviation = row.noise if noise is None else noise
    if deviation:
        x = x + np.random.default_rng(seed).normal(0.0, deviation, x.shape)
    return Samples(x, y[:, None])


def _xor(count: int, _groups: int) -> tuple[Floats, Array]:
    """The corners of the unit square, in turn; opposite ones are of one class."""
    turn = np.arange(count)
    first, second = turn % 4 // 2, turn % 2
    return np.stack([first, second], axis=1).astype(np.float64), first ^ second


def _moons(y: Array, rank: Array, size: Array, _groups: int) -> Floats:
    """Two half circles, the second hanging upside down into the first."""
    angle = np.pi * _from_end_to_end(rank, size)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    return np.where(y[:, None] == 0, upper, lower)


def _circles(y: Array, rank: Array, size: Array, _groups: int) -> Floats:
    """A circle of radius 1, and inside it one of radius ½."""
    return _on_circle(2 * np.pi * rank / size, np.where(y == 0, 1.0, 0.5))


def _spirals(y: Array, rank: Array, size: Array, groups: int) -> Floats:
    """Arms that start at the centre and turn by four radians on their way out to radius 1."""
    radius = _from_end_to_end(rank, size)
    return _on_circle(2 * np.pi * y / groups + 4 * radius, radius)


def _blobs(y: Array, _rank: Array, size: Array, groups: int) -> Floats:
    """Centres spread evenly over a circle of radius 2."""
    return _on_circle(2 * np.pi * y / groups, np.full(size.shape, 2.0))


def _from_end_to_end(rank: Array, size: Array) -> Floats:
    """Return how far along its class each sample is, the first at 0 and the last at 1."""
    fraction: Floats = rank / np.maximum(size - 1, 1)
    return fraction


def _on_circle(angle: Array, radius: Array) -> Floats:
    points: Floats = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points


_Shape = Callable[[Array, Array, Array, int], Floats]
"""Takes each row's class, its number within the class, how many the class has, and of classes."""


def _in_turn(shape: _Shape) -> Callable[[int, int], tuple[Floats, Array]]:
    """Return a function that gives points of a shape, their classes taken in turn."""

    def points(count: int, groups: int) -> tuple[Floats, Array]:
        turn = np.arange(count)
        y = turn % groups
        size = (count - 1 - y) // groups + 1
        return shape(y, turn // groups, size, groups), y

    return points


class Generator(Struct, frozen=True, kw_only=True):
    """A row: samples that a scenario can have generated.

    `points` takes how many and of how many classes, and gives x of shape (samples, 2) and a class
    for each. Some know two classes only. `samples` and `noise` are the defaults.
    """

    points: Callable[[int, int], tuple[Floats, Array]]
    two_classes: bool = False
    samples: int = DEFAULT_SAMPLES
    noise: float = 0.0


GENERATORS: Mapping[str, Generator] = {
    "xor": Generator(points=_xor, two_classes=True, samples=4),
    "moons": Generator(points=_in_turn(_moons), two_classes=True),
    "circles": Generator(points=_in_turn(_circles), two_classes=True),
    "spirals": Generator(points=_in_turn(_spirals)),
    "blobs": Generator(points=_in_turn(_blobs), noise=0.5),
}
