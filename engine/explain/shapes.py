"""How the shapes of a line's operands lead to that of its result: `(2, 1) @ (1, 2) → (2, 2)`."""

import ast
from collections.abc import Mapping

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.program.program import Instruction, Phase


def shapes_text(line: Instruction, tensors: Mapping[str, Array], result: Shape) -> str:
    """Write the shapes of a line; a matrix product and its bias keep their signs."""
    assert line.formula is not None
    shapes = {each: tensors[line.names[each]].shape for each in line.formula.parameters}
    tree = line.formula.tree
    if line.phase is Phase.UPDATE and line.writes[0] in line.reads:
        return f"{result} → {result}"
    product = _product(tree, shapes)
    if product:
        return f"{product} → {result}"
    match tree:
        case ast.Call(ast.Attribute(ast.Name(of), "sum")) if shapes.get(of):
            count = shapes[of][0]
            many = "1 row" if count == 1 else f"{count} rows"
            rows = f"sum over {many}: " if len(result) < len(shapes[of]) else ""
            return f"{rows}{shapes[of]} → {result}"
    between = ", " if isinstance(tree, ast.Call) else " · "
    largest = [f"{shape}" for shape in shapes.values() if shape]
    return f"{between.join(largest) or '()'} → {result}"


def _product(tree: ast.expr, shapes: Mapping[str, Shape]) -> str:
    """Write a matrix product, and what is added to it."""
    match tree:
        case ast.BinOp(left, ast.MatMult(), right):
            sides = _factor(left, shapes), _factor(right, shapes)
            return " @ ".join(map(str, sides)) if None not in sides else ""
        case ast.BinOp(ast.BinOp(_, ast.MatMult(), _) as product, ast.Add(), ast.Name(added)):
            text = _product(product, shapes)
            return f"{text} + {shapes[added]}" if text else ""
        case ast.BinOp(ast.Name(total), ast.Add(), ast.BinOp(_, ast.MatMult(), _) as product):
            text = _product(product, shapes)
            return f"{shapes[total]} + {text}" if text else ""
    return ""


def _factor(tree: ast.expr, shapes: Mapping[str, Shape]) -> Shape | None:
    match tree:
        case ast.Name(name):
            return shapes[name]
        case ast.Attribute(ast.Name(name), "T"):
            return shapes[name][::-1]
    return None
