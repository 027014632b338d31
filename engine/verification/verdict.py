"""Verdicts: how near a gradient must be to the numeric one, and what came of a verification."""

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Doubt
from nnstep.engine.text import cell_name

STEP = 1e-5
"""The step h of the central difference (L(w + h) - L(w - h)) / 2h, for |w| up to 1."""

PASS_BELOW = 1e-6
FINE_BELOW = 1e-4
SUSPICIOUS_BELOW = 1e-2
"""Up to where a relative error is what the verdict says; after the rules of thumb of
https://cs231n.github.io/neural-networks-3/#gradcheck, which ask for 1e-7 to be content."""

SMALLEST_SCALE = 1e-8
"""What a difference is at least divided by: of smaller gradients the relative error says little."""


LOUD = 1e-3
"""The share of the largest gradient below which a cell has no say: its digits may be too few."""

NEAR = 1e-4
"""By how much, relatively, cells may differ from a relation that holds for all."""


class Verdict(StrEnum):
    """What is to be said of a gradient, from good to bad."""

    PASS = "pass"
    FINE = "fine"
    UNDECIDED = "undecided"
    SUSPICIOUS = "suspicious"
    NOT_FINITE = "not finite"
    FAIL = "fail"

    @property
    def severity(self) -> int:
        """The place in the order from good to bad."""
        return list(Verdict).index(self)


GOOD = frozenset({Verdict.PASS, Verdict.FINE})
BAD = frozenset({Verdict.SUSPICIOUS, Verdict.FAIL})


class Fingerprint(StrEnum):
    """A mistake that can be told by how the gradient and the numeric one are related."""

    MISSING_MEAN = "1/m missing"
    SIGN = "sign"
    DOUBLED = "factor 2"
    HALVED = "factor 1/2"
    MEAN_FOR_SUM = "mean for sum"
    SUM_FOR_MEAN = "sum for mean"
    DIVIDED_TWICE = "1/m twice"
    TRANSPOSED = "transposed"
    MISSING_DERIVATIVE = "missing derivative"
    TWICE = "derivative twice"
    AT_Z = "derivative at z"
    AT_A = "derivative at a"
    OTHER_SLOPE = "derivative of another activation"
    TRANSPOSED_WEIGHTS = "transposed W in da"
    UPDATED_WEIGHTS = "W updated before da"
    STALE = "stale activation"
    OTHER_TENSOR = "another tensor"
    NOT_SUMMED = "bias not summed"
    ONE_ROW = "bias of one row"


class Cell(Struct, frozen=True):
    """One cell of a parameter: its gradient by the program's rules, and by differences."""

    index: Shape
    analytic: float
    numeric: float
    verdict: Verdict

    @property
    def error(self) -> float:
        """The relative error of the one against the other."""
        return relative_error(self.analytic, self.numeric)


class Kinked(Struct, frozen=True):
    """A cell that is skipped: the line that has a kink there, and the slopes below and above it."""

    index: Shape
    analytic: float
    operation: str
    tensor: str
    below: float
    above: float


class TensorCheck(Struct, frozen=True, kw_only=True):
    """What came of the gradient of one parameter, both by name.

    Of `size` cells `checked` were compared, `skipped` are at a kink, for `undecided` ones the
    numeric gradient is lost in rounding errors, and for `not_finite` ones one of the two is no
    finite number. `worst` is the worst cell of those compared and those not finite. A gradient that
    does not have the shape of its parameter fails without a cell compared.

    `fingerprint` names the mistake, if it has left one, and `alternatives` what else it may be;
    `detail` is what it is about: a line with the mistake in it, or a row. `ratio` is that of the
    gradient to the numeric one, where all cells agree on it, and `divisor` the count that a mean
    was, or was not, taken over. Where only some cells are wrong, `wrong` has them, and all this is
    about them. `kinks` are the cells that were skipped. A `silent` gradient is 0 in every cell, as
    the numeric one is: no factor would show in it.
    """

    name: str
    gradient: str
    shape: Shape
    gradient_shape: Shape
    verdict: Verdict
    checked: int = 0
    skipped: int = 0
    undecided: int = 0
    not_finite: int = 0
    worst: Cell | None = None
    fingerprint: Fingerprint | None = None
    alternatives: tuple[Fingerprint, ...] = ()
    ratio: float | None = None
    divisor: int | None = None
    detail: str = ""
    wrong: tuple[Cell, ...] = ()
    kinks: tuple[Kinked, ...] = ()
    silent: bool = False

    @property
    def size(self) -> int:
        """The number of its cells."""
        return math.prod(self.shape)

    @property
    def fits(self) -> bool:
        """Whether the gradient has the shape of the parameter."""
        return self.gradient_shape == self.shape

    @property
    def cell(self) -> str:
        """The worst cell, such as `W1[0, 2]`; nothing if there is none."""
        return cell_name(self.name, self.worst.index) if self.worst else ""


class Anew(Struct, frozen=True):
    """Gradients that were computed anew, and why what stands does not count."""

    gradients: tuple[str, ...]
    why: str


class Verification(Struct, frozen=True, kw_only=True):
    """What came of all the gradients of a program at one point; `tensors` has the worst first.

    `chosen` is the number of cells that were to be tried, and `tried` that of those which were,
    less if it was `cancelled`. `rows` is the number of samples in the batch, None without data, and
    `averages` tells that the loss is a mean over them. `anew` are the gradients that were not
    judged as they stand, by the reason, and `edited` the cells of this pass's tensors that were
    edited before or after phase backward used them. `doubts` are those about the program.
    `of_squares` tells that a factor 2 may be that of a squared error: the loss has one, and no
    gradient is right.
    """

    tensors: tuple[TensorCheck, ...]
    loss: float
    chosen: int
    tried: int
    cancelled: bool = False
    rows: int | None = None
    averages: bool = False
    anew: tuple[Anew, ...] = ()
    edited: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    of_squares: bool = False

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; that of a tensor without one, only if there is no other."""
        decided = [one.verdict for one in self.tensors if one.verdict is not Verdict.UNDECIDED]
        return max(decided, key=lambda v: v.severity, default=Verdict.UNDECIDED)

    @property
    def total(self) -> int:
        """The number of cells of all parameters."""
        return sum(one.size for one in self.tensors)

    @property
    def checked(self) -> int:
        """The number of cells whose two gradients were compared."""
        return sum(one.checked for one in self.tensors)

    @property
    def sampled(self) -> bool:
        """Whether only some of the cells were to be tried."""
        return self.chosen < sum(one.size for one in self.tensors if one.fits)

    @property
    def worst_error(self) -> float:
        """The largest relative error of all cells compared."""
        return max(
            (one.worst.error for one in self.tensors if one.checked and one.worst), default=0.0
        )


def relative_error(analytic: float, numeric: float) -> float:
    """Return |a - n| / max(|a|, |n|, 1e-8), inf where one of them is not finite."""
    if not (math.isfinite(analytic) and math.isfinite(numeric)):
        return math.inf
    scale = max(abs(analytic), abs(numeric), SMALLEST_SCALE)
    return abs(analytic - numeric) / scale


def near(a: Array, b: Array) -> bool:
    """Tell whether two arrays are the same but for what a numeric gradient may be off."""
    return bool(np.all(np.abs(a - b) <= NEAR * np.maximum(np.abs(a), np.abs(b))))


def by_error(error: float) -> Verdict:
    """Return the verdict for a relative error."""
    if error < PASS_BELOW:
        return Verdict.PASS
    if error < FINE_BELOW:
        return Verdict.FINE
    return Verdict.SUSPICIOUS if error < SUSPICIOUS_BELOW else Verdict.FAIL


def worst_first(tensors: Sequence[TensorCheck]) -> tuple[TensorCheck, ...]:
    """Return the tensors from the worst verdict to the best, `tensors` being in forward order.

    Of those that are wrong the one nearest the loss comes first, whatever the sizes of the errors:
    phase backward hands a mistake on from there. Of the others the largest error comes first.
    """

    def goodness(one: TensorCheck) -> tuple[int, float]:
        if one.verdict in BAD:
            return -Verdict.FAIL.severity, 0.0
        return -one.verdict.severity, -float(f"{one.worst.error:.0e}") if one.worst else 0.0

    last_first = list(reversed(tensors))
    return tuple(sorted(last_first, key=goodness))
