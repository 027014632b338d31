"""What an expression consists of, once parsed; every part knows where in its text it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

BinaryOperator = Literal["+", "-", "*", "/", "**", "@"]
Comparison = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Where a part stands: its characters are `text[start:end]`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Number(Part):
    """A literal; an int where it was written as one."""

    value: float


@dataclass(frozen=True, slots=True)
class Name(Part):
    """A tensor, or a count such as `iteration`."""

    name: str


@dataclass(frozen=True, slots=True)
class Negation(Part):
    """`-operand`."""

    operand: "Node"


@dataclass(frozen=True, slots=True)
class Binary(Part):
    """`left operator right`."""

    operator: BinaryOperator
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Compare(Part):
    """`left operator right`, a truth value; in conditions only."""

    operator: Comparison
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Logical(Part):
    """`left and right`, `left or right`; in conditions only."""

    operator: Literal["and", "or"]
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Not(Part):
    """`not operand`; in conditions only."""

    operand: "Node"


@dataclass(frozen=True, slots=True)
class Transpose(Part):
    """`operand.T`."""

    operand: "Node"


@dataclass(frozen=True, slots=True)
class Index(Part):
    """`operand[index]`: integers and slices of integers, one an axis."""

    operand: "Node"
    index: tuple[int | slice, ...]


@dataclass(frozen=True, slots=True)
class Call(Part):
    """`function(arguments, axis=…)`; options are integers or truth values."""

    function: str
    arguments: tuple["Node", ...]
    options: Mapping[str, int | bool] = field(default_factory=dict)


Node = Number | Name | Negation | Binary | Compare | Logical | Not | Transpose | Index | Call


@dataclass(frozen=True, slots=True)
class Assignment(Part):
    """`name = value`, one statement of a program; start and end are those of the name."""

    name: str
    value: Node


def children(node: Node) -> tuple[Node, ...]:
    """Return the expressions that `node` is made of, in the order in which they are written."""
    match node:
        case Binary() | Compare() | Logical():
            return node.left, node.right
        case Negation() | Not() | Transpose() | Index():
            return (node.operand,)
        case Call():
            return node.arguments
    return ()


def descendants(node: Node) -> Iterator[Node]:
    """Yield `node` and every expression inside it, in the order in which they start."""
    pending = [node]
    while pending:
        part = pending.pop()
        yield part
        pending.extend(reversed(children(part)))
