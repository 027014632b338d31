"""The one grammar of expressions: programs, conditions and watches are all parsed by it."""

from .errors import GrammarError
from .nodes import (
    Assignment,
    Binary,
    BinaryOperator,
    Call,
    Compare,
    Comparison,
    Index,
    Logical,
    Name,
    Negation,
    Node,
    Not,
    Number,
    Part,
    Transpose,
    children,
    descendants,
)
from .parser import parse_condition, parse_expression, parse_program

__all__ = [
    "Assignment",
    "Binary",
    "BinaryOperator",
    "Call",
    "Compare",
    "Comparison",
    "GrammarError",
    "Index",
    "Logical",
    "Name",
    "Negation",
    "Node",
    "Not",
    "Number",
    "Part",
    "Transpose",
    "children",
    "descendants",
    "parse_condition",
    "parse_expression",
    "parse_program",
]
