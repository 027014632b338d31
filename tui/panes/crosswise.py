"""A product of matrices, drawn crosswise: the result stands where row and column meet.

Where the factors are too large for that, the product of the cell in question is drawn as its terms,
and the result as a window around the cell.
"""

import textwrap
from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.explain.calculation import Product, Row
from nnstep.engine.text import cell_name
from nnstep.tui.numbers import Number

from .sheet import MUTED, Sheet, Spot, View, around, heading, one, widest
from .terms import Shares, Term, bar, percent, put_terms, shares_of

# Between a factor on the left and what stands to the right of it.
GAP = 2
# The lines of a table of terms: the headings, a term, and the result under its title.
LEAST_TERMS = 4


class Block(Struct, frozen=True, eq=False):
    """A matrix to be drawn whole: its rows, and how its columns lie."""

    row: Row
    numbers: Array
    width: int

    @property
    def rows(self) -> int:
        """How many lines it takes."""
        return len(self.numbers)

    def columns(self, pitch: int) -> int:
        """Return how many columns of the screen its numbers take, brackets included."""
        return (self.numbers.shape[1] - 1) * pitch + self.width + 2


def _block(row: Row, view: View, width: int, *, upright: bool = False) -> Block:
    numbers = row.values[(slice(None),) * len(row.shape)]
    numbers = numbers.reshape(-1, 1) if upright and numbers.ndim == 1 else np.atleast_2d(numbers)
    own = widest(iter(numbers.ravel().tolist()), view.write)
    return Block(row, numbers, max(width, own))


def draw_product(view: View, product: Product, width: int, height: int) -> Sheet:
    """Draw a product in a box, crosswise if both factors fit whole."""
    return _crosswise(view, product, width, height) or _as_terms(view, product, width, height)


def _could_fit(product: Product, width: int, height: int) -> bool:
    """Tell at a glance whether the factors are small enough to be measured."""
    sizes = [row.shape for row in (product.left, product.right, product.result)]
    return all(np.prod(shape or (1,)) <= width * height for shape in sizes)


def _crosswise(view: View, product: Product, width: int, height: int) -> Sheet | None:
    if not _could_fit(product, width, height):
        return None
    left = _block(product.left, view, 6)
    upright = len(product.right.shape) == 1
    right = [_block(row, view, 6) for row in (*product.added, product.result)]
    above = _block(product.right, view, 6, upright=upright)
    if len(product.left.shape) == 2 and len(product.result.shape) == 1:
        right = [
            _block(row, view, 6, upright=bool(row.shape))
            for row in (*product.added, product.result)
        ]
    number = max(block.width for block in (above, *right))
    above, *right = (Block(b.row, b.numbers, number) for b in (above, *right))
    *added, result = right
    lines = above.rows + sum(block.rows + 1 for block in added) + result.rows + 2
    titles = [4 + len(heading(b.row)) for b in (above, *right)]
    label = len(str(max(0, left.rows - 1))) if left.rows > 1 or len(product.left.shape) == 2 else 0
    air = 1 if view.large else 0
    for spare, gap in ((6, 16), (3, 2)) if view.large else ((3, GAP), (2, GAP)):
        pitch, left_pitch = number + spare, left.width + spare
        left_width = max(label + 1 + air + left.columns(left_pitch), 2 + len(heading(left.row)))
        x = left_width + gap
        needed = x + air + max(3 + above.columns(pitch) - 1, *titles)
        if needed <= width and lines <= height:
            break
    else:
        return None
    sheet = Sheet(width, height)
    end = x + 3 + air + number
    y = _put_block(sheet, view, above, x, 0, end, pitch, "@")
    for block in added:
        y = _put_block(sheet, view, block, x, y, end, pitch, block.row.sign)
    sheet.put(0, y, "○", view.mark(left.row)[1])
    sheet.put(1, y, view.past(left.row).strip() or " ")
    name, _, shape = heading(left.row).partition(" ")
    sheet.put(2, y, name)
    sheet.put(3 + len(name), y, shape, MUTED)
    _put_numbers(sheet, view, left, label + 2 + air + left.width, y + 1, left_pitch)
    for at in range(left.rows if label else 0):
        sheet.put(0, y + 1 + at, str(at).rjust(label), MUTED)
    y = _put_block(sheet, view, result, x, y, end, pitch, "=")
    if not view.large:
        _put_below(sheet, view, product, y + 1)
    return sheet


def _put_block(
    sheet: Sheet, view: View, block: Block, x: int, y: int, end: int, pitch: int, sign: str
) -> int:
    """Draw a matrix under its title; return the line after it."""
    sheet.title(view, block.row, x, y, sign)
    _put_numbers(sheet, view, block, end, y + 1, pitch)
    return y + 1 + block.rows


def _put_numbers(sheet: Sheet, view: View, block: Block, end: int, y: int, pitch: int) -> None:
    upright = len(block.row.shape) == 1 and block.numbers.shape[1] == 1 != block.row.shape[0]
    for row, numbers in enumerate(block.numbers.tolist()):
        for column, value in enumerate(numbers):
            index = _index(block.row, row, column, upright=upright)
            sheet.cell(view, block.row, index, value, end + column * pitch, y + row)


def _index(row: Row, at: int, column: int, *, upright: bool) -> Shape:
    if len(row.shape) == 2:
        return at, column
    return ((at,) if upright else (column,)) if row.shape else ()


def _put_below(sheet: Sheet, view: View, product: Product, y: int) -> None:
    """Write the terms of the cell in question, or what there is to remark, if there is room."""
    cell = _cell_of(view, product)
    terms = list(_terms(product, cell))
    name = cell_name(product.result.tensor or "", cell)
    if len(terms) > 1:
        put_terms(sheet, y, f"{name} = the sum of {len(terms)}", terms)
        return
    put_remarks(sheet, view, y)


def put_remarks(sheet: Sheet, view: View, y: int) -> None:
    """Write the remarks on a calculation, wrapped, if all of them fit."""
    lines = [line for text in view.remarks for line in textwrap.wrap(text, max(1, sheet.width - 1))]
    if y + len(lines) <= sheet.height:
        for at, line in enumerate(lines):
            sheet.put(1, y + at, line)


def _cell_of(view: View, product: Product) -> Shape:
    """Return the cell of the result that is drawn: the one in question, or one it has a part in."""
    places = dict(zip(view.row.axes, view.spot.index, strict=True))
    return tuple(
        min(places.get(axis, 0), size - 1)
        for axis, size in zip(product.result.axes, product.result.shape, strict=True)
    )


def _terms(product: Product, cell: Shape) -> Iterator[Term]:
    """Yield the products that make a cell, and what is added to them."""
    left, right = factors(product, cell)
    for at, (a, b) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        names = (
            _stored(product.left, product, cell, at),
            _stored(product.right, product, cell, at),
        )
        yield Term("·".join(names), a * b)
    for row in product.added:
        index = _aligned(row, product, cell)
        value = row.values[tuple(slice(at, at + 1) for at in index)].item()
        name = cell_name(row.tensor, row.stored(index)) if row.tensor else row.text
        yield Term(name, -value if row.sign == "−" else value)


def factors(product: Product, cell: Shape) -> tuple[Array, Array]:
    """Return the row and the column that a cell is the product of."""
    left, right = product.left, product.right
    outer = dict(zip(product.result.axes, cell, strict=True))
    along = [
        slice(outer[axis], outer[axis] + 1) if axis in outer else slice(None) for axis in left.axes
    ]
    down = [
        slice(outer[axis], outer[axis] + 1) if axis in outer else slice(None) for axis in right.axes
    ]
    return left.values[tuple(along)].ravel(), right.values[tuple(down)].ravel()


def _place(row: Row, product: Product, cell: Shape, at: int) -> Shape:
    """Return the index, as drawn, of a factor of the term number `at` of a cell."""
    outer = dict(zip(product.result.axes, cell, strict=True))
    return tuple(outer.get(axis, at) for axis in row.axes)


def _stored(row: Row, product: Product, cell: Shape, at: int) -> str:
    index = _place(row, product, cell, at)
    return cell_name(row.tensor or row.text, row.stored(index))


def _aligned(row: Row, product: Product, cell: Shape) -> Shape:
    """Return the index of what is added to a cell."""
    outer = dict(zip(product.result.axes, cell, strict=True))
    return tuple(
        0 if size == 1 else outer[axis] for axis, size in zip(row.axes, row.shape, strict=True)
    )


# As terms

# Where the index, the two factors and their product end, and where the bar of a share begins.
INDEX, FIRST, SECOND, PRODUCT, BAR = 3, 14, 23, 34, 35
NARROW = 9, 19


class Table(Struct, frozen=True, eq=False):
    """The terms of one cell of a result: one or two factors each, and what is added to them.

    `cell` is that of the result and `inner` the axis that the sum runs along. `added` are rows and
    their cells.
    """

    result: Row
    cell: Shape
    factors: tuple[Row, ...]
    inner: int
    added: tuple[tuple[Row, Shape], ...] = ()

    def place(self, row: Row, at: int) -> Shape:
        """Return the index, as drawn, of a factor of the term number `at`."""
        outer = dict(zip(self.result.axes, self.cell, strict=True))
        return tuple(outer.get(axis, at) for axis in row.axes)

    def along(self, row: Row) -> Array:
        """Return the numbers of a factor in all terms."""
        outer = dict(zip(self.result.axes, self.cell, strict=True))
        return row.values[
            tuple(slice(outer[a], outer[a] + 1) if a in outer else slice(None) for a in row.axes)
        ].ravel()

    @property
    def letter(self) -> str:
        """The letter of the index that runs: n where it runs over the rows of a batch."""
        first = self.factors[0]
        return "n" if first.turned or len(self.factors) == 1 else "j"


def _as_terms(view: View, product: Product, width: int, height: int) -> Sheet:
    """Draw the terms of a cell, the largest first, and the result as a window around it."""
    cell = _cell_of(view, product)
    added = tuple((row, _aligned(row, product, cell)) for row in product.added)
    factors_ = (product.left, product.right)
    table = Table(product.result, cell, factors_, product.left.axes[-1], added)
    return _table_sheet(view, table, width, height)


def draw_sum(view: View, operand: Row, column: int, width: int, height: int) -> Sheet:
    """Draw the terms of the sum of a column, and the sums of the columns around it."""
    result = view.calculation.result
    return _table_sheet(view, Table(result, (column,), (operand,), operand.axes[0]), width, height)


def _table_sheet(view: View, table: Table, width: int, height: int) -> Sheet:
    sheet = Sheet(width, height)
    if 1 < height < LEAST_TERMS:  # the cell in question stays to the last
        put_window(sheet, view, table.result, table.cell, 0)
        return sheet
    window = 3 if height >= 14 else 1
    blank = 1 if height >= 10 else 0
    y = _put_term_table(sheet, view, table, height - window - 1 - blank)
    put_window(sheet, view, table.result, table.cell, y + blank)
    return sheet


def _put_term_table(sheet: Sheet, view: View, table: Table, end: int) -> int:
    """Write the terms on the lines before `end`; return the line after the last."""
    numbers = [table.along(row) for row in table.factors]
    with np.errstate(all="ignore"):
        products = (numbers[0] * numbers[1] if len(numbers) > 1 else numbers[0]).tolist()
    added = table.added
    biases = [(-1 if row.sign == "−" else 1) * one(row, index) for row, index in added]
    shares = shares_of(np.array([*products, *biases]))
    kept = [at for at in shares.order.tolist() if at >= len(products) or products[at] != 0]
    zeros = len(products) - sum(at < len(products) for at in kept)
    asked = _asked_term(view, table)
    if asked is not None and asked not in kept:
        kept.append(asked)
    room = max(1, end - 1 - (zeros > 0))
    if len(kept) > room:
        room = max(1, room - 1)
    first = 0 if asked is None else max(0, kept.index(asked) - room + 1)
    visible = kept[first : first + room]
    _put_header(sheet, table)
    y = 0
    for at in visible:
        y += 1
        if at < len(products):
            factors_ = [each[at].item() for each in numbers]
            _put_factors(sheet, view, table, at, [*factors_, products[at]], y)
        else:
            row, index = added[at - len(products)]
            name = cell_name(row.tensor, row.stored(index)) if row.tensor else row.text
            sheet.put(INDEX + 1, y, name)
            edge = PRODUCT if sheet.width >= 40 else NARROW[1]
            sheet.cell(view, row, index, one(row, index), edge, y)
        _put_share(sheet, shares, at, y)
    _go_on(sheet, view, table, kept, first, room)
    if rest := [at for at in kept if at not in visible]:
        y += 1
        sheet.put(INDEX + 1, y, f"{len(rest)} more", MUTED)
        text = view.write(float(shares.values[rest].sum()))
        sheet.put((PRODUCT if sheet.width >= 40 else NARROW[1]) - len(text), y, text)
    if zeros:
        y += 1
        reason = _reason(view, table, numbers)
        text = f"{zeros} of {len(products)} are 0{reason}"
        sheet.put(0 if sheet.width < 40 else 1, y, text, MUTED)
    return y + 1


def _asked_term(view: View, table: Table) -> int | None:
    """Return the number of the term that the cell in question is a factor of."""
    if any(view.row is row for row in table.factors):
        return view.spot.index[view.row.axes.index(table.inner)]
    count = table.factors[0].shape[table.factors[0].axes.index(table.inner)]
    for order, (row, _) in enumerate(table.added):
        if row is view.row:
            return count + order
    return None


def _edges(sheet: Sheet) -> tuple[int, int]:
    return (FIRST, SECOND) if sheet.width >= 40 else NARROW


def _put_header(sheet: Sheet, table: Table) -> None:
    first, second = _edges(sheet)
    names = [_lettered(row, table) for row in table.factors]
    wide = sheet.width >= 40
    sheet.put(INDEX - 1 if wide else 0, 0, table.letter, MUTED)
    sheet.put(max(INDEX, first - 1 - len(names[0])), 0, names[0], MUTED)
    if len(names) > 1:
        sheet.put(first, 0, "×", MUTED)
        sheet.put(max(first + 2, second - len(names[1])), 0, names[1], MUTED)
        if wide:
            sheet.put(PRODUCT + 1 - len("product"), 0, "product", MUTED)
    if sheet.width >= 43:
        sheet.put(sheet.width - 6, 0, "share", MUTED)


def _lettered(row: Row, table: Table) -> str:
    """Write the cells of a factor with a letter for the index that runs."""
    outer = dict(zip(table.result.axes, table.cell, strict=True))
    index = [str(outer.get(axis, table.letter)) for axis in row.axes]
    return f"{row.tensor or row.text}[{','.join(index[::-1] if row.turned else index)}]"


def _put_factors(
    sheet: Sheet, view: View, table: Table, at: int, numbers: list[Number], y: int
) -> None:
    wide = sheet.width >= 40
    sheet.put(0, y, str(at).rjust(INDEX) if wide else str(at), MUTED)
    for row, number, end in zip(table.factors, numbers, _edges(sheet), strict=False):
        sheet.cell(view, row, table.place(row, at), number, end, y)
    if wide and len(table.factors) > 1:
        text = view.write(numbers[-1])
        sheet.put(PRODUCT - len(text), y, text)


def _put_share(sheet: Sheet, shares: Shares, at: int, y: int) -> None:
    if sheet.width < 43:
        return
    share = shares.share(at)
    if not shares.nearly_cancel:
        sheet.put(BAR, y, bar(share, min(12, sheet.width - BAR - 4)), MUTED)
    sheet.put(sheet.width - len(percent(share)), y, percent(share))


def _reason(view: View, table: Table, numbers: list[Array]) -> str:
    """Say why terms are 0, if it is one factor in all of them."""
    if len(numbers) == 1:
        why = view.zeros.get(f"d{table.factors[0].tensor}", "")
        return f": {why}" if why else ""
    nothing = numbers[0] * numbers[1] == 0
    for row, along in reversed(list(zip(table.factors, numbers, strict=True))):
        if (along[nothing] == 0).all():
            why = view.zeros.get(row.tensor or "", "")
            name = _lettered(row, table).replace(",", ", ")
            return f": {name} is 0{f', {why}' if why else ''}"
    return ""


def _go_on(sheet: Sheet, view: View, table: Table, kept: list[int], first: int, room: int) -> None:
    """Note where the arrows lead above the first term that is visible and below the last."""
    count = table.factors[0].shape[table.factors[0].axes.index(table.inner)]
    for row in table.factors:
        number = view.number_of(row)
        for at, step in ((first - 1, -1), (first + room, 1)):
            if 0 <= at < len(kept) and kept[at] < count:
                sheet.beyond[number, step] = Spot(number, table.place(row, kept[at]))


def put_window(sheet: Sheet, view: View, row: Row, cell: Shape, y: int) -> None:
    """Draw as much of a matrix as there is room for around a cell, under its title."""
    matrix = (1, 1, *row.shape)[-2:]
    leading = cell[:-2]
    at, column = (0, 0, *cell)[-2:]
    lines = around(at, matrix[0], sheet.height - y - 1)
    label = len(str(lines.stop - 1)) if len(row.shape) > 1 else 0

    def numbers(columns: range) -> Array:
        window = (
            *(slice(i, i + 1) for i in leading),
            slice(lines.start, lines.stop),
            slice(columns.start, columns.stop),
        )[-len(row.shape) :]
        return row.values[window if row.shape else ()].reshape(len(lines), -1)

    shown_columns = around(column, matrix[1], max(1, (sheet.width - label - 1) // 8))
    found = numbers(shown_columns)
    width = widest(iter(found.ravel().tolist()), view.write)
    fitting = max(1, (sheet.width - label - 2 + 1) // (width + 2))
    columns = around(column, matrix[1], fitting)
    found = numbers(columns)
    width = widest(iter(found.ravel().tolist()), view.write)
    sheet.title(view, row, -2, y, "")
    if len(columns) < matrix[1]:
        text = f"columns {columns.start}–{columns.stop - 1}"
        sheet.put(sheet.width - len(text), y, text, MUTED)
    end = label + 2 + width
    for place, values in zip(lines, found.tolist(), strict=True):
        y += 1
        if label:
            sheet.put(0, y, str(place).rjust(label), MUTED)
        for order, (j, value) in enumerate(zip(columns, values, strict=True)):
            index = (*leading, place, j) if len(row.shape) > 1 else (j,) if row.shape else ()
            sheet.cell(view, row, index, value, end + order * (width + 2), y)
