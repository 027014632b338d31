"""An expression as a graph: a node an operation, with what it reads and what it writes."""

from msgspec import Struct

from nnstep.engine.program.program import Instruction, Phase, Program

MOST_NODES = 8
"""The operations of the largest expression that is drawn as a graph."""

_SIGNS = {
    "add": "+",
    "subtract": "−",
    "multiply": "×",
    "divide": "÷",
    "matmul": "@",
    "power": "^",
    "square": "^ 2",
    "negate": "−",
}


class Node(Struct, frozen=True):
    """An operation: the tensors it reads, in the order of the formula, and the one it writes.

    `position` is that of its line, and `sign` what is written into the node. `level` counts the
    operations before it, on the longest way from a name that no operation writes.
    """

    position: int
    name: str
    inputs: tuple[str, ...]
    sign: str
    code: str
    level: int


class Graph(Struct, frozen=True):
    """The operations in the order of the program, and the names that none of them writes."""

    nodes: tuple[Node, ...]
    leaves: tuple[str, ...]


def graph_of(program: Program) -> Graph:
    """Return the operations of phases forward and loss, and how they feed one another."""
    levels: dict[str, int] = {}
    nodes: list[Node] = []
    for position, line in enumerate(program.instructions):
        if line.phase not in (Phase.FORWARD, Phase.LOSS):
            continue
        level = max((levels.get(name, 0) for name in line.reads), default=0) + 1
        levels[line.writes[0]] = level
        inputs = _in_order(line)
        sign = _sign(line, inputs)
        nodes.append(Node(position, line.writes[0], inputs, sign, line.code, level))
    written = {node.name for node in nodes}
    read = dict.fromkeys(name for node in nodes for name in node.inputs)
    return Graph(tuple(nodes), tuple(name for name in read if name not in written))


def _in_order(line: Instruction) -> tuple[str, ...]:
    """Return the tensors that a line reads, in the order of its formula."""
    return tuple(dict.fromkeys([*line.names.values(), *line.reads]))


def _sign(line: Instruction, inputs: tuple[str, ...]) -> str:
    """Write the operation of a line; an operand that is a number stands beside its sign."""
    sign = _SIGNS.get(line.operation, line.operation)
    left, right = line.settings.get("a"), line.settings.get("b")
    if left is not None:
        return f"{left} {sign}"
    if right is not None:
        return f"{sign} {right}"
    if line.operation == "power" and (exponent := line.settings.get("n")) is not None:
        return f"{sign} {exponent}"
    if len(inputs) == 1 and line.operation in ("add", "multiply"):
        return f"{sign} {inputs[0]}"
    return sign
