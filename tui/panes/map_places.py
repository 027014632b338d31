"""What a map shows of its tensors: the marks of the listing, and where the name of each stands."""

from collections.abc import Mapping

from msgspec import Struct

from nnstep.engine.program.program import Phase, Role
from nnstep.engine.session.snapshot import Snapshot

from .scene import WRITTEN, Scene

NEXT, RAN = "▶", "·"


class Marks(Struct, frozen=True, eq=False):
    """The marks of the listing, by the tensor beside whose name they stand.

    A line of the update stands beside the parameter that it is about. `at_work` is the layer whose
    line has run last, in `phase`.
    """

    marks: Mapping[str, str]
    at_work: int | None = None
    phase: Phase = Phase.BATCH

    @property
    def is_forward(self) -> bool:
        """Whether the upper half of a block is at work: the pass forward, or the update."""
        return self.phase is not Phase.BACKWARD

    def of(self, name: str) -> str:
        """Return the mark of a tensor, a blank for none."""
        return self.marks.get(name, " ")


def marks_of(snapshot: Snapshot, scene: Scene) -> Marks:
    """Return the marks of a snapshot: what has run, what has just run, what runs next."""
    program = snapshot.program
    lines, count = program.instructions, len(program)
    marks: dict[str, str] = {}
    for position, line in enumerate(lines):
        name = _shown(snapshot, line.writes[0])
        if position < snapshot.position:
            marks[name] = RAN
        elif marks.get(name) == RAN:
            del marks[name]  # not all lines of it have run
    if not snapshot.finished:
        for name in lines[snapshot.position].writes:
            marks[_shown(snapshot, name)] = NEXT
    last = snapshot.last
    if last is None:
        return Marks(marks)
    for line in [lines[place % count] for place in scene.ran] or [last]:
        marks.update((_shown(snapshot, name), WRITTEN) for name in line.writes)
    layer = last.layer if last.layer is not None else _layer_of(snapshot, last.writes[0])
    if last.phase in (Phase.BATCH, Phase.LOSS):
        layer = None
    return Marks(marks, layer, last.phase)


def _shown(snapshot: Snapshot, name: str) -> str:
    """Return beside which tensor a line stands that writes a tensor."""
    tensor = snapshot.program.tensors.get(name)
    if tensor is None or tensor.of is None or tensor.role not in (Role.BUFFER, Role.SCRATCH):
        return name
    return tensor.of


def _layer_of(snapshot: Snapshot, name: str) -> int | None:
    tensor = snapshot.program.tensors.get(name)
    return None if tensor is None else tensor.layer


Places = Mapping[str, tuple[int, int]]
"""Where the name of each tensor stands: its column, and its line."""


def beside(places: Places, here: str | None, across: int, down: int) -> str | None:
    """Return the tensor that stands nearest in a direction; from nowhere, the first one."""
    if here is None or here not in places:
        return min(places, key=lambda name: (places[name][1], places[name][0]), default=None)
    x, y = places[here]

    def far(name: str) -> float | None:
        right, below = places[name][0] - x, places[name][1] - y
        along, beside = (right * across, 4 * abs(below)) if across else (below * down, abs(right))
        return along + 2 * beside if along > 0 else None

    found = {name: distance for name in places if (distance := far(name)) is not None}
    return min(found, key=lambda name: found[name], default=here)
