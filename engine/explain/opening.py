"""Opening a function that has a name, one level: what its row gives as its definition."""

import ast
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.operations.catalogue import FUNCTIONS
from nnstep.engine.operations.formula import Formula
from nnstep.engine.operations.losses import LOSSES, LossOperation

from .parts import called

_LOSSES: Mapping[str, LossOperation] = {
    operation.name: operation
    for row in LOSSES.values()
    for operation in (row.operation, row.logits)
    if operation is not None
}


def opened(node: ast.expr, tensors: Mapping[str, Array]) -> ast.expr | None:
    """Return what a call of a function is by its definition; None if it has none."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return None
    name = called(node)
    if name in _LOSSES:
        return _opened_loss(_LOSSES[name], node, tensors)
    if name == "l2_penalty":
        return _opened_penalty(node)
    if name == "global_norm":
        return _parsed("np.sqrt(SUM)", SUM=_squares(node.args))
    function = FUNCTIONS.get(name)
    if function is None or function.operation.definition is None:
        return None
    given = dict(zip((*function.inputs, *function.settings), node.args, strict=False))
    given |= {each.arg: each.value for each in node.keywords if each.arg}
    operation = function.operation
    formula = operation.with_settings(
        **{name: ast.literal_eval(given[name]) for name in function.settings if name in given}
    ).definition_formula
    return _filled(formula, given)


def _opened_loss(
    operation: LossOperation, node: ast.Call, tensors: Mapping[str, Array]
) -> ast.expr | None:
    settings = list(operation.settings)
    given: dict[str, ast.expr] = dict(zip(("a", "y", *settings), node.args, strict=False))
    given |= {each.arg: each.value for each in node.keywords if each.arg}
    target = given["y"]
    if isinstance(target, ast.Name) and operation.name.startswith("cross_entropy"):
        operation = replace(operation, class_indices=tensors[target.id].ndim == 1)
    reduction: Any = ast.literal_eval(given["reduction"]) if "reduction" in given else None
    numbers = {name: ast.literal_eval(given[name]) for name in settings if name in given}
    definition = operation.with_settings(**numbers).reduced_definition(reduction or operation.usual)
    return _filled(definition, given)


def _filled(formula: Formula, given: Mapping[str, ast.expr]) -> ast.expr:
    parts = {name: Formula((), node) for name, node in given.items() if name in formula.parameters}
    return formula.on(**parts).tree


def _opened_penalty(node: ast.Call) -> ast.expr:
    (l2,) = (each.value for each in node.keywords if each.arg == "l2")
    return _parsed("L2 / 2 * SUM", L2=l2, SUM=_squares(node.args))


def _squares(nodes: list[ast.expr]) -> ast.expr:
    squares = [_parsed("np.sum(X ** 2)", X=each) for each in nodes]
    total = squares[0]
    for each in squares[1:]:
        total = ast.BinOp(total, ast.Add(), each)
    return total


def _parsed(text: str, **parts: ast.expr) -> ast.expr:
    tree = ast.parse(text, mode="eval").body
    return Formula(tuple(parts), tree).on(**{n: Formula((), p) for n, p in parts.items()}).tree
