"""Functions that have a name, opened one level: into the definitions that stand beside their code.

A line is opened everywhere at once, to be evaluated; a part of it alone where it is laid out.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.catalogue import FUNCTIONS
from nnstep.engine.operations.formula import Formula, formula
from nnstep.engine.operations.losses import LOSSES, LossOperation, Reduction
from nnstep.engine.operations.operation import Operation


def defined_by(name: str) -> Operation | None:
    """Return the operation that has a definition for the function that listings call by a name."""
    for operation in _operations():
        if operation.definition is None:
            continue
        match formula(operation.value).tree:
            case ast.Call(ast.Name(called)) if called == name:
                return operation
    return None


def _operations() -> Iterator[Operation]:
    for activation in ACTIVATIONS.values():
        yield activation.operation
        yield from activation.variants.values()
    for loss in LOSSES.values():
        yield loss.operation
        if loss.logits:
            yield loss.logits
    for function in FUNCTIONS.values():
        yield function.operation


def opened(line: Formula, names: Mapping[str, str], tensors: Mapping[str, Array]) -> Formula | None:
    """Return a formula with the definitions of the functions that it calls in their place.

    `names` has the tensor for each parameter. None if it calls none that has a definition.
    """
    opening = _Opening({each: tensors[names[each]] for each in line.parameters})
    tree = opening.visit(ast.parse(ast.unparse(line.tree), mode="eval").body)
    return Formula(line.parameters, tree) if opening.count else None


def opened_call(node: ast.expr, tensors: Mapping[str, Array]) -> ast.expr | None:
    """Return what a call of a function is by its definition; None if it has none.

    The names in the call are those of tensors. Norms and penalties are sums of squares.
    """
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return None
    if node.func.id == "l2_penalty":
        (l2,) = (each.value for each in node.keywords if each.arg == "l2")
        return _filled("L2 / 2 * SUM", L2=l2, SUM=_squares(node.args))
    if node.func.id == "global_norm":
        return _filled("np.sqrt(SUM)", SUM=_squares(node.args))
    operation = defined_by(node.func.id)
    return None if operation is None else _definition(operation, node, tensors)


class _Opening(ast.NodeTransformer):
    """Puts the definitions of functions in the place of their calls."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays
        self.count = 0

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        operation = defined_by(name)
        if operation is None:
            self.generic_visit(node)
            return node
        self.count += 1
        return _definition(operation, node, self.arrays)


def _definition(operation: Operation, call: ast.Call, arrays: Mapping[str, Array]) -> ast.expr:
    """Return the definition of an operation, with what a call gives it."""
    given = _arguments(operation, call)
    numbers = {name: ast.literal_eval(given[name]) for name in operation.settings if name in given}
    if not isinstance(operation, LossOperation):
        definition = operation.with_settings(**numbers).definition_formula
    else:
        target = given["y"]
        if operation.name.startswith("cross_entropy") and isinstance(target, ast.Name):
            operation = replace(operation, class_indices=arrays[target.id].ndim == 1)
        reduction: Any = ast.literal_eval(given.get("reduction", ast.Constant(None)))
        wanted: Reduction = reduction or operation.usual
        definition = operation.with_settings(**numbers).reduced_definition(wanted)
    parts = {name: Formula((), given[name]) for name in definition.parameters if name in given}
    return definition.on(**parts).tree


def _arguments(operation: Operation, call: ast.Call) -> dict[str, ast.expr]:
    """Return what stands in a call for each parameter of an operation's formula."""
    own = formula(operation.value).tree
    assert isinstance(own, ast.Call)
    given: dict[str, ast.expr] = {}
    for parameter, argument in zip(own.args, call.args, strict=False):
        if isinstance(parameter, ast.Name):
            given[parameter.id] = argument
    keywords = {each.arg: each.value for each in call.keywords}
    for keyword in own.keywords:
        if isinstance(keyword.value, ast.Name) and keyword.arg in keywords:
            given[keyword.value.id] = keywords[keyword.arg]
    return given | ({"reduction": keywords["reduction"]} if "reduction" in keywords else {})


def _squares(nodes: Sequence[ast.expr]) -> ast.expr:
    """Write the sum of the squares of all numbers of some tensors."""
    total, *others = (_filled("np.sum(X ** 2)", X=each) for each in nodes)
    for each in others:
        total = ast.BinOp(total, ast.Add(), each)
    return total


def _filled(text: str, **parts: ast.expr) -> ast.expr:
    tree = ast.parse(text, mode="eval").body
    return Formula(tuple(parts), tree).on(**{n: Formula((), p) for n, p in parts.items()}).tree
