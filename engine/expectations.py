"""Printed numbers: when a tensor has the value that one is of, and whether the two agree.

A printed number is right if the value lies within half a unit of its last digit, a tie included:
0.3775 stands for everything from 0.37745 to 0.37755. The value is taken as the shortest decimal
that its dtype tells apart, the number that the trace writes.
"""

import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Phase, Program
from nnstep.engine.scenario.model import Data, Expectation
from nnstep.engine.text import cell_name

_FAR = 1000
"""Beyond so many units of the last digit, numbers do not differ by their digits any more."""
_TIE = Fraction(1, 10**9)
"""A part of a unit by which rounding errors may take a value beyond a tie."""


class Judgement(Struct, frozen=True):
    """What has become of one printed number: the value that the cell has, and whether it is `ok`.

    `agrees` tells whether the two agree; of a number that is known to be wrong they must not.
    `elsewhere` is the one other cell of the tensor that has the printed number, if there is one.
    """

    expectation: Expectation
    cell: Shape
    printed: str
    got: float | int
    agrees: bool
    elsewhere: Shape | None = None

    @property
    def ok(self) -> bool:
        """Whether all is as the file says."""
        return self.agrees == (self.expectation.wrong is None)

    @property
    def name(self) -> str:
        """The cell, such as `W1[0, 1]`."""
        return cell_name(self.expectation.at, self.cell)

    @property
    def beside(self) -> tuple[str, str]:
        """What is printed of a value that is not `ok`, and how far apart they are."""
        if self.expectation.wrong is not None:
            return f"Printed is {self.printed}, known to be wrong.", "But the two agree."
        far = apart(self.printed, self.got)
        other = f": {self._other} has it" if self._other else ""
        return f"Printed is {self.printed}{other}.", f"{far[0].upper()}{far[1:]}."

    @property
    def _other(self) -> str:
        """The other cell that has the printed number; "" if none has."""
        at = self.expectation.at
        return "" if self.elsewhere is None else cell_name(at, self.elsewhere)

    def __str__(self) -> str:
        says = f"{self.name} is {self.got!r} {when(self.expectation)}, printed is {self.printed}"
        why = self.expectation.wrong
        if why is not None:
            known = f"which is known to be wrong: {why}" if why else "which is known to be wrong"
            return f"{says}, {known}" if self.ok else f"{says}: they agree, but the file says wrong"
        if self.ok:
            return says
        other = f"; {self._other} has the printed number" if self._other else ""
        return f"{says}: {apart(self.printed, self.got)}{other}"


_DIGITS, _MOST_CELLS = 3, 100_000


def when(expectation: Expectation) -> str:
    """Say at which time an expectation holds: `in iteration 0`, `at the start`."""
    if expectation.iteration is None:
        return "at the start"
    if expectation.phase:
        return f"after phase {expectation.phase} of iteration {expectation.iteration}"
    return f"in iteration {expectation.iteration}"


# Numbers


def unit(printed: str) -> Fraction:
    """Return what the last digit of a finite printed number counts: 0.0001 for 0.3775."""
    exponent = Decimal(printed).as_tuple().exponent
    assert isinstance(exponent, int), "inf and nan have no digits"
    return Fraction(10) ** exponent


def agrees(printed: str, got: float | np.generic, tol: float = 0.5) -> bool:
    """Tell whether a value is within `tol` units of the last digit of a printed number.

    What is not finite agrees with itself alone.
    """
    return _agrees(printed, str(got), tol)


@lru_cache(maxsize=4096)
def _agrees(printed: str, got: str, tol: float) -> bool:
    """Answer from texts. Each snapshot asks again, and mostly of the same numbers."""
    number, value = Decimal(printed), Decimal(got)
    if not (number.is_finite() and value.is_finite()):
        return number.is_nan() == value.is_nan() and (number.is_nan() or number == value)
    difference = abs(Fraction(value) - Fraction(number)) / unit(printed)
    return difference <= Fraction(tol) + _TIE


def apart(printed: str, got: float | int) -> str:
    """Say how far a value is from a printed number."""
    if not (Decimal(printed).is_finite() and math.isfinite(got)):
        return "they differ"
    difference = abs(Fraction(Decimal(str(got))) - Fraction(Decimal(printed)))
    units = difference / unit(printed)
    if units > _FAR:
        return f"they differ by {float(difference):.3g}"
    count = f"{float(units):.3g}"
    return f"they differ by {count} {'unit' if count == '1' else 'units'} of its last digit"


def judged(expectation: Expectation, array: Array) -> Iterator[Judgement]:
    """Compare an array with all numbers that are printed of it."""
    for cell, printed in expectation.printed:
        value = array[cell]
        same = agrees(printed, value, expectation.tol)
        elsewhere = None if same else _elsewhere(array, printed)
        yield Judgement(expectation, cell, printed, shortest(value), same, elsewhere)


def digits_of(printed: str) -> str:
    """Return the digits of a printed number, without the zeros before them: 3775 of -0.3775e2."""
    return printed.lower().split("e")[0].strip("+-").replace(".", "").lstrip("0")


def _elsewhere(array: Array, printed: str) -> Shape | None:
    """Return the one cell that has a printed number; a number of few digits is had by chance."""
    number = Decimal(printed)
    if not number.is_finite() or len(digits_of(printed)) < _DIGITS or array.size > _MOST_CELLS:
        return None
    with np.errstate(invalid="ignore"):
        apart = np.abs(np.asarray(array, np.float64) - float(number))
    found = np.argwhere(apart <= float(unit(printed)) / 2)
    return tuple(found[0].tolist()) if len(found) == 1 else None


def shortest(value: np.generic) -> float | int:
    """Return a value as the number with the digits that are enough in its dtype: 0.1 of float32."""
    number: float | int = value.item()
    return float(str(value)) if isinstance(number, float) else number


# Times


def place_of(expectation: Expectation, program: Program) -> int:
    """Return the place from which on a run has the value that is expected."""
    if expectation.iteration is None:
        return 0
    start = expectation.iteration * len(program)
    return start + (_after_backward(program) if expectation.phase else len(program))


def _after_backward(program: Program) -> int:
    return next(
        (at for at, line in enumerate(program.instructions) if line.phase is Phase.UPDATE),
        len(program),
    )


def stands_at(expectation: Expectation, program: Program, place: int) -> bool:
    """Tell whether a tensor has, at a place, the very value that is expected.

    It has it from the last line of its iteration that writes it to the next line that does; what no
    line writes has it as long as the iteration takes.
    """
    steps, name = len(program), expectation.at
    if not 0 <= place - (expectation.iteration or 0) * steps <= 2 * steps:
        return False
    lines = [at for at, line in enumerate(program.instructions) if name in line.writes]
    if expectation.iteration is None:
        return place <= (min(lines) if lines else steps)
    start = expectation.iteration * steps
    if not lines:
        return start < place <= start + steps
    before = [at for at in lines if not expectation.phase or at < _after_backward(program)]
    first = start + before[-1] if before else start - steps + lines[-1]
    after = [at for at in lines if start + at > first]
    until = start + after[0] if after else start + steps + lines[0]
    return first < place <= until


def here(name: str, program: Program, place: int) -> tuple[int | None, Phase | None]:
    """Return the iteration and the phase for which a tensor has, at a place, its value.

    That is the last iteration which has written it, None for its first value; the phase is that of
    a gradient which will still be clipped. What has no value yet is that of the pass under way.
    """
    steps = len(program)
    iteration, position = divmod(place, steps)
    lines = [at for at, line in enumerate(program.instructions) if name in line.writes]
    if not lines and position:
        return iteration, None
    written = [at for at in lines if at < position]
    if written and len(written) < len(lines):
        return iteration, Phase.BACKWARD
    if written:
        return iteration, None
    if iteration:
        return iteration - 1, None
    return (None if program.tensors[name].start is not None else 0), None


# What fits


def mistakes_in(
    expectation: Expectation, program: Program, data: Data | None
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what of an expectation does not fit its program: the keys to it, and a message.

    Its tensor is one of the program's.
    """
    tensor, at = program.tensors[expectation.at], expectation.at
    if expectation.iteration is None and tensor.start is None:
        has = "parameters, buffers and lr have"
        yield ("iteration",), f"{at} has no value before the first iteration; {has}"
    if expectation.phase and expectation.iteration == 0 and tensor.start is None:
        lines = [line for line in program.instructions if at in line.writes]
        if lines and lines[0].phase is Phase.UPDATE:
            yield ("phase",), f"{at} has no value yet: phase update is the first to write it"
    shape = tensor.shape
    if data is not None and len(tensor.shapes) > 1:
        shape = tensor.shapes[_size(data, expectation.iteration or 0)]
    if expectation.shape is not None:
        if expectation.shape != shape:
            yield ("values",), f"{at} has shape {shape}, and these values {expectation.shape}"
        return
    for cell, _ in expectation.printed:
        yield from _cell_mistakes(at, cell, shape)


def _size(data: Data, iteration: int) -> int:
    """Return which of the data's batch sizes an iteration has."""
    turn = iteration % data.batches_per_epoch
    if data.batches is not None:
        return data.batch_sizes.index(len(data.batches[turn]))
    rows = min(data.batch_size, len(data.x) - turn * data.batch_size)
    return data.batch_sizes.index(rows)


def _cell_mistakes(
    at: str, cell: Shape, shape: Shape
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if len(cell) != len(shape):
        axes = f"{len(shape)} {'index' if len(shape) == 1 else 'indices'}"
        yield ("cell",), f"a cell of {at} has {axes}, this one {len(cell)}"
        return
    for axis, (index, size) in enumerate(zip(cell, shape, strict=True)):
        if index >= size:
            below = f"so that this index is below {size}"
            yield ("cell", axis), f"{at} has shape {shape}, {below}"
