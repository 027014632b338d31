"""An explanation: everything that there is to say about how one cell got its value."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from nnstep.engine.arrays import Shape

if TYPE_CHECKING:
    from nnstep.engine.override.comparison import Comparison

    from .expansion import Part

Origin = Literal["step", "data", "first", "edit"]


class Source(Struct, frozen=True):
    """A cell that another was computed from.

    `step` is the one that wrote it, None for a first value and for what was typed in; `code` is
    that step's line. `origin` says which of these it is.
    """

    cell: str
    value: float
    step: int | None
    name: str
    index: Shape
    code: str
    origin: Origin


class Factor(Struct, frozen=True):
    """A factor of a term; it is a cell, or `cell` is None."""

    cell: str | None
    value: float


class Term(Struct, frozen=True):
    """A term of a sum; `share` is that of its absolute value in the sum of all of these."""

    value: float
    share: float
    factors: tuple[Factor, ...]


class Explanation(Struct, frozen=True, kw_only=True, dict=True):
    """How a cell got the value that it has.

    `step` wrote it, and `code` is its line; `origin` tells a value that a step computed from one of
    the data (whose step is the batch line's), a first value and an edit, which have no step.

    `rule` is the tensor's rule as mathematics, `general` that of any cell, and `symbolic` that of
    this one. `calculation` is what the code does, as a tree of its parts, and `textbook` what the
    definition does where a named function is opened; `exact` says whether that gives the value as
    well. `folds` says that plain numbers are computed in another precision than tensors.
    `printed` is the calculation as a pocket calculator confirms it; `printings` has it from the
    most to the least that there is room for.

    Of a sum, `terms` are the largest first, at most 1,000 of them; `zero_terms` of all are 0, and
    `rest` is the sum of those left out. `cancels` says that the value is under 5 % of the sum of
    absolute values.

    `shapes` is how the shapes of the operands lead to the result's, `special` what is particular in
    the calculation (zeros, a branch, a clamp), and `sentence` what the value means. `was` says
    what an edited cell was before.

    Of what the pass under way has not written yet, `old` is the iteration that the value is of.

    Of a line that a person wrote, `comparison` has what the rule would have given. `rests_on` names
    the tensors that such lines wrote and this value was computed from.
    """

    cell: str
    name: str
    index: Shape
    value: float
    step: int | None
    code: str
    origin: Origin
    rule: str = ""
    general: str = ""
    symbolic: str = ""
    exact: bool = True
    printed: str = ""
    printings: Sequence[str] = ()
    terms: tuple[Term, ...] = ()
    term_count: int = 0
    zero_terms: int = 0
    rest: float = 0.0
    cancels: bool = False
    sources: tuple[Source, ...] = ()
    calculation: "Part | None" = None
    textbook: "Part | None" = None
    folds: bool = False
    shapes: str = ""
    special: str = ""
    sentence: str = ""
    was: str = ""
    old: int | None = None
    comparison: "Comparison | None" = None
    rests_on: tuple[str, ...] = ()

    @property
    def foremost(self) -> tuple[Source, ...]:
        """The sources, of a sum those of its largest terms first."""
        known = {source.cell: source for source in self.sources}
        factors = (each.cell for term in self.terms for each in term.factors)
        cells = dict.fromkeys((*(cell for cell in factors if cell in known), *known))
        return tuple(known[cell] for cell in cells)

    @cached_property
    def arithmetic(self) -> str:
        """What the code does, in numbers; "" where no step computed the cell, or of too many."""
        from .writing import arithmetic

        return arithmetic(self.calculation, self.folds) if self.calculation else ""

    @cached_property
    def definition(self) -> str:
        """What the textbook's definition does, in numbers; "" where no named function is opened."""
        from .writing import arithmetic

        return arithmetic(self.textbook, self.folds) if self.textbook else ""

    @cached_property
    def reductions(self) -> tuple[str, ...]:
        """The arithmetic, then each time one sub-expression replaced by its value, last the value.

        A sum or a product of a list is one. They are made when somebody reads them.
        """
        from .reductions import reductions

        return reductions(self.calculation) if self.calculation else ()


class Reader(Struct, frozen=True):
    """A cell that was computed from another, or will be.

    `step` is the one that computes it; `value` is None where it has not run.
    """

    cell: str
    step: int
    value: float | None
    name: str
    index: Shape
    code: str
