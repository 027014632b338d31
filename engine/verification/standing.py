"""Which gradients stand: those of this pass that belong to the present parameters and batch."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.machine.edit import Edit
from nnstep.engine.program.program import Instruction, Phase, Program, Role
from nnstep.engine.text import listed

from .verdict import Anew


class Standing(Struct, frozen=True):
    """What is to be verified at a place of a run.

    `tensors` are the live ones, with the batch that counts, and `before` those at the beginning of
    the pass. `gradients` are, by parameter, those that stand, as phase backward wrote them or as
    they were edited since: before they were clipped. `anew` are the others, with the reason, and
    `edited` the cells that were edited in this pass, apart from parameters and the batch.
    """

    tensors: Mapping[str, Array]
    before: Mapping[str, Array]
    gradients: Mapping[str, Array]
    anew: tuple[Anew, ...]
    edited: tuple[str, ...] = ()


def standing_at(timeline: Timeline, *, finished: bool) -> Standing:
    """Return what there is to verify at the place of a timeline.

    At the beginning of a pass its batch is the one that counts, unless the run is `finished` and
    its last pass has changed no parameter.
    """
    machine = timeline.machine
    program = machine.program
    position = machine.position
    unchanged = finished and timeline.place and not _updated(program, program.instructions)
    if unchanged and position == 0:
        position = len(program)
    if position == 0:
        ghost = timeline.ghost(timeline.place)
        next(ghost.steps(timeline.place + 1))
        live = ghost.tensors.copy()
        return Standing(live, machine.tensors, {}, _anew(program, dict(_not_yet(program, live, 0))))
    start = timeline.place - position
    before = timeline.tensors_at(start)
    changes = timeline.current.edits_until(timeline.place, after=start - 1)
    edits = [change for change in changes if isinstance(change, Edit)]
    done = program.instructions[:position]
    live = machine.tensors.copy()
    if reason := _reason(program, done, edits, start):
        written = {name for line in done for name in line.writes}
        reasons = dict(_not_yet(program, live, position))
        reasons |= {d: reason for d in program.gradients.values() if d in written}
        return Standing(live, before, {}, _anew(program, reasons))
    reasons = dict(_not_yet(program, live, position))
    unclipped = _before_update(timeline, start, done, edits)
    of = program.gradients
    gradients = {p: unclipped[of[p]] for p in program.parameters if of[p] not in reasons}
    point = _point(program)
    edited = tuple(dict.fromkeys(each.cell for each in changes if each.name not in point))
    return Standing(live, before, gradients, _anew(program, reasons), edited)


def _updated(program: Program, lines: Sequence[Instruction]) -> list[str]:
    """Return the parameters that update lines among these write."""
    written = (line.writes[0] for line in lines if line.phase is Phase.UPDATE)
    return list(dict.fromkeys(name for name in written if name in program.parameters))


def _reason(
    program: Program, done: Sequence[Instruction], edits: Sequence[Edit], start: int
) -> str:
    """Return why nothing of this pass belongs to the present point; "" if it does."""
    if updated := _updated(program, done):
        have = "has" if len(updated) == 1 else "have"
        return f"{listed(updated)} {have} been updated since"
    point = _point(program)
    for edit in edits:
        read = any(edit.name in line.reads for line in done[: edit.place - start])
        if edit.name in point and read:
            return f"{edit.cell} has been edited since"
    return ""


def _point(program: Program) -> set[str]:
    """Return the tensors that the gradients are a function of."""
    given = (Role.PARAMETER, Role.CONSTANT, Role.DATA)
    return {each.name for each in program.with_role(*given)}


def _not_yet(program: Program, live: Mapping[str, Array], position: int) -> list[tuple[str, str]]:
    """Return the gradients that this pass has not finished at a position, each with the reason."""
    found = []
    for parameter in program.parameters:
        name = program.gradients[parameter]
        last = max(
            at
            for at, line in enumerate(program.instructions)
            if line.phase is Phase.BACKWARD and name in line.writes
        )
        if position <= last:
            old = name in live
            why = "what stands is of the last pass" if old else "this pass has not come to it yet"
            found.append((name, why))
    return found


def _before_update(
    timeline: Timeline, start: int, done: Sequence[Instruction], edits: Sequence[Edit]
) -> Mapping[str, Array]:
    """Return the tensors before the first update line, with the edits made since then."""
    first = next((at for at, line in enumerate(done) if line.phase is Phase.UPDATE), None)
    if first is None:
        return timeline.machine.tensors
    tensors = dict(timeline.tensors_at(start + first))
    for edit in edits:
        if edit.place > start + first and edit.name in tensors:
            edit.apply(tensors)
    return tensors


def _anew(program: Program, reasons: Mapping[str, str]) -> tuple[Anew, ...]:
    """Return the gradients by reason, in the order of phase backward."""
    order = [program.gradients[name] for name in reversed(program.parameters)]
    whys = dict.fromkeys(reasons[name] for name in order if name in reasons)
    return tuple(Anew(tuple(d for d in order if reasons.get(d) == why), why) for why in whys)
