"""The syntax tree of an expression; each part knows where it stands in the text."""

from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct, field


class GrammarError(ValueError):
    """A mistake in an expression; the characters it concerns are `text[start:end]`."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end


class ConditionError(ValueError):
    """An expression that cannot be evaluated; the message says why."""


BinaryOperator = Literal["+", "-", "*", "/", "**", "@", "&", "|"]
Comparison = Literal["<", "<=", ">", ">=", "==", "!="]


class Part(Struct, frozen=True, kw_only=True):
    """Where a part stands: its characters are `text[start:end]`."""

    start: int
    end: int


class Number(Part, frozen=True):
    """A literal; an int where it was written as one."""

    value: float


class Name(Part, frozen=True):
    """A tensor, or a count such as `iteration`."""

    name: str


class Negation(Part, frozen=True):
    """`-operand`."""

    operand: "Node"


class Binary(Part, frozen=True):
    """`left operator right`."""

    operator: BinaryOperator
    left: "Node"
    right: "Node"


class Compare(Part, frozen=True):
    """`left operator right`, a truth value; in conditions only."""

    operator: Comparison
    left: "Node"
    right: "Node"


class Logical(Part, frozen=True):
    """`left and right`, `left or right`; in conditions only."""

    operator: Literal["and", "or"]
    left: "Node"
    right: "Node"


class Not(Part, frozen=True):
    """`not operand`; in conditions only."""

    operand: "Node"


class Transpose(Part, frozen=True):
    """`operand.T`."""

    operand: "Node"


class Index(Part, frozen=True):
    """`operand[index]`: integers and slices of integers, one an axis."""

    operand: "Node"
    index: tuple[int | slice, ...]


Option = int | float | bool | str | tuple[int, ...]


class Call(Part, frozen=True):
    """`function(arguments, axis=…)`, also written `np.function(…)` or `operand.function(…)`."""

    function: str
    arguments: tuple["Node", ...]
    options: Mapping[str, Option] = field(default_factory=dict)


class Attribute(Part, frozen=True):
    """`operand.size`, a whole number, or `operand.shape`, several."""

    operand: "Node"
    name: Literal["size", "shape"]


class Selection(Part, frozen=True):
    """`np.s_[index]`: an index by itself, as a function takes it."""

    index: tuple[int | slice, ...]


class Group(Part, frozen=True):
    """`(a, b)`: several values as one argument of a function."""

    members: tuple["Node", ...]


class Conditional(Part, frozen=True):
    """`value if test else otherwise`; the test is a single truth value."""

    value: "Node"
    test: "Node"
    otherwise: "Node"


Node = (
    Number
    | Name
    | Negation
    | Binary
    | Compare
    | Logical
    | Not
    | Transpose
    | Index
    | Call
    | Attribute
    | Selection
    | Group
    | Conditional
)


class Assignment(Part, frozen=True):
    """`name = value`, one statement of a program; start and end are those of the name."""

    name: str
    value: Node


def children(node: Node) -> tuple[Node, ...]:
    """Return the expressions that `node` is made of, in the order in which they are written."""
    match node:
        case Binary() | Compare() | Logical():
            return node.left, node.right
        case Negation() | Not() | Transpose() | Index() | Attribute():
            return (node.operand,)
        case Group():
            return node.members
        case Conditional():
            return node.value, node.test, node.otherwise
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
