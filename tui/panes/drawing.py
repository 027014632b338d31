"""Drawing a calculation: which drawing fits it, what is marked in it, where the arrows lead."""

from collections.abc import Callable

from msgspec.structs import replace

from nnstep.engine.arrays import Shape
from nnstep.engine.explain.calculation import Calculation
from nnstep.engine.explain.calculation import Row as Figure
from nnstep.engine.explain.slope import Slope, slope_in
from nnstep.engine.program.program import Program
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.numbers import format_value

from .batch import draw_batch
from .beside import lines_of, put_rule
from .crosswise import draw_product
from .remarks import reasons_for_zeros, remarks_on
from .scene import Scene, followed
from .sheet import Cell, Sheet, Spot, View
from .stacked import draw_stack
from .terms import six_digits


def draw(view: View, width: int, height: int) -> Sheet:
    """Draw a calculation in a box of so many columns and lines; below a person's own the rule's."""
    own = view.calculation.comparison
    needed = 0 if own is None else 1 + lines_of(own)
    if own is None or height < 2 * needed:
        return _drawn(view, width, height)
    sheet = _drawn(view, width, height - needed)
    used = max((y for y, line in enumerate(sheet.text(), 1) if line.strip()), default=0)
    sheet.extend(needed)
    put_rule(sheet, own, view.write, used + 1)
    return sheet


def _drawn(view: View, width: int, height: int) -> Sheet:
    if view.calculation.line.formula is None:
        return draw_batch(view, width, height)
    if view.calculation.product is not None:
        return draw_product(view, view.calculation.product, width, height)
    return draw_stack(view, width, height)


def view_of(
    calculation: Calculation,
    snapshot: Snapshot,
    scene: Scene,
    preferred: int | None = None,
    *,
    large: bool = False,
    spell: Callable[[str], str] = str,
) -> View:
    """Return a calculation as there is to look at it; `large` is with six digits, and air.

    A tensor may stand on several rows; the cell in question is on the `preferred` one if it can be.
    `spell` writes the slope of an activation, which no row of the calculation is.
    """
    result, asked = calculation.result, scene.asked
    rows = tuple(row for row in calculation.rows if isinstance(row, Figure))
    spot = _spot(rows, asked.name, asked.index, preferred) if asked else None
    is_asked = spot is not None
    if spot is None:
        index = followed(asked.index if asked else (), result.shape)
        spot = Spot(rows.index(result), index)
    old = next((row for row in rows if row.before and row.tensor == result.tensor), None)
    cell = spot.index if rows[spot.row].written else followed(spot.index, result.shape)
    return View(
        calculation,
        spot,
        sources=asked.sources if asked else frozenset(),
        history={name: scene.standing.history(name) for name in _names(rows)},
        edited=scene.standing.edited,
        misprinted=scene.standing.misprinted,
        replaced=old,
        remarks=remarks_on(calculation, cell, snapshot),
        zeros=reasons_for_zeros(snapshot.program),
        slope=_slope(calculation, snapshot.program, spell),
        write=six_digits if large else format_value,
        is_asked=is_asked,
        large=large,
    )


def _slope(calculation: Calculation, program: Program, spell: Callable[[str], str]) -> Slope | None:
    slope = slope_in(calculation, program)
    if slope is None:
        return None
    return replace(slope, row=replace(slope.row, text=spell(slope.row.text)))


def _names(rows: tuple[Figure, ...]) -> set[str]:
    return {row.tensor for row in rows if row.tensor}


def _spot(rows: tuple[Figure, ...], name: str, index: Shape, preferred: int | None) -> Spot | None:
    """Return where a stored cell stands, on the row written before any other."""
    at = [
        order
        for order, row in enumerate(rows)
        if row.tensor == name
        and len(row.shape) == len(index)
        and not row.before
        and all(i < n for i, n in zip(row.stored(index), row.shape, strict=True))
    ]
    if not at:
        return None
    chosen = preferred if preferred in at else next((i for i in at if rows[i].written), at[0])
    return Spot(chosen, rows[chosen].stored(index))


def moved(sheet: Sheet, view: View, rows: int, columns: int) -> Spot | None:
    """Return where an arrow leads: along the tensor, beyond its edge to the cell that is nearest.

    None if there is nothing in that direction.
    """
    spot, shape = view.spot, view.row.shape
    if (spot.row, rows) in sheet.beyond and not columns and _is_last(sheet, spot, rows):
        return sheet.beyond[spot.row, rows]
    nearest = _nearest(sheet, view, rows, columns)
    axis = len(shape) - 1 if columns else len(shape) - 2
    step = rows or columns
    if axis >= 0 and spot.index[axis] + step in range(shape[axis]):
        index = (*spot.index[:axis], spot.index[axis] + step, *spot.index[axis + 1 :])
        along = Spot(spot.row, index)
        is_seen = any(cell.spot == along for cell in sheet.cells)
        if is_seen or nearest is None or nearest.row != spot.row:
            return along
    return nearest


def _is_last(sheet: Sheet, spot: Spot, rows: int) -> bool:
    """Tell whether no cell of the same row of the calculation is further up or down."""
    here = next((cell for cell in sheet.cells if cell.spot == spot), None)
    own = [cell for cell in sheet.cells if cell.spot.row == spot.row]
    return here is not None and all((cell.y - here.y) * rows <= 0 for cell in own)


def _nearest(sheet: Sheet, view: View, rows: int, columns: int) -> Spot | None:
    here = next((cell for cell in sheet.cells if cell.spot == view.spot), None)
    if here is None:
        return None
    figures = view.rows

    def distance(cell: Cell) -> tuple[int, int] | None:
        figure = figures[cell.spot.row]
        if figure.tensor is None or figure.before:
            return None
        down, right = cell.y - here.y, cell.end - here.end
        if rows:
            return (down * rows, abs(right)) if down * rows > 0 else None
        return (abs(down), right * columns) if right * columns > 0 and down == 0 else None

    found = [(far, cell) for cell in sheet.cells if (far := distance(cell)) is not None]
    return min(found, key=lambda pair: pair[0])[1].spot if found else None


def cell_at(sheet: Sheet, view: View, x: int, y: int) -> Cell | None:
    """Return the stored cell at a point of the sheet, the nearest one of the line."""
    figures = view.rows
    here = [
        cell
        for cell in sheet.cells
        if cell.y == y and figures[cell.spot.row].tensor and not figures[cell.spot.row].before
    ]
    return min(here, key=lambda cell: abs(cell.end - 3 - x), default=None)
