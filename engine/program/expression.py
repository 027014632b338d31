"""Compiling an expression scenario: a few lines of arithmetic, and the way back from the loss.

Each name is assigned once, and `d` + name is its gradient.
"""

import keyword
from collections.abc import Mapping, Set
from math import prod

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.language.nodes import Assignment
from nnstep.engine.language.typed import on_one_line
from nnstep.engine.operations.formula import NAMESPACE, formula
from nnstep.engine.scenario.model import DrawnParameter, Expression
from nnstep.engine.text import did_you_mean, quoted

from .builder import Applied, Backward, Listing, gradient_of
from .lowering import Lowering, Temporaries
from .program import CompileError, Drawn, Phase, Role, Tensor

_ONES = formula(lambda loss: np.ones_like(loss))
_ZEROS = formula(lambda parameter: np.zeros_like(parameter))


def write_expression(
    listing: Listing, expression: Expression, reserved: frozenset[str], dtype: str
) -> None:
    """Add the forward, loss and backward instructions of an expression; raise `CompileError`.

    `reserved` has the names that the optimizer will use.
    """
    check_names(expression, listing.tensors.keys(), reserved)
    given: tuple[tuple[Role, Mapping[str, Array | DrawnParameter]], ...] = (
        (Role.CONSTANT, expression.inputs),
        (Role.PARAMETER, expression.parameters),
    )
    for role, arrays in given:
        for name, first in arrays.items():
            start = _drawn(first) if isinstance(first, DrawnParameter) else first
            listing.declare(Tensor(name, role, shapes=listing.always(first.shape), start=start))
    shapes = {name: tensor.shapes for name, tensor in listing.tensors.items()}
    taken = {*shapes, *(statement.name for statement in expression.statements)}
    temporaries = Temporaries(taken)
    lowering = Lowering(shapes, temporaries, dtype)
    last = _check_loss_is_assigned(expression)
    sources: dict[str, str] = {}
    for statement, text in zip(expression.statements, _texts(expression), strict=True):
        outputs = _write_statement(listing, lowering, statement, expression.loss)
        sources |= dict.fromkeys(outputs, text)
    listing.doubts += lowering.doubts
    _check_loss_is_a_number(lowering, expression, last)
    _write_backward(listing, expression, lowering.written, sources, temporaries.given)


def _texts(expression: Expression) -> list[str]:
    """Return the statements as they were written, each on one line."""
    starts = [statement.start for statement in expression.statements]
    ends = [*starts[1:], len(expression.code)]
    return [
        on_one_line(expression.code[start:end]).rstrip("; ")
        for start, end in zip(starts, ends, strict=True)
    ]


def _drawn(parameter: DrawnParameter) -> Drawn:
    """Take a shape as that of W in `x @ W`: the last axis has the units, the others the inputs."""
    *inputs, units = parameter.shape if len(parameter.shape) > 1 else (*parameter.shape, 1)
    return Drawn(parameter.by, prod(inputs), units)


def _write_statement(
    listing: Listing, lowering: Lowering, statement: Assignment, loss: str
) -> list[str]:
    """Add the instructions of one statement, temporaries first; return what they write."""
    before = len(lowering.written)
    value = lowering.value(statement.value, statement.name)
    if isinstance(value, str) and value != statement.name:
        lowering.copy(value, statement.name)
    elif not isinstance(value, str):
        lowering.constant(value, statement.name)
    added = lowering.written[before:]
    for applied in added:
        is_loss = applied.output == loss
        phase, role = (Phase.LOSS, Role.LOSS) if is_loss else (Phase.FORWARD, Role.VALUE)
        listing.apply(phase, applied, role, lowering.shapes[applied.output])
    return [applied.output for applied in added]


def _check_loss_is_assigned(expression: Expression) -> Assignment:
    for statement in expression.statements:
        if statement.name == expression.loss:
            return statement
    names = [statement.name for statement in expression.statements]
    hint = did_you_mean(expression.loss, names)
    raise CompileError(f"no line assigns the loss {quoted(expression.loss)}{hint}", name="loss")


def _check_loss_is_a_number(
    lowering: Lowering, expression: Expression, statement: Assignment
) -> None:
    for shape in lowering.shapes[expression.loss]:
        if shape:
            message = (
                f"the loss {quoted(expression.loss)} has shape {shape}, and must be a single "
                "number: reduce it with sum(…) or mean(…)"
            )
            raise CompileError(message, statement.start, statement.end)


def _write_backward(
    listing: Listing,
    expression: Expression,
    applied: list[Applied],
    sources: Mapping[str, str],
    temporaries: Set[str],
) -> None:
    """Add the backward pass; a parameter that the loss does not depend on has a gradient of 0."""
    loss = expression.loss
    seed = gradient_of(listing.tensors[loss])
    listing.add(Phase.BACKWARD, "seed", seed, _ONES, {"loss": loss}, source=sources[loss])
    backward = Backward(listing, applied, expression.parameters, sources, temporaries)
    backward.write(loss)
    for name in expression.parameters:
        gradient = gradient_of(listing.tensors[name])
        if gradient.name not in backward.written:
            listing.add(Phase.BACKWARD, "zeros", gradient, _ZEROS, {"parameter": name})


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
    if name in NAMESPACE or name in ("next", "batches"):
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
