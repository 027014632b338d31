"""Named functions of a line, opened into the definitions of their rows."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.operations.activations import ACTIVATIONS, LOG_SOFTMAX
from nnstep.engine.operations.catalogue import FUNCTIONS
from nnstep.engine.operations.formula import Formula, formula
from nnstep.engine.operations.losses import LOSSES, LossOperation, Reduction
from nnstep.engine.operations.operation import Operation


def named_operations() -> Iterator[Operation]:
    """Yield the operations of all rows."""
    for activation in ACTIVATIONS.values():
        yield activation.operation
        yield from activation.variants.values()
    for loss in LOSSES.values():
        yield loss.operation
        if loss.logits:
            yield loss.logits
    yield LOG_SOFTMAX
    for function in FUNCTIONS.values():
        yield function.operation


def defined_by(name: str) -> Operation | None:
    """Return the operation that has a definition for the function that listings call by a name."""
    for operation in named_operations():
        if operation.definition is None:
            continue
        match formula(operation.value).tree:
            case ast.Call(ast.Name(called)) if called == name:
                return operation
    return None


def opened(line: Formula, names: Mapping[str, str], tensors: Mapping[str, Array]) -> Formula | None:
    """Return a formula with the definitions of the functions that it calls in their place.

    None if it calls none that has a definition.
    """
    opening = _Opened({each: tensors[names[each]] for each in line.parameters})
    tree = opening.visit(ast.parse(ast.unparse(line.tree), mode="eval").body)
    return Formula(line.parameters, tree) if opening.count else None


class _Opened(ast.NodeTransformer):
    """Puts the definitions of functions in the place of their calls."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays
        self.count = 0

    def visit_Call(self, node: ast.Call) -> ast.expr:
        operation = defined_by(node.func.id) if isinstance(node.func, ast.Name) else None
        if operation is None:
            self.generic_visit(node)
            return node
        self.count += 1
        given = _arguments(operation, node)
        definition = self._definition(operation, given)
        inner = {name: Formula((), given[name]) for name in definition.parameters if name in given}
        return definition.on(**inner).tree

    def _definition(self, operation: Operation, given: Mapping[str, ast.expr]) -> Formula:
        if not isinstance(operation, LossOperation):
            return formula(operation.definition or operation.value)
        reduction: Any = ast.literal_eval(given.get("reduction", ast.Constant(None)))
        wanted: Reduction = reduction or operation.usual
        y = given["y"]
        if operation.name.startswith("cross_entropy") and isinstance(y, ast.Name):
            operation = replace(operation, class_indices=self.arrays[y.id].ndim == 1)
        settings = {
            name: ast.literal_eval(value)
            for name, value in given.items()
            if name in operation.settings
        }
        return replace(operation, settings=settings).reduced_definition(wanted)


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
    return given
