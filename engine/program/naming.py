"""Which names an expression may use: each is assigned once, and `d` + name is its gradient."""

import keyword
from collections.abc import Iterable, Set
from itertools import count

from nnstep.engine.grammar.nodes import Assignment
from nnstep.engine.operations.formula import NAMESPACE
from nnstep.engine.scenario.model import Expression

from .errors import CompileError

_LISTING_NAMES = {*NAMESPACE, "next", "batches"}


def check_names(expression: Expression, batch: Set[str], reserved: Set[str]) -> None:
    """Refuse names that mean something else, or two things; raise `CompileError`.

    `batch` has the names that the data brings, and `reserved` the optimizer's.
    """
    given = [*expression.parameters, *expression.inputs]
    names = {*given, *batch, *(statement.name for statement in expression.statements)}
    for name in given:
        problem = _problem(name, names, reserved)
        if problem is None and name in batch:
            problem = f"'{name}' is the batch of the data; choose another name"
        if problem:
            raise CompileError(problem, name=name)
    assigned = {*given, *batch}
    for statement in expression.statements:
        problem = _problem(statement.name, names, reserved)
        if problem is None and statement.name in assigned:
            problem = _assigned_twice(statement, expression, batch)
        if problem:
            raise CompileError(problem, statement.start, statement.end)
        assigned.add(statement.name)


def _problem(name: str, names: Set[str], reserved: Set[str]) -> str | None:
    for word in (name, f"d{name}"):
        if keyword.iskeyword(word):
            its = "" if word == name else f", the name of its gradient, '{word}',"
            return f"'{name}'{its} is a word of Python's; choose another name"
    if name in _LISTING_NAMES:
        return f"'{name}' is a function of the listing; choose another name"
    if name in reserved:
        return f"'{name}' belongs to the optimizer; choose another name"
    if name.startswith("d") and name[1:] in names:
        return f"'{name}' is the gradient of '{name[1:]}'; choose another name"
    return None


def _assigned_twice(statement: Assignment, expression: Expression, batch: Set[str]) -> str:
    name = statement.name
    if name in batch:
        kind = "the batch of the data"
    elif name in expression.parameters:
        kind = "a parameter"
    elif name in expression.inputs:
        kind = "an input"
    else:
        return f"'{name}' is assigned a second time; give the new value a new name"
    return f"'{name}' is {kind}, and a name is assigned once; choose another name"


class Temporaries:
    """Hands out `t1`, `t2`, …, leaving out names that are taken or whose gradient is."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._numbers = count(1)

    def fresh(self) -> str:
        """Return the next free name."""
        for number in self._numbers:
            name = f"t{number}"
            if name not in self._taken and f"d{name}" not in self._taken:
                return name
        raise AssertionError("numbers do not end")
