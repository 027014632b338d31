"""How a formula becomes the rows of a calculation on paper, in one walk.

Functions that have a name are opened one level, into what their row gives as definition. A part
that takes a column of rows is worked out under a short rule before it is used; a sum or a mean
stands below what it is over; a choice shows its test and both branches.
"""

import ast
from collections.abc import Iterator, Mapping
from itertools import count

from msgspec.structs import replace

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.operations.formula import variable
from nnstep.engine.operations.half import without_casts
from nnstep.engine.program.program import Instruction, Phase

from .calculation import (
    EQUALS,
    MINUS,
    NO,
    OVER,
    PLUS,
    SUM,
    TIMES,
    YES,
    Axes,
    Calculation,
    Product,
    Row,
    Rule,
    Values,
)
from .definitions import opened_call
from .forms import (
    chain_of,
    choice_in,
    classes_of,
    is_inverse,
    is_light,
    is_plain,
    is_product,
    is_stored,
    numbers_last,
    share_tensors,
    tensor_of,
    terms_of,
    tested,
)
from .paper import written
from .parts import (
    Parts,
    arguments_of,
    called,
    inputs_of,
    is_count,
    is_elementwise,
    is_fixed,
    is_number,
    places,
    reduced,
    tensors_in,
)

# From so many signs on, a part of the formula may be called by what it is.
_LONG = 16


def calculation_of(
    line: Instruction,
    before: Mapping[str, Array],
    after: Mapping[str, Array],
    taken: tuple[int, ...] = (),
) -> Calculation:
    """Lay out a line that has run.

    `before` has the tensors as the line read them, `after` those that it wrote, and `taken` the
    numbers of the rows of the data that a batch line took.
    """
    if line.formula is None:
        rows = [_result(name, after[name], EQUALS, ()) for name in line.writes]
        return Calculation(line, tuple(rows), taken=taken)
    (target,) = line.writes
    return _Layout(line, before).calculation(target, after[target])


def _result(name: str, array: Array, sign: str, axes: Axes) -> Row:
    values = Values(Parts({name: array}), ast.Name(name, ast.Load()))
    return Row(sign, name, array.shape, axes, values, tensor=name, written=True)


class _Layout:
    """The walk of one line's formula."""

    def __init__(self, line: Instruction, before: Mapping[str, Array]) -> None:
        assert line.formula is not None
        self.line = line
        self.parts = Parts(before)
        self.fresh = count()
        self.rows: list[Row | Rule] = []
        named = {p: variable(name) for p, name in line.names.items()}
        self.tree = _opened(without_casts(line.formula.on(**named).tree), before)

    def calculation(self, target: str, array: Array) -> Calculation:
        axes = self._new_axes(array.ndim)
        product = self._product(axes)
        sign = self._emit_inside(self.tree, axes) if product is None else EQUALS
        result = _result(target, array, sign, axes)
        if product is not None:
            left, right, added = product
            whole = Product(left, right, added, result)
            return Calculation(self.line, (left, right, *added, result), product=whole)
        if self.rows and not isinstance(self.rows[-1], Rule) and not self._is_copy():
            self.rows.append(Rule())
        says_all = len(chain_of(self.tree)) > 1 and not is_number(chain_of(self.tree)[0][1])
        formula = "" if says_all or self._is_copy() or reduced(self.tree) else written(self.tree)
        return Calculation(self.line, (*self.rows, result), formula)

    def _is_copy(self) -> bool:
        return isinstance(self.tree, ast.Name) or is_count(self.tree)

    def _new_axes(self, number: int) -> Axes:
        return tuple(next(self.fresh) for _ in range(number))

    # Products

    def _product(self, axes: Axes) -> tuple[Row, Row, tuple[Row, ...]] | None:
        """Lay out a sum of which one term is a product of two matrices as they are stored."""
        terms = list(terms_of(self.tree, ast.Add, ast.Sub))
        products = [term for _, term in terms if is_product(term)]
        if len(products) != 1 or any(sign == MINUS for sign, term in terms if is_product(term)):
            return None
        (node,) = products
        assert isinstance(node, ast.BinOp)
        if not (is_stored(node.left) and is_stored(node.right)):
            return None
        (inner,) = self._new_axes(1)
        outer = iter(axes)
        left = (*([next(outer)] if len(self.parts.shape(node.left)) == 2 else []), inner)
        right = (inner, *([next(outer)] if len(self.parts.shape(node.right)) == 2 else []))
        factors = self._row("", node.left, left), self._row("", node.right, right)
        for sign, term in terms:
            if term is not node:
                self._emit(term, axes[len(axes) - len(self.parts.shape(term)) :], sign or PLUS)
        added = tuple(row for row in self.rows if isinstance(row, Row))
        return *factors, added

    # Rows

    def _row(self, sign: str, node: ast.expr, axes: Axes, **more: object) -> Row:
        """Make the row of a stored tensor, or of a part."""
        stored = tensor_of(node)
        return Row(
            sign,
            "the sum" if sign == SUM else written(node),
            self.parts.shape(node),
            axes,
            Values(self.parts, node),
            tensor=stored,
            turned=isinstance(node, ast.Attribute),
            before=stored in self.line.writes,
            classes=classes_of(node),
            **more,  # type: ignore[arg-type]
        )

    def _add(self, sign: str, node: ast.expr, axes: Axes, **more: object) -> None:
        self.rows.append(self._row(sign, node, axes, **more))

    def _is_shown(self, node: ast.expr) -> bool:
        """Tell whether all tensors of a part stand on a row already."""
        rows = [row for row in self.rows if isinstance(row, Row)]
        shown = {row.tensor for row in rows} | {row.classes for row in rows}
        return shown.issuperset(tensors_in(node))

    def _has_row(self, node: ast.expr) -> bool:
        """Tell whether a part stands on a row of its own already."""
        text = written(node)
        return any(isinstance(row, Row) and row.text == text for row in self.rows)

    def _axes_of(self, node: ast.expr, axes: Axes) -> Axes:
        """Return the axes of an input that is broadcast to a part with these axes."""
        number = len(self.parts.shape(node))
        return axes[len(axes) - number :]

    def _emit_inside(self, node: ast.expr, axes: Axes) -> str:
        """Add the rows that a part is computed from; return the sign before what comes of them."""
        if is_plain(node):
            self._add("", node, axes)
            return EQUALS
        if chosen := choice_in(node):
            self._emit_choice(*chosen, axes)
            return EQUALS
        if is_elementwise(node):
            return self._emit_elementwise(node, axes)
        if isinstance(node, ast.BinOp):
            self._emit_product(node, axes)
            return EQUALS
        if found := reduced(node):
            return self._emit_reduction(node, found, axes)
        for operand in self._operands(node):
            if not self._is_shown(operand):
                self._emit(operand, self._new_axes(len(self.parts.shape(operand))), "")
        return EQUALS

    def _operands(self, node: ast.expr) -> Iterator[ast.expr]:
        """Yield the arrays that a function or an index is applied to, constants left out."""
        for child in arguments_of(node):
            parts = child.elts if isinstance(child, ast.Tuple) else [child]
            for part in parts:
                if not isinstance(part, ast.expr) or is_fixed(part):
                    continue
                if isinstance(part, ast.Attribute) and not is_stored(part):
                    yield from self._operands(part)
                else:
                    yield part

    def _emit_elementwise(self, node: ast.expr, axes: Axes) -> str:
        terms = chain_of(node)
        least = 1 if node is self.tree and not is_inverse(terms) else 2
        if len(terms) > 1 and len([term for _, term in terms if not is_number(term)]) >= least:
            return self._emit_chain(terms, axes)
        inputs = [each for each in inputs_of(node) if not is_number(each)]
        if len(inputs) == 1:
            self._emit_core(node, axes)
            return EQUALS
        for term in inputs:
            if not is_fixed(term) and not self._is_shown(term):
                self._emit(term, self._axes_of(term, axes), "")
        return EQUALS

    def _emit_core(self, node: ast.expr, axes: Axes) -> None:
        """Add the rows below a part of one operand: the operand, then one for each function."""
        levels: list[ast.expr] = []
        core = node
        while is_elementwise(core) and not choice_in(core):
            moving = [each for each in inputs_of(core) if not is_number(each)]
            terms = [term for _, term in chain_of(core) if not is_number(term)]
            if len(moving) != 1 or len(terms) != 1:
                break
            levels.append(core)
            (core,) = moving
        core_axes = self._axes_of(core, axes)
        if levels and isinstance(levels[-1], ast.UnaryOp) and is_elementwise(core):
            self._emit_inside(core, core_axes)
            if self._is_open(0):
                self.rows.append(Rule(short=True))
        elif not self._has_row(core):
            self._emit(core, core_axes, "")
        for outer, level in zip(reversed(levels[:-1]), reversed(levels[1:]), strict=True):
            if not is_light(outer) and not isinstance(level, ast.UnaryOp):
                self._add("", level, self._axes_of(level, axes))

    def _emit_chain(self, chain: list[tuple[str, ast.expr]], axes: Axes) -> str:
        """Add a column of terms with their signs; return the sign before what comes of them."""
        if chain[0][0] == "" and chain[1][0] in (TIMES, OVER):
            chain = numbers_last(chain, self.parts)
        if len(chain) == 2:
            (_, first), (sign, second) = chain
            if is_plain(first) and not is_plain(second) and self._needs_rows(second):
                self._emit(second, self._axes_of(second, axes), "")
                self._call_the_step(first, sign)
                if sign in (PLUS, TIMES):
                    self._emit(first, self._axes_of(first, axes), sign)
                    return EQUALS
                self._emit(first, self._axes_of(first, axes), "")
                return sign
        if share_tensors(term for _, term in chain if self._needs_rows(term)):
            for name in dict.fromkeys(name for _, term in chain for name in tensors_in(term)):
                leaf = ast.Name(name, ast.Load())
                if not self._is_shown(leaf):
                    self._add("", leaf, self._axes_of(leaf, axes))
            return EQUALS
        for sign, term in chain:
            self._emit(term, self._axes_of(term, axes), sign)
        return EQUALS

    def _call_the_step(self, first: ast.expr, sign: str) -> None:
        """Give what is taken off a parameter a name, if its formula is too long for one."""
        row = self.rows[-1]
        assert isinstance(row, Row)
        is_step = sign == MINUS and self.line.phase is Phase.UPDATE
        if is_step and tensor_of(first) in self.line.writes and len(row.text) > _LONG:
            self.rows[-1] = replace(row, text="the step")

    def _needs_rows(self, node: ast.expr) -> bool:
        """Tell whether a part takes a column of rows of its own."""
        terms = [term for _, term in chain_of(node) if not is_number(term)]
        several = len(terms) > 1 or not is_elementwise(node)
        return several and not self._is_shown(node)

    def _emit(self, node: ast.expr, axes: Axes, sign: str) -> None:
        """Add the rows of a part, last that of the part itself, with a sign before it."""
        if is_plain(node):
            self._add(sign, node, axes)
            return
        if self._is_shown(node) and is_elementwise(node):
            self._add(sign, node, axes)
            return
        first = len(self.rows)
        inner = self._emit_inside(node, axes)
        if inner == SUM or self._is_open(first):
            self.rows.append(Rule(short=True))
            self._add(sign or inner, node, axes)
        else:
            self._add(sign, node, axes)

    def _is_open(self, first: int) -> bool:
        """Tell whether the rows from `first` on end with a column that has no result yet."""
        for row in reversed(self.rows[first:]):
            if isinstance(row, Rule) or row.sign:
                return isinstance(row, Row) and row.sign not in (EQUALS, SUM)
        return False

    def _emit_choice(self, test: ast.expr, first: ast.expr, second: ast.expr, axes: Axes) -> None:
        """Add the test of a `where`, and both branches."""
        for term in tested(test):
            if not is_fixed(term) and not self._is_shown(term):
                self._emit(term, self._axes_of(term, axes), "")
        self._add("", test, self._axes_of(test, axes), test=True)
        for branch, term in ((YES, first), (NO, second)):
            own = self._axes_of(term, axes)
            if not (is_plain(term) or self._is_shown(term)):
                self._emit_inside(term, own)
            self._add("", term, own, branch=branch)

    def _emit_product(self, node: ast.BinOp, axes: Axes) -> None:
        """Add the factors of a product of matrices inside a larger calculation."""
        (inner,) = self._new_axes(1)
        outer = list(axes)
        left = (*([outer.pop(0)] if len(self.parts.shape(node.left)) == 2 else []), inner)
        right = (inner, *([outer.pop(0)] if len(self.parts.shape(node.right)) == 2 else []))
        self._emit(node.left, left, "")
        self._emit(node.right, right, "@")

    def _emit_reduction(
        self,
        node: ast.expr,
        found: tuple[ast.expr, tuple[int, ...] | None, bool],
        axes: Axes,
    ) -> str:
        """Add what a sum, mean, … is over, and for a mean the sum and the count."""
        operand, gone, kept = found
        number = len(self.parts.shape(operand))
        lost, outer = places(gone, number), list(axes)
        inner: list[int] = []
        for at in range(number):
            if at in lost:
                inner += self._new_axes(1)
                if kept:
                    outer.pop(0)
            else:
                inner.append(outer.pop(0))
        if not self._has_row(operand):
            self._emit(operand, tuple(inner), "")
        if called(node) != "mean":
            return SUM if called(node) == "sum" else EQUALS
        total = ast.Call(ast.Attribute(operand, "sum", ast.Load()), [], _keywords(node))
        self.rows.append(Rule(short=True))
        self._add(SUM, total, axes)
        self._add(OVER, _counted(self.parts.shape(operand), lost), ())
        return EQUALS


def _keywords(node: ast.expr) -> list[ast.keyword]:
    assert isinstance(node, ast.Call)
    return node.keywords


def _counted(shape: Shape, lost: frozenset[int]) -> ast.expr:
    size = 1
    for at in lost:
        size *= shape[at]
    return ast.Constant(size)


def _opened(node: ast.expr, before: Mapping[str, Array]) -> ast.expr:
    """Open what is called at the top of a formula, or as a term of its outermost sum."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _opened(node.left, before), _opened(node.right, before)
        return node if (left, right) == (node.left, node.right) else ast.BinOp(left, node.op, right)
    return opened_call(node, before) or node
