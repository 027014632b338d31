"""Writing a session down: JSON, with a line for each branch, edit and breakpoint."""

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from nnstep.engine.stops.points import Breakpoint, Watchpoint

from . import schema
from .checksum import checksum
from .errors import SessionFileError
from .old_reference import Reference
from .state import SavedSession, inherited_edits


def encode(saved: SavedSession, reference: Reference) -> bytes:
    """Return the contents of a session file; raise `SessionFileError` for what is no text."""
    points = saved.points
    file = schema.File(
        format=1,
        nnstep=_version(),
        scenario=schema.Scenario(**msgspec.structs.asdict(reference)),
        current=saved.current,
        branches=tuple(_branches(saved)),
        left=saved.left,
        iterations=saved.iterations,
        edits=tuple(_edits(saved)),
        breakpoints=tuple(_breakpoint(point) for point in points if isinstance(point, Breakpoint)),
        watchpoints=tuple(_watchpoint(point) for point in points if isinstance(point, Watchpoint)),
        watches=saved.watches,
    )
    table = msgspec.to_builtins(file)
    first = {"format": file.format, "nnstep": file.nnstep, "check": checksum(table)}
    try:
        return _laid_out({**first, **table}).encode()
    except UnicodeEncodeError as error:
        word = error.object[error.start : error.end]
        raise SessionFileError(f"the session has a character that is no text: {word!a}") from None


@cache
def _version() -> str:
    """Return the version of nnstep; to look for it takes longer than to write a session."""
    from importlib.metadata import version

    return version("nnstep")


def _branches(saved: SavedSession) -> Iterator[schema.Branch]:
    named = saved.named
    for branch in saved.branches:
        yield schema.Branch(
            name=branch.name,
            seed=int(branch.seed),
            newest=branch.newest,
            place=branch.place,
            parent=branch.parent,
            fork=branch.fork,
            inherited=inherited_edits(branch, named),
        )


def _edits(saved: SavedSession) -> Iterator[schema.Edit]:
    named = saved.named
    for branch in saved.branches:
        for edit in branch.edits[inherited_edits(branch, named) :]:
            yield schema.Edit(
                branch=branch.name,
                place=edit.place,
                tensor=edit.name,
                index=edit.index,
                value=_number(edit.value),
            )


def _breakpoint(point: Breakpoint) -> schema.Breakpoint:
    return schema.Breakpoint(**msgspec.structs.asdict(point))


def _watchpoint(point: Watchpoint) -> schema.Watchpoint:
    fields = msgspec.structs.asdict(point)
    return schema.Watchpoint(**{**fields, "value": _number(point.value)})


def _number(value: float) -> schema.Number:
    """Return a number as JSON can hold it, the sign of a NaN included."""
    if math.isfinite(value):
        return value if type(value) is int else float(value)
    if math.isnan(value):
        return "-nan" if math.copysign(1.0, value) < 0 else "nan"
    return "inf" if value > 0 else "-inf"


def _laid_out(table: dict[str, Any]) -> str:
    """Return a table as text, each key on a line of its own, and each entry of a list."""
    lines = []
    for key, value in table.items():
        text = _on_a_line(value)
        if isinstance(value, list | tuple) and value:
            entries = ",\n".join(f"    {_on_a_line(entry)}" for entry in value)
            text = f"[\n{entries}\n  ]"
        lines.append(f'  "{key}": {text}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _on_a_line(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
