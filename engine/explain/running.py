"""The code of a line, run in index space: its own functions, over `Indexed` arrays.

A few functions of listings put numbers into an array that they have made, which has no meaning in
index space; they have a rule here instead, which says what stands at an index.
"""

import ast
import functools
import math
import sys
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.operations.formula import NAMESPACE, Formula

from .nodes import CASTS, Apply, Choose, Letter, Node, Number, Reduce, value_of
from .walk import Indexed, Place, as_node, indexed, numbers_now, numbers_of, plus, tensor, where


def run_in_index_space(
    formula: Formula, names: Mapping[str, str], tensors: Mapping[str, Array]
) -> Indexed:
    """Return what a formula computes; `names` has the tensor for each of its parameters."""
    arrays = [tensor(names[each], tensors[names[each]]) for each in formula.parameters]
    with numbers_of(tensors):
        return call(formula, *arrays)


def call(formula: Formula, *arrays: Indexed) -> Indexed:
    """Return what a formula computes from arrays in index space."""
    return indexed(_compiled(formula.parameters, ast.unparse(formula.tree))(*arrays))


@functools.lru_cache(maxsize=1024)
def _compiled(parameters: tuple[str, ...], text: str) -> Callable[..., Any]:
    """Compile a formula of ours over the names that its functions have in index space."""
    body = _Chosen().visit(ast.parse(text, mode="eval").body)
    source = f"lambda {', '.join(parameters)}: {ast.unparse(body)}"
    function: Callable[..., Any] = eval(compile(source, f"<{text}>", "eval"), _names())
    return function


class _Chosen(ast.NodeTransformer):
    """Makes calls of what Python or NumPy would compute at once, or not at all.

    Both branches and the test of `a if test else b` stay known.
    """

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Have Python not work out what is written with numbers alone, such as 1 - 0.9."""
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            left = ast.Call(ast.Name("indexed", ast.Load()), [left], [])
        return ast.BinOp(left, node.op, right)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Have a type of NumPy not take an array in index space for a list of numbers."""
        named = ast.unparse(node.func)
        if not (named.startswith("np.") and named.removeprefix("np.") in CASTS):
            self.generic_visit(node)
            return node
        (given,) = map(self.visit, node.args)
        array = ast.Call(ast.Name("indexed", ast.Load()), [given], [])
        return ast.Call(ast.Attribute(array, "astype", ast.Load()), [node.func], [])

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        parts = [self.visit(each) for each in (node.test, node.body, node.orelse)]
        return ast.Call(ast.Name("chosen", ast.Load()), parts, [])


def _names() -> dict[str, Any]:
    """Return the names of listings, with the functions as they are in index space."""
    listed = [named for named in NAMESPACE.items() if isinstance(named[1], FunctionType)]
    functions = _in_index_space(tuple(listed))
    return {**NAMESPACE, **functions, **RULES, "chosen": _chosen, "indexed": indexed, "int": _whole}


@functools.lru_cache(maxsize=1)
def _in_index_space(listed: tuple[tuple[str, FunctionType], ...]) -> dict[str, FunctionType]:
    """Return functions as they are in index space: found once, until another one is listed."""
    return {name: _in(_mirrored(value.__module__), value) for name, value in listed}


_MIRRORS: dict[str, dict[str, Any]] = {}


def _mirrored(module: str) -> dict[str, Any]:
    """Return the names of a module whose functions call the rules of index space."""
    own = vars(sys.modules[module])
    if module not in _MIRRORS:
        _MIRRORS[module] = dict(own)
    mirror = _MIRRORS[module]
    for name, value in own.items():
        if name in RULES:
            mirror[name] = RULES[name]
        elif isinstance(value, FunctionType) and value.__module__ == module:
            if mirror.get(name) in (None, value):
                mirror[name] = _in(mirror, value)
        elif isinstance(value, FunctionType) and NAMESPACE.get(name) is value:
            mirror[name] = _mirrored(value.__module__)[name]
        else:
            mirror[name] = value
    return mirror


def _in(names: dict[str, Any], function: FunctionType) -> FunctionType:
    """Return a function that finds other functions under the names that it calls."""
    copy = FunctionType(
        function.__code__,
        names,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _chosen(test: Any, yes: Any, no: Any) -> Indexed:
    if not isinstance(test, Indexed):
        return indexed(yes if test else no)
    yes, no = indexed(yes), indexed(no)
    decides = test.cell((0,) * test.ndim)
    return Indexed(yes.shape, lambda at: Choose(decides, yes.cell(at), no.cell(at)), yes.dtype)


def _whole(number: Any) -> Any:
    """Return a number as Python's `int` does, which takes the type of what it is combined with."""
    if not isinstance(number, Indexed):
        return int(number)
    return Indexed(number.shape, lambda at: Apply("int", (number.cell(at),)), np.int64)


def _one_hot(y: Any, like: Any) -> Indexed:
    y = indexed(y)
    given = _given(y, -1, like.shape[1], math.nan)

    def cell(at: Place) -> Node:
        wanted = Apply("==", (y.astype(int).cell(at[:1]), as_node(at[1])))
        return given(y.cell(at[:1]), Choose(wanted, Number(1), Number(0)))

    return Indexed(like.shape, cell, like.dtype)


def _extreme_share(x: Any, out: Any, axis: Any = None, keepdims: bool = False) -> Indexed:
    spread = _mirrored(NAMESPACE["spread"].__module__)["spread"]
    hits = where(x == spread(out, x.shape, axis, keepdims), 1, 0)
    hits.dtype = x.dtype
    return hits / hits.sum(axis=axis, keepdims=True)


def _sign(x: Any) -> Indexed:
    x = indexed(x)
    return Indexed(x.shape, lambda at: Apply("sign", (x.cell(at),)), x.dtype)


def _erf(z: Any) -> Indexed:
    z = indexed(z)
    return Indexed(z.shape, lambda at: Apply("erf", (z.cell(at),)), z.dtype)


def _scatter(g: Any, index: Any, like: Any) -> Indexed:
    g = indexed(g)
    items = index if isinstance(index, tuple) else (index,)

    def cell(at: Place) -> Node:
        tests: list[Node] = []
        inside: list[int | Node] = []
        for item, here, size in zip(items, at, like.shape, strict=False):
            if isinstance(item, slice):
                _within(range(*item.indices(size)), here, tests, inside)
            else:
                tests.append(Apply("==", (as_node(here), Number(item % size))))
        inside += at[len(items) :]
        found: Node = g.cell(tuple(inside))
        for test in reversed(tests):
            found = Choose(test, found, Number(0))
        return found

    return Indexed(like.shape, cell, like.dtype)


def _within(
    places: range, here: "int | Node", tests: list[Node], inside: list["int | Node"]
) -> None:
    """Note what an index has to fulfil to be one of some places, and which of them it is then."""
    low, high, step = min(places), max(places), abs(places.step)
    if low:
        tests.append(Apply(">=", (as_node(here), Number(low))))
    tests.append(Apply("<=", (as_node(here), Number(high))))
    moved = plus(here, -places.start)
    if step > 1:
        tests.append(Apply("==", (Apply("%", (as_node(moved), Number(step))), Number(0))))
    inside.append(moved if places.step == 1 else Apply("//", (as_node(moved), Number(places.step))))


def _stretch(g: Any, start: int, stop: int, axis: int) -> Indexed:
    g = indexed(g)
    axis %= g.ndim
    return g[(*(slice(None),) * axis, slice(start, stop))]


def _take(x: Any, places: Any, axis: int = 0) -> Indexed:
    x, places = indexed(x), indexed(places)
    count, size = places.ndim, x.shape[axis]
    given = _given(places, -size - 1, size, math.nan)

    def cell(at: Place) -> Node:
        here = at[axis : axis + count]
        place = places.astype(int).cell(here)
        return given(places.cell(here), x.cell((*at[:axis], place, *at[axis + count :])))

    shape: Shape = (*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])
    return Indexed(shape, cell, x.dtype)


def _put_back(g: Any, places: Any, like: Any, axis: int = 0) -> Indexed:
    g, places = indexed(g), indexed(places)
    size = like.shape[axis]
    given = _given(places, -size - 1, size, 0)

    def cell(at: Place) -> Node:
        letters = tuple(Letter(each) for each in places.shape)
        place = Apply("%", (places.astype(int).cell(letters), Number(size)))
        part = g.cell((*at[:axis], *letters, *at[axis + 1 :]))
        here = Choose(Apply("==", (place, as_node(at[axis]))), part, Number(0))
        from_here = given(places.cell(letters), here)
        return Reduce("sum", letters, from_here) if letters else from_here

    return Indexed(like.shape, cell, like.dtype)


def _given(
    places: Indexed, above: int, below: int, otherwise: float
) -> Callable[[Node, Node], Node]:
    """Return what makes a cell one that is `otherwise` where its place is not between two numbers.

    Where all places are there, as usual, nothing is asked.
    """
    letters = tuple(Letter(size) for size in places.shape)
    numbers = dict(zip(letters, np.ogrid[tuple(slice(size) for size in places.shape)], strict=True))
    every = value_of(places.cell(letters), {**numbers_now(), **numbers}, places.ndim)
    if np.all((every > above) & (every < below)):
        return lambda place, cell: cell

    def guarded(place: Node, cell: Node) -> Node:
        is_above = Apply(">", (place, Number(above)))
        is_below = Apply("<", (place, Number(below)))
        return Choose(Apply("&", (is_above, is_below)), cell, Number(otherwise))

    return guarded


RULES: Mapping[str, Callable[..., Any]] = {
    "one_hot": _one_hot,
    "extreme_share": _extreme_share,
    "scatter": _scatter,
    "sign": _sign,
    "_erf": _erf,
    "stretch": _stretch,
    "take": _take,
    "put_back": _put_back,
}
"""What stands at an index of the result of a function, by its name in listings."""
