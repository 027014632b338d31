"""A line that has run, as one would calculate it on paper: which rows, in which order, under what.

Nothing here knows of a screen. A calculation is a list of rows, each an operand, a part of the
formula or the result, with the sign that stands before it, and of rules between them. The numbers
of a part are computed where one looks at them. How a formula becomes rows: `layout.py`.
"""

import ast

from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.override.comparison import Comparison
from nnstep.engine.program.program import Instruction

from .parts import Parts, Window

PLUS, MINUS, TIMES, OVER, EQUALS, SUM = "+", "−", "×", "÷", "=", "Σ"
YES, NO = "yes", "no"

Axes = tuple[int, ...]
"""A number for each axis of an array: axes of the same number run side by side on paper."""


class Row(Struct, frozen=True, eq=False):
    """What stands on one row: an operand, a part of the formula, or the result.

    `tensor` is the stored tensor that it is, `turned` if drawn with its axes reversed; a part of
    the formula has none and cannot be edited. `before` is the value that the line replaced. Of a
    `branch`, it is the value where the test says yes, or no. `test` marks the row that decides.
    """

    sign: str
    text: str
    shape: Shape
    axes: Axes
    values: "Values"
    tensor: str | None = None
    turned: bool = False
    written: bool = False
    before: bool = False
    branch: str = ""
    test: bool = False
    classes: str | None = None

    def stored(self, index: Shape) -> Shape:
        """Return the index in the stored tensor of a cell as it is drawn."""
        return index[::-1] if self.turned else index


class Values(Struct, frozen=True, eq=False):
    """The numbers of a row, computed for the window that is looked at."""

    parts: Parts
    node: ast.expr

    def __getitem__(self, window: Window) -> Array:
        return self.parts.values(self.node, window)


class Rule(Struct, frozen=True):
    """A line under which a result stands; `short` inside a calculation."""

    short: bool = False


class Product(Struct, frozen=True, eq=False):
    """A product of matrices, drawn crosswise: the result where its factors meet.

    `added` is what is added to it, such as a bias.
    """

    left: Row
    right: Row
    added: tuple[Row, ...]
    result: Row


class Calculation(Struct, frozen=True, eq=False):
    """A line that has run, laid out. `rows` end with the result, or the results of a batch line.

    A line that is a product of matrices, with terms added or not, has a `product` as well.
    `formula` is the line's, its function opened, where the signs of the rows do not say it all.
    `taken` are the numbers of the rows of the data that a batch line took. Of a line that a person
    wrote, `comparison` has what the rule would have given.
    """

    line: Instruction
    rows: tuple[Row | Rule, ...]
    formula: str = ""
    product: Product | None = None
    taken: tuple[int, ...] = ()
    comparison: Comparison | None = None

    @property
    def operands(self) -> tuple[Row, ...]:
        """The rows that are stored tensors and were read."""
        return tuple(
            row for row in self.rows if isinstance(row, Row) and row.tensor and not row.written
        )

    @property
    def result(self) -> Row:
        """The row of the tensor that the line wrote, the first of a batch line."""
        return next(row for row in self.rows if isinstance(row, Row) and row.written)
