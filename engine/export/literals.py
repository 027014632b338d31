"""Arrays as source text: every digit that the dtype needs, a row a line, or a file beside it."""

import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np
from msgspec import Struct, field

from nnstep.engine.arrays import Array

from .errors import ExportError

_WIDTH = 96
_INLINE = 1_000
"""Of an array with more numbers, the script loads a file where there can be one beside it."""
_MOST_INLINE = 200_000


class Arrays(Struct):
    """Writes arrays into a script; large ones go into the NPZ file `beside` it, if it has a name.

    `library` is what makes the arrays: `np.array`, or `torch.tensor`, which takes NumPy's from the
    file. `stored` has the arrays of that file by name.
    """

    library: str
    beside: str | None
    stored: dict[str, Array] = field(default_factory=dict)
    inlined: int = 0

    def text(self, name: str, array: Array, indent: int = 0) -> str:
        """Return an expression for an array; its further lines are indented."""
        if array.size > _INLINE and self.beside is not None:
            self.stored[name] = array
            loaded = f'stored["{name}"]'
            return loaded if self.library == "np" else f"torch.from_numpy({loaded})"
        self.inlined += array.size
        if self.inlined > _MOST_INLINE:
            message = f"{name} has {array.size:,} numbers, too many to stand in a script: "
            raise ExportError(message + "with --output they go into a file beside it")
        make = "np.array" if self.library == "np" else "torch.tensor"
        typed = self._type(array)
        text = f"{make}({numbers(array, self.library, indent + len(make) + 1)}{typed})"
        columns_first = array.ndim > 1 and array.flags.fnc
        return f"np.asfortranarray({text})" if columns_first and self.library == "np" else text

    def _type(self, array: Array) -> str:
        """Return the argument that says which type the numbers have, where that is not plain."""
        if array.dtype in (np.float64, np.int64):
            return ""
        return f", dtype={self.library}.{array.dtype}"


def numbers(array: Array, library: str, indent: int = 0) -> str:
    """Return an array as a list of lists; rows that do not fit on a line stand below each other."""
    texts = _texts(array, library)
    flat = _flat(texts)
    if len(flat) + indent <= _WIDTH:
        return flat
    return "\n".join(["[", *_rows(texts, "    "), "]"])


def _rows(texts: Any, indent: str) -> Iterator[str]:
    """Yield the lines of what stands between the brackets of a list."""
    if isinstance(texts[0], str):
        text = ", ".join(texts) + ","
        yield from textwrap.wrap(
            text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False
        )
        return
    for row in texts:
        flat = _flat(row)
        if len(indent) + len(flat) < _WIDTH:
            yield f"{indent}{flat},"
        else:
            yield from (f"{indent}[", *_rows(row, indent + "    "), f"{indent}],")


def _flat(texts: Any) -> str:
    return texts if isinstance(texts, str) else f"[{', '.join(map(_flat, texts))}]"


def _texts(array: Array, library: str) -> Any:
    """Return the numbers as texts, in nested lists: the fewest digits that give them back."""
    if array.dtype.kind != "f":
        return _each(array.tolist(), repr)
    short = array.astype(str).astype(np.float64)
    exact = np.array_equal(short.astype(array.dtype), array, equal_nan=True)
    values = short if exact else array.astype(np.float64)
    return _each(values.tolist(), lambda value: _number(value, library))


def _each(values: Any, write: Any) -> Any:
    return [_each(v, write) for v in values] if isinstance(values, list) else write(values)


def _number(value: float, library: str) -> str:
    """Return a number as source text; what Python has no sign for is the library's."""
    if np.isfinite(value):
        return repr(value)
    sign = "-" if value == -np.inf else ""
    return f"{sign}{library}.{'nan' if np.isnan(value) else 'inf'}"
