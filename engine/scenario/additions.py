"""What a lecturer adds to a scenario: breakpoints, watches, notes and expected numbers."""

import re
from collections.abc import Iterable, Sequence

from nnstep.engine.language.typed import mistakes, mistakes_in_braces
from nnstep.engine.text import printable, quoted

from . import schema
from .errors import Keys
from .model import Expectation, Note
from .report import Report

_PRINTED_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|nan)", re.ASCII
)


def build_breakpoints(
    tables: Sequence[schema.Breakpoint], report: Report
) -> tuple[schema.Breakpoint, ...]:
    """Return the breakpoints as they are; report what cannot be parsed.

    What the program has is checked once there is one (`stops/points.py`).
    """
    for index, table in enumerate(tables):
        if table.when is not None:
            found = mistakes(table.when, what="a condition")
            _report(found, ("breakpoint", index, "when"), report)
        if table.log is not None:
            _report(mistakes_in_braces(table.log), ("breakpoint", index, "log"), report)
    return tuple(tables)


def build_watches(tables: Sequence[schema.Watch], report: Report) -> tuple[str, ...]:
    """Return the expressions to watch; report what cannot be parsed."""
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
    """Return the expectations; report a value that is no number."""
    for index, table in enumerate(tables):
        if not _PRINTED_NUMBER.fullmatch(table.value):
            message = f'{quoted(table.value)} is no number, such as "0.3775"'
            report.error(("expect", index, "value"), message)
    return tuple(
        Expectation(table.at, table.value, table.iteration, tuple(table.cell)) for table in tables
    )


def _report(found: Iterable[tuple[int, str]], keys: Keys, report: Report) -> None:
    for start, message in found:
        report.error(keys, message, offset=start)
