"""What a lecturer adds to a scenario: breakpoints, watches, notes and expected numbers."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import UnsetType

from nnstep.engine.text import printable, quoted

from . import schema
from .errors import Keys
from .model import Breakpoint, Expectation, Note, Watch
from .report import Report

if TYPE_CHECKING:
    from nnstep.engine.language.nodes import Node

_PRINTED_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|nan)", re.ASCII
)


def build_breakpoints(
    tables: Sequence[schema.Breakpoint], report: Report
) -> tuple[Breakpoint, ...]:
    """Return the breakpoints whose conditions could be parsed."""
    breakpoints = []
    for index, table in enumerate(tables):
        when = None if isinstance(table.when, UnsetType) else table.when
        if when is not None:
            _parsed(when, ("breakpoint", index, "when"), report)
        log = None if isinstance(table.log, UnsetType) else printable(table.log)
        breakpoints.append(Breakpoint(table.at, when, table.hits, log))
    return tuple(breakpoints)


def build_watches(tables: Sequence[schema.Watch], report: Report) -> tuple[Watch, ...]:
    """Return the watches whose expressions could be parsed."""
    watches = []
    for index, table in enumerate(tables):
        if show := _parsed(table.show, ("watch", index, "show"), report):
            watches.append(Watch(printable(table.show), show))
    return tuple(watches)


def build_notes(tables: Sequence[schema.Note]) -> tuple[Note, ...]:
    """Return the notes."""
    return tuple(
        Note(
            table.at,
            printable(table.text, keep_newlines=True),
            None if isinstance(table.iteration, UnsetType) else table.iteration,
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


def _parsed(text: str, keys: Keys, report: Report) -> "Node | None":
    from nnstep.engine.language.nodes import GrammarError
    from nnstep.engine.language.parser import parse_condition

    try:
        return parse_condition(text)
    except GrammarError as error:
        report.error(keys, error.message, offset=error.start)
        return None
