"""Summing up: from the cells of a parameter to the verdict on its gradient."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from .fingerprint import Counts, common_ratio, is_transposed, named
from .point import Point
from .verdict import BAD, GOOD, Cell, Fingerprint, TensorCheck, Verdict

Outcomes = list[Cell | None]
"""What came of each cell that was tried, None for one at a kink."""

_COMPARED = GOOD | BAD


def tensor_checks(
    point: Point, outcomes: Mapping[str, Outcomes], counts: Counts
) -> list[TensorCheck]:
    """Return what came of each parameter, with the fingerprints of those that are wrong.

    A parameter that is not among the outcomes has a gradient of another shape.
    """
    checks = {name: _checked(point, name, outcomes.get(name)) for name in point.gradients}
    return [
        _fingerprinted(check, outcomes[check.name], point, counts, checks.values())
        if check.verdict in BAD and check.name in outcomes
        else check
        for check in checks.values()
    ]


def _checked(point: Point, name: str, outcomes: Outcomes | None) -> TensorCheck:
    shape, gradient_shape = point.tensors[name].shape, point.gradients[name].shape
    if outcomes is None:
        transposed = gradient_shape == shape[::-1]
        return TensorCheck(
            name=name,
            shape=shape,
            gradient_shape=gradient_shape,
            verdict=Verdict.FAIL,
            fingerprint=Fingerprint.TRANSPOSED if transposed else None,
        )
    cells = [cell for cell in outcomes if cell is not None]
    verdicts = [cell.verdict for cell in cells]
    telling = [cell for cell in cells if cell.verdict is not Verdict.UNDECIDED]
    worst = max(telling, key=lambda cell: (cell.verdict.severity, cell.error), default=None)
    return TensorCheck(
        name=name,
        shape=shape,
        gradient_shape=gradient_shape,
        verdict=worst.verdict if worst else Verdict.UNDECIDED,
        checked=sum(verdict in _COMPARED for verdict in verdicts),
        skipped=len(outcomes) - len(cells),
        undecided=verdicts.count(Verdict.UNDECIDED),
        not_finite=verdicts.count(Verdict.NOT_FINITE),
        worst=worst,
    )


def _fingerprinted(
    check: TensorCheck,
    outcomes: Outcomes,
    point: Point,
    counts: Counts,
    checks: Iterable[TensorCheck],
) -> TensorCheck:
    """Return the check with what the cells have in common."""
    cells = [cell for cell in outcomes if cell is not None and cell.verdict in _COMPARED]
    ratio = common_ratio(cells)
    if ratio is not None:
        found, divisor = named(ratio, counts, _weights_agree(check, point, checks))
        return replace(
            check,
            fingerprint=found[0] if found else None,
            alternatives=tuple(found[1:]),
            ratio=ratio,
            divisor=divisor,
        )
    if is_transposed(cells, point.gradients[check.name]):
        return replace(check, fingerprint=Fingerprint.TRANSPOSED)
    return check


def _weights_agree(check: TensorCheck, point: Point, checks: Iterable[TensorCheck]) -> bool:
    """Tell whether a parameter is a bias beside weights whose gradients are right."""
    layer = point.program.tensors[check.name].layer
    weights = [
        other.verdict
        for other in checks
        if len(other.shape) > 1 and point.program.tensors[other.name].layer == layer
    ]
    return bool(weights) and BAD.isdisjoint(weights)
