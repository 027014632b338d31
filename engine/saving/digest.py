"""A digest of a scenario: equal for those, and only for those, that compute the same numbers."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from msgspec import NODEFAULT

from nnstep.engine.scenario.model import Expression, Scenario

# Titles, notes and the like change no number; neither does the length of the run.
_DECISIVE = ("dtype", "seed", "network", "optimizer", "data")
_DECISIVE_IN_CODE = ("code", "loss", "parameters", "inputs")


def scenario_digest(scenario: Scenario) -> str:
    """Return the SHA-256 of all in a scenario that its numbers depend on, in hexadecimal.

    That is what was read, data files included, not how it was written.
    """
    digest = hashlib.sha256()
    parts = {name: getattr(scenario, name) for name in _DECISIVE}
    for piece in _pieces({**parts, "expression": _decisive(scenario.expression)}):
        digest.update(piece)
    return digest.hexdigest()


def _decisive(expression: Expression | None) -> Mapping[str, Any] | None:
    """Return the parts of an expression scenario that its syntax tree is made from."""
    if expression is None:
        return None
    return {name: getattr(expression, name) for name in _DECISIVE_IN_CODE}


def _pieces(value: Any) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a value, each kind of value in a way of its own, so that none collide.

    A field that has its default is left out: one that is new in a later version changes nothing.
    """
    if isinstance(value, np.ndarray):
        little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        yield f"array {little.dtype.str} {value.shape} ".encode()
        yield little.reshape(-1).view(np.uint8).data
    elif isinstance(value, msgspec.Struct):
        yield from _pieces({f.name: getattr(value, f.name) for f in _filled_in(value)})
    elif isinstance(value, Mapping):
        yield f"map {len(value)} ".encode()
        for key in sorted(value):
            yield from _pieces(key)
            yield from _pieces(value[key])
    elif isinstance(value, tuple | frozenset):
        yield f"list {len(value)} ".encode()
        for element in sorted(value) if isinstance(value, frozenset) else value:
            yield from _pieces(element)
    else:
        text = repr(value)
        yield f"{type(value).__name__} {len(text)} {text} ".encode()


def _filled_in(struct: msgspec.Struct) -> Iterator[msgspec.structs.FieldInfo]:
    """Yield the fields of a structure that do not have their default value."""
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        default = field.default
        if field.default_factory is not NODEFAULT:
            default = field.default_factory()
        if type(value) is not type(default) or isinstance(value, np.ndarray) or value != default:
            yield field
