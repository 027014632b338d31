"""What there is to say of the place that is shown: the line that has just run, and one cell."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from .arrays import Shape, has_cell
from .expectations import Judgement
from .session.asked import Asked
from .session.session import Session

if TYPE_CHECKING:
    from .explain.calculation import Calculation
    from .explain.explanation import Explanation


class Insight(Struct, frozen=True, eq=False):
    """The line that has just run, laid out, and how a cell got its value; None if not known.

    `replaced` is what the cell was before the step that gave it its value, None if it was nothing.
    Where another number is printed of the cell, `misprint` is how they compare, and `printed` is
    said of that, and of the rule that would give the printed one.
    """

    calculation: "Calculation | None" = None
    why: "Explanation | None" = None
    replaced: float | None = None
    misprint: Judgement | None = None
    printed: tuple[str, ...] = ()


NO_INSIGHT = Insight()


def insight_of(
    run: Asked,
    calculation: "Calculation | None",
    cell: tuple[str, Shape] | None,
    place: int | None = None,
) -> Insight:
    """Return what there is to say of a cell, if there is one, at the place of a run.

    With a place from 1 on, what is said is of the value that the cell has there.
    """
    at = place - 1 if place and place != run.place else None
    why = run.explain(*cell, at=at) if cell else None
    return Insight(calculation, why, _replaced(run, why) if why else None)


def with_misprint(
    insight: Insight, session: Session, unmet: Sequence[Judgement], known: Insight
) -> Insight:
    """Add what there is to say where another number is printed of the cell than it has here.

    `unmet` are the printed numbers that tensors do not have. Which rule gives one of them takes
    some time to find out: if it is that of what was `known` before, so is the rule.
    """
    why = insight.why
    cell = (why.name, why.index) if why else None
    misprint = next((one for one in unmet if (one.expectation.at, one.cell) == cell), None)
    if misprint is None:
        return insight
    printed = known.printed if misprint == known.misprint else _printed(session, misprint)
    return replace(insight, misprint=misprint, printed=printed)


def _printed(session: Session, misprint: Judgement) -> tuple[str, ...]:
    """Return the sentences about a value that is not the one printed, the shortest first."""
    from .misprints import explained_here

    rule = explained_here(session, misprint)
    printed, apart = misprint.beside
    return (f"Printed is {misprint.printed}: {rule}.", apart) if rule else (printed, apart)


def _replaced(run: Asked, why: "Explanation") -> float | None:
    """Return what a cell was before the step that gave it its value."""
    if why.step is None:
        return None
    array = run.values_at(why.step).get(why.name)
    if array is None or not has_cell(array.shape, why.index):
        return None
    return float(array[why.index])
