"""Commands that survey the whole: the map of the network or of the expression, and its layers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nnstep.engine.arrays import one_line
from nnstep.engine.language.typed import Typed
from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.text import listed

from .command import Answer, Command

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session
    from nnstep.engine.survey.blocks import Block, BlockLine
    from nnstep.engine.survey.graph import Graph

_DIGITS = 6


def _map(session: "Session", text: Typed) -> Answer:
    from nnstep.engine.survey.blocks import blocks_of
    from nnstep.engine.survey.graph import graph_of

    text.nothing()
    snapshot = session.snapshot()
    if blocks := blocks_of(snapshot.program):
        return Answer(tuple(_network(snapshot, blocks)), title="The network as blocks")
    return Answer(tuple(_expression(snapshot, graph_of(snapshot.program))), title="The graph")


def _network(snapshot: Snapshot, blocks: "tuple[Block, ...]") -> Iterator[str]:
    for block in blocks:
        here = " (at work)" if snapshot.last and snapshot.last.layer == block.layer else ""
        yield f"layer {block.layer}{here}"
        held = f"; holds {_shaped(snapshot, block.parameters)}" if block.parameters else ""
        yield f"  forward   takes {_shaped(snapshot, (block.source,))}{held}"
        yield f"            {_told(snapshot, block.forward)}; gives {block.output}"
        yield f"  kept      {listed(block.kept, 'and') if block.kept else 'nothing'}"
        coming = block.incoming or f"the derivative of {snapshot.program.loss}"
        yield f"  backward  takes {coming} and what is kept"
        yield f"            {_told(snapshot, block.backward)}" + (
            f"; gives {block.outgoing}" if block.outgoing else ""
        )


def _shaped(snapshot: Snapshot, names: tuple[str, ...]) -> str:
    return listed([f"{name} {_shape(snapshot, name)}" for name in names], "and")


def _shape(snapshot: Snapshot, name: str) -> str:
    array = snapshot.tensors.get(name)
    return str(snapshot.program.tensors[name].shape if array is None else array.shape)


def _told(snapshot: Snapshot, lines: "tuple[BlockLine, ...]") -> str:
    """Say which lines have run in this pass, of what norm their values are, and which is next."""
    from nnstep.engine.survey.layers import norm

    def told(line: "BlockLine") -> str:
        if line.position == snapshot.position and not snapshot.finished:
            return f"{line.name} next"
        if line.position >= snapshot.position or line.name not in snapshot.tensors:
            return f"{line.name} not yet"
        return f"|{line.name}| = {norm(snapshot.tensors[line.name]):.4g}"

    return ", ".join(map(told, lines))


def _expression(snapshot: Snapshot, graph: "Graph") -> Iterator[str]:
    gradients = snapshot.program.gradients
    for name in graph.leaves:
        yield f"{name}  {_value(snapshot, name)}{_gradient(snapshot, name, gradients.get(name))}"
    width = max(len(node.code) for node in graph.nodes)
    for node in graph.nodes:
        mark = ">" if node.position == snapshot.position and not snapshot.finished else " "
        value = f"{node.name} = {_value(snapshot, node.name)}"
        gradient = _gradient(snapshot, node.name, gradients.get(node.name))
        yield f"{mark} {node.code:<{width}}  {value}{gradient}"


def _value(snapshot: Snapshot, name: str) -> str:
    array = snapshot.tensors.get(name)
    return "not computed yet" if array is None else one_line(array, _DIGITS)


def _gradient(snapshot: Snapshot, name: str, gradient: str | None) -> str:
    """Say what the gradient of a name is; nothing of one that has none."""
    return "" if gradient is None else f"; {gradient} = {_value(snapshot, gradient)}"


def _layers(session: "Session", text: Typed) -> Answer:
    from nnstep.engine.survey.layers import Surveyor
    from nnstep.engine.survey.meaning import meaning, table, trend

    text.nothing()
    survey = Surveyor().survey(session, session.snapshot())
    said = [meaning(survey, survey.lines[-1]), trend(survey)] if survey.lines else []
    gradients = [line.gradient_name for line in survey.lines if line.gradient is not None]
    if of := session.of_iteration(gradients):
        old = f"gradients are {of}" if of.startswith("of ") else of
        said[0] = f"{said[0].removesuffix('.')}; {old}" if said[0] else old
    sentences = [f"{each[0].upper()}{each[1:].removesuffix('.')}." for each in said if each]
    return Answer((*table(survey), *sentences), title="The layers")


COMMANDS = (
    Command(
        "map",
        "",
        "tell the network as blocks, or an expression as a graph",
        "map",
        _map,
        (),
        "Of each layer it tells what goes in, what is held, what is kept and what comes out; of "
        "each line the norm of what it has written in this pass, and which is next.",
    ),
    Command(
        "layers",
        "",
        "tell how large weights and gradients are, layer by layer",
        "layers",
        _layers,
        (),
        "The last layer first: the norm of the weights, of their gradient now and in the first "
        "iteration, by how much the layer multiplies the gradient (x dz), how far the last update "
        "moved the weights beside their norm (step/W), and the share of units that let nothing "
        "through (off).",
    ),
)
