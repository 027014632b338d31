"""Arrays in index space: they have a shape, and say of each of their cells how it is computed.

NumPy's functions and operators take them in place of arrays. So the very code of a line, run on
them, tells the expression of one cell, and costs no more than that expression is long.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from nnstep.engine.arrays import Array, Shape

from .nodes import Apply, Cell, Choose, Letter, Node, Number, Reduce, value_of

if TYPE_CHECKING:
    import numpy.typing as npt

Place = tuple["int | Node", ...]
"""The index of a cell; a letter may stand for a number."""

_NOW: ContextVar[Mapping[str, Array]] = ContextVar("tensors of the line")
_LOOKS = [0]


@contextmanager
def numbers_of(tensors: Mapping[str, Array]) -> Iterator[None]:
    """Have tensors be those whose numbers can be looked at, where a function has to."""
    token = _NOW.set(tensors)
    try:
        yield
    finally:
        _NOW.reset(token)


def numbers_now() -> Mapping[str, Array]:
    """Return the tensors; what is found with their numbers does not hold for others."""
    _LOOKS[0] += 1
    return _NOW.get({})


def looks() -> int:
    """Return how often numbers have been looked at so far."""
    return _LOOKS[0]


class Indexed(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of a shape, whose `cell` gives the expression at an index."""

    def __init__(self, shape: Shape, cell: Callable[[Place], Node], dtype: Any) -> None:
        self.shape = shape
        self.cell = cell
        self.dtype = np.dtype(dtype)

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many cells there are."""
        return prod(self.shape)

    @property
    def T(self) -> "Indexed":
        """The transposed array: its indices are swapped."""
        return Indexed(self.shape[::-1], lambda at: self.cell(at[::-1]), self.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        return bool(value_of(self.cell((0,) * self.ndim), numbers_now()))

    def __getitem__(self, index: Any) -> "Indexed":
        items = index if isinstance(index, tuple) else (index,)
        kept = [
            range(*item.indices(size)) if isinstance(item, slice) else item % size
            for item, size in zip(items, self.shape, strict=False)
        ]
        kept += [range(size) for size in self.shape[len(kept) :]]
        shape = tuple(len(item) for item in kept if isinstance(item, range))

        def cell(at: Place) -> Node:
            free = iter(at)
            return self.cell(
                tuple(
                    plus(times(next(free), item.step), item.start)
                    if isinstance(item, range)
                    else item
                    for item in kept
                )
            )

        return Indexed(shape, cell, self.dtype)

    def astype(self, dtype: "npt.DTypeLike", copy: bool = True) -> "Indexed":
        """Return the array in another dtype."""
        kind = np.dtype(dtype)
        if kind == self.dtype:
            return self
        return Indexed(self.shape, lambda at: Apply(kind.name, (self.cell(at),)), kind)

    def reshape(self, *shape: Any) -> "Indexed":
        """Return the array in another shape."""
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        if -1 in sizes:
            known = -prod(sizes)
            sizes = tuple(self.size // known if size == -1 else size for size in sizes)
        return Indexed(
            tuple(sizes), lambda at: self.cell(_reshaped(at, sizes, self.shape)), self.dtype
        )

    def squeeze(self, axis: "int | tuple[int, ...] | None" = None) -> "Indexed":
        """Return the array without axes of one cell."""
        gone = {each for each in _axes(self, axis) if self.shape[each] == 1}
        shape = tuple(size for each, size in enumerate(self.shape) if each not in gone)
        return self.reshape(shape)

    def sum(self, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> "Indexed":
        """Return the sum along axes."""
        return _reduction("sum", self, axis, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> "Indexed":
        """Return the maximum along axes."""
        return _reduction("max", self, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> "Indexed":
        """Return the minimum along axes."""
        return _reduction("min", self, axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> "Indexed":
        """Return the mean along axes."""
        count = prod(self.shape[each] for each in _axes(self, axis))
        return self.sum(axis, keepdims) / count

    def var(self, axis: Any = None, keepdims: bool = False) -> "Indexed":
        """Return the mean squared distance from the mean along axes."""
        return ((self - self.mean(axis, keepdims=True)) ** 2).mean(axis, keepdims)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> "Indexed":
        if method != "__call__" or options:
            return NotImplemented
        if ufunc is np.matmul:
            return _product(*map(indexed, inputs))
        sign = _SIGNS.get(ufunc.__name__)
        if sign is None:
            raise TypeError(f"an explanation knows nothing of {ufunc.__name__}")
        if sign == "copy":
            return indexed(inputs[0])
        if sign == "+" and type(inputs[0]) in (int, float) and not inputs[0]:
            return indexed(inputs[1])  # what Python's `sum` begins with adds nothing
        return elementwise(lambda *cells: Apply(sign, cells), *inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function not in _ARRAY_FUNCTIONS:
            raise TypeError(f"an explanation knows nothing of {function.__name__}")
        return _ARRAY_FUNCTIONS[function](*args, **options)


def indexed(value: Any) -> Indexed:
    """Return an array, or a number, in index space; its cells are constants."""
    if isinstance(value, Indexed):
        return value
    if isinstance(value, bool | int | float | np.generic):
        kind = np.asarray(value).dtype
        return Indexed((), lambda at: Number(value), kind)
    array = np.asarray(value)
    return Indexed(array.shape, lambda at: _constant(array, at), array.dtype)


def _constant(array: Array, at: Place) -> Node:
    places = tuple(each for each in at if isinstance(each, int))
    return Number(array[places]) if len(places) == len(at) else Cell("", array.shape, at, array)


def tensor(name: str, array: Array) -> Indexed:
    """Return a named tensor in index space."""
    shape = array.shape
    return Indexed(shape, lambda at: Cell(name, shape, at), array.dtype)


def elementwise(function: Callable[..., Node], *inputs: Any) -> Indexed:
    """Return the array whose cells a function makes of those of arrays that broadcast together."""
    arrays = [indexed(each) for each in inputs]
    shape = np.broadcast_shapes(*(each.shape for each in arrays))
    dtype = max((each.dtype for each in arrays), key=lambda kind: (kind.kind == "f", kind.itemsize))
    return Indexed(
        shape,
        lambda at: function(*(each.cell(pinned(at, shape, each.shape)) for each in arrays)),
        dtype,
    )


def pinned(at: Place, shape: Shape, own: Shape) -> Place:
    """Return the index, in an array of its `own` shape, of what broadcasting to a shape repeats."""
    added = len(shape) - len(own)
    return tuple(
        each if size == here else 0
        for each, size, here in zip(at[added:], shape[added:], own, strict=True)
    )


def times(index: "int | Node", factor: int) -> "int | Node":
    """Return a multiple of an index."""
    if isinstance(index, int):
        return index * factor
    return index if factor == 1 else Apply("*", (index, Number(factor)))


def plus(index: "int | Node", offset: int) -> "int | Node":
    """Return an index moved on."""
    if isinstance(index, int):
        return index + offset
    return index if offset == 0 else Apply("+", (index, Number(offset)))


def as_node(index: "int | Node") -> Node:
    """Return an index as an expression."""
    return Number(index) if isinstance(index, int) else index


def _axes(array: Indexed, axis: "int | Sequence[int] | None") -> tuple[int, ...]:
    if axis is None or not array.ndim:
        return tuple(range(array.ndim))
    several = (axis,) if isinstance(axis, int) else tuple(axis)
    return tuple(sorted(each % array.ndim for each in several))


def _reduction(sign: str, array: Indexed, axis: Any, keepdims: bool) -> Indexed:
    gone = _axes(array, axis)
    kept = tuple(1 if each in gone else size for each, size in enumerate(array.shape))
    shape = kept if keepdims else tuple(s for each, s in enumerate(kept) if each not in gone)

    def cell(at: Place) -> Node:
        letters = tuple(Letter(array.shape[each]) for each in gone)
        free, over = iter(at), iter(letters)
        whole: list[int | Node] = []
        for each in range(array.ndim):
            if each in gone:
                if keepdims:
                    next(free)
                whole.append(next(over))
            else:
                whole.append(next(free))
        body = array.cell(tuple(whole))
        return Reduce(sign, letters, body) if letters else body

    return Indexed(shape, cell, array.dtype)


def _product(a: Indexed, b: Indexed) -> Indexed:
    """Return the matrix product: a sum over the inner index."""
    size = a.shape[-1]

    def cell(at: Place) -> Node:
        letter = Letter(size)
        left = a.cell((*at[: a.ndim - 1], letter))
        right = b.cell((letter, *at[a.ndim - 1 :]))
        return Reduce("sum", (letter,), Apply("*", (left, right)))

    return Indexed(a.shape[:-1] + b.shape[1:], cell, a.dtype)


def _reshaped(at: Place, shape: Shape, into: Shape) -> Place:
    """Return where in an array of shape `into` the number at an index of `shape` lies."""
    if shape == into:
        return at
    long = [(each, size) for each, size in zip(at, shape, strict=True) if size != 1]
    if [size for _, size in long] == [size for size in into if size != 1]:
        places = iter(each for each, _ in long)
        return tuple(0 if size == 1 else next(places) for size in into)
    if all(isinstance(each, int) for each in at):
        flat = int(np.ravel_multi_index(at, shape)) if shape else 0  # type: ignore[arg-type]
        return tuple(map(int, np.unravel_index(flat, into))) if into else ()
    return _computed_place(at, shape, into)


def _computed_place(at: Place, shape: Shape, into: Shape) -> Place:
    flat: Node = Number(0)
    for each, size in zip(at, shape, strict=True):
        flat = Apply("+", (Apply("*", (flat, Number(size))), as_node(each)))
    places: list[Node] = []
    for size in reversed(into):
        places.append(Apply("%", (flat, Number(size))))
        flat = Apply("//", (flat, Number(size)))
    return tuple(reversed(places))


def where(test: Any, yes: Any, no: Any) -> Indexed:
    """Return `np.where` in index space."""
    return elementwise(Choose, test, yes, no)


def _clip(x: Any, low: Any, high: Any) -> Indexed:
    return elementwise(
        lambda x, low, high: Apply("min", (Apply("max", (x, low)), high)), x, low, high
    )


def _concatenate(parts: Sequence[Any], axis: int = 0) -> Indexed:
    arrays = [indexed(part) for part in parts]
    axis %= arrays[0].ndim
    sizes = [each.shape[axis] for each in arrays]
    shape = tuple(sum(sizes) if each == axis else size for each, size in enumerate(arrays[0].shape))

    def cell(at: Place) -> Node:
        here, start = at[axis], sum(sizes)
        found: Node | None = None
        for array, size in zip(reversed(arrays), reversed(sizes), strict=True):
            end, start = start, start - size
            part = array.cell((*at[:axis], plus(here, -start), *at[axis + 1 :]))
            test = Apply("<", (as_node(here), Number(end)))
            found = part if found is None else Choose(test, part, found)
        assert found is not None, "there is at least one part"
        return found

    return Indexed(shape, cell, arrays[0].dtype)


def _filled(value: float) -> Callable[..., Indexed]:
    return lambda like: Indexed(like.shape, lambda at: Number(value), like.dtype)


def _outer(a: Any, b: Any) -> Indexed:
    a, b = indexed(a), indexed(b)
    return a.reshape((a.size, 1)) * b.reshape((1, b.size))


_SIGNS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "power": "**",
    "negative": "neg",
    "positive": "copy",
    "absolute": "abs",
    "maximum": "max",
    "minimum": "min",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
    "bitwise_and": "&",
    "bitwise_or": "|",
    **{
        name: name
        for name in (
            "exp", "log", "log1p", "expm1", "sqrt", "tanh", "sin", "cos", "sign", "floor",
            "isfinite",
        )
    },
}  # fmt: skip

_ARRAY_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: where,
    np.clip: _clip,
    np.sum: lambda x, **options: indexed(x).sum(**options),
    np.mean: lambda x, **options: indexed(x).mean(**options),
    np.concatenate: _concatenate,
    np.outer: _outer,
    np.ones_like: _filled(1),
    np.zeros_like: _filled(0),
    np.reshape: lambda x, shape: indexed(x).reshape(shape),
    np.expand_dims: lambda x, axis: _expanded(x, axis),
    np.broadcast_to: lambda x, shape: Indexed(
        shape, lambda at: x.cell(pinned(at, shape, x.shape)), x.dtype
    ),
}
"""What NumPy's functions of whole arrays are in index space."""


def _expanded(x: Indexed, axis: "int | Sequence[int]") -> Indexed:
    several = (axis,) if isinstance(axis, int) else tuple(axis)
    added = {each % (x.ndim + len(several)) for each in several}
    sizes = iter(x.shape)
    return x.reshape(tuple(1 if i in added else next(sizes) for i in range(x.ndim + len(added))))
