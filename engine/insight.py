"""What there is to say of the place that is shown: the line that has just run, and one cell."""

from typing import TYPE_CHECKING

from msgspec import Struct

from .arrays import Shape
from .session.session import Session

if TYPE_CHECKING:
    from .explain.calculation import Calculation
    from .explain.explanation import Explanation


class Insight(Struct, frozen=True, eq=False):
    """The line that has just run, laid out, and how a cell got its value; None if not known.

    `replaced` is what the cell was before the step that gave it its value, None if it was nothing.
    """

    calculation: "Calculation | None" = None
    why: "Explanation | None" = None
    replaced: float | None = None


NO_INSIGHT = Insight()


def insight_of(
    session: Session, calculation: "Calculation | None", cell: tuple[str, Shape] | None
) -> Insight:
    """Return what there is to say of a cell, if there is one, at the place of a session."""
    why = session.explain(*cell) if cell else None
    return Insight(calculation, why, _replaced(session, why) if why else None)


def _replaced(session: Session, why: "Explanation") -> float | None:
    """Return what a cell was before the step that gave it its value."""
    if why.step is None:
        return None
    array = session.values_at(why.step).get(why.name)
    if array is None or array.ndim != len(why.index):
        return None
    known = all(at < size for at, size in zip(why.index, array.shape, strict=True))
    return float(array[why.index]) if known else None
