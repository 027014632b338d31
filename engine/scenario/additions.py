"""What a lecturer adds to a scenario: breakpoints, watches, notes and expected numbers."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nnstep.engine.arrays import Shape
from nnstep.engine.text import printable, quoted

from . import schema
from .convert import described
from .errors import Keys
from .model import Expectation, Note
from .report import Report

_PRINTED_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?|inf|nan)", re.ASCII
)
_LONGEST_NUMBER = 400


def build_breakpoints(
    tables: Sequence[schema.Breakpoint], report: Report
) -> tuple[schema.Breakpoint, ...]:
    """Return the breakpoints as they are; report what cannot be parsed.

    What the program has is checked once there is one (`stops/points.py`).
    """
    if tables:
        from nnstep.engine.language.parsed import mistakes, mistakes_in_braces
    for index, table in enumerate(tables):
        if table.when is not None:
            found = mistakes(table.when, what="a condition")
            _report(found, ("breakpoint", index, "when"), report)
        if table.log is not None:
            _report(mistakes_in_braces(table.log), ("breakpoint", index, "log"), report)
    return tuple(tables)


def build_watches(tables: Sequence[schema.Watch], report: Report) -> tuple[str, ...]:
    """Return the expressions to watch; report what cannot be parsed."""
    if tables:
        from nnstep.engine.language.parsed import mistakes
    for index, table in enumerate(tables):
        _report(mistakes(table.show), ("watch", index, "show"), report)
    return tuple(table.show for table in tables)


def build_notes(tables: Sequence[schema.Note]) -> tuple[Note, ...]:
    """Return the notes."""
    return tuple(
        Note(
            table.at,
            printable(table.text, keep_newlines=True),
            table.iteration,
        )
        for table in tables
    )


def build_expectations(
    tables: Sequence[schema.Expectation], report: Report
) -> tuple[Expectation, ...]:
    """Return the expectations; report what is no number, and lists of unequal lengths."""
    return tuple(
        _expectation(table, ("expect", index), report) for index, table in enumerate(tables)
    )


def _expectation(table: schema.Expectation, keys: Keys, report: Report) -> Expectation:
    shape: Shape | None = None
    printed: list[tuple[Shape, str]] = []
    if (table.value is None) == (table.values is None):
        report.error(keys, "say what is printed, by one of 'value' and 'values'")
    elif table.values is None:
        cell = tuple(table.cell or ())
        printed = list(_printed(table.value, cell, (*keys, "value"), report))
    else:
        if table.cell is not None:
            message = "'values' are those of all cells; a single one has a 'value'"
            report.error((*keys, "cell"), message, part="key")
        shape = _shape(table.values)
        printed = list(_all_printed(table.values, shape, (), (*keys, "values"), report))
    if table.phase and table.iteration == "start":
        message = "before the first iteration there is no phase; leave it out"
        report.error((*keys, "phase"), message, part="key")
    return Expectation(
        at=table.at,
        printed=tuple(printed),
        iteration=None if table.iteration == "start" else table.iteration,
        phase=table.phase,
        tol=0.5 if table.tol is None else table.tol,
        wrong=None if table.wrong is None else printable(table.wrong),
        shape=shape,
    )


def _shape(values: Any) -> Shape:
    """Return how long lists in lists are, as far as the first elements tell."""
    shape = []
    while isinstance(values, list):
        shape.append(len(values))
        values = values[0] if values else None
    return tuple(shape)


def _all_printed(
    values: Any, shape: Shape, cell: Shape, keys: Keys, report: Report
) -> Iterator[tuple[Shape, str]]:
    """Yield the cells of lists in lists, each with its number as it is printed."""
    if not shape:
        yield from _printed(values, cell, keys, report)
    elif not isinstance(values, list) or len(values) != shape[0]:
        found = described(values)
        report.error(keys, f"here a list of {shape[0]} is expected, as before, not {found}")
    else:
        for index, value in enumerate(values):
            yield from _all_printed(value, shape[1:], (*cell, index), (*keys, index), report)


def _printed(value: Any, cell: Shape, keys: Keys, report: Report) -> Iterator[tuple[Shape, str]]:
    """Yield one cell with its number; report what is none."""
    if not isinstance(value, str):
        message = f'a number is written as it is printed, "0.3775", not {described(value)}'
        report.error(keys, message)
    elif not is_printed_number(value):
        report.error(keys, f'{quoted(value)} is no number, such as "0.3775"')
    else:
        yield cell, value


def is_printed_number(text: str) -> bool:
    """Tell whether a text is a number as it may be printed, with at most 400 characters."""
    return len(text) <= _LONGEST_NUMBER and bool(_PRINTED_NUMBER.fullmatch(text))


def _report(found: Iterable[tuple[int, str]], keys: Keys, report: Report) -> None:
    for start, message in found:
        report.error(keys, message, offset=start)
