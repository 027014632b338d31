"""Which mistake a wrong gradient looks like, by its ratio to the numeric one: a factor, a sign.

The checks of one tensor's cells are summed up here, too.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Instruction, Role, run

from .mistakes import Suspects
from .point import Point, as_float64
from .verdict import BAD, GOOD, LOUD, NEAR, Cell, Fingerprint, Kinked, TensorCheck, Verdict, near


class Counts:
    """What means are taken over: of the loss over its batch, and of means in an expression.

    `rows` is the number of samples, None without data. `averages` tells whether the loss is a mean
    over them. `divided` has the counts that the loss is divided by.
    """

    def __init__(self, point: Point) -> None:
        self.rows = _rows(point)
        self.averages = self.rows is not None and _is_mean_over_rows(point)
        self.divided = {
            point.tensors[line.reads[0]].size // point.tensors[line.writes[0]].size
            for line in point.forward
            if line.operation == "mean"
        }
        if self.rows is not None and self.averages:
            self.divided |= {self.rows, _outputs(point, self.rows)}
        self.divided.discard(1)

    @property
    def all(self) -> set[int]:
        """The counts that a sum might be divided by, rightly or not."""
        return self.divided | ({self.rows} if self.rows and self.rows > 1 else set())


def has_square(forward: Iterable[Instruction]) -> bool:
    """Tell whether a forward pass has a squared error: a loss of that kind, or a square."""
    squares = ("mse", "half_squared_error", "square")
    return any(
        line.operation in squares or (line.operation == "multiply" and len(set(line.reads)) == 1)
        for line in forward
    )


def common_ratio(cells: Sequence[Cell]) -> float | None:
    """Return the number by which every gradient is a multiple of the numeric one, if there is one.

    Cells that are small beside the others have no say.
    """
    analytic = np.array([cell.analytic for cell in cells])
    numeric = np.array([cell.numeric for cell in cells])
    loud = _loud(analytic, numeric)
    analytic, numeric = analytic[loud], numeric[loud]
    ratio = float(np.median(analytic / numeric))
    return ratio if near(analytic, ratio * numeric) else None


def is_transposed(cells: Sequence[Cell], gradient: Array) -> bool:
    """Tell whether a square gradient is, at the cells, the transpose of the numeric one."""
    if gradient.ndim < 2 or gradient.shape != gradient.T.shape:
        return False
    numeric = np.array([cell.numeric for cell in cells])
    across = np.array([gradient.T[cell.index] for cell in cells])
    loud = _loud(across, numeric)
    return bool(loud.any()) and near(across[loud], numeric[loud])


def named(ratio: float, counts: Counts, only_biases: bool) -> tuple[list[Fingerprint], int | None]:
    """Return the mistakes that give a ratio, the likeliest first, and the count they are about.

    `only_biases` tells that the ratio is a bias's, and that the weights beside it are right.
    """
    found = []
    if _is(ratio, -1):
        found.append(Fingerprint.SIGN)
    missing = _count_near(ratio, counts.divided)
    if missing:
        found.append(Fingerprint.SUM_FOR_MEAN if only_biases else Fingerprint.MISSING_MEAN)
    divided = _count_near(1 / ratio, counts.all) if ratio else None
    if divided:
        twice = counts.averages and not only_biases
        found.append(Fingerprint.DIVIDED_TWICE if twice else Fingerprint.MEAN_FOR_SUM)
    if _is(ratio, 2) and not (found and only_biases):
        found.append(Fingerprint.DOUBLED)
    if _is(ratio, 0.5) and not (found and only_biases):
        found.append(Fingerprint.HALVED)
    return found, missing or divided


def _is(ratio: float, expected: float) -> bool:
    return abs(ratio - expected) <= NEAR * abs(expected)


def _count_near(ratio: float, counts: Collection[int]) -> int | None:
    return next((count for count in sorted(counts) if _is(ratio, count)), None)


def _loud(analytic: Array, numeric: Array) -> Array:
    size = np.maximum(np.abs(analytic), np.abs(numeric))
    return (size >= LOUD * size.max(initial=0.0)) & (size > 0)


def _rows(point: Point) -> int | None:
    """Return the number of samples, None where no line reads the inputs."""
    inputs = point.program.with_role(Role.DATA)[:1]
    return next((len(point.tensors[x.name]) for x in inputs if x.name in point.tensors), None)


def _outputs(point: Point, rows: int) -> int:
    """Return the number of elements that the loss is reduced from."""
    loss = next(line for line in point.forward if point.program.loss in line.writes)
    reduced = (point.tensors[name] for name in loss.reads[:1])
    return next((a.size for a in reduced if a.ndim and len(a) == rows), rows)


def _is_mean_over_rows(point: Point) -> bool:
    """Tell whether the loss stays the same when every row of the batch comes twice."""
    batch = (data.name for data in point.program.with_role(Role.DATA) if data.name in point.given)
    twice: dict[str, Array] = {name: np.concatenate([point.given[name]] * 2) for name in batch}
    try:
        tensors = run(point.forward, {**point.given, **twice}, as_float64)
    except ValueError:
        return False  # an expression can be written for a batch of one size only
    loss = float(tensors[point.program.loss])
    return math.isclose(loss, point.loss, rel_tol=1e-9) and math.isfinite(loss)


Outcomes = list[Cell | Kinked]
"""What came of each cell that was tried."""

_COMPARED = GOOD | BAD


def tensor_checks(
    point: Point,
    outcomes: Mapping[str, Outcomes],
    counts: Counts,
    earlier: Mapping[str, Array],
) -> list[TensorCheck]:
    """Return what came of each parameter, with the fingerprints of those that are wrong.

    A parameter that is not among the outcomes has a gradient of another shape. `earlier` are
    tensors of the pass before.
    """
    of = point.program.gradients
    checks = {name: _checked(point, name, of[name], outcomes.get(name)) for name in point.gradients}
    suspects = Suspects(point, earlier)
    return [
        _fingerprinted(check, outcomes[check.name], point, counts, checks.values(), suspects)
        if check.verdict in BAD and check.name in outcomes
        else check
        for check in checks.values()
    ]


def _checked(point: Point, name: str, gradient: str, outcomes: Outcomes | None) -> TensorCheck:
    shape, gradient_shape = point.tensors[name].shape, point.gradients[name].shape
    if outcomes is None:
        return TensorCheck(
            name=name,
            gradient=gradient,
            shape=shape,
            gradient_shape=gradient_shape,
            verdict=Verdict.FAIL,
            fingerprint=_of_shape(shape, gradient_shape),
        )
    cells = [cell for cell in outcomes if isinstance(cell, Cell)]
    verdicts = [cell.verdict for cell in cells]
    telling = [cell for cell in cells if cell.verdict is not Verdict.UNDECIDED]
    worst = max(telling, key=lambda cell: (cell.verdict.severity, cell.error), default=None)
    return TensorCheck(
        name=name,
        gradient=gradient,
        shape=shape,
        gradient_shape=gradient_shape,
        verdict=worst.verdict if worst else Verdict.UNDECIDED,
        checked=sum(verdict in _COMPARED for verdict in verdicts),
        skipped=len(outcomes) - len(cells),
        undecided=verdicts.count(Verdict.UNDECIDED),
        not_finite=verdicts.count(Verdict.NOT_FINITE),
        worst=worst,
        kinks=tuple(cell for cell in outcomes if isinstance(cell, Kinked)),
        silent=bool(cells) and all(cell.analytic == cell.numeric == 0 for cell in cells),
    )


def _of_shape(shape: Shape, gradient_shape: Shape) -> Fingerprint | None:
    """Return the mistake that a shape tells of."""
    if gradient_shape == shape[::-1]:
        return Fingerprint.TRANSPOSED
    if len(gradient_shape) == len(shape) + 1 and gradient_shape[1:] == shape:
        return Fingerprint.NOT_SUMMED
    return None


MOST_WRONG = 3
"""Of so many wrong cells at most each is named, if the others are right."""


def _fingerprinted(
    check: TensorCheck,
    outcomes: Outcomes,
    point: Point,
    counts: Counts,
    checks: Iterable[TensorCheck],
    suspects: Suspects,
) -> TensorCheck:
    """Return the check with what the cells have in common."""
    found = (cell for cell in outcomes if isinstance(cell, Cell))
    cells = [cell for cell in found if cell.verdict in _COMPARED]
    wrong = [cell for cell in cells if cell.verdict in BAD]
    only_biases = _weights_agree(check, point, checks)
    if ratio := common_ratio(cells):
        names, divisor = named(ratio, counts, only_biases)
        if names:
            # The rows of dz are so many equal numbers where a loss has slopes of 1 and -1.
            if only_biases and (made := suspects.mistake(check.name, cells)):
                names += [made[0]] if made[0] is Fingerprint.ONE_ROW else []
            return _with_ratio(check, ratio, names, divisor)
    if is_transposed(cells, point.gradients[check.name]):
        return replace(check, fingerprint=Fingerprint.TRANSPOSED)
    if ratio != 0 and (mistake := suspects.mistake(check.name, cells)):
        fingerprint, detail = mistake
        return replace(check, fingerprint=fingerprint, detail=detail)
    if len(wrong) == len(cells) or ratio is not None:
        return replace(check, ratio=ratio)
    check = replace(check, wrong=tuple(wrong))
    if len(wrong) <= MOST_WRONG and (ratio := common_ratio(wrong)) is not None:
        return _with_ratio(check, ratio, *named(ratio, counts, only_biases))
    return check


def _with_ratio(
    check: TensorCheck, ratio: float, names: Sequence[Fingerprint], divisor: int | None
) -> TensorCheck:
    return replace(
        check,
        fingerprint=names[0] if names else None,
        alternatives=tuple(names[1:]),
        ratio=ratio,
        divisor=divisor,
    )


def _weights_agree(check: TensorCheck, point: Point, checks: Iterable[TensorCheck]) -> bool:
    """Tell whether a parameter is a bias beside weights whose gradients are right.

    A gradient that is 0 in every cell says nothing: no factor would show in it.
    """
    layer = point.program.tensors[check.name].layer
    weights = [
        other
        for other in checks
        if len(other.shape) > 1 and point.program.tensors[other.name].layer == layer
    ]
    telling = any(not other.silent for other in weights)
    return telling and BAD.isdisjoint(other.verdict for other in weights)
