"""The layers of a network as blocks: what goes in, what is held, what is kept, what comes out.

A block has a forward half, which takes the output of the layer before and gives its own, and a
backward half, which takes the derivative of that and gives those of its input and its parameters.
Between them stands what is kept: the values of the forward pass that the backward half reads.
"""

from collections.abc import Iterable

from msgspec import Struct

from nnstep.engine.program.program import Instruction, Phase, Program, Role


class BlockLine(Struct, frozen=True):
    """A line of a block: the tensor that the instruction at `position` writes.

    `kept` are the values of the forward pass that it reads.
    """

    position: int
    name: str
    operation: str
    kept: tuple[str, ...] = ()


class Block(Struct, frozen=True):
    """A layer: it takes `source`, holds `parameters` and gives `output`.

    `forward` and `backward` are its lines in the order of the program, `kept` is what the backward
    lines read of the forward pass, in the order in which that has it. `incoming` is the derivative
    that the backward half begins with, None where that comes from the loss; `outgoing` is the one
    that it gives to the layer before, None if there is none. `gradients` are those of the
    parameters.
    """

    layer: int
    source: str
    parameters: tuple[str, ...]
    output: str
    forward: tuple[BlockLine, ...]
    backward: tuple[BlockLine, ...]
    kept: tuple[str, ...]
    incoming: str | None
    outgoing: str | None
    gradients: tuple[str, ...]


def blocks_of(program: Program) -> tuple[Block, ...]:
    """Return the layers of a network from the first to the last; none for an expression."""
    numbers = {line.layer for line in program.instructions if line.layer is not None}
    return tuple(_block(program, number) for number in sorted(numbers))


def _block(program: Program, number: int) -> Block:
    lines = [(at, line) for at, line in enumerate(program.instructions) if line.layer == number]
    forward = [(at, line) for at, line in lines if line.phase is Phase.FORWARD]
    backward = [(at, line) for at, line in lines if line.phase is Phase.BACKWARD]
    parameters = tuple(
        tensor.name for tensor in program.with_role(Role.PARAMETER) if tensor.layer == number
    )
    own = {name for _, line in forward for name in line.writes}
    read = [name for _, line in forward for name in line.reads]
    source = next(name for name in read if name not in own and name not in parameters)
    output = forward[-1][1].writes[0]
    passed = _passed_forward(program)
    gradients = program.gradients
    written = {name for _, line in backward for name in line.writes}
    coming = gradients.get(output)
    going = gradients.get(source)
    return Block(
        layer=number,
        source=source,
        parameters=parameters,
        output=output,
        forward=tuple(_line(at, line, ()) for at, line in forward),
        backward=tuple(_line(at, line, passed) for at, line in backward),
        kept=tuple(name for name in passed if any(name in line.reads for _, line in backward)),
        incoming=None if coming in written else coming,
        outgoing=going if going in written else None,
        gradients=tuple(gradients[name] for name in parameters),
    )


def _line(position: int, line: Instruction, passed: Iterable[str]) -> BlockLine:
    kept = tuple(name for name in passed if name in line.reads)
    return BlockLine(position, line.writes[0], line.operation, kept)


def _passed_forward(program: Program) -> tuple[str, ...]:
    """Return the values of the forward pass, the input first: what can be kept of it."""
    found: dict[str, None] = {}
    for line in program.instructions:
        if line.phase is Phase.FORWARD:
            read = [name for name in line.reads if program.tensors[name].role is Role.DATA]
            found.update(dict.fromkeys([*read, *line.writes]))
    return tuple(found)
