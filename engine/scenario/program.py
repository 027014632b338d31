"""The `[program]` table: a few lines of arithmetic and what they are given."""

import re
from collections.abc import Mapping
from typing import Any

from nnstep.engine.arrays import Array
from nnstep.engine.grammar import Assignment, GrammarError, parse_program
from nnstep.engine.text import quoted

from . import schema
from .model import Expression
from .numbers import finite, read_array, typed
from .places import Keys
from .report import Report

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def build_program(table: schema.Program, report: Report) -> Expression | None:
    """Return the expression that a `[program]` table describes; None if there are mistakes.

    What the names in it may be, and whether the loss is among them, the compiler knows.
    """
    parameters = _values(table.parameters, table.dtype, ("program", "parameters"), report)
    inputs = _values(table.inputs, table.dtype, ("program", "inputs"), report)
    for name in table.inputs:
        if name in table.parameters:
            message = f"{quoted(name)} is a parameter already"
            report.error(("program", "inputs", name), message, part="key")
    statements = _statements(table, report)
    if parameters is None or inputs is None or statements is None:
        return None
    return Expression(table.code, statements, table.loss, parameters, inputs)


def _statements(table: schema.Program, report: Report) -> tuple[Assignment, ...] | None:
    """Parse the code, and see that it has a line."""
    try:
        statements = parse_program(table.code)
    except GrammarError as error:
        report.error(("program", "code"), error.message, offset=error.start)
        return None
    if not statements:
        report.error(("program", "code"), "the code has no line; a line is 'name = value'")
        return None
    return statements


def _values(
    table: Mapping[str, Any], dtype: str, keys: Keys, report: Report
) -> dict[str, Array] | None:
    """Return named numbers and nested lists as arrays; None if one is mistaken."""
    arrays: dict[str, Array] = {}
    for name, value in table.items():
        place = (*keys, name)
        if not _IDENTIFIER.fullmatch(name):
            message = f"{quoted(name)} cannot be a name in a program"
            report.error(place, message, part="key")
            continue
        array = read_array(value, place, report)
        if array is None or not finite(array, place, report):
            continue
        array = typed(array, dtype, place, report)
        if array is not None:
            arrays[name] = array
    return arrays if len(arrays) == len(table) else None
