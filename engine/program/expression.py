"""Compiling an expression scenario: a few lines of arithmetic, and the way back from the loss."""

import numpy as np

from nnstep.engine.grammar.nodes import Assignment
from nnstep.engine.operations.formula import formula
from nnstep.engine.scenario.model import Data, Expression
from nnstep.engine.text import did_you_mean

from .backward import Applied, Backward
from .errors import CompileError
from .instruction import Phase, Role, Tensor
from .listing import Listing
from .lowering import Lowering
from .naming import Temporaries, check_names

_ONES = formula(lambda loss: np.ones_like(loss))
_ZEROS = formula(lambda parameter: np.zeros_like(parameter))


def write_expression(
    listing: Listing,
    expression: Expression,
    data: Data | None,
    reserved: frozenset[str],
    dtype: str,
) -> None:
    """Add the forward, loss and backward instructions of an expression; raise `CompileError`.

    `reserved` has the names that the optimizer will use.
    """
    batch = {"x", "y"} if data else set()
    check_names(expression, batch, reserved)
    if data:
        listing.add_batch()
    for name in expression.inputs:
        listing.declare(Tensor(name, Role.CONSTANT))
    for name in expression.parameters:
        listing.declare(Tensor(name, Role.PARAMETER))
    lowering = _lowering(expression, data, dtype)
    last = _check_loss_is_assigned(expression)
    for statement in expression.statements:
        _write_statement(listing, lowering, statement, expression.loss)
    _check_loss_is_a_number(lowering, expression, last)
    _write_backward(listing, expression, [written.applied for written in lowering.written])


def _lowering(expression: Expression, data: Data | None, dtype: str) -> Lowering:
    sizes = data.batch_sizes if data else (1,)
    given = {**expression.inputs, **expression.parameters}
    shapes = {name: (array.shape,) * len(sizes) for name, array in given.items()}
    if data:
        shapes["x"] = tuple((size, *data.x.shape[1:]) for size in sizes)
        shapes["y"] = tuple((size, *data.y.shape[1:]) for size in sizes)
    taken = {*shapes, *(statement.name for statement in expression.statements)}
    return Lowering(shapes, Temporaries(taken), dtype)


def _write_statement(
    listing: Listing, lowering: Lowering, statement: Assignment, loss: str
) -> None:
    """Add the instructions of one statement, temporaries first."""
    before = len(lowering.written)
    value = lowering.value(statement.value, statement.name)
    if isinstance(value, str) and value != statement.name:
        lowering.copy(value, statement.name)
    elif not isinstance(value, str):
        lowering.constant(value, statement.name)
    for written in lowering.written[before:]:
        applied = written.applied
        is_loss = applied.output == loss
        phase = Phase.LOSS if is_loss else Phase.FORWARD
        tensor = Tensor(applied.output, Role.LOSS if is_loss else Role.VALUE)
        listing.add(phase, applied.operation, tensor, written.value, applied.inputs)


def _check_loss_is_assigned(expression: Expression) -> Assignment:
    for statement in expression.statements:
        if statement.name == expression.loss:
            return statement
    names = [statement.name for statement in expression.statements]
    hint = did_you_mean(expression.loss, names)
    raise CompileError(f"no line assigns the loss '{expression.loss}'{hint}", name="loss")


def _check_loss_is_a_number(
    lowering: Lowering, expression: Expression, statement: Assignment
) -> None:
    for shape in lowering.shapes[expression.loss]:
        if shape:
            message = (
                f"the loss '{expression.loss}' has shape {shape}, and must be a single number: "
                "reduce it with sum(…) or mean(…)"
            )
            raise CompileError(message, statement.start, statement.end)


def _write_backward(listing: Listing, expression: Expression, applied: list[Applied]) -> None:
    """Add the backward pass; a parameter that the loss does not depend on has a gradient of 0."""
    loss = expression.loss
    seed = Tensor(f"d{loss}", Role.GRADIENT)
    listing.add(Phase.BACKWARD, "seed", seed, _ONES, {"loss": loss})
    backward = Backward(listing, applied, expression.parameters)
    backward.write(loss)
    for name in expression.parameters:
        if f"d{name}" not in backward.written:
            tensor = Tensor(f"d{name}", Role.GRADIENT)
            listing.add(Phase.BACKWARD, "zeros", tensor, _ZEROS, {"parameter": name})
