"""What a line hands on: a value that it reads and is not finite shows in what it writes."""

import ast
from collections.abc import Iterator
from functools import lru_cache

from nnstep.engine.operations.formula import Formula
from nnstep.engine.program.program import Instruction, Program


def hands_on(tree: ast.expr) -> frozenset[str]:
    """Return the names of which every NaN or infinity makes the expression's value not finite.

    A sum, a difference and a product do, of matrices too: inf - inf and 0 · inf are NaN. A quotient
    does with what it divides, and a power with what is raised. A function may hide an infinity, as
    a sigmoid does, and so may a comparison.
    """
    match tree:
        case ast.Name(id=name):
            return frozenset({name})
        case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult() | ast.MatMult(), right):
            return hands_on(left) | hands_on(right)
        case ast.BinOp(left, ast.Div(), _):
            return hands_on(left)
        case ast.BinOp(left, ast.Pow(), ast.Constant(value=int() | float() as power)) if power > 0:
            return hands_on(left)
        case ast.UnaryOp(ast.USub(), operand):
            return hands_on(operand)
        case ast.Attribute(inner, "T"):
            return hands_on(inner)
        case ast.Call(ast.Attribute(inner, "sum" | "mean")):
            return hands_on(inner)
        case ast.Call(ast.Name(id="sum_in_float32"), [inner, *_]):
            return hands_on(inner)
    return frozenset()


def handed_on(program: Program) -> tuple[frozenset[int], frozenset[int]]:
    """Return what a later line hands on: in the same pass, and in the next.

    That is a pair of sets of indices in the record of a pass. From one of them some later array is
    not finite either if it is not, as long as the lines run as they stand.
    """
    own: set[int] = set()
    of_next: set[int] = set()
    stands: dict[str, int] = {}
    written = sum(len(line.writes) for line in program.instructions)
    lines = [(index, line, _handed_names(line.executed)) for index, line in _written(program)]
    for number in range(2):
        for index, line, names in lines:
            for name in names:
                at = stands.get(name, written * 2)
                if number and at < written:
                    of_next.add(at)
                elif at // written == number:
                    own.add(at % written)
            stands |= {n: written * number + index + at for at, n in enumerate(line.writes)}
    return frozenset(own), frozenset(of_next)


def _written(program: Program) -> Iterator[tuple[int, Instruction]]:
    """Yield the lines, each with the index of the first array that it writes."""
    index = 0
    for line in program.instructions:
        yield index, line
        index += len(line.writes)


def _handed_names(line: Instruction) -> list[str]:
    """Return the tensors that a line hands on."""
    if line.formula is None:
        return []
    return [line.names[each] for each in _handed_parameters(line.formula)]


@lru_cache(maxsize=4096)
def _handed_parameters(formula: Formula) -> tuple[str, ...]:
    handed = hands_on(formula.tree)
    return tuple(each for each in formula.parameters if each in handed)
